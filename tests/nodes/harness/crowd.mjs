// Users of all three dialects with real SDKs. Each is on one device, sets a number that grows as the status, follows others,
// reconnects by itself after a lost connection, and records everything that it does and sees in a `History`.

import { randomUUID } from 'node:crypto';

import Chat from '../../../static/chat.js';
import { centrifugoClient, tokenOf } from '../../sdk/harness/centrifugo.mjs';
import { clientOf, socketOf } from '../../sdk/harness/nakama.mjs';
import { tencentChat, userSigOf } from '../../sdk/harness/tencent.mjs';

/** Delivers each message in a task of its own, as browsers do: what waits for a reply continues before the next message. */
globalThis.WebSocket = class extends globalThis.WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { allowSynchronousEvents: false });
  }
};

/** Nakama's SDK looks here for a console when its heartbeat gets no reply. */
globalThis.window ??= {};

/**
 * The minimum and maximum delay before a client reconnects, in milliseconds. As over a real network, no client is on another
 * node before that node has learned of the lost connection.
 */
const MIN_RETRY = 100;
const MAX_RETRY = 400;

/** Maximum time for the first connect of a Centrifugo client, in milliseconds. */
const CONNECT_DEADLINE = 10_000;

/** Maximum number of users in one subscribe request of Tencent's API. */
const MAX_SUBSCRIPTIONS = 100;

const retryDelay = () => MIN_RETRY + Math.random() * (MAX_RETRY - MIN_RETRY);

export const DIALECTS = ['nakama', 'centrifugo', 'tencent'];

/** Returns a user id in the spelling that all dialects share. */
const canonical = (id) => id.toLowerCase();

/** What the devices of all dialects have in common. Subclasses add `connects`, `losesConnection`, and how they send. */
class Device {
  /** The latest status. It grows. */ number = 0;
  isConnected = false;
  /** How often it has connected. */ connectCount = 0;
  /** The codes of its closed connections. */ closeCodes = [];

  /**
   * @param {{history: import('./history.mjs').History, balancer: object, name: string, linger?: number, keepsPresence?: boolean}} options
   *   with `keepsPresence`, a lost connection is no absence, and after a reconnect the user shows the same status as before
   */
  constructor({ history, balancer, name, linger = 0, keepsPresence = false }) {
    Object.assign(this, { history, balancer, name, linger, keepsPresence });
    /** Ids of the followed users. @type {string[]} */ this.followed = [];
  }

  /** Sets the next number, now or after the next connect. */
  async setsNextStatus() {
    this.number += 1;
    if (!this.isConnected) return;
    this.history.recordStatus(this.user, this.number);
    await this.sendsStatus(this.number);
  }

  /** @param {string[]} users their ids */
  async follows(users) {
    this.followed = users;
    if (this.isConnected) await this.sendsFollows();
  }

  onConnected() {
    this.connection = this.history.connection(this.name);
    this.isConnected = true;
    this.connectCount += 1;
  }

  /** Records that a new connection may start with any of the latest numbers. */
  recordsUncertainStatuses() {
    for (let number = Math.max(1, this.number - 3); number <= this.number; number += 1) this.history.recordUncertain(this.user, number);
  }

  onDisconnected(code) {
    this.closeCodes.push(code);
    this.connection?.close();
    if (this.isConnected && !this.isLeaving && !this.keepsPresence) this.history.recordAbsence(this.user, `connection lost (${code})`, this.linger);
    this.isConnected = false;
  }

  /** Disconnects in order and does not reconnect. */
  disconnects() {
    this.isLeaving = true;
    if (this.isConnected) this.history.recordAbsence(this.user, 'logout');
  }
}

class NakamaDevice extends Device {
  async connects() {
    const client = clientOf(this.balancer);
    this.client = client;
    this.session = await client.authenticateCustom(randomUUID(), true, `${this.name}-${randomUUID().slice(0, 8)}`);
    this.user = canonical(this.session.user_id);
    await this.#opensSocket();
  }

  async #opensSocket() {
    /** The followed users' numbers, by user and session. */
    this.sessions = new Map();
    const socket = socketOf(this.client, 'text');
    let isClosed = false;
    socket.onstatuspresence = (event) => this.#onPresence(event);
    socket.ondisconnect = ({ code } = {}) => {
      if (isClosed) return;
      isClosed = true;
      this.onDisconnected(code);
      if (!this.isLeaving) setTimeout(() => this.#reconnects(), retryDelay());
    };
    this.socket = socket;
    await socket.connect(this.session, false);
    if (isClosed) throw new Error('the connection was lost at once');
    this.onConnected();
    if (this.followed.length) await this.sendsFollows();
    if (!this.keepsPresence || !this.number) return this.setsNextStatus();
    return this.sendsStatus(this.number);
  }

