// Tencent Chat's API (chat.js) with the interface of nakama.js: a sign-in, and a socket that translates its frames into
// Nakama's envelopes, which the page uses.

import Chat from './chat.js';
import { randomUuid, recallTencentSecret } from './memory.js';
import { ErrorReply } from './nakama.js';
import { makeUserSig } from './user-sig.js';

/** @typedef {import('./nakama.js').Presence} Presence */

/** The app of a development server. */
const SDK_APP_ID = 1400000000;

/** chat.js's own codes for a failed connection; all others come from the server. */
const CONNECTION_CODES = [2800, 2801, 6014];

/**
 * Makes a userSig for this id, or for a new id. Ids are UUIDs without dashes: they fit the 32 bytes of a Tencent userID, and
 * the other dialects know the user by the same id.
 * @param {{username?: string}} credentials
 */
export async function signIn({ username: known }) {
  const userID = /^[0-9a-f]{32}$/.test(known ?? '') ? known : undashed(randomUuid());
  const userSig = await makeUserSig({ userID, SDKAppID: SDK_APP_ID, secretKey: recallTencentSecret() });
  return { userId: dashed(userID), username: userID, token: { userID, userSig } };
}

/** One connection, with the interface of nakama.js's `Socket`. */
export class Socket extends EventTarget {
  #chat; #socket; #userID;
  /** The latest presence of each followed user, by user id. @type {Map<string, Presence | undefined>} */ #presences = new Map();
  /** Nakama's names of the pending requests, by id. @type {Map<number, string>} */ #pending = new Map();
  #ended = false;

  /** @param {string} address as in `https://host:port` @param {{userID: string, userSig: string}} token */
  constructor(address, token) {
    super();
    this.#userID = token.userID;
    const open = (url) => (this.#socket = new WorkerSocket(url, (frame) => this.#showFrame(frame)));
    // eslint-disable-next-line object-shorthand -- called with `new`
    const environment = { WebSocket: function (url) { return open(url); } };
    this.#chat = Chat.create({ SDKAppID: SDK_APP_ID, proxyServer: `${address.replace(/^http/, 'ws')}/im` }, environment);
    this.#chat.on(Chat.EVENT.USER_STATUS_UPDATED, ({ data, at }) => this.#apply(data, at));
    this.#chat.on(Chat.EVENT.NET_STATE_CHANGE, ({ data }) => {
      if (data.state === Chat.TYPES.NET_STATE_DISCONNECTED) this.#end('the connection was closed');
    });
    /** Settles when the login has succeeded or failed. */
    this.opened = this.#chat.login(token);
  }

  /** @param {string | null} status */
  async setStatus(status) {
    if (status === null) throw new ErrorReply({ message: 'a connection of this protocol cannot be invisible' });
    await this.#request(this.#chat.setSelfStatus({ customStatus: status }));
  }

  /** @param {string[]} userIds @returns {Promise<Presence[]>} the current presences of those who are online */
  async follow(userIds) {
    const { data } = await this.#request(this.#chat.subscribeUserStatus({ userIDList: userIds.map(undashed) }));
    for (const status of data.successUserList) this.#presences.set(dashed(status.userID), presence(status));
    return data.successUserList.map(presence).filter(Boolean);
  }

  /** @param {string[]} userIds */
  async unfollow(userIds) {
    for (const id of userIds) this.#presences.delete(id);
    await this.#request(this.#chat.unsubscribeUserStatus({ userIDList: userIds.map(undashed) }));
  }

  /** @returns {Promise<number>} the round-trip time in milliseconds */
  async ping() {
    const before = performance.now();
    await this.#request(this.#chat.getUserStatus({ userIDList: [this.#userID] }));
    return performance.now() - before;
  }

  /** Closes the connection at once, without a logout. */
  disconnect() {
    this.#end('disconnected');
  }

  async #request(call) {
    return call.catch((error) => {
      throw CONNECTION_CODES.includes(error.code) ? error : new ErrorReply(error);
    });
  }

  /** Emits the user's own status, and for every other user the presence before and the one after. */
  #apply(statuses) {
    const own = statuses.find(({ userID }) => undashed(userID) === this.#userID);
    if (own) this.#emit('own', { status: own.customStatus });
    const others = statuses.filter(({ userID }) => undashed(userID) !== this.#userID);
    const changes = others.map((status) => ({ id: dashed(status.userID), after: presence(status) }));
    const event = {
      leaves: changes.map(({ id }) => this.#presences.get(id)).filter(Boolean),
      joins: changes.map(({ after }) => after).filter(Boolean),
    };
    for (const { id, after } of changes) this.#presences.set(id, after);
    if (event.leaves.length + event.joins.length > 0) this.#emit('presence', { ...event, at: this.#socket.receivedAt });
  }

  #showFrame({ direction, text, at }) {
    const message = JSON.parse(text);
    // The log of frames must not show the userSig, which is a secret.
    const shown = text.replace(/("userSig":")[^"]*/, '$1…');
    this.#emit('frame', { direction, text: shown, envelope: direction === 'out' ? this.#translateRequest(message) : this.#translateResponse(message), at });
  }

  #translateRequest({ id, method, params }) {
    const cid = String(id);
    const user_ids = params?.userIDList?.map(dashed);
    const names = { setSelfStatus: 'status_update', subscribeUserStatus: 'status_follow', unsubscribeUserStatus: 'status_unfollow', getUserStatus: 'ping', heartbeat: 'ping' };
    const name = names[method] ?? method;
    this.#pending.set(id, name);
    return { cid, [name]: { user_ids, status: params?.customStatus } };
  }

  #translateResponse({ id, method, params, result, error }) {
    if (method) {
      const before = (status) => this.#presences.get(dashed(status.userID)) ?? (presence(status) ? undefined : unknownPresence(status));
      return { status_presence_event: { joins: params.map(presence).filter(Boolean), leaves: params.map(before).filter(Boolean) } };
    }
    const name = this.#pending.get(id);
    this.#pending.delete(id);
    const cid = String(id);
    if (error) return { cid, error };
    if (name === 'ping') return { cid, pong: {} };
    if (name === 'status_follow') return { cid, status: { presences: result.successUserList.map(presence).filter(Boolean) } };
    return { cid };
  }

  #end(reason) {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket?.terminate();
    this.#chat.destroy();
    this.#emit('close', { reason });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The part of WebSocket that chat.js uses, on a worker of its own (websocket-worker.js), which reports all frames. */
