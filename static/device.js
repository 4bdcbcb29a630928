// One device of one user: a connection of its own, the status that it wants to show, and what the server sent it of others.
// It reconnects by itself after a lost connection, but not after `disconnect`. The sign-in and the list of follows are the
// user's (user.js).

import { ErrorReply, RefusedError } from './nakama.js';

/** @typedef {import('./nakama.js').Presence} Presence */
/** @typedef {import('./memory.js').RememberedDevice} RememberedDevice */

/**
 * `disconnected`: by the visitor. `lost`: the device will reconnect by itself. `refused`: the server does not accept the
 * key, so another attempt would not help.
 * @typedef {'connecting' | 'open' | 'disconnected' | 'lost' | 'refused'} ConnectionState
 */

// All in milliseconds.
const FIRST_PING = 300;
const PING_INTERVAL = 4_000;
const FIRST_RETRY = 500;
const MAX_RETRY = 10_000;

/**
 * Returns the delay before a reconnect, with full jitter: a random time up to a bound that doubles, so that many clients do
 * not reconnect at the same moment.
 * @param {number} attempt counted from 0 @param {() => number} [random] @returns {number} milliseconds
 */
export function retryDelay(attempt, random = Math.random) {
  return random() * Math.min(MAX_RETRY, FIRST_RETRY * 2 ** attempt);
}

/**
 * Events: `change`, `frame` (detail: Frame), `presence` (detail: {joins, leaves, at}), `own` (detail: {status}, which all
 * devices of the user show), `refused` (the server key is wrong).
 */
export class Device extends EventTarget {
  /** @type {ConnectionState} */ connection = 'disconnected';
  /** The status that the server accepted last; `null` means invisible. @type {string | null} */ shown = null;
  /** The presences that the server sent, by user and session. @type {Map<string, Map<string, Presence>>} */ presences = new Map();
  /** The latest round-trip time, in milliseconds. @type {number | undefined} */ rtt;
  /** The latest problem, in words. @type {string | undefined} */ problem;
  /** The delay before the next attempt while `lost`, in milliseconds. */ retryIn = 0;

  #signIn; #followedIds; #open;
  /** @type {import('./nakama.js').Socket | undefined} */ #socket;
  #generation = 0;
  #attempts = 0;
  #timer = 0;

  /**
   * @param {RememberedDevice} remembered
   * @param {{signIn: () => Promise<any>, open: (session: any) => any, followedIds: () => string[]}} user `open` creates a
   *   socket for the session of a sign-in
   */
  constructor(remembered, { signIn, open, followedIds }) {
    super();
    this.label = remembered.label;
    /** The status to show while visible. */
    this.status = remembered.status;
    this.invisible = remembered.invisible;
    this.#signIn = signIn;
    this.#open = open;
    this.#followedIds = followedIds;
    if (!remembered.disconnected) this.connect();
  }

  /** The state to show: that of the connection while it is not open, otherwise what others can see. */
  get state() {
    if (this.connection !== 'open') return this.connection;
    return this.shown === null ? 'invisible' : 'online';
  }

  /** @returns {RememberedDevice} */
  toMemory() {
    return { label: this.label, status: this.status, invisible: this.invisible, disconnected: this.connection === 'disconnected' };
  }

