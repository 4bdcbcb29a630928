// Just enough of Nakama's protocol for this page: sign in with a custom id, open a socket, ask and be
// answered by `cid`, and be told of presences. No state outlives the socket; whoever owns one decides
// when to open the next.

/**
 * One session of one user, as the server tells it.
 * @typedef {{user_id: string, session_id: string, username: string, status: string}} Presence
 */

/**
 * What passed over a socket, and when, in milliseconds on a clock that all sockets share.
 * @typedef {{direction: 'out' | 'in', text: string, envelope: any, at: number}} Frame
 */

/**
 * Who the server says we are.
 * @typedef {{token: string, userId: string, username: string}} Session
 */

const SIGN_IN_TIMEOUT = 7_000;
const REPLY_TIMEOUT = 10_000;

/** The server answered a sign-in, and said no. `http` is the status code. */
export class Refused extends Error {
  /** @param {string} message @param {number} http */
  constructor(message, http) {
    super(message);
    this.name = 'Refused';
    this.http = http;
  }
}

/** The server answered a request on the socket with an `error`. */
export class ErrorReply extends Error {
  /** @param {{code?: number, message?: string}} error */
  constructor(error) {
    super(error.message || 'the server gave no reason');
    this.name = 'ErrorReply';
    this.code = error.code ?? 0;
  }
}

/**
 * Signs in with a custom id; an unknown id becomes an account with this username.
 * @param {{address: string, serverKey: string, id: string, username: string}} who
 * @returns {Promise<Session>} rejects with `Refused`, or with a plain error when nobody answers
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
  if (!response.ok) throw new Refused(body.message ?? `the server answered ${response.status}`, response.status);
  const claims = claimsOf(body.token);
  return { token: body.token, userId: claims.uid, username: claims.usn };
}

/**
 * One live connection. Events: `frame` (detail: Frame), `presence` (detail: {joins, leaves, at}), `refusal`
 * (detail: ErrorReply that answers no request), `close` (detail: {reason}).
 */
export class Socket extends EventTarget {
  #wire = new Worker(new URL('wire.js', import.meta.url));
  /** @type {Map<string, {resolve: Function, reject: Function, timer: number, sentAt?: number}>} */ #waiting = new Map();
  #lastCid = 0;
  #ended = false;

  /** @param {string} address as in `https://host:port` @param {string} token */
  constructor(address, token) {
    super();
    const query = new URLSearchParams({ lang: 'en', status: 'false', token });
    /** Settles once the socket is open, or has failed to open. */
    this.opened = new Promise((resolve, reject) => {
      this.#wire.addEventListener('message', ({ data }) => this.#hear(data, resolve));
      this.addEventListener('close', () => reject(new Error('the server did not open the line')), { once: true });
    });
    this.#wire.postMessage({ open: `${address.replace(/^http/, 'ws')}/ws?${query}` });
  }

  /** Shows a status; `null` appears offline. @param {string | null} status */
  async setStatus(status) {
    await this.#ask({ status_update: status === null ? {} : { status } });
  }

  /** Starts being told of these users. @param {string[]} userIds @returns {Promise<Presence[]>} who is here now */
  async follow(userIds) {
    const { envelope } = await this.#ask({ status_follow: { user_ids: userIds } });
    return envelope.status?.presences ?? [];
  }

  /** Stops being told of these users. @param {string[]} userIds */
  async unfollow(userIds) {
    await this.#ask({ status_unfollow: { user_ids: userIds } });
  }

  /** @returns {Promise<number>} milliseconds there and back */
  async ping() {
    const { sentAt, at } = await this.#ask({ ping: {} });
    return at - sentAt;
  }

  /** Ends the line at once, as abruptly as a browser can, and listens to nothing more. */
  drop() {
    this.#end('dropped here');
  }

  #ask(message) {
    const cid = String(++this.#lastCid);
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error('the line is not open'));
      const timer = setTimeout(() => this.#settle(cid, 'reject', new Error('the server did not answer in time')), REPLY_TIMEOUT);
      this.#waiting.set(cid, { resolve, reject, timer });
      this.#wire.postMessage({ text: JSON.stringify({ ...message, cid }) });
    });
  }

  #hear({ type, text, at, reason }, opened) {
    if (this.#ended) return;
    if (type === 'open') opened();
    if (type === 'sent') this.#sent(text, at);
    if (type === 'received') this.#receive(text, at);
    if (type === 'close') this.#end(reason);
  }

  #sent(text, at) {
    const envelope = JSON.parse(text);
    const waiting = this.#waiting.get(envelope.cid);
    if (waiting) waiting.sentAt = at;
    this.#tell('frame', { direction: 'out', text, envelope, at });
  }

  #receive(text, at) {
    const envelope = JSON.parse(text);
    this.#tell('frame', { direction: 'in', text, envelope, at });
    const { cid, error, status_presence_event: event } = envelope;
    if (event) this.#tell('presence', { joins: event.joins ?? [], leaves: event.leaves ?? [], at });
    if (error) {
      const refusal = new ErrorReply(error);
      if (!this.#settle(cid, 'reject', refusal)) this.#tell('refusal', refusal);
    } else {
      this.#settle(cid, 'resolve', { envelope, at });
    }
  }

  /** @returns {boolean} whether anybody waited for this answer */
  #settle(cid, how, value) {
    const waiting = this.#waiting.get(cid);
    if (!waiting) return false;
    this.#waiting.delete(cid);
    clearTimeout(waiting.timer);
    waiting[how](how === 'resolve' ? { ...value, sentAt: waiting.sentAt } : value);
    return true;
  }

  #end(reason) {
    if (this.#ended) return;
    this.#ended = true;
    this.#wire.terminate();
    for (const cid of [...this.#waiting.keys()]) this.#settle(cid, 'reject', new Error('the line closed'));
    this.#tell('close', { reason });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The claims of a token, unverified: they only tell us our own name. */
function claimsOf(token) {
  const payload = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
  const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Base64 of the text's UTF-8. */
function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
