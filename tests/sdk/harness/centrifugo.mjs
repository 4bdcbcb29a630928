// Centrifugo's JavaScript SDK, unmodified, in its JSON and its protobuf build; tokens as an application signs them; and
// people who use it.

import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';

import { Centrifuge as CentrifugeJson } from 'centrifuge';
import { Centrifuge as CentrifugeProtobuf } from 'centrifuge/build/protobuf';
import WebSocket from 'ws';

import { Person } from './person.mjs';
import { DEADLINE, Inbox, within } from './wait.mjs';

export const CENTRIFUGO_ENCODINGS = ['json', 'protobuf'];

/** The key of all tokens, unless a test is about it. */
export const TOKEN_KEY = 'secret';

/** @param {object} claims @param {string} [key] */
export function tokenOf(claims, key = TOKEN_KEY) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const message = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${message}.${createHmac('sha256', key).update(message).digest('base64url')}`;
}

/** Returns seconds since the epoch, `from` seconds from now. */
export const seconds = (from = 0) => Math.floor(Date.now() / 1000) + from;

/** The events of a connection. */
const CONNECTION_EVENTS = ['connecting', 'connected', 'disconnected', 'error'];
const SUBSCRIPTION_EVENTS = ['subscribed', 'unsubscribed', 'publication', 'error'];

/**
 * Returns a client that is not connected yet.
 * @param {{address: string}} server @param {object} [options] of the SDK @param {string} [encoding]
 */
export function centrifugoClient(server, options = {}, encoding = 'json') {
  const Centrifuge = encoding === 'protobuf' ? CentrifugeProtobuf : CentrifugeJson;
  return new Centrifuge(`ws://${server.address}/connection/websocket`, {
    websocket: WebSocket,
    minReconnectDelay: 50,
    maxReconnectDelay: 200,
    ...options,
  });
}

/** Somebody who uses Centrifugo's SDK. A follow is a subscription to `status:<user>`. */
export class CentrifugoPerson extends Person {
  static dialect = 'centrifugo';
  static encodings = CENTRIFUGO_ENCODINGS;

  /** @type {Inbox<{event: string}>} */ events = new Inbox();
  /** By channel. @type {Map<string, Subscription>} */ #subscriptions = new Map();

  /**
   * @param {{user?: Person, userId?: string, claims?: object, client?: object}} options `user` is the same user on another
   *   device; `claims` are added to those of the token; `client` are options of the SDK, which then has only their token
   */
  async identifies({ user, userId = user?.userId ?? `${this.name}-${randomUUID()}`, claims, client }) {
    this.userId = userId;
    this.client = centrifugoClient(this.server, client ?? { token: tokenOf({ sub: userId, ...claims }) }, this.encoding);
    for (const event of CONNECTION_EVENTS) this.client.on(event, (context) => this.events.put({ event, ...context }));
  }

  /** Connects. @returns {Promise<any>} the context of `connected` */
  async connects() {
    this.isConnected = true;
    this.client.connect();
    return this.hears('connected');
  }

  async disconnects() {
    this.isConnected = false;
    this.client.disconnect();
  }

  /** Waits for the next event of the connection with this name, and skips others before it. */
  hears(event) {
    return this.events.take((heard) => heard.event === event, () => this.timeout(`for ${event}; events so far: ${JSON.stringify(this.events.all.slice(0, 20))}`));
  }

  /** Sets the state by `update_user_status`. @param {string} state */
  setsStatus(state) {
    return this.updatesStatus({ state });
  }

  /** Calls `update_user_status` with any parameters. */
  async updatesStatus(data) {
    return (await this.client.rpc('update_user_status', this.encode(data))).data;
  }

