// The part of Centrifugo's client protocol that this page needs: connect with a token, subscribe to `status:` channels, set
// a state by RPC. Its `Socket` has the interface of that in nakama.js, so that a device works with either.

import { ErrorReply, RefusedError } from './nakama.js';

/** @typedef {import('./nakama.js').Presence} Presence */
/** @typedef {import('./nakama.js').Session} Session */

const REPLY_TIMEOUT = 10_000;

/**
 * Signs a token (HS256) for a user. In production an application's backend does this; this page does it with the server's
 * development key.
 * @param {{key: string, userId: string}} claims @returns {Promise<Session>}
 */
export async function signToken({ key, userId }) {
  if (!crypto.subtle) throw new Error('the browser signs tokens only on https and on localhost');
  const encoder = new TextEncoder();
  const unsigned = [{ alg: 'HS256', typ: 'JWT' }, { sub: userId }].map((part) => base64url(encoder.encode(JSON.stringify(part)))).join('.');
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const secret = await crypto.subtle.importKey('raw', encoder.encode(key), algorithm, false, ['sign']);
  const signature = await crypto.subtle.sign('HMAC', secret, encoder.encode(unsigned));
  return { token: `${unsigned}.${base64url(new Uint8Array(signature))}`, userId, username: userId };
}

/**
 * One connection. Events: `frame` (detail: Frame), `presence` (detail: {joins, leaves, at}), `close` (detail:
 * {reason, error}, with an `error` when a reconnect would not help).
 */
export class Socket extends EventTarget {
  #worker = new Worker(new URL('websocket-worker.js', import.meta.url));
  /** @type {Map<number, {resolve: Function, reject: Function, timer: number, onReply: Function, sentAt?: number}>} */ #pending = new Map();
  /** Subscribe requests, pending and done, by user. @type {Map<string, Promise<unknown>>} */ #subscribed = new Map();
  /** The latest presences of each followed user. @type {Map<string, Presence[]>} */ #presences = new Map();
  #lastId = 0;
  #ended = false;
  #userId;

  /** @param {string} address as in `https://host:port` @param {Session} session */
  constructor(address, { token, userId }) {
    super();
    this.#userId = userId;
    /** Settles when the server has accepted or refused the connection. */
    this.opened = new Promise((resolve, reject) => {
      const connect = () => this.#request({ connect: { token, name: 'page' } }).then(resolve, (error) => reject(new Error(error.message)));
      this.#worker.addEventListener('message', ({ data }) => this.#onMessage(data, connect));
      this.addEventListener('close', ({ detail }) => reject(detail.error ?? new Error(detail.reason || 'the server did not open the connection')), { once: true });
    });
    this.#worker.postMessage({ open: `${address.replace(/^http/, 'ws')}/connection/websocket` });
  }

  /** Sets the status. A connection of this dialect is always visible. @param {string | null} status */
  async setStatus(status) {
    await this.#request({ rpc: { method: 'update_user_status', data: { state: status ?? '' } } });
  }

