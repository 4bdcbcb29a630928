// Tencent Chat's API by `static/chat.js` in Node, with userSigs from Tencent's own package; and people who use it.
// tencent-browser.mjs has people who use it in Chromium.

import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';

import WebSocket from 'ws';

import Chat from '../../../static/chat.js';
import { Person } from './person.mjs';
import { DEADLINE, within } from './wait.mjs';

const { Api } = createRequire(import.meta.url)('tls-sig-api-v2');

export const SDK_APP_ID = 1400000000;
export const SECRET_KEY = 'a secret of these tests';

/** The server's settings for them. */
export const TENCENT_SETTINGS = { HEREABOUTS_TENCENT__SDK_APP_ID: String(SDK_APP_ID), HEREABOUTS_TENCENT__SECRET_KEY: SECRET_KEY };

/** Values of `statusType`. */
export const [ONLINE, OFFLINE, UNLOGINED] = [1, 2, 3];

/** @param {string} userID @param {{expire?: number, secretKey?: string, SDKAppID?: number}} [options] `expire` in seconds */
export function userSigOf(userID, { expire = 3600, secretKey = SECRET_KEY, SDKAppID = SDK_APP_ID } = {}) {
  return new Api(SDKAppID, secretKey).genSig(userID, expire);
}

/**
 * Returns a chat that is not logged in yet, and a function that returns its current socket.
 * @param {{address: string}} server @param {object} [environment] of `Chat.create`
 */
export function tencentChat(server, { WebSocket: Base = WebSocket, ...environment } = {}) {
  let socket;
  class RecordedSocket extends Base {
    constructor(address) {
      super(address);
      socket = this;
    }
  }
  const chat = Chat.create({ SDKAppID: SDK_APP_ID, proxyServer: `ws://${server.address}/im` }, { WebSocket: RecordedSocket, ...environment });
  return { chat, currentSocket: () => socket };
}

/** Somebody who is logged in on one device. `details` of changes are `{statusType}`. */
export class TencentPerson extends Person {
  static dialect = 'tencent';
  static encodings = ['json'];

  /** The custom status of each user who is online, by user id. @type {Map<string, string>} */ #statuses = new Map();
  /** The replies to the latest follows, by user id. @type {Map<string, [number, string]>} */ #snapshots = new Map();
  #currentSocket;

  /** @param {{user?: Person, userId?: string}} options `user` is the same user on another device */
  async identifies({ user, userId = user?.userId ?? `${this.name}-${randomUUID().slice(0, 8)}` }) {
    this.userId = userId;
  }

  /** Opens a connection and logs in. */
  async connects() {
    const { chat, currentSocket } = tencentChat(this.server);
    this.chat = chat;
    this.#currentSocket = currentSocket;
    chat.on(Chat.EVENT.USER_STATUS_UPDATED, ({ data }) => data.forEach((status) => this.#onStatus(status)));
    this.isConnected = true;
    await this.calls('login', { userID: this.userId, userSig: userSigOf(this.userId) });
  }

  /** Logs out: the user is then UNLOGINED. */
  logsOut() {
    return this.calls('logout');
  }

  /** Logs out and closes everything. */
  async disconnects() {
    this.isConnected = false;
    await this.chat.destroy();
  }

  /** Ends the connection without a close frame and does not reconnect: the user is then OFFLINE. */
  losesConnection() {
    this.isConnected = false;
    const socket = this.#currentSocket();
    // chat.js reconnects only while a user is logged in.
    setImmediate(() => this.chat.destroy());
    socket.terminate();
  }

  /** @param {string} customStatus */
  setsStatus(customStatus) {
    return this.calls('setSelfStatus', { customStatus });
  }

  /** @param {...{userId: string}} others @returns {Promise<[string, string][]>} names and statuses of those who are online */
  async follows(...others) {
    const { successUserList } = await this.calls('subscribeUserStatus', { userIDList: others.map(({ userId }) => userId) });
    for (const { userID, statusType, customStatus } of successUserList) {
      this.#snapshots.set(userID, [statusType, customStatus]);
      this.#remembers(userID, statusType, customStatus);
    }
    const online = successUserList.filter(({ statusType }) => statusType === ONLINE);
    return online.map(({ userID, customStatus }) => [this.nameOf(userID), customStatus]).sort();
  }

  /** @param {...{userId: string}} others */
  unfollows(...others) {
    return this.calls('unsubscribeUserStatus', { userIDList: others.map(({ userId }) => userId) });
  }

  /** Returns `[statusType, customStatus]` from the reply to the latest follow. @param {{userId: string}} other */
  snapshotOf({ userId }) {
    return this.#snapshots.get(userId);
  }

  /** Queries users. @param {...{userId: string}} others @returns {Promise<[number, string][]>} `[statusType, customStatus]` of each */
  async queries(...others) {
    const { successUserList } = await this.calls('getUserStatus', { userIDList: others.map(({ userId }) => userId) });
    return others.map(({ userId }) => {
      const { statusType, customStatus } = successUserList.find(({ userID }) => userID === userId);
      return [statusType, customStatus];
    });
  }

  /** Calls a method of the SDK and returns its data. @param {string} method @param {object} [options] */
  async calls(method, options) {
    return (await within(DEADLINE, this.chat[method](options), () => this.timeout(`for the reply to ${method}`))).data;
  }

  #onStatus({ userID, statusType, customStatus }) {
    const presences = () => (this.#statuses.has(userID) ? [{ status: this.#statuses.get(userID) }] : []);
    const leaves = presences();
    this.#remembers(userID, statusType, customStatus);
    this.records({ name: this.nameOf(userID), joins: presences(), leaves, details: { statusType }, raw: { userID, statusType, customStatus } });
  }

  #remembers(userID, statusType, customStatus) {
    if (statusType === ONLINE) this.#statuses.set(userID, customStatus);
    else this.#statuses.delete(userID);
  }
}
