// What this browser remembers between visits: who it is, the cast, the server key, the theme. Everything
// goes through here, so that a browser that forbids storage still gets a page, one that forgets.

const PREFIX = 'hereabouts.';

/**
 * A device as remembered.
 * @typedef {{label: string, status: string, invisible: boolean, dropped: boolean}} RememberedDevice
 */

/**
 * A person as remembered: `follows` holds names, `world` is a name of worlds.js; `username` is the user's id where the
 * world has no names of its own.
 * @typedef {{name: string, hue: number, world?: string, username?: string, follows: string[], devices: RememberedDevice[]}} RememberedPerson
 */

/** The start of every custom id of this browser, made once: two browsers never share a person. */
export function browserId() {
  const known = recall('browser');
  if (typeof known === 'string') return known;
  return remember('browser', randomLetters(8));
}

/** @returns {RememberedPerson[] | undefined} */
export function recallCast() {
  const cast = recall('cast');
  return Array.isArray(cast) ? cast : undefined;
}

/** @param {RememberedPerson[]} people */
export function rememberCast(people) {
  remember('cast', people);
}

/** The server key to sign in with. @returns {string} */
export function recallServerKey() {
  return recall('serverKey') ?? 'defaultkey';
}

/** The key that signs the tokens of Centrifugo's people. @returns {string} */
export function recallTokenKey() {
  return recall('tokenKey') ?? 'secret';
}

/** @param {string} key */
export function rememberServerKey(key) {
  remember('serverKey', key);
}

/** The secret that userSigs are made with, where the server is not in development. @returns {string} */
export function recallImSecret() {
  return recall('imSecret') ?? 'development-secret';
}

/** @returns {'auto' | 'light' | 'dark'} */
export function recallTheme() {
  return recall('theme') ?? 'auto';
}

/** @param {'auto' | 'light' | 'dark'} theme */
export function rememberTheme(theme) {
  remember('theme', theme);
}

/** Letters and digits that are not easily guessed nor misread. @param {number} length */
export function randomLetters(length) {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join('');
}

/** A random id, also where the browser makes none itself (http). */
export function randomUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Storage may be full or forbidden; the page works without it.
  }
  return value;
}
