// A person who speaks Tencent Chat's API (chat.js), with the interface of nakama.js: a sign-in, and a socket whose
// frames are told in Nakama's words, which are the page's.

import Chat from './chat.js';
import { randomUuid, recallImSecret } from './memory.js';
import { ErrorReply } from './nakama.js';
import { makeUserSig } from './user-sig.js';

/** @typedef {import('./nakama.js').Presence} Presence */

/** The app of a development server. */
const SDK_APP_ID = 1400000000;

/** chat.js's own codes: the line, not the server, is to blame. */
const LINE_CODES = [2800, 2801, 6014];

/**
 * A userSig for this id; without one, for a new id. Ids are UUIDs without dashes, so that the other worlds know the
 * user by the same id and it fits the 32 bytes that this one has.
 * @param {{username?: string}} who
 */
export async function signIn({ username: known }) {
  const userID = /^[0-9a-f]{32}$/.test(known ?? '') ? known : undashed(randomUuid());
  const userSig = await makeUserSig({ userID, SDKAppID: SDK_APP_ID, secretKey: recallImSecret() });
  return { userId: dashed(userID), username: userID, token: { userID, userSig } };
}

/** One live connection, of the interface of nakama.js's `Socket`. */
export class ImSocket extends EventTarget {
  #chat; #wire; #userID;
  /** What we were last told, by user id. @type {Map<string, Presence | undefined>} */ #known = new Map();
  /** Requests under way: what to call their answers, by id. @type {Map<number, object>} */ #asked = new Map();
  #ended = false;

