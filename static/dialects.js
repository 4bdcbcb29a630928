// The protocols that a user of the page may use: how the user signs in, and the socket that each device opens.

import * as centrifugo from './centrifugo.js';
import { randomUuid, recallTokenKey } from './memory.js';
import * as nakama from './nakama.js';
import * as tencent from './tencent.js';

/**
 * `label` is what visitors read. `canHide`: a connection may be invisible. `sharesStatus`: all devices of a user show one
 * status.
 * @typedef {{label: string, canHide: boolean, sharesStatus?: boolean, signIn: (credentials: any) => Promise<any>, connect: (address: string, session: any) => any}} Dialect
 */

/** All dialects by the name under which a user is remembered. @type {Record<string, Dialect>} */
export const DIALECTS = {
  nakama: {
    label: 'Nakama',
    canHide: true,
    signIn: nakama.authenticate,
    connect: (address, { token }) => new nakama.Socket(address, token),
  },
  centrifugo: {
    label: 'Centrifugo',
    canHide: false,
    signIn: ({ username }) => centrifugo.signToken({ key: recallTokenKey(), userId: isUuid(username) ? username : randomUuid() }),
    connect: (address, session) => new centrifugo.Socket(address, session),
  },
  tencent: {
    label: 'Tencent Chat',
    canHide: false,
    sharesStatus: true,
    signIn: tencent.signIn,
    connect: (address, { token }) => new tencent.Socket(address, token),
  },
};

/** Returns the dialect with this name, or Nakama's when there is none. @param {string | undefined} name @returns {Dialect} */
export function dialectOf(name) {
  return DIALECTS[name ?? 'nakama'] ?? DIALECTS.nakama;
}

/** Whether the text is a UUID as the server writes ids. @param {string} text */
function isUuid(text) {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
