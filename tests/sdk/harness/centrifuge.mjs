// Centrifugo's JavaScript SDK, unmodified, in its JSON and its protobuf build, and tokens as an application signs them.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

import { Centrifuge as CentrifugeJson } from 'centrifuge';
import { Centrifuge as CentrifugeProtobuf } from 'centrifuge/build/protobuf';
import WebSocket from 'ws';

import { DEADLINE, Inbox, within } from './wait.mjs';

export const FORMATS = ['json', 'protobuf'];

/** The key of tokens unless a test is about it. */
export const TOKEN_KEY = 'secret';

/** @param {object} claims @param {string} [key] */
export function tokenOf(claims, key = TOKEN_KEY) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const message = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${message}.${createHmac('sha256', key).update(message).digest('base64url')}`;
}

/** Seconds since the epoch, `from` seconds from now. */
export const seconds = (from = 0) => Math.floor(Date.now() / 1000) + from;

/**
 * A client that is not connected yet.
 * @param {import('node:test').TestContext} t closes it
 * @param {{address: string, log: () => string}} server
 * @param {'json' | 'protobuf'} format
 * @param {object} [options] of the SDK; `claims` makes its token
 */
export function centrifuge(t, server, format, { claims, query = '', ...options } = {}) {
  const guest = new Guest(server, format, claims ? { token: tokenOf(claims), ...options } : options, query);
  t.after(() => guest.client.disconnect());
  return guest;
}

class Guest {
  /** @type {Inbox<{event: string}>} */ events = new Inbox();

  constructor(server, format, options, query) {
    this.server = server;
    this.isProtobuf = format === 'protobuf';
    const Centrifuge = this.isProtobuf ? CentrifugeProtobuf : CentrifugeJson;
    this.client = new Centrifuge(`ws://${server.address}/connection/websocket${query}`, {
      websocket: WebSocket,
      minReconnectDelay: 50,
      maxReconnectDelay: 200,
      ...options,
    });
    for (const event of ['connecting', 'connected', 'disconnected', 'error']) {
      this.client.on(event, (context) => this.events.put({ event, ...context }));
    }
  }

  /** Connects and waits for what comes of it: the context of `connected`. */
  async connects() {
    this.client.connect();
    return this.hears('connected');
  }

  /** The next event of this name; those before it are passed over. */
  async hears(event) {
    return this.events.take((heard) => heard.event === event, () => this.#complaint(event));
  }

  /** Follows a user: the subscription, once it has its first answer. */
  async follows(user, channel = `status:${user}`) {
    const following = new Following(this, channel);
    following.subscription.subscribe();
    await following.hears('subscribed');
    return following;
  }

  /** A subscription that is expected to be refused: code and message. */
  async isRefused(channel) {
    const following = new Following(this, channel);
    following.subscription.subscribe();
    const { code, reason } = await following.hears('unsubscribed');
    return { code, reason };
  }

  /** Calls `update_user_status`. */
  async updates(data) {
    return (await this.client.rpc('update_user_status', this.encode(data))).data;
  }

  encode(data) {
    return this.isProtobuf ? new TextEncoder().encode(JSON.stringify(data)) : data;
  }

  decode(data) {
    return this.isProtobuf && data ? JSON.parse(new TextDecoder().decode(data)) : data;
  }

  #complaint(event) {
    const log = this.server.log().split('\n').slice(-20).join('\n');
    return new Error(`no ${event}; so far: ${JSON.stringify(this.events.all.slice(0, 20))}\nThe server's last lines:\n${log}`);
  }
}

class Following {
  #events = new Inbox();

  constructor(guest, channel) {
    this.guest = guest;
    this.subscription = guest.client.newSubscription(channel);
    for (const event of ['subscribed', 'unsubscribed', 'publication', 'error']) {
      this.subscription.on(event, (context) => this.#events.put({ event, ...context, data: guest.decode(context.data) }));
    }
  }

  /** What the subscription's reply showed. */
  async snapshot() {
    return this.#events.all.findLast(({ event }) => event === 'subscribed').data;
  }

  hears(event) {
    return this.#events.take((heard) => heard.event === event, () => new Error(`no ${event}; so far: ${JSON.stringify(this.#events.all)}`));
  }

  /** The next publication, but for its times. */
  async sees() {
    return still((await this.hears('publication')).data);
  }

  /** Waits for a publication like this; those before it are passed over. */
  async seesAtLast(wanted) {
    for (;;) {
      const seen = await this.sees();
      if (Object.entries(wanted).every(([name, value]) => isDeepStrictEqual(seen[name], value))) return seen;
    }
  }

  /** Publications that nobody asked for. */
  get unread() {
    return this.#events.unread.filter(({ event }) => event === 'publication');
  }
}

/** A status without its times, which are checked to be whole seconds. */
export function still({ active, last_online, ...rest }) {
  for (const time of [active, last_online]) assert.ok(time === undefined || Number.isInteger(time), String(time));
  return rest;
}

/** The error that a call was refused with. @param {Promise<unknown>} call */
export async function errorOf(call) {
  const outcome = await within(DEADLINE, call, () => new Error('neither done nor refused')).then(
    (value) => new Error(`not refused, but answered ${JSON.stringify(value)}`),
    (reason) => reason,
  );
  if (outcome instanceof Error) throw outcome;
  return { code: outcome.code, message: outcome.message };
}
