// The worlds that a person may live in: how they sign in, and the socket that each of their devices opens.

import * as centrifugo from './centrifugo.js';
import { ImSocket, signIn as signInIm } from './im.js';
import { randomUuid, recallTokenKey } from './memory.js';
import { Socket, authenticate } from './nakama.js';

/**
 * `sharesStatus`: a status is the user's, on all devices.
 * @typedef {{label: string, canHide: boolean, sharesStatus?: boolean, signIn: (who: any) => Promise<any>, connect: (address: string, session: any) => any}} World
 */

/** By the name that is remembered of them. @type {Record<string, World>} */
export const WORLDS = {
  nakama: {
    label: 'Nakama',
    canHide: true,
    signIn: authenticate,
    connect: (address, { token }) => new Socket(address, token),
  },
  centrifugo: {
    label: 'Centrifugo',
    canHide: false,
    signIn: ({ username }) => centrifugo.sign({ key: recallTokenKey(), userId: isUuid(username) ? username : randomUuid() }),
    connect: (address, session) => new centrifugo.Socket(address, session),
  },
  im: {
    label: 'Tencent Chat',
    canHide: false,
    sharesStatus: true,
    signIn: signInIm,
    connect: (address, { token }) => new ImSocket(address, token),
  },
};

/** The one of this name; whoever has none lives in Nakama's. @param {string | undefined} name @returns {World} */
export function worldOf(name) {
  return WORLDS[name ?? 'nakama'] ?? WORLDS.nakama;
}

/** As the server writes ids. @param {string} text */
function isUuid(text) {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