  /** Opens a connection and abandons the one before, open or not. */
  async connect() {
    const generation = this.#reset('connecting');
    try {
      const session = await this.#signIn();
      if (generation !== this.#generation) return;
      this.#socket = this.#listenTo(this.#open(session));
      await this.#socket.opened;
      if (generation !== this.#generation) return;
      this.#attempts = 0;
      this.problem = undefined;
      this.#setConnection('open');
      this.#timer = setTimeout(() => this.#measureRoundTrip(generation), FIRST_PING);
      await this.follow(this.#followedIds());
      await this.#sendStatus();
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
    }
  }

  /** Closes the connection and does not reconnect before `connect` is called. */
  disconnect() {
    this.problem = undefined;
    this.#reset('disconnected');
  }

  /** Sets the status now, or as soon as the device is visible and connected. @param {string} text */
  async setStatus(text) {
    this.status = text;
    await this.#sendStatus();
  }

  /** @param {boolean} invisible */
  async setInvisible(invisible) {
    this.invisible = invisible;
    await this.#sendStatus();
  }

  /** @param {string[]} userIds */
  async follow(userIds) {
    if (userIds.length === 0) return;
    await this.#request(async (socket) => {
      const presences = await socket.follow(userIds);
      for (const id of userIds) this.presences.set(id, new Map());
      for (const presence of presences) this.#presencesOf(presence).set(presence.session_id, presence);
      this.#emit('change');
    });
  }

  /** @param {string[]} userIds */
  async unfollow(userIds) {
    await this.#request(async (socket) => {
      await socket.unfollow(userIds);
      for (const id of userIds) this.presences.delete(id);
      this.#emit('change');
    });
  }

  async #sendStatus() {
    this.#emit('change');
    const wanted = this.invisible ? null : this.status;
    if (wanted === null && this.shown === null) return;
    await this.#request(async (socket) => {
      await socket.setStatus(wanted);
      this.shown = wanted;
      this.#emit('change');
    });
    if (this.problem && this.connection === 'open') this.status = this.shown ?? '';
  }

  /** Sends a request while the connection is open. A refusal becomes the device's problem; any other error ends the connection. */
  async #request(send) {
    if (this.connection !== 'open') return;
    const generation = this.#generation;
    try {
      this.problem = undefined;
      await send(this.#socket);
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
    }
  }

  async #measureRoundTrip(generation) {
    if (generation !== this.#generation) return;
    try {
      this.rtt = await this.#socket.ping();
      this.#emit('change');
      this.#timer = setTimeout(() => this.#measureRoundTrip(generation), PING_INTERVAL);
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
    }
  }

  #listenTo(socket) {
    const generation = this.#generation;
    const on = (type, listener) => socket.addEventListener(type, (event) => {
      if (generation === this.#generation) listener(event.detail);
    });
    on('frame', (frame) => this.#emit('frame', frame));
    on('presence', (event) => this.#apply(event));
    on('own', (event) => this.#applyOwn(event));
    on('refusal', (error) => this.#fail(error));
    on('close', ({ reason, error }) => this.#fail(error ?? new Error(reason || 'the connection was closed')));
    return socket;
  }

  /** Takes over the status that the user shows on all devices. Any of them may have set it. */
  #applyOwn({ status }) {
    this.status = status;
    this.shown = status;
    this.#emit('own', { status });
    this.#emit('change');
  }

  #apply({ joins, leaves, at }) {
    for (const presence of leaves) this.#presencesOf(presence).delete(presence.session_id);
    for (const presence of joins) this.#presencesOf(presence).set(presence.session_id, presence);
    this.#emit('presence', { joins, leaves, at });
    this.#emit('change');
  }

  #presencesOf({ user_id: id }) {
    if (!this.presences.has(id)) this.presences.set(id, new Map());
    return this.presences.get(id);
  }

  #fail(error) {
    this.problem = error.message;
    if (error instanceof ErrorReply) return this.#emit('change');
    if (error instanceof RefusedError && [401, 403].includes(error.http)) {
      this.#reset('refused');
      return error.http === 401 && this.#emit('refused');
    }
    this.retryIn = retryDelay(this.#attempts++);
    this.#reset('lost');
    this.#timer = setTimeout(() => this.connect(), this.retryIn);
  }

  /** Ends everything in progress. Late replies belong to an older generation and are ignored. */
  #reset(connection) {
    this.#generation += 1;
    clearTimeout(this.#timer);
    this.#socket?.disconnect();
    this.#socket = undefined;
    this.shown = null;
    this.rtt = undefined;
    this.presences.clear();
    this.#setConnection(connection);
    return this.#generation;
  }

  #setConnection(connection) {
    this.connection = connection;
    this.#emit('change');
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