  /** Follows users. @param {string[]} userIds @returns {Promise<Presence[]>} the current presences of those who are online */
  async follow(userIds) {
    await Promise.all(userIds.map((userId) => this.#subscribe(userId)));
    return userIds.flatMap((userId) => this.#presences.get(userId) ?? []);
  }

  /** Unfollows users. @param {string[]} userIds */
  async unfollow(userIds) {
    for (const userId of userIds) this.#subscribed.delete(userId);
    const forget = (userId) => () => this.#presences.delete(userId);
    await Promise.all(userIds.map((userId) => this.#request({ unsubscribe: { channel: channel(userId) } }, forget(userId))));
  }

  /** Measures with a small request, because the protocol has no ping from the client. @returns {Promise<number>} the round-trip time in milliseconds */
  async ping() {
    const { sentAt, at } = await this.#request({ presence_stats: { channel: channel(this.#userId) } });
    return at - sentAt;
  }

  /** Closes the connection at once, as abruptly as a browser can, and ignores everything that still arrives. */
  disconnect() {
    this.#end({ reason: 'disconnected' });
  }

  /** Subscribes, unless the subscription exists or is being made. */
  #subscribe(userId) {
    if (!this.#subscribed.has(userId)) {
      // Applied before the next message, which may be an update of the same user.
      const onReply = (envelope) => this.#presences.set(userId, presences(userId, envelope.subscribe.data));
      const reply = this.#request({ subscribe: { channel: channel(userId) } }, onReply);
      reply.catch(() => this.#subscribed.delete(userId));
      this.#subscribed.set(userId, reply);
    }
    return this.#subscribed.get(userId);
  }

  /** @param {any} command @param {(envelope: any) => void} [onReply] called with the reply, before any later message */
  #request(command, onReply = () => {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error('the connection is not open'));
      const timer = setTimeout(() => this.#settle(id, 'reject', new Error('the server did not answer in time')), REPLY_TIMEOUT);
      this.#pending.set(id, { resolve, reject, timer, onReply });
      this.#worker.postMessage({ text: JSON.stringify({ ...command, id }) });
    });
  }

  #onMessage({ type, text, at, code, reason }, opened) {
    if (this.#ended) return;
    if (type === 'open') opened();
    if (type === 'sent') this.#sent(text, at);
    if (type === 'received') for (const message of text.split('\n')) this.#receive(message, at);
    if (type === 'close') this.#end({ reason, error: refusal(code, reason) });
  }

  #sent(text, at) {
    const envelope = JSON.parse(text);
    const pending = this.#pending.get(envelope.id);
    if (pending) pending.sentAt = at;
    // The log of frames must not show the token, which is a secret.
    if (envelope.connect) envelope.connect.token = '…';
    this.#emit('frame', { direction: 'out', text: JSON.stringify(envelope), envelope, at });
  }

  #receive(text, at) {
    const envelope = JSON.parse(text);
    this.#emit('frame', { direction: 'in', text, envelope, at });
    const { id, error, push } = envelope;
    if (push?.pub) this.#onPublication(push.channel, push.pub.data, at);
    else if (error) this.#settle(id, 'reject', new ErrorReply(error));
    else if (id) this.#reply(id, envelope, at);
    else if (!push) this.#worker.postMessage({ text: '{}' });
  }

  #reply(id, envelope, at) {
    this.#pending.get(id)?.onReply(envelope);
    this.#settle(id, 'resolve', { envelope, at });
  }

  /** Emits the difference from the user's presences before. A change of a time alone is no event. */
  #onPublication(name, data, at) {
    const userId = name.slice(name.indexOf(':') + 1);
    const before = this.#presences.get(userId) ?? [];
    const after = presences(userId, data);
    this.#presences.set(userId, after);
    const missingIn = (others) => (one) => others.every((other) => other.session_id !== one.session_id || other.status !== one.status);
    const [joins, leaves] = [after.filter(missingIn(before)), before.filter(missingIn(after))];
    if (joins.length + leaves.length > 0) this.#emit('presence', { joins, leaves, at });
  }

  #settle(id, how, value) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending[how](how === 'resolve' ? { ...value, sentAt: pending.sentAt } : value);
  }

  #end(detail) {
    if (this.#ended) return;
    this.#ended = true;
    this.#worker.terminate();
    this.#emit('close', detail);
    for (const id of [...this.#pending.keys()]) this.#settle(id, 'reject', new Error('the connection was closed'));
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function channel(userId) {
  return `status:${userId}`;
}

/** Returns a user's statuses as presences. The protocol sends no session ids, so positions in the list take their place. @returns {Presence[]} */
function presences(userId, { user, statuses }) {
  return statuses.map((status, index) => ({ user_id: userId, session_id: `${userId}/${index}`, username: user, status }));
}

/** Returns an error for close codes from 3500 to 3999, after which a reconnect would not help. */
function refusal(code, reason) {
  return code >= 3500 && code < 4000 ? new RefusedError(reason, 403) : undefined;
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