  async #reconnects() {
    if (this.isLeaving) return;
    const before = this.closeCodes.length;
    await this.#opensSocket().catch(() => {
      // A socket that was open schedules the next attempt itself.
      if (this.closeCodes.length === before) setTimeout(() => this.#reconnects(), retryDelay());
    });
  }

  async sendsStatus(number) {
    await this.socket.updateStatus(String(number));
  }

  async sendsFollows() {
    const { connection, sessions, followed } = this;
    const { presences } = await this.socket.followUsers(followed);
    for (const user of followed) sessions.set(user, new Map());
    for (const { user_id, session_id, status } of presences) sessions.get(canonical(user_id))?.set(session_id, Number(status || NaN));
    for (const user of followed) if (user !== this.user) connection.snapshot(user, this.#numbersOf(user));
  }

  #onPresence({ joins = [], leaves = [] }) {
    const updated = new Set();
    for (const { user_id, session_id } of leaves) {
      const user = canonical(user_id);
      if (user === this.user) continue;
      updated.add(user);
      if (!this.sessions.get(user)?.delete(session_id)) this.history.reportFault(`${this.connection.name} of ${user}: the unknown session ${session_id} leaves`);
    }
    for (const { user_id, session_id, status } of joins) {
      const user = canonical(user_id);
      if (user === this.user) continue;
      updated.add(user);
      const sessions = this.sessions.get(user);
      if (!sessions || sessions.has(session_id)) this.history.reportFault(`${this.connection.name} of ${user}: session ${session_id} joins, but is known or not followed`);
      sessions?.set(session_id, Number(status || NaN));
    }
    for (const user of updated) this.connection.update(user, this.#numbersOf(user));
  }

  #numbersOf(user) {
    return [...this.sessions.get(user).values()].map((number) => (Number.isNaN(number) ? null : number));
  }

  losesConnection() {
    this.socket.adapter._socket.terminate();
  }

  disconnects() {
    super.disconnects();
    this.socket.disconnect(false);
  }
}

class CentrifugoDevice extends Device {
  async connects() {
    this.user = randomUUID();
    this.client = centrifugoClient(this.balancer, {
      token: tokenOf({ sub: this.user }),
      websocket: globalThis.WebSocket,
      minReconnectDelay: MIN_RETRY,
      maxReconnectDelay: MAX_RETRY,
    });
    this.client.on('connected', () => this.onConnected());
    this.client.on('connecting', ({ code }) => this.connectCount && this.onDisconnected(code));
    this.client.on('disconnected', ({ code }) => this.onDisconnected(code));
    this.client.connect();
    await this.client.ready(CONNECT_DEADLINE);
  }

  onConnected() {
    super.onConnected();
    // It starts with the state that was stored last, without those that were set while Redis was away.
    this.recordsUncertainStatuses();
    // With a kept presence it sets nothing: every new connection of this dialect starts without a status.
    if (this.keepsPresence && this.connectCount > 1) return;
    // The server keeps the latest state that it got, which is not known here.
    this.history.recordStatus(this.user);
    if (!this.keepsPresence) this.setsNextStatus().catch(() => {});
  }

  async sendsStatus(number) {
    await this.client.rpc('update_user_status', { state: String(number) });
  }

  async sendsFollows() {
    const added = this.followed.filter((user) => !this.client.getSubscription(`status:${user}`));
    await Promise.all(added.map((user) => this.#subscribes(user)));
  }

  #subscribes(user) {
    const subscription = this.client.newSubscription(`status:${user}`);
    subscription.on('publication', ({ data }) => this.connection.update(user, numbersOf(data), detailsOf(data)));
    subscription.on('unsubscribed', ({ code, reason }) => this.history.reportFault(`${this.name} of ${user}: unsubscribed with ${code} (${reason})`));
    return new Promise((resolve) => {
      subscription.on('subscribed', ({ data }) => {
        this.connection.snapshot(user, numbersOf(data), detailsOf(data));
        resolve();
      });
      subscription.subscribe();
    });
  }

  losesConnection() {
    this.client._transport._transport.terminate();
  }

  disconnects() {
    super.disconnects();
    this.client.disconnect();
  }
}

function numbersOf({ online, statuses }) {
  return online ? statuses.map(numberOf) : [];
}

/** Returns the state and the times of a user, which may change without the statuses. */
const detailsOf = ({ state, active, last_online }) => JSON.stringify([state, active, last_online]);

const numberOf = (text) => (text === '' ? null : Number(text));

class TencentDevice extends Device {
  /** Numbers that were sent and have no reply yet. */ #unacknowledged = new Set();
  #currentSocket;

