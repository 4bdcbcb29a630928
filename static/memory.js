// What this browser remembers between visits: its own id, the people, the keys, the theme. All access to the storage is
// here, so that the page also works in a browser that forbids storage; it then remembers nothing.

const PREFIX = 'hereabouts.';

/**
 * A device as the browser remembers it. `disconnected`: the visitor closed its connection.
 * @typedef {{label: string, status: string, invisible: boolean, disconnected: boolean}} RememberedDevice
 */

/**
 * A user as the browser remembers them. `follows` holds names, `dialect` is a name of dialects.js. `username` is the user's
 * id in dialects without user names.
 * @typedef {{name: string, hue: number, dialect?: string, username?: string, follows: string[], devices: RememberedDevice[]}} RememberedUser
 */

/** Returns the start of every custom id of this browser. It is made once, so that two browsers never share a user. */
export function browserId() {
  const known = recall('browser');
  if (typeof known === 'string') return known;
  return remember('browser', randomText(8));
}

/** @returns {RememberedUser[] | undefined} */
export function recallPeople() {
  const people = recall('people');
  return Array.isArray(people) ? people : undefined;
}

/** @param {RememberedUser[]} users */
export function rememberPeople(users) {
  remember('people', users);
}

/** Returns the server key for Nakama's sign-in. @returns {string} */
export function recallServerKey() {
  return recall('serverKey') ?? 'defaultkey';
}

/** Returns the key that signs the tokens of Centrifugo's users. @returns {string} */
export function recallTokenKey() {
  return recall('tokenKey') ?? 'secret';
}

/** @param {string} key */
export function rememberServerKey(key) {
  remember('serverKey', key);
}

/** Returns the secret that signs the userSigs of Tencent's users: a development server's unless another is stored. @returns {string} */
export function recallTencentSecret() {
  return recall('tencentSecret') ?? 'development-secret';
}

/** @returns {'auto' | 'light' | 'dark'} */
export function recallTheme() {
  return recall('theme') ?? 'auto';
}

/** @param {'auto' | 'light' | 'dark'} theme */
export function rememberTheme(theme) {
  remember('theme', theme);
}

/** Returns random letters and digits, without those that are easy to misread. @param {number} length */
export function randomText(length) {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join('');
}

/** Returns a random UUID. Browsers offer one of their own only on https and localhost. */
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
