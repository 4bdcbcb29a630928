// Users of all three worlds with real SDKs: each is on one device, shows a number that grows, follows others, comes back
// by itself when its line is lost, and has everything it sees and does put down in a `History`.

import { randomUUID } from 'node:crypto';

import Chat from '../../../static/chat.js';
import { centrifuge } from '../../sdk/harness/centrifuge.mjs';
import { SDK_APP_ID, userSigOf } from '../../sdk/harness/im-people.mjs';
import { clientOf, socketOf } from '../../sdk/harness/nakama.mjs';

/** Each message is a task of its own, as in browsers: what waits for an answer goes on before the next comes in. */
globalThis.WebSocket = class extends globalThis.WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { allowSynchronousEvents: false });
  }
};

/** Nakama's SDK looks here for a console when its heartbeat gets no answer. */
globalThis.window ??= {};

/**
 * The longest and the shortest a client waits before it tries again, in milliseconds. The way to a server takes its time
 * in the world: nobody is back on another node before that has heard of the loss.
 */
const RETRY = 400;
const AT_LEAST = 100;

const delay = () => AT_LEAST + Math.random() * (RETRY - AT_LEAST);

export const DIALECTS = ['nakama', 'centrifugo', 'im'];

/** A user id as all three worlds write it, in one spelling. */
const canonical = (id) => id.toLowerCase();

/** What every device does. */
class Device {
  /** What the user shows; grows. */ number = 0;
  isHere = false;
  /** How often it came in. */ arrivals = 0;
  /** Codes with which lines were closed. */ closes = [];

  /**
   * @param {{history: import('./history.mjs').History, gate: object, name: string, linger?: number, isHeld?: boolean}} options
   *   with `isHeld` a lost line is no absence, and whoever is back shows what it showed before
   */
  constructor({ history, gate, name, linger = 0, isHeld = false }) {
    Object.assign(this, { history, gate, name, linger, isHeld });
    /** Whom it follows. @type {string[]} */ this.followed = [];
  }

  /** Shows the next number, at once or, without a line, as soon as there is one. */
  async shows() {
    this.number += 1;
    if (!this.isHere) return;
    this.history.shows(this.user, this.number);
    await this.tells(this.number);
  }

  /** Follows users; their ids. */
  async follows(users) {
    this.followed = users;
    if (this.isHere) await this.asks();
  }

  /** It is in. */
  begins() {
    this.line = this.history.line(this.name);
    this.isHere = true;
    this.arrivals += 1;
  }

  /** A new line may begin with any of the latest that it showed before. */
  doubtsTheLatest() {
    for (let number = Math.max(1, this.number - 3); number <= this.number; number += 1) this.history.doubts(this.user, number);
  }

  /** The line is closed. */
  ends(code) {
    this.closes.push(code);
    this.line?.lost();
    if (this.isHere && !this.isLeaving && !this.isHeld) this.history.goes(this.user, `line lost (${code})`, this.linger);
    this.isHere = false;
  }

  /** Goes in good order. */
  leaves() {
    this.isLeaving = true;
    if (this.isHere) this.history.goes(this.user, 'logout');
  }
}

class NakamaDevice extends Device {
  async enters() {
    const client = clientOf(this.gate);
    this.client = client;
    this.session = await client.authenticateCustom(randomUUID(), true, `${this.name}-${randomUUID().slice(0, 8)}`);
    this.user = canonical(this.session.user_id);
    await this.#connects();
  }

  async #connects() {
    /** What is seen, by user: numbers by session. */
    this.sessions = new Map();
    const socket = socketOf(this.client, 'text');
    let isOver = false;
    socket.onstatuspresence = (event) => this.#hears(event);
    socket.ondisconnect = ({ code } = {}) => {
      if (isOver) return;
      isOver = true;
      this.ends(code);
      if (!this.isLeaving) setTimeout(() => this.#connectsAgain(), delay());
    };
    this.socket = socket;
    await socket.connect(this.session, false);
    if (isOver) throw new Error('lost at once');
    this.begins();
    if (this.followed.length) await this.asks();
    if (!this.isHeld || !this.number) return this.shows();
    return this.tells(this.number);
  }