class WorkerSocket {
  /** The time of the latest incoming frame. @type {number | undefined} */ receivedAt;
  #worker = new Worker(new URL('websocket-worker.js', import.meta.url));
  #onFrame; #closed = false;

  constructor(url, onFrame) {
    this.#onFrame = onFrame;
    this.#worker.addEventListener('message', ({ data }) => !this.#closed && this.#onMessage(data));
    this.#worker.postMessage({ open: url });
  }

  send(text) {
    this.#worker.postMessage({ text });
  }

  close() {
    this.#closed = true;
    this.#worker.terminate();
  }

  /** Closes as if the connection had been lost. */
  terminate() {
    if (this.#closed) return;
    this.close();
    this.onclose?.({ code: 1006 });
  }

  #onMessage({ type, text, at }) {
    if (type === 'open') this.onopen();
    if (type === 'close') this.onclose();
    if (type === 'sent') this.#onFrame({ direction: 'out', text, at });
    if (type !== 'received') return;
    this.receivedAt = at;
    this.#onFrame({ direction: 'in', text, at });
    this.onmessage({ data: text });
  }
}

/** Returns a status as the user's only presence in this dialect, or `undefined` when the user is not online. */
function presence({ userID, statusType, customStatus }) {
  if (statusType !== Chat.TYPES.USER_STATUS_ONLINE) return undefined;
  return { user_id: dashed(userID), session_id: 'tencent', username: userID, status: customStatus };
}

/** Returns a presence to leave with when nothing is known of the one before. */
function unknownPresence({ userID }) {
  return { user_id: dashed(userID), session_id: 'tencent', username: userID, status: '' };
}

function dashed(id) {
  return undashed(id).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function undashed(id) {
  return id.replaceAll('-', '').toLowerCase();
}
