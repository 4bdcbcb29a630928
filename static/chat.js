// User status as Tencent's Web SDK (@tencentcloud/chat) has it, over this server's `/im` socket: JSON-RPC 2.0, one
// object a frame. An app written after that SDK's documents changes one import.
//
// A `Chat` keeps one line. When the line is lost it opens another, after a random delay whose bound doubles (full
// jitter), and logs in again by itself; calls made meanwhile wait, up to `MOST_CALLS` of them. Every call that this
// server has is one that may be made twice, so what was asked on a lost line is asked again on the next. The custom
// status is cleared by the server when a user goes offline, as Tencent's is; it is the app's to set it again.

/** Calls that may wait for an answer at once; further ones are rejected with `NETWORK_ERROR`. */
export const MOST_CALLS = 100;

const FIRST_RETRY = 500;
const LONGEST_RETRY = 10_000;
/** How long a call may take, waiting for a line included. */
const CALL_TIMEOUT = 30_000;
/** How long the server may take to let a line in. */
const OPEN_TIMEOUT = 10_000;
/** Silence after which we ask whether the server is still there. Well below what it allows us (400 s). */
const HEARTBEAT_EVERY = 30_000;
const HEARTBEAT_TIMEOUT = 10_000;

/** The names of events are those of `TencentCloudChat.EVENT`. */
const EVENT = Object.freeze({
  SDK_READY: 'sdkStateReady',
  SDK_NOT_READY: 'sdkStateNotReady',
  USER_STATUS_UPDATED: 'onUserStatusUpdated',
  KICKED_OUT: 'kickedOut',
  ERROR: 'error',
  NET_STATE_CHANGE: 'netStateChange',
});

/** The values are those of `TencentCloudChat.TYPES`. */
const TYPES = Object.freeze({
  USER_STATUS_UNKNOWN: 0,
  USER_STATUS_ONLINE: 1,
  USER_STATUS_OFFLINE: 2,
  USER_STATUS_UNLOGINED: 3,
  NET_STATE_CONNECTED: 'connected',
  NET_STATE_CONNECTING: 'connecting',
  NET_STATE_DISCONNECTED: 'disconnected',
  KICKED_OUT_USERSIG_EXPIRED: 'userSigExpired',
});

/** Codes of our own making, from Tencent's list; all others are the server's. */
const CODES = Object.freeze({ NOT_LOGGED_IN: 6014, REPEATED_LOGIN: 2025, NETWORK_ERROR: 2800, TIMEOUT: 2801, SIG_EXPIRED: 70001 });

/** Login is refused for good with these; with any other it is worth another try. */
const REFUSALS = [-32602, -32601, 6017, 70001, 70003, 70013, 70014];

/** What every call is rejected with. */
class ChatError extends Error {
  /** @param {number} code @param {string} message @param {unknown} [data] what the server adds, like `retryAfterMs` */
  constructor(code, message, data) {
    super(message);
    this.name = 'ChatError';
    this.code = code;
    if (data !== undefined) this.data = data;
  }
}

/** One user on one device. See chat.d.ts for what each method takes and gives. */
export default class Chat {
  static EVENT = EVENT;
  static TYPES = TYPES;

  /**
   * @param {{SDKAppID: number, proxyServer?: string}} options `proxyServer` is the socket's address; left out, it is
   *   `/im` on the page's own host
   * @param {object} [world] what tests give instead of the browser's
   */
  static create(options, world) {
    return new Chat(options, world);
  }

  #appID; #address; #world;
  /** @type {Map<string, {handler: Function, context: any}[]>} */ #handlers = new Map();
  /** Who is logged in, or wants to be. @type {{userID: string, userSig: string} | undefined} */ #user;
  /** The promise of the login under way, for the app. @type {{resolve: Function, reject: Function} | undefined} */ #entering;
  /** Calls without an answer, oldest first. @type {Map<number, Call>} */ #calls = new Map();
  /** @type {Line | undefined} */ #line;
  #ready = false;
  #netState = TYPES.NET_STATE_DISCONNECTED;
  #attempts = 0;
  #retry; #destroyed = false;
  #comeBack = () => this.#hurry();

  constructor({ SDKAppID, proxyServer }, world = {}) {
    const { location, WebSocket, setTimeout, clearTimeout } = globalThis;
    this.#world = {
      WebSocket,
      setTimeout: (...args) => setTimeout(...args),
      clearTimeout: (timer) => clearTimeout(timer),
      random: Math.random,
      platform: 'Web',
      ...world,
    };
    this.#appID = SDKAppID;
    this.#address = proxyServer ?? `${location.origin.replace(/^http/, 'ws')}/im`;
    globalThis.addEventListener?.('online', this.#comeBack);
  }

