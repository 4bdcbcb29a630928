// Just enough of Centrifugo's client protocol for this page: connect with a token, subscribe to
// `status:` channels, say a state by rpc. Its `Socket` does what that of nakama.js does, so that a device
// need not know which of them it has.

import { ErrorReply, Refused } from './nakama.js';

/** @typedef {import('./nakama.js').Presence} Presence */
/** @typedef {import('./nakama.js').Session} Session */

const REPLY_TIMEOUT = 10_000;

/**
 * What a backend does for its users: signs a token (HS256) that says who they are. A page does so only
 * here, with the server's development key.
 * @param {{key: string, userId: string}} who @returns {Promise<Session>}
 */
export async function sign({ key, userId }) {
  if (!crypto.subtle) throw new Error('the browser signs tokens only on https and on localhost');
  const encoder = new TextEncoder();
  const unsigned = [{ alg: 'HS256', typ: 'JWT' }, { sub: userId }].map((part) => base64url(encoder.encode(JSON.stringify(part)))).join('.');
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const secret = await crypto.subtle.importKey('raw', encoder.encode(key), algorithm, false, ['sign']);
  const signature = await crypto.subtle.sign('HMAC', secret, encoder.encode(unsigned));
  return { token: `${unsigned}.${base64url(new Uint8Array(signature))}`, userId, username: userId };
}

/**
 * One live connection. Events: `frame` (detail: Frame), `presence` (detail: {joins, leaves, at}), `close`
 * (detail: {reason, error}: the error says so where coming back would not help).
 */
export class Socket extends EventTarget {
  #wire = new Worker(new URL('wire.js', import.meta.url));
  /** @type {Map<number, {resolve: Function, reject: Function, timer: number, learn: Function, sentAt?: number}>} */ #waiting = new Map();
  /** Settled or under way. @type {Map<string, Promise<unknown>>} */ #subscribed = new Map();
  /** What each followed user showed last. @type {Map<string, Presence[]>} */ #shown = new Map();
  #lastId = 0;
  #ended = false;
  #userId;

  /** @param {string} address as in `https://host:port` @param {Session} session */
  constructor(address, { token, userId }) {
    super();
    this.#userId = userId;
    /** Settles once the server has let us in, or has not. */
    this.opened = new Promise((resolve, reject) => {
      const connect = () => this.#ask({ connect: { token, name: 'page' } }).then(resolve, (error) => reject(new Error(error.message)));
      this.#wire.addEventListener('message', ({ data }) => this.#hear(data, connect));
      this.addEventListener('close', ({ detail }) => reject(detail.error ?? new Error(detail.reason || 'the server did not open the line')), { once: true });
    });
    this.#wire.postMessage({ open: `${address.replace(/^http/, 'ws')}/connection/websocket` });
  }

  /** Shows a status. Whoever is connected is here, so there is no hiding. @param {string | null} status */
  async setStatus(status) {
    await this.#ask({ rpc: { method: 'update_user_status', data: { state: status ?? '' } } });
  }