  async #connectsAgain() {
    if (this.isLeaving) return;
    const before = this.closes.length;
    await this.#connects().catch(() => {
      // A line that was there is followed by another anyway.
      if (this.closes.length === before) setTimeout(() => this.#connectsAgain(), delay());
    });
  }

  async tells(number) {
    await this.socket.updateStatus(String(number));
  }

  async asks() {
    const { line, sessions, followed } = this;
    const { presences } = await this.socket.followUsers(followed);
    for (const user of followed) sessions.set(user, new Map());
    for (const { user_id, session_id, status } of presences) sessions.get(canonical(user_id))?.set(session_id, Number(status || NaN));
    for (const user of followed) if (user !== this.user) line.snapshot(user, this.#numbers(user));
  }

  #hears({ joins = [], leaves = [] }) {
    const touched = new Set();
    for (const { user_id, session_id } of leaves) {
      const user = canonical(user_id);
      if (user === this.user) continue;
      touched.add(user);
      if (!this.sessions.get(user)?.delete(session_id)) this.history.fault(`${this.line.name} of ${user}: session ${session_id} leaves that was not there`);
    }
    for (const { user_id, session_id, status } of joins) {
      const user = canonical(user_id);
      if (user === this.user) continue;
      touched.add(user);
      const sessions = this.sessions.get(user);
      if (!sessions || sessions.has(session_id)) this.history.fault(`${this.line.name} of ${user}: session ${session_id} joins that was there, or was not followed`);
      sessions?.set(session_id, Number(status || NaN));
    }
    for (const user of touched) this.line.told(user, this.#numbers(user));
  }

  #numbers(user) {
    return [...this.sessions.get(user).values()].map((number) => (Number.isNaN(number) ? null : number));
  }

  breaksOff() {
    this.socket.adapter._socket.terminate();
  }

  leaves() {
    super.leaves();
    this.socket.disconnect(false);
  }
}

class CentrifugoDevice extends Device {
  async enters() {
    this.user = randomUUID();
    this.guest = centrifuge({ after: () => {} }, this.gate, 'json', {
      claims: { sub: this.user },
      websocket: globalThis.WebSocket,
      minReconnectDelay: AT_LEAST,
      maxReconnectDelay: RETRY,
    });
    const { client } = this.guest;
    client.on('connected', () => this.#begins());
    client.on('connecting', ({ code }) => this.arrivals && this.ends(code));
    client.on('disconnected', ({ code }) => this.ends(code));
    await this.guest.connects();
  }

  #begins() {
    this.begins();
    // It begins with the state that was written last: what it said while Redis was away is not.
    this.doubtsTheLatest();
    // Who is held shows nothing: another connection of this world begins with nothing.
    if (this.isHeld && this.arrivals > 1) return;
    // What it showed last is kept by the server, and which of it has come in is not known.
    this.history.shows(this.user);
    if (!this.isHeld) this.shows().catch(() => {});
  }

  async tells(number) {
    await this.guest.client.rpc('update_user_status', { state: String(number) });
  }

  async asks() {
    const asked = this.followed.filter((user) => !this.guest.client.getSubscription(`status:${user}`));
    await Promise.all(asked.map((user) => this.#subscribes(user)));
  }

  #subscribes(user) {
    const subscription = this.guest.client.newSubscription(`status:${user}`);
    subscription.on('publication', ({ data }) => this.line.told(user, numbersOf(data), besides(data)));
    subscription.on('unsubscribed', ({ code, reason }) => this.history.fault(`${this.name} of ${user}: unsubscribed with ${code} (${reason})`));
    return new Promise((resolve) => {
      subscription.on('subscribed', ({ data }) => {
        this.line.snapshot(user, numbersOf(data), besides(data));
        resolve();
      });
      subscription.subscribe();
    });
  }

  breaksOff() {
    this.guest.client._transport._transport.terminate();
  }

  leaves() {
    super.leaves();
    this.guest.client.disconnect();
  }
}

function numbersOf({ online, statuses }) {
  return online ? statuses.map(numberOf) : [];
}

/** The state and the times of a user, which are told when they are known. */
const besides = ({ state, active, last_online }) => JSON.stringify([state, active, last_online]);

const numberOf = (text) => (text === '' ? null : Number(text));

class ImDevice extends Device {
  /** Numbers that the server was asked to show, and has not answered. */ #asked = new Set();