  /** @param {...{userId: string}} others @returns {Promise<[string, string][]>} names and statuses of those who are online */
  async follows(...others) {
    const subscriptions = await Promise.all(others.map(({ userId }) => this.#subscribes(`status:${userId}`)));
    return subscriptions.flatMap(({ snapshot }) => snapshot.statuses.map((status) => [this.nameOf(snapshot.user), status])).sort();
  }

  /** @param {...{userId: string}} others */
  async unfollows(...others) {
    for (const { userId } of others) this.#subscriptions.get(`status:${userId}`).sdk.unsubscribe();
  }

  /** Waits until the SDK has subscribed again by itself. @param {{userId: string}} other */
  async followsAgain({ userId }) {
    await this.#subscriptions.get(`status:${userId}`).hears('subscribed');
  }

  /** Returns the presence in the reply to the latest follow, with its times. @param {{userId: string}} other */
  snapshotOf({ userId }) {
    const { user, ...rest } = this.#subscriptions.get(`status:${userId}`).snapshot;
    assert.equal(user, userId);
    return rest;
  }

  /** Subscribes to a channel and is refused. @returns {Promise<{code: number, reason: string}>} */
  async isRefused(channel) {
    const subscription = this.#subscriptionOf(channel);
    subscription.sdk.subscribe();
    const { code, reason } = await subscription.hears('unsubscribed');
    return { code, reason };
  }

  /** Makes a round trip: everything that the server sent on this connection before has arrived. */
  async pings() {
    await errorOf(this.client.rpc('nope', this.encode({})));
  }

  encode(data) {
    return this.encoding === 'protobuf' ? new TextEncoder().encode(JSON.stringify(data)) : data;
  }

  decode(data) {
    return this.encoding === 'protobuf' && data ? JSON.parse(new TextDecoder().decode(data)) : data;
  }

  async #subscribes(channel) {
    const subscription = this.#subscriptionOf(channel);
    subscription.sdk.subscribe();
    await subscription.hears('subscribed');
    return subscription;
  }

  #subscriptionOf(channel) {
    if (!this.#subscriptions.has(channel)) this.#subscriptions.set(channel, new Subscription(this, channel));
    return this.#subscriptions.get(channel);
  }
}

/** A subscription, and what it received. */
class Subscription {
  #events = new Inbox();
  #person;
  /** The latest statuses. @type {string[]} */ #statuses = [];

  constructor(person, channel) {
    this.#person = person;
    this.sdk = person.client.newSubscription(channel);
    for (const event of SUBSCRIPTION_EVENTS) this.sdk.on(event, (context) => this.#on(event, context));
  }

  hears(event) {
    return this.#events.take((heard) => heard.event === event, () => new Error(`no ${event}; events so far: ${JSON.stringify(this.#events.all)}`));
  }

  #on(event, context) {
    const data = this.#person.decode(context.data);
    this.#events.put({ event, ...context, data });
    if (event === 'subscribed') this.snapshot = data;
    if (event === 'publication') this.#person.records(this.#changeTo(data));
    if (data?.statuses) this.#statuses = data.statuses;
  }

  /** Returns the difference from the statuses before, and the whole presence as details. */
  #changeTo(data) {
    const { user, ...details } = withoutTimes(data);
    const presences = (statuses) => statuses.map((status) => ({ status }));
    return {
      name: this.#person.nameOf(user),
      joins: presences(without(data.statuses, this.#statuses)),
      leaves: presences(without(this.#statuses, data.statuses)),
      details,
      raw: data,
    };
  }
}

/** Returns the items of one list without those of another, each counted as often as it occurs. */
function without(items, others) {
  const rest = [...others];
  return items.filter((item) => {
    const index = rest.indexOf(item);
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
}

/** Returns a presence without its times, after a check that they are whole seconds. */
export function withoutTimes({ active, last_online, ...rest }) {
  for (const time of [active, last_online]) assert.ok(time === undefined || Number.isInteger(time), String(time));
  return rest;
}

/** Returns the error of a call. @param {Promise<unknown>} call */
export async function errorOf(call) {
  const outcome = await within(DEADLINE, call, () => new Error('neither done nor refused')).then(
    (value) => new Error(`not refused, but answered ${JSON.stringify(value)}`),
    (reason) => reason,
  );
  if (outcome instanceof Error) throw outcome;
  return { code: outcome.code, message: outcome.message };
}