  /** Starts being told of these users. @param {string[]} userIds @returns {Promise<Presence[]>} who is here now */
  async follow(userIds) {
    await Promise.all(userIds.map((userId) => this.#subscribe(userId)));
    return userIds.flatMap((userId) => this.#shown.get(userId) ?? []);
  }

  /** Stops being told of these users. @param {string[]} userIds */
  async unfollow(userIds) {
    for (const userId of userIds) this.#subscribed.delete(userId);
    const forget = (userId) => () => this.#shown.delete(userId);
    await Promise.all(userIds.map((userId) => this.#ask({ unsubscribe: { channel: channel(userId) } }, forget(userId))));
  }

  /** Clients have no ping of their own; a small question is as good. @returns {Promise<number>} milliseconds there and back */
  async ping() {
    const { sentAt, at } = await this.#ask({ presence_stats: { channel: channel(this.#userId) } });
    return at - sentAt;
  }

  /** Ends the line at once, as abruptly as a browser can, and listens to nothing more. */
  drop() {
    this.#end({ reason: 'dropped here' });
  }

  /** Subscribes once, however often it is asked to. */
  #subscribe(userId) {
    if (!this.#subscribed.has(userId)) {
      // Taken in before the next line is, which may be news of the same user.
      const learn = (envelope) => this.#shown.set(userId, presences(userId, envelope.subscribe.data));
      const asked = this.#ask({ subscribe: { channel: channel(userId) } }, learn);
      asked.catch(() => this.#subscribed.delete(userId));
      this.#subscribed.set(userId, asked);
    }
    return this.#subscribed.get(userId);
  }

  /** @param {any} command @param {(envelope: any) => void} [learn] called with the answer, before anything that comes after it */
  #ask(command, learn = () => {}) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error('the line is not open'));
      const timer = setTimeout(() => this.#settle(id, 'reject', new Error('the server did not answer in time')), REPLY_TIMEOUT);
      this.#waiting.set(id, { resolve, reject, timer, learn });
      this.#wire.postMessage({ text: JSON.stringify({ ...command, id }) });
    });
  }

  #hear({ type, text, at, code, reason }, opened) {
    if (this.#ended) return;
    if (type === 'open') opened();
    if (type === 'sent') this.#sent(text, at);
    if (type === 'received') for (const line of text.split('\n')) this.#receive(line, at);
    if (type === 'close') this.#end({ reason, error: refusal(code, reason) });
  }

  #sent(text, at) {
    const envelope = JSON.parse(text);
    const waiting = this.#waiting.get(envelope.id);
    if (waiting) waiting.sentAt = at;
    // A token lets whoever reads it in: it is not for the log.
    if (envelope.connect) envelope.connect.token = '…';
    this.#tell('frame', { direction: 'out', text: JSON.stringify(envelope), envelope, at });
  }

  #receive(text, at) {
    const envelope = JSON.parse(text);
    this.#tell('frame', { direction: 'in', text, envelope, at });
    const { id, error, push } = envelope;
    if (push?.pub) this.#publish(push.channel, push.pub.data, at);
    else if (error) this.#settle(id, 'reject', new ErrorReply(error));
    else if (id) this.#answer(id, envelope, at);
    else if (!push) this.#wire.postMessage({ text: '{}' });
  }

  #answer(id, envelope, at) {
    this.#waiting.get(id)?.learn(envelope);
    this.#settle(id, 'resolve', { envelope, at });
  }

  /** Tells what differs from what the user showed before; a time that changed is nothing to be seen here. */
  #publish(name, data, at) {
    const userId = name.slice(name.indexOf(':') + 1);
    const before = this.#shown.get(userId) ?? [];
    const after = presences(userId, data);
    this.#shown.set(userId, after);
    const missingIn = (others) => (one) => others.every((other) => other.session_id !== one.session_id || other.status !== one.status);
    const [joins, leaves] = [after.filter(missingIn(before)), before.filter(missingIn(after))];
    if (joins.length + leaves.length > 0) this.#tell('presence', { joins, leaves, at });
  }

  #settle(id, how, value) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting[how](how === 'resolve' ? { ...value, sentAt: waiting.sentAt } : value);
  }

  #end(detail) {
    if (this.#ended) return;
    this.#ended = true;
    this.#wire.terminate();
    this.#tell('close', detail);
    for (const id of [...this.#waiting.keys()]) this.#settle(id, 'reject', new Error('the line closed'));
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function channel(userId) {
  return `status:${userId}`;
}

/** A user's statuses have no sessions on this wire: their places stand for them. @returns {Presence[]} */
function presences(userId, { user, statuses }) {
  return statuses.map((status, place) => ({ user_id: userId, session_id: `${userId}/${place}`, username: user, status }));
}

/** Codes from 3500 to 3999 say that coming back would not help. */
function refusal(code, reason) {
  return code >= 3500 && code < 4000 ? new Refused(reason, 403) : undefined;
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