  async enters() {
    this.user = randomUUID();
    const sockets = [];
    this.sockets = sockets;
    const Base = globalThis.WebSocket;
    class Socket extends Base {
      constructor(address) {
        super(address);
        sockets[0] = this;
      }
    }
    this.chat = Chat.create({ SDKAppID: SDK_APP_ID, proxyServer: `ws://${this.gate.address}/im` }, { WebSocket: Socket, setTimeout: (handler, ms) => setTimeout(handler, Math.max(AT_LEAST, ms)) });
    this.chat.on(Chat.EVENT.SDK_READY, () => this.#begins());
    this.chat.on(Chat.EVENT.NET_STATE_CHANGE, ({ data }) => this.isHere && data.state !== Chat.TYPES.NET_STATE_CONNECTED && this.ends(data.state));
    this.chat.on(Chat.EVENT.USER_STATUS_UPDATED, ({ data }) => this.#hears(data));
    await this.chat.login({ userID: this.user, userSig: userSigOf(this.user) });
  }

  #begins() {
    this.begins();
    // Its device shows what the account showed last as far as the node knows, which may have been without Redis.
    this.doubtsTheLatest();
    if (!this.isHeld || this.arrivals === 1) {
      this.history.shows(this.user);
      this.shows().catch(() => {});
    }
    if (this.followed.length) this.asks().catch(() => {});
  }

  async tells(number) {
    this.#asked.add(number);
    await this.chat.setSelfStatus({ customStatus: String(number) }).finally(() => this.#asked.delete(number));
  }

  /** What has no answer yet is asked again on the next line. */
  ends(code) {
    for (const number of this.#asked) this.history.doubts(this.user, number);
    super.ends(code);
  }

  async asks() {
    const { line } = this;
    for (let at = 0; at < this.followed.length; at += 100) {
      const { data } = await this.chat.subscribeUserStatus({ userIDList: this.followed.slice(at, at + 100) });
      for (const { userID, statusType, customStatus } of data.successUserList) line.snapshot(canonical(userID), numbersOfIm(statusType, customStatus));
      for (const failure of data.failureUserList) this.history.fault(`${this.name}: follow refused: ${JSON.stringify(failure)}`);
    }
  }

  #hears(statuses) {
    for (const { userID, statusType, customStatus } of statuses) {
      const user = canonical(userID);
      // Between a line and the first answer on it, what the account follows is told already.
      if (user !== this.user) this.line?.told(user, numbersOfIm(statusType, customStatus));
    }
  }

  breaksOff() {
    this.sockets[0].terminate();
  }

  async leaves() {
    super.leaves();
    await this.chat.destroy();
  }
}

const numbersOfIm = (statusType, customStatus) => (statusType === Chat.TYPES.USER_STATUS_ONLINE ? [numberOf(customStatus)] : []);

const DEVICES = { nakama: NakamaDevice, centrifugo: CentrifugoDevice, im: ImDevice };

/**
 * Users spread over gates and dialects in turn, each following all the others (or the first few of them).
 * @param {import('node:test').TestContext | undefined} t has them leave
 * @param {{history: object, gates: object[], count: number, dialects?: string[], linger?: number, isHeld?: boolean, followed?: number}} options
 */
export async function gathers(t, { history, gates, count, dialects = DIALECTS, linger, isHeld, followed = count }) {
  const crowd = Array.from({ length: count }, (_, at) => {
    const dialect = dialects[at % dialects.length];
    const gate = gates[Math.floor(at / dialects.length) % gates.length];
    return Object.assign(new DEVICES[dialect]({ history, gate, name: `${dialect}${at}`, linger, isHeld }), { home: gates.indexOf(gate) });
  });
  t?.after(() => disperses(crowd));
  await Promise.all(crowd.map((device) => device.enters()));
  const users = crowd.map(({ user }) => user);
  // Everybody follows those who come after it.
  const others = (at) => [...users.slice(at + 1), ...users.slice(0, at)];
  await Promise.all(crowd.map((device, at) => device.follows(others(at).slice(0, followed))));
  return crowd;
}

/** All go in good order. */
export async function disperses(crowd) {
  await Promise.all(crowd.map((device) => device.leaves()));
}
