// The part of Nakama's protocol that this page needs: sign-in with a custom id, a socket, requests and replies matched by
// `cid`, and presence events. No state outlives a socket; its owner decides when to open the next one.

/**
 * One session of one user, as the server sends it.
 * @typedef {{user_id: string, session_id: string, username: string, status: string}} Presence
 */

/**
 * A frame of a socket, and its time in milliseconds on a clock that all sockets share.
 * @typedef {{direction: 'out' | 'in', text: string, envelope: any, at: number}} Frame
 */

/**
 * The result of a sign-in.
 * @typedef {{token: string, userId: string, username: string}} Session
 */

const SIGN_IN_TIMEOUT = 7_000;
const REPLY_TIMEOUT = 10_000;

/** The server refused the sign-in. `http` is the status code of its response. */
export class RefusedError extends Error {
  /** @param {string} message @param {number} http */
  constructor(message, http) {
    super(message);
    this.name = 'RefusedError';
    this.http = http;
  }
}

/** The server replied to a request on the socket with an `error`. */
export class ErrorReply extends Error {
  /** @param {{code?: number, message?: string}} error */
  constructor(error) {
    super(error.message || 'the server gave no reason');
    this.name = 'ErrorReply';
    this.code = error.code ?? 0;
  }
}

/**
 * Signs in with a custom id. For an unknown id the server creates an account with this username.
 * @param {{address: string, serverKey: string, id: string, username: string}} credentials
 * @returns {Promise<Session>} rejects with `RefusedError`, or with a plain error when the server does not answer
 */
export async function authenticate({ address, serverKey, id, username }) {
  const query = new URLSearchParams({ create: 'true', username });
  const response = await fetch(`${address}/v2/account/authenticate/custom?${query}`, {
    method: 'POST',
    headers: { Authorization: `Basic ${base64(`${serverKey}:`)}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ id }),
    signal: AbortSignal.timeout(SIGN_IN_TIMEOUT),
  }).catch((cause) => {
    throw new Error('the server does not answer', { cause });
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new RefusedError(body.message ?? `the server answered ${response.status}`, response.status);
  const claims = claimsOf(body.token);
  return { token: body.token, userId: claims.uid, username: claims.usn };
}

/**
 * One connection. Events: `frame` (detail: Frame), `presence` (detail: {joins, leaves, at}), `refusal` (detail: an
 * ErrorReply that belongs to no request), `close` (detail: {reason}).
 */
export class Socket extends EventTarget {
  #worker = new Worker(new URL('websocket-worker.js', import.meta.url));
  /** @type {Map<string, {resolve: Function, reject: Function, timer: number, sentAt?: number}>} */ #pending = new Map();
  #lastCid = 0;
  #ended = false;

  /** @param {string} address as in `https://host:port` @param {string} token */
  constructor(address, token) {
    super();
    const query = new URLSearchParams({ lang: 'en', status: 'false', token });
    /** Settles when the socket is open or has failed to open. */
    this.opened = new Promise((resolve, reject) => {
      this.#worker.addEventListener('message', ({ data }) => this.#onMessage(data, resolve));
      this.addEventListener('close', () => reject(new Error('the server did not open the connection')), { once: true });
    });
    this.#worker.postMessage({ open: `${address.replace(/^http/, 'ws')}/ws?${query}` });
  }

  /** Sets the status; `null` makes the connection invisible. @param {string | null} status */
  async setStatus(status) {
    await this.#request({ status_update: status === null ? {} : { status } });
  }

  /** Follows users. @param {string[]} userIds @returns {Promise<Presence[]>} the current presences of those who are online */
  async follow(userIds) {
    const { envelope } = await this.#request({ status_follow: { user_ids: userIds } });
    return envelope.status?.presences ?? [];
  }

  /** Unfollows users. @param {string[]} userIds */
  async unfollow(userIds) {
    await this.#request({ status_unfollow: { user_ids: userIds } });
  }

  /** @returns {Promise<number>} the round-trip time in milliseconds */
  async ping() {
    const { sentAt, at } = await this.#request({ ping: {} });
    return at - sentAt;
  }

  /** Closes the connection at once, as abruptly as a browser can, and ignores everything that still arrives. */
  disconnect() {
    this.#end('disconnected');
  }

  #request(message) {
    const cid = String(++this.#lastCid);
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error('the connection is not open'));
      const timer = setTimeout(() => this.#settle(cid, 'reject', new Error('the server did not answer in time')), REPLY_TIMEOUT);
      this.#pending.set(cid, { resolve, reject, timer });
      this.#worker.postMessage({ text: JSON.stringify({ ...message, cid }) });
    });
  }

  #onMessage({ type, text, at, reason }, opened) {
    if (this.#ended) return;
    if (type === 'open') opened();
    if (type === 'sent') this.#sent(text, at);
    if (type === 'received') this.#receive(text, at);
    if (type === 'close') this.#end(reason);
  }

  #sent(text, at) {
    const envelope = JSON.parse(text);
    const pending = this.#pending.get(envelope.cid);
    if (pending) pending.sentAt = at;
    this.#emit('frame', { direction: 'out', text, envelope, at });
  }

  #receive(text, at) {
    const envelope = JSON.parse(text);
    this.#emit('frame', { direction: 'in', text, envelope, at });
    const { cid, error, status_presence_event: event } = envelope;
    if (event) this.#emit('presence', { joins: event.joins ?? [], leaves: event.leaves ?? [], at });
    if (error) {
      const refusal = new ErrorReply(error);
      if (!this.#settle(cid, 'reject', refusal)) this.#emit('refusal', refusal);
    } else {
      this.#settle(cid, 'resolve', { envelope, at });
    }
  }

  /** @returns {boolean} whether the reply belongs to a request */
  #settle(cid, how, value) {
    const pending = this.#pending.get(cid);
    if (!pending) return false;
    this.#pending.delete(cid);
    clearTimeout(pending.timer);
    pending[how](how === 'resolve' ? { ...value, sentAt: pending.sentAt } : value);
    return true;
  }

  #end(reason) {
    if (this.#ended) return;
    this.#ended = true;
    this.#worker.terminate();
    for (const cid of [...this.#pending.keys()]) this.#settle(cid, 'reject', new Error('the connection was closed'));
    this.#emit('close', { reason });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Returns the claims of a token without verifying it: they are only used for the user's own id and name. */
function claimsOf(token) {
  const payload = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
  const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Returns the Base64 of the text in UTF-8. */
function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
