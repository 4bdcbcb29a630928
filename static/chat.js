// User status with the API of Tencent's Web SDK (@tencentcloud/chat), over this server's `/im` socket: JSON-RPC 2.0, one
// object per frame. An app that uses that SDK changes one import.
//
// A `Chat` keeps one connection. When it is lost, `Chat` opens another one after a random delay with a bound that doubles (full
// jitter), and logs in again by itself. Calls made meanwhile wait; at most `MAX_CALLS` may wait. Every method of this server
// is idempotent, so a call without a reply on the lost connection is sent again on the next one. The server clears the
// custom status when the user goes offline, as Tencent's server does; the app must set it again.

/** Maximum number of calls that wait for a reply. Further calls are rejected with `NETWORK_ERROR`. */
export const MAX_CALLS = 100;

// All in milliseconds.
const FIRST_RETRY = 500;
const MAX_RETRY = 10_000;
/** Maximum duration of a call, including the time without a connection. */
const CALL_TIMEOUT = 30_000;
/** Maximum time from the opening of a connection to the login's reply. */
const OPEN_TIMEOUT = 10_000;
/** Silence after which a heartbeat is sent. Well below the server's own limit (400 s). */
const HEARTBEAT_INTERVAL = 30_000;
const HEARTBEAT_TIMEOUT = 10_000;

/** Event names, as in `TencentCloudChat.EVENT`. */
const EVENT = Object.freeze({
  SDK_READY: 'sdkStateReady',
  SDK_NOT_READY: 'sdkStateNotReady',
  USER_STATUS_UPDATED: 'onUserStatusUpdated',
  KICKED_OUT: 'kickedOut',
  ERROR: 'error',
  NET_STATE_CHANGE: 'netStateChange',
});

/** Constants with the values of `TencentCloudChat.TYPES`. */
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

/** Codes of the client itself, from Tencent's list. All others come from the server. */
const CODES = Object.freeze({ NOT_LOGGED_IN: 6014, REPEATED_LOGIN: 2025, NETWORK_ERROR: 2800, TIMEOUT: 2801, SIG_EXPIRED: 70001 });

/** Codes after which a login would always be refused. With any other code, `Chat` tries again. */
const PERMANENT_REFUSALS = [-32602, -32601, 6017, 70001, 70003, 70013, 70014];

/** The error of every rejected call. */
class ChatError extends Error {
  /** @param {number} code @param {string} message @param {unknown} [data] details from the server, like `retryAfterMs` */
  constructor(code, message, data) {
    super(message);
    this.name = 'ChatError';
    this.code = code;
    if (data !== undefined) this.data = data;
  }
}

/** One user on one device. chat.d.ts documents the parameters and results of each method. */
export default class Chat {
  static EVENT = EVENT;
  static TYPES = TYPES;

  /**
   * @param {{SDKAppID: number, proxyServer?: string}} options `proxyServer` is the socket's address; the
   *   default is `/im` on the page's own host
   * @param {object} [environment] replacements for parts of the browser, for tests
   */
  static create(options, environment) {
    return new Chat(options, environment);
  }

  #appID; #address; #environment;
  /** @type {Map<string, {handler: Function, context: any}[]>} */ #handlers = new Map();
  /** The user who is logged in or logging in. @type {{userID: string, userSig: string} | undefined} */ #user;
  /** The app's promise of the first login, while it is pending. @type {{resolve: Function, reject: Function} | undefined} */ #login;
  /** Calls without a reply, oldest first. @type {Map<number, Call>} */ #calls = new Map();
  /** @type {Connection | undefined} */ #connection;
  #ready = false;
  #netState = TYPES.NET_STATE_DISCONNECTED;
  #attempts = 0;
  #retry; #destroyed = false;
  #onOnline = () => this.#retryNow();

  constructor({ SDKAppID, proxyServer }, environment = {}) {
    const { location, WebSocket, setTimeout, clearTimeout } = globalThis;
    this.#environment = {
      WebSocket,
      setTimeout: (...args) => setTimeout(...args),
      clearTimeout: (timer) => clearTimeout(timer),
      random: Math.random,
      platform: 'Web',
      ...environment,
    };
    this.#appID = SDKAppID;
    this.#address = proxyServer ?? `${location.origin.replace(/^http/, 'ws')}/im`;
    globalThis.addEventListener?.('online', this.#onOnline);
  }

