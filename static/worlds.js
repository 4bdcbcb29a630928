// The worlds that a person may live in: how they sign in, and the socket that each of their devices opens.

import { ImSocket, signIn as signInIm } from './im.js';
import { Socket, authenticate } from './nakama.js';

/**
 * @typedef {{label: string, canHide: boolean, signIn: (who: any) => Promise<any>, connect: (address: string, session: any) => any}} World
 */

/** By the name that is remembered of them. @type {Record<string, World>} */
export const WORLDS = {
  nakama: {
    label: 'Nakama',
    canHide: true,
    signIn: authenticate,
    connect: (address, { token }) => new Socket(address, token),
  },
  im: {
    label: 'Tencent Chat',
    canHide: false,
    signIn: signInIm,
    connect: (address, { token }) => new ImSocket(address, token),
  },
};

/** The one of this name; whoever has none lives in Nakama's. @param {string | undefined} name @returns {World} */
export function worldOf(name) {
  return WORLDS[name ?? 'nakama'] ?? WORLDS.nakama;
}