  /** @param {string} address as in `https://host:port` @param {{userID: string, userSig: string}} token */
  constructor(address, token) {
    super();
    this.#userID = token.userID;
    const open = (url) => (this.#wire = new Wire(url, (frame) => this.#note(frame)));
    // eslint-disable-next-line object-shorthand -- called with `new`
    const world = { WebSocket: function (url) { return open(url); } };
    this.#chat = Chat.create({ SDKAppID: SDK_APP_ID, proxyServer: `${address.replace(/^http/, 'ws')}/im` }, world);
    this.#chat.on(Chat.EVENT.USER_STATUS_UPDATED, ({ data, at }) => this.#learn(data, at));
    this.#chat.on(Chat.EVENT.NET_STATE_CHANGE, ({ data }) => {
      if (data.state === Chat.TYPES.NET_STATE_DISCONNECTED) this.#end('the line closed');
    });
    /** Settles once logged in, or when that has failed. */
    this.opened = this.#chat.login(token);
  }

  /** @param {string | null} status */
  async setStatus(status) {
    if (status === null) throw new ErrorReply({ message: 'this kind of connection cannot be invisible' });
    await this.#ask(this.#chat.setSelfStatus({ customStatus: status }));
  }

  /** @param {string[]} userIds @returns {Promise<Presence[]>} who is here now */
  async follow(userIds) {
    const { data } = await this.#ask(this.#chat.subscribeUserStatus({ userIDList: userIds.map(undashed) }));
    for (const status of data.successUserList) this.#known.set(dashed(status.userID), presence(status));
    return data.successUserList.map(presence).filter(Boolean);
  }

  /** @param {string[]} userIds */
  async unfollow(userIds) {
    for (const id of userIds) this.#known.delete(id);
    await this.#ask(this.#chat.unsubscribeUserStatus({ userIDList: userIds.map(undashed) }));
  }

  /** @returns {Promise<number>} milliseconds there and back */
  async ping() {
    const before = performance.now();
    await this.#ask(this.#chat.getUserStatus({ userIDList: [this.#userID] }));
    return performance.now() - before;
  }

  /** Ends the line at once, without a logout. */
  drop() {
    this.#end('dropped here');
  }

  async #ask(call) {
    return call.catch((error) => {
      throw LINE_CODES.includes(error.code) ? error : new ErrorReply(error);
    });
  }

  /** Says of each other user what they were and what they are, and what the user shows on all devices. */
  #learn(statuses) {
    const own = statuses.find(({ userID }) => undashed(userID) === this.#userID);
    if (own) this.#tell('own', { status: own.customStatus });
    const others = statuses.filter(({ userID }) => undashed(userID) !== this.#userID);
    const changes = others.map((status) => ({ id: dashed(status.userID), after: presence(status) }));
    const event = {
      leaves: changes.map(({ id }) => this.#known.get(id)).filter(Boolean),
      joins: changes.map(({ after }) => after).filter(Boolean),
    };
    for (const { id, after } of changes) this.#known.set(id, after);
    if (event.leaves.length + event.joins.length > 0) this.#tell('presence', { ...event, at: this.#wire.heardAt });
  }

  #note({ direction, text, at }) {
    const message = JSON.parse(text);
    // A userSig lets whoever reads it in: it is not for the log.
    const shown = text.replace(/("userSig":")[^"]*/, '$1…');
    this.#tell('frame', { direction, text: shown, envelope: direction === 'out' ? this.#asking(message) : this.#hearing(message), at });
  }

  #asking({ id, method, params }) {
    const cid = String(id);
    const user_ids = params?.userIDList?.map(dashed);
    const own = { setSelfStatus: 'status_update', subscribeUserStatus: 'status_follow', unsubscribeUserStatus: 'status_unfollow', getUserStatus: 'ping', heartbeat: 'ping' };
    const name = own[method] ?? method;
    this.#asked.set(id, { name });
    return { cid, [name]: { user_ids, status: params?.customStatus } };
  }

  #hearing({ id, method, params, result, error }) {
    if (method) {
      const before = (status) => this.#known.get(dashed(status.userID)) ?? (presence(status) ? undefined : absence(status));
      return { status_presence_event: { joins: params.map(presence).filter(Boolean), leaves: params.map(before).filter(Boolean) } };
    }
    const { name } = this.#asked.get(id) ?? {};
    this.#asked.delete(id);
    const cid = String(id);
    if (error) return { cid, error };
    if (name === 'ping') return { cid, pong: {} };
    if (name === 'status_follow') return { cid, status: { presences: result.successUserList.map(presence).filter(Boolean) } };
    return { cid };
  }

  #end(reason) {
    if (this.#ended) return;
    this.#ended = true;
    this.#wire?.cut();
    this.#chat.destroy();
    this.#tell('close', { reason });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** A WebSocket as far as chat.js uses one, on a worker of its own (wire.js), which notes what passes. */
class Wire {
  /** When the latest frame came in. @type {number | undefined} */ heardAt;
  #worker = new Worker(new URL('wire.js', import.meta.url));
  #note; #cut = false;

  constructor(url, note) {
    this.#note = note;
    this.#worker.addEventListener('message', ({ data }) => !this.#cut && this.#hear(data));
    this.#worker.postMessage({ open: url });
  }

  send(text) {
    this.#worker.postMessage({ text });
  }

  close() {
    this.#cut = true;
    this.#worker.terminate();
  }

  /** As if the line had been lost. */
  cut() {
    if (this.#cut) return;
    this.close();
    this.onclose?.({ code: 1006 });
  }

  #hear({ type, text, at }) {
    if (type === 'open') this.onopen();
    if (type === 'close') this.onclose();
    if (type === 'sent') this.#note({ direction: 'out', text, at });
    if (type !== 'received') return;
    this.heardAt = at;
    this.#note({ direction: 'in', text, at });
    this.onmessage({ data: text });
  }
}

/** A status as the one presence that this world has of a user; nothing when they are not here. */
function presence({ userID, statusType, customStatus }) {
  if (statusType !== Chat.TYPES.USER_STATUS_ONLINE) return undefined;
  return { user_id: dashed(userID), session_id: 'im', username: userID, status: customStatus };
}

function absence({ userID }) {
  return { user_id: dashed(userID), session_id: 'im', username: userID, status: '' };
}

function dashed(id) {
  return undashed(id).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function undashed(id) {
  return id.replaceAll('-', '').toLowerCase();
}