  login({ userID, userSig }) {
    if (this.#destroyed) return Promise.reject(new ChatError(CODES.NOT_LOGGED_IN, 'this instance was destroyed'));
    if (this.#user?.userID === userID && this.#ready) return success({ userID, repeatLogin: true });
    if (this.#user) return Promise.reject(new ChatError(CODES.REPEATED_LOGIN, `${this.#user.userID} is logged in; log out first`));
    this.#user = { userID, userSig };
    return new Promise((resolve, reject) => {
      this.#login = { resolve, reject };
      this.#open();
    });
  }

  /** Without a connection the server does not learn of the logout: it then shows the user as lost, not as logged out. */
  async logout() {
    if (!this.#user) return success({});
    try {
      if (this.#ready && this.#connection) await this.#connection.request('logout');
    } catch {
      // The connection was lost meanwhile, and the login with it.
    }
    this.#end(new ChatError(CODES.NOT_LOGGED_IN, 'logged out'));
    return success({});
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

  /** Logs out and removes all handlers. */
  async destroy() {
    if (this.#destroyed) return;
    this.#destroyed = true;
    globalThis.removeEventListener?.('online', this.#onOnline);
    await this.logout();
    this.#handlers.clear();
  }

  #call(method, params) {
    if (!this.#user || this.#login) return Promise.reject(new ChatError(CODES.NOT_LOGGED_IN, `${method}: nobody is logged in`));
    if (this.#calls.size >= MAX_CALLS) {
      return Promise.reject(new ChatError(CODES.NETWORK_ERROR, `${method}: ${MAX_CALLS} calls wait for a reply already`));
    }
    return new Promise((resolve, reject) => {
      const call = new Call(method, params, { resolve, reject });
      const end = (how, value) => {
        this.#environment.clearTimeout(timer);
        if (this.#calls.delete(call.key)) call.settle[how](value);
      };
      const late = () => end('reject', new ChatError(CODES.TIMEOUT, `${method}: no reply within ${CALL_TIMEOUT / 1000} s`));
      const timer = this.#environment.setTimeout(late, CALL_TIMEOUT);
      call.end = end;
      this.#calls.set(call.key, call);
      if (this.#ready) this.#send(call);
    });
  }

  /** Sends a call. When the connection is lost before the reply, the call waits for the next connection. */
  #send(call) {
    this.#connection.request(call.method, call.params).then(
      (data) => call.end('resolve', { code: 0, data }),
      (error) => error !== CONNECTION_LOST && call.end('reject', error),
    );
  }

  #open() {
    this.#setNetState(TYPES.NET_STATE_CONNECTING);
    const connection = new Connection(this.#address, this.#environment, {
      opened: () => this.#logIn(connection),
      updated: (statuses) => this.#emit(EVENT.USER_STATUS_UPDATED, statuses),
      lost: () => connection === this.#connection && this.#onLost(),
    });
    this.#connection = connection;
  }

  async #logIn(connection) {
    const { userID, userSig } = this.#user;
    const { platform } = this.#environment;
    try {
      const data = await connection.request('login', { SDKAppID: this.#appID, userID, userSig, platform });
      if (connection !== this.#connection) return;
      this.#attempts = 0;
      this.#ready = true;
      connection.keepAlive(Math.min(HEARTBEAT_INTERVAL, (data.heartbeatTimeout ?? 400) * 1000 / 3));
      this.#setNetState(TYPES.NET_STATE_CONNECTED);
      this.#login?.resolve({ code: 0, data });
      this.#login = undefined;
      for (const call of [...this.#calls.values()]) this.#send(call);
      this.#emit(EVENT.SDK_READY, { userID });
    } catch (error) {
      if (connection !== this.#connection || error === CONNECTION_LOST) return;
      if (this.#login || PERMANENT_REFUSALS.includes(error.code)) this.#onRefused(error);
      else this.#onLost();
    }
  }

  /** Ends the login, because the server would refuse it again. */
  #onRefused(error) {
    const wasLoggedIn = !this.#login;
    this.#end(error);
    if (wasLoggedIn && error.code === CODES.SIG_EXPIRED) this.#emit(EVENT.KICKED_OUT, { type: TYPES.KICKED_OUT_USERSIG_EXPIRED });
    if (wasLoggedIn) this.#emit(EVENT.ERROR, { code: error.code, message: error.message });
  }

  /** Fails the first login, or opens another connection for a user who was logged in. */
  #onLost() {
    if (this.#login) return this.#end(new ChatError(CODES.NETWORK_ERROR, 'login: the server cannot be reached'));
    this.#disconnect();
    this.#setNetState(TYPES.NET_STATE_DISCONNECTED);
    const { random, setTimeout } = this.#environment;
    const delay = random() * Math.min(MAX_RETRY, FIRST_RETRY * 2 ** this.#attempts++);
    this.#retry = setTimeout(() => this.#open(), delay);
  }

  /** Connects without waiting for the next attempt, because the network is back. */
  #retryNow() {
    if (!this.#user || this.#connection) return;
    this.#environment.clearTimeout(this.#retry);
    this.#attempts = 0;
    this.#open();
  }

  /** Ends the login and rejects every pending call with this reason. */
  #end(reason) {
    const { userID } = this.#user ?? {};
    const wasReady = this.#user && !this.#login;
    this.#disconnect();
    this.#user = undefined;
    this.#attempts = 0;
    this.#login?.reject(reason);
    this.#login = undefined;
    for (const call of [...this.#calls.values()]) call.end('reject', reason);
    this.#setNetState(TYPES.NET_STATE_DISCONNECTED);
    if (wasReady) this.#emit(EVENT.SDK_NOT_READY, { userID });
  }

  #disconnect() {
    this.#ready = false;
    this.#environment.clearTimeout(this.#retry);
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close();
  }

  #setNetState(state) {
    if (state === this.#netState) return;
    this.#netState = state;
    this.#emit(EVENT.NET_STATE_CHANGE, { state });
  }

  /** Calls the handlers. An error in one is reported to the page and does not affect the others. */
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

/** A call of the app until its reply. */
class Call {
  static #last = 0;
  key = ++Call.#last;
  /** Settles the call, once. @type {(how: 'resolve' | 'reject', value: any) => void} */ end;

  constructor(method, params, settle) {
    this.method = method;
    this.params = params;
    this.settle = settle;
  }
}

/** Rejects the requests of a lost connection. */
const CONNECTION_LOST = new ChatError(CODES.NETWORK_ERROR, 'the connection was lost');

/** One socket: requests and replies matched by `id`, and a heartbeat that detects a server that does not answer. */
class Connection {
  #socket; #environment; #events;
  /** @type {Map<number, {resolve: Function, reject: Function}>} */ #pending = new Map();
  #lastId = 0;
  #timer; #heartbeatInterval; #closed = false;

  /** @param {{opened: () => void, updated: (statuses: any[]) => void, lost: () => void}} events */
  constructor(address, environment, events) {
    this.#environment = environment;
    this.#events = events;
    this.#socket = new environment.WebSocket(address);
    this.#timer = environment.setTimeout(() => this.#lose(), OPEN_TIMEOUT);
    this.#socket.onopen = () => !this.#closed && events.opened();
    this.#socket.onmessage = ({ data }) => !this.#closed && this.#onMessage(data);
    this.#socket.onclose = () => this.#lose();
    this.#socket.onerror = () => {};
  }

  request(method, params) {
    if (this.#closed) return Promise.reject(CONNECTION_LOST);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  /** Starts the heartbeat. @param {number} interval of silence before one is sent, in milliseconds */
  keepAlive(interval) {
    this.#heartbeatInterval = interval;
    this.#scheduleHeartbeat();
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#environment.clearTimeout(this.#timer);
    this.#socket.close(1000);
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(CONNECTION_LOST);
  }

  #scheduleHeartbeat() {
    this.#environment.clearTimeout(this.#timer);
    this.#timer = this.#environment.setTimeout(() => this.#sendHeartbeat(), this.#heartbeatInterval);
  }

  #sendHeartbeat() {
    this.#timer = this.#environment.setTimeout(() => this.#lose(), HEARTBEAT_TIMEOUT);
    // The reply is a frame, and every frame restarts the timer.
    this.request('heartbeat').catch(() => {});
  }

  #onMessage(text) {
    if (this.#heartbeatInterval) this.#scheduleHeartbeat();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return this.#lose();
    }
    for (const each of Array.isArray(message) ? message : [message]) this.#handle(each);
  }

  #handle({ id, method, params, result, error }) {
    if (method === EVENT.USER_STATUS_UPDATED) return this.#events.updated(params);
    const request = this.#pending.get(id);
    if (!request) return;
    this.#pending.delete(id);
    if (error) request.reject(new ChatError(error.code, error.message, error.data));
    else request.resolve(result);
  }

  #lose() {
    if (this.#closed) return;
    this.close();
    this.#events.lost();
  }
}

function success(data) {
  return Promise.resolve({ code: 0, data });
}