  login({ userID, userSig }) {
    if (this.#destroyed) return Promise.reject(new ChatError(CODES.NOT_LOGGED_IN, 'this instance was destroyed'));
    if (this.#user?.userID === userID && this.#ready) return done({ userID, repeatLogin: true });
    if (this.#user) return Promise.reject(new ChatError(CODES.REPEATED_LOGIN, `${this.#user.userID} is logged in; log out first`));
    this.#user = { userID, userSig };
    return new Promise((resolve, reject) => {
      this.#entering = { resolve, reject };
      this.#open();
    });
  }

  /** Without a line there is nobody to tell: the server then shows the user as lost, not as logged out. */
  async logout() {
    if (!this.#user) return done({});
    try {
      if (this.#ready && this.#line) await this.#line.ask('logout');
    } catch {
      // The line was lost meanwhile, and with it the login.
    }
    this.#leave(new ChatError(CODES.NOT_LOGGED_IN, 'logged out'));
    return done({});
  }

  setSelfStatus({ customStatus } = {}) {
    return this.#call('setSelfStatus', { customStatus: customStatus ?? '' });
  }

  getUserStatus({ userIDList }) {
    return this.#call('getUserStatus', { userIDList });
  }

  subscribeUserStatus({ userIDList }) {
    return this.#call('subscribeUserStatus', { userIDList });
  }

  unsubscribeUserStatus({ userIDList } = {}) {
    return this.#call('unsubscribeUserStatus', userIDList === undefined ? {} : { userIDList });
  }

  on(eventName, handler, context) {
    const handlers = this.#handlers.get(eventName) ?? [];
    this.#handlers.set(eventName, [...handlers, { handler, context }]);
  }

  off(eventName, handler, context) {
    const keeps = (each) => each.handler !== handler || (context !== undefined && each.context !== context);
    this.#handlers.set(eventName, (this.#handlers.get(eventName) ?? []).filter(keeps));
  }

  isReady() {
    return this.#ready;
  }

  getLoginUser() {
    return this.#user?.userID ?? '';
  }

  /** Logs out and lets go of everything. */
  async destroy() {
    if (this.#destroyed) return;
    this.#destroyed = true;
    globalThis.removeEventListener?.('online', this.#comeBack);
    await this.logout();
    this.#handlers.clear();
  }

  #call(method, params) {
    if (!this.#user || this.#entering) return Promise.reject(new ChatError(CODES.NOT_LOGGED_IN, `${method}: nobody is logged in`));
    if (this.#calls.size >= MOST_CALLS) {
      return Promise.reject(new ChatError(CODES.NETWORK_ERROR, `${method}: ${MOST_CALLS} calls wait for an answer already`));
    }
    return new Promise((resolve, reject) => {
      const call = new Call(method, params, { resolve, reject });
      const end = (how, value) => {
        this.#world.clearTimeout(timer);
        if (this.#calls.delete(call.key)) call.settle[how](value);
      };
      const late = () => end('reject', new ChatError(CODES.TIMEOUT, `${method}: no answer in ${CALL_TIMEOUT / 1000} s`));
      const timer = this.#world.setTimeout(late, CALL_TIMEOUT);
      call.end = end;
      this.#calls.set(call.key, call);
      if (this.#ready) this.#send(call);
    });
  }

  /** Asks on this line; a line that is lost on the way leaves the call to wait for the next. */
  #send(call) {
    this.#line.ask(call.method, call.params).then(
      (data) => call.end('resolve', { code: 0, data }),
      (error) => error !== LOST && call.end('reject', error),
    );
  }

  #open() {
    this.#becomes(TYPES.NET_STATE_CONNECTING);
    const line = new Line(this.#address, this.#world, {
      opened: () => this.#enter(line),
      told: (statuses) => this.#emit(EVENT.USER_STATUS_UPDATED, statuses),
      lost: () => line === this.#line && this.#lose(),
    });
    this.#line = line;
  }

  async #enter(line) {
    const { userID, userSig } = this.#user;
    const { platform } = this.#world;
    try {
      const data = await line.ask('login', { SDKAppID: this.#appID, userID, userSig, platform });
      if (line !== this.#line) return;
      this.#attempts = 0;
      this.#ready = true;
      line.keepAlive(Math.min(HEARTBEAT_EVERY, (data.heartbeatTimeout ?? 400) * 1000 / 3));
      this.#becomes(TYPES.NET_STATE_CONNECTED);
      this.#entering?.resolve({ code: 0, data });
      this.#entering = undefined;
      for (const call of [...this.#calls.values()]) this.#send(call);
      this.#emit(EVENT.SDK_READY, { userID });
    } catch (error) {
      if (line !== this.#line || error === LOST) return;
      if (this.#entering || REFUSALS.includes(error.code)) this.#refused(error);
      else this.#lose();
    }
  }

  /** The server does not want this login: neither would it later. */
  #refused(error) {
    const known = !this.#entering;
    this.#leave(error);
    if (known && error.code === CODES.SIG_EXPIRED) this.#emit(EVENT.KICKED_OUT, { type: TYPES.KICKED_OUT_USERSIG_EXPIRED });
    if (known) this.#emit(EVENT.ERROR, { code: error.code, message: error.message });
  }

  /** The first login fails with its line; whoever is logged in gets another line. */
  #lose() {
    if (this.#entering) return this.#leave(new ChatError(CODES.NETWORK_ERROR, 'login: the server cannot be reached'));
    this.#hangUp();
    this.#becomes(TYPES.NET_STATE_DISCONNECTED);
    const { random, setTimeout } = this.#world;
    const delay = random() * Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** this.#attempts++);
    this.#retry = setTimeout(() => this.#open(), delay);
  }

  /** The network is back: no need to wait for the next attempt. */
  #hurry() {
    if (!this.#user || this.#line) return;
    this.#world.clearTimeout(this.#retry);
    this.#attempts = 0;
    this.#open();
  }

  /** Ends the login, and with this reason everything that hangs on it. */
  #leave(reason) {
    const { userID } = this.#user ?? {};
    const wasReady = this.#user && !this.#entering;
    this.#hangUp();
    this.#user = undefined;
    this.#attempts = 0;
    this.#entering?.reject(reason);
    this.#entering = undefined;
    for (const call of [...this.#calls.values()]) call.end('reject', reason);
    this.#becomes(TYPES.NET_STATE_DISCONNECTED);
    if (wasReady) this.#emit(EVENT.SDK_NOT_READY, { userID });
  }

  #hangUp() {
    this.#ready = false;
    this.#world.clearTimeout(this.#retry);
    const line = this.#line;
    this.#line = undefined;
    line?.close();
  }

  #becomes(state) {
    if (state === this.#netState) return;
    this.#netState = state;
    this.#emit(EVENT.NET_STATE_CHANGE, { state });
  }

  /** A handler that throws is the app's to hear of, and nobody else's. */
  #emit(name, data) {
    for (const { handler, context } of this.#handlers.get(name) ?? []) {
      try {
        handler.call(context, { name, data });
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** A call of the app's, for as long as it has no answer. */
class Call {
  static #last = 0;
  key = ++Call.#last;
  /** Ends it, once. @type {(how: 'resolve' | 'reject', value: any) => void} */ end;

  constructor(method, params, settle) {
    this.method = method;
    this.params = params;
    this.settle = settle;
  }
}

/** What is asked on a line that is lost is answered with this. */
const LOST = new ChatError(CODES.NETWORK_ERROR, 'the line was lost');

/** One socket: asks and answers by `id`, and a heartbeat that notices when nobody is there. */
class Line {
  #socket; #world; #events;
  /** @type {Map<number, {resolve: Function, reject: Function}>} */ #asked = new Map();
  #lastId = 0;
  #timer; #every; #closed = false;

  /** @param {{opened: () => void, told: (statuses: any[]) => void, lost: () => void}} events */
  constructor(address, world, events) {
    this.#world = world;
    this.#events = events;
    this.#socket = new world.WebSocket(address);
    this.#timer = world.setTimeout(() => this.#lose(), OPEN_TIMEOUT);
    this.#socket.onopen = () => !this.#closed && events.opened();
    this.#socket.onmessage = ({ data }) => !this.#closed && this.#hear(data);
    this.#socket.onclose = () => this.#lose();
    this.#socket.onerror = () => {};
  }

  ask(method, params) {
    if (this.#closed) return Promise.reject(LOST);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  /** From here on, silence is looked into. @param {number} every in milliseconds */
  keepAlive(every) {
    this.#every = every;
    this.#listen();
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#world.clearTimeout(this.#timer);
    this.#socket.close(1000);
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of asked) reject(LOST);
  }

  #listen() {
    this.#world.clearTimeout(this.#timer);
    this.#timer = this.#world.setTimeout(() => this.#beat(), this.#every);
  }

  #beat() {
    this.#timer = this.#world.setTimeout(() => this.#lose(), HEARTBEAT_TIMEOUT);
    // The answer is a frame, and every frame starts the silence anew.
    this.ask('heartbeat').catch(() => {});
  }

  #hear(text) {
    if (this.#every) this.#listen();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return this.#lose();
    }
    for (const each of Array.isArray(message) ? message : [message]) this.#take(each);
  }

  #take({ id, method, params, result, error }) {
    if (method === EVENT.USER_STATUS_UPDATED) return this.#events.told(params);
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#asked.delete(id);
    if (error) asked.reject(new ChatError(error.code, error.message, error.data));
    else asked.resolve(result);
  }

  #lose() {
    if (this.#closed) return;
    this.close();
    this.#events.lost();
  }
}

function done(data) {
  return Promise.resolve({ code: 0, data });
}