  async connects() {
    this.user = randomUUID();
    const { chat, currentSocket } = tencentChat(this.balancer, {
      WebSocket: globalThis.WebSocket,
      setTimeout: (handler, ms) => setTimeout(handler, Math.max(MIN_RETRY, ms)),
    });
    this.chat = chat;
    this.#currentSocket = currentSocket;
    chat.on(Chat.EVENT.SDK_READY, () => this.onConnected());
    chat.on(Chat.EVENT.NET_STATE_CHANGE, ({ data }) => this.isConnected && data.state !== Chat.TYPES.NET_STATE_CONNECTED && this.onDisconnected(data.state));
    chat.on(Chat.EVENT.USER_STATUS_UPDATED, ({ data }) => this.#onStatuses(data));
    await chat.login({ userID: this.user, userSig: userSigOf(this.user) });
  }

  onConnected() {
    super.onConnected();
    // The device starts with the latest status that the node knows, which may be older while Redis is away.
    this.recordsUncertainStatuses();
    if (!this.keepsPresence || this.connectCount === 1) {
      this.history.recordStatus(this.user);
      this.setsNextStatus().catch(() => {});
    }
    if (this.followed.length) this.sendsFollows().catch(() => {});
  }

  async sendsStatus(number) {
    this.#unacknowledged.add(number);
    await this.chat.setSelfStatus({ customStatus: String(number) }).finally(() => this.#unacknowledged.delete(number));
  }

  onDisconnected(code) {
    // chat.js sends these again on the next connection.
    for (const number of this.#unacknowledged) this.history.recordUncertain(this.user, number);
    super.onDisconnected(code);
  }

  async sendsFollows() {
    const { connection } = this;
    for (let at = 0; at < this.followed.length; at += MAX_SUBSCRIPTIONS) {
      const { data } = await this.chat.subscribeUserStatus({ userIDList: this.followed.slice(at, at + MAX_SUBSCRIPTIONS) });
      for (const { userID, statusType, customStatus } of data.successUserList) connection.snapshot(canonical(userID), numbersOfStatus(statusType, customStatus));
      for (const failure of data.failureUserList) this.history.reportFault(`${this.name}: follow refused: ${JSON.stringify(failure)}`);
    }
  }

  #onStatuses(statuses) {
    for (const { userID, statusType, customStatus } of statuses) {
      const user = canonical(userID);
      // Statuses of followed users may arrive between the open connection and the reply to the login.
      if (user !== this.user) this.connection?.update(user, numbersOfStatus(statusType, customStatus));
    }
  }

  losesConnection() {
    this.#currentSocket().terminate();
  }

  async disconnects() {
    super.disconnects();
    await this.chat.destroy();
  }
}

const numbersOfStatus = (statusType, customStatus) => (statusType === Chat.TYPES.USER_STATUS_ONLINE ? [numberOf(customStatus)] : []);

const DEVICES = { nakama: NakamaDevice, centrifugo: CentrifugoDevice, tencent: TencentDevice };

/**
 * Connects users, spread over load balancers and dialects in turn. Each follows all others, or the first `followCount` of them.
 * @param {import('node:test').TestContext | undefined} t disconnects them
 * @param {{history: object, balancers: object[], count: number, dialects?: string[], linger?: number, keepsPresence?: boolean, followCount?: number}} options
 */
export async function startCrowd(t, { history, balancers, count, dialects = DIALECTS, linger, keepsPresence, followCount = count }) {
  const crowd = Array.from({ length: count }, (_, at) => {
    const dialect = dialects[at % dialects.length];
    const balancer = balancers[Math.floor(at / dialects.length) % balancers.length];
    return Object.assign(new DEVICES[dialect]({ history, balancer, name: `${dialect}${at}`, linger, keepsPresence }), { preferredNode: balancers.indexOf(balancer) });
  });
  t?.after(() => stopCrowd(crowd));
  await Promise.all(crowd.map((device) => device.connects()));
  const users = crowd.map(({ user }) => user);
  // Each user first follows those after it.
  const others = (at) => [...users.slice(at + 1), ...users.slice(0, at)];
  await Promise.all(crowd.map((device, at) => device.follows(others(at).slice(0, followCount))));
  return crowd;
}

/** Disconnects all devices in order. */
export async function stopCrowd(crowd) {
  await Promise.all(crowd.map((device) => device.disconnects()));
}
