// One device of one person: a live connection of its own, the status it wants to show, and what the
// server has told it of others. It comes back by itself when the line is lost, and stays away when the
// line was dropped on purpose. Signing in and the list of follows are the person's (person.js).

import { ErrorReply, Refused } from './nakama.js';

/** @typedef {import('./nakama.js').Presence} Presence */
/** @typedef {import('./memory.js').RememberedDevice} RememberedDevice */

/**
 * `connecting`; `open`; `dropped`: on purpose; `lost`: will come back by itself; `refused`: the server
 * does not accept our key, so trying again would not help.
 * @typedef {'connecting' | 'open' | 'dropped' | 'lost' | 'refused'} Line
 */

const FIRST_PING = 300;
const PING_EVERY = 4_000;
const FIRST_RETRY = 500;
const LONGEST_RETRY = 10_000;

/**
 * Full jitter: anything up to a bound that doubles, so that many clients do not come back as one.
 * @param {number} attempt counted from 0 @param {() => number} [random] @returns {number} milliseconds
 */
export function retryDelay(attempt, random = Math.random) {
  return random() * Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** attempt);
}

/**
 * Events: `change`, `frame` (detail: Frame), `presence` (detail: {joins, leaves, at}), `own` (detail: {status}:
 * what all devices of the user show), `refused` (the server key is wrong).
 */
export class Device extends EventTarget {
  /** @type {Line} */ line = 'dropped';
  /** What the server last accepted from us: a text, or `null` for nothing. @type {string | null} */ shown = null;
  /** What the server told us, by user and session. @type {Map<string, Map<string, Presence>>} */ seen = new Map();
  /** Last time there and back, in milliseconds. @type {number | undefined} */ rtt;
  /** The last thing that went wrong, in words. @type {string | undefined} */ problem;
  /** How long until the next attempt, in milliseconds, while `lost`. */ retryIn = 0;

  #signIn; #following; #open;
  /** @type {import('./nakama.js').Socket | undefined} */ #socket;
  #generation = 0;
  #attempts = 0;
  #timer = 0;

  /**
   * @param {RememberedDevice} remembered
   * @param {{signIn: () => Promise<any>, open: (session: any) => any, following: () => string[]}} person `open` makes a
   *   socket for the session of a sign-in
   */
  constructor(remembered, { signIn, open, following }) {
    super();
    this.label = remembered.label;
    /** The text to show whenever visible. */
    this.status = remembered.status;
    this.invisible = remembered.invisible;
    this.#signIn = signIn;
    this.#open = open;
    this.#following = following;
    if (!remembered.dropped) this.connect();
  }

  /** In one word, for people: the line while it is not open, else what others can see. */
  get state() {
    if (this.line !== 'open') return this.line;
    return this.shown === null ? 'invisible' : 'here';
  }

  /** @returns {RememberedDevice} */
  toMemory() {
    return { label: this.label, status: this.status, invisible: this.invisible, dropped: this.line === 'dropped' };
  }

  /** Opens a line, giving up any there was or was to be. */
  async connect() {
    const generation = this.#letGo('connecting');
    try {
      const session = await this.#signIn();
      if (generation !== this.#generation) return;
      this.#socket = this.#listenTo(this.#open(session));
      await this.#socket.opened;
      if (generation !== this.#generation) return;
      this.#attempts = 0;
      this.problem = undefined;
      this.#become('open');
      this.#timer = setTimeout(() => this.#measure(generation), FIRST_PING);
      await this.follow(this.#following());
      await this.#show();
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
    }
  }

  /** Drops the line and stays away until told to connect. */
  drop() {
    this.problem = undefined;
    this.#letGo('dropped');
  }

  /** Shows this text now, or as soon as visible and connected. @param {string} text */
  async setStatus(text) {
    this.status = text;
    await this.#show();
  }

  /** @param {boolean} invisible */
  async setInvisible(invisible) {
    this.invisible = invisible;
    await this.#show();
  }

  /** @param {string[]} userIds */
  async follow(userIds) {
    if (userIds.length === 0) return;
    await this.#whileOpen(async (socket) => {
      const presences = await socket.follow(userIds);
      for (const id of userIds) this.seen.set(id, new Map());
      for (const presence of presences) this.#sessionsOf(presence).set(presence.session_id, presence);
      this.#tell('change');
    });
  }

  /** @param {string[]} userIds */
  async unfollow(userIds) {
    await this.#whileOpen(async (socket) => {
      await socket.unfollow(userIds);
      for (const id of userIds) this.seen.delete(id);
      this.#tell('change');
    });
  }

  async #show() {
    this.#tell('change');
    const wanted = this.invisible ? null : this.status;
    if (wanted === null && this.shown === null) return;
    await this.#whileOpen(async (socket) => {
      await socket.setStatus(wanted);
      this.shown = wanted;
      this.#tell('change');
    });
    if (this.problem && this.line === 'open') this.status = this.shown ?? '';
  }

  /** Runs a request; a refusal is told on the device, anything else means the line is gone anyway. */
  async #whileOpen(request) {
    if (this.line !== 'open') return;
    const generation = this.#generation;
    try {
      this.problem = undefined;
      await request(this.#socket);
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
    }
  }

  async #measure(generation) {
    if (generation !== this.#generation) return;
    try {
      this.rtt = await this.#socket.ping();
      this.#tell('change');
      this.#timer = setTimeout(() => this.#measure(generation), PING_EVERY);
    } catch (error) {
      if (generation === this.#generation) this.#fail(error);
    }
  }

  #listenTo(socket) {
    const generation = this.#generation;
    const on = (type, listener) => socket.addEventListener(type, (event) => {
      if (generation === this.#generation) listener(event.detail);
    });
    on('frame', (frame) => this.#tell('frame', frame));
    on('presence', (event) => this.#learn(event));
    on('own', (event) => this.#adopt(event));
    on('refusal', (error) => this.#fail(error));
    on('close', ({ reason, error }) => this.#fail(error ?? new Error(reason || 'the line closed')));
    return socket;
  }

  /** The user shows this on all devices, whichever of them said so. */
  #adopt({ status }) {
    this.status = status;
    this.shown = status;
    this.#tell('own', { status });
    this.#tell('change');
  }

  #learn({ joins, leaves, at }) {
    for (const presence of leaves) this.#sessionsOf(presence).delete(presence.session_id);
    for (const presence of joins) this.#sessionsOf(presence).set(presence.session_id, presence);
    this.#tell('presence', { joins, leaves, at });
    this.#tell('change');
  }

  #sessionsOf({ user_id: id }) {
    if (!this.seen.has(id)) this.seen.set(id, new Map());
    return this.seen.get(id);
  }

  #fail(error) {
    this.problem = error.message;
    if (error instanceof ErrorReply) return this.#tell('change');
    if (error instanceof Refused && [401, 403].includes(error.http)) {
      this.#letGo('refused');
      return error.http === 401 && this.#tell('refused');
    }
    this.retryIn = retryDelay(this.#attempts++);
    this.#letGo('lost');
    this.#timer = setTimeout(() => this.connect(), this.retryIn);
  }

  /** Ends whatever is under way; its late answers belong to an older generation and are ignored. */
  #letGo(line) {
    this.#generation += 1;
    clearTimeout(this.#timer);
    this.#socket?.drop();
    this.#socket = undefined;
    this.shown = null;
    this.rtt = undefined;
    this.seen.clear();
    this.#become(line);
    return this.#generation;
  }

  #become(line) {
    this.line = line;
    this.#tell('change');
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
