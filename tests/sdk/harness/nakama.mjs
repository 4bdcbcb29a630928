// Nakama's JavaScript SDK, unmodified, with the WebSocket that Node lacks; and people who use it.

import { randomUUID } from 'node:crypto';

import { Client, Session, WebSocketAdapterText } from '@heroiclabs/nakama-js';
import { WebSocketAdapterPb } from '@heroiclabs/nakama-js-protobuf';
import WebSocket from 'ws';

import { Person } from './person.mjs';
import { DEADLINE, within } from './wait.mjs';

globalThis.WebSocket = WebSocket;

export { Client, Session };

/** The encodings that the SDK has for the socket. */
export const NAKAMA_ENCODINGS = ['text', 'protobuf'];

/** @param {string} encoding one of them */
export function makeAdapter(encoding) {
  return encoding === 'protobuf' ? new WebSocketAdapterPb() : new WebSocketAdapterText();
}

/** The server key of every client, unless a test is about it. */
export const SERVER_KEY = 'defaultkey';

/** @param {{host: string, port: number}} server @param {{serverKey?: string, refreshes?: boolean}} [options] */
export function clientOf(server, { serverKey = SERVER_KEY, refreshes = true } = {}) {
  return new Client(serverKey, server.host, String(server.port), false, undefined, refreshes);
}

/** Returns a socket that is not connected yet. @param {Client} client @param {string} encoding */
export function socketOf(client, encoding) {
  return client.createSocket(false, false, makeAdapter(encoding));
}

/**
 * Returns the refusal of a REST call. The SDK rejects with the bare response.
 * @param {Promise<unknown>} call
 * @returns {Promise<{http: number, code: number, message: string}>}
 */
export async function refusal(call) {
  const outcome = await rejectionOf(call);
  if (!(outcome instanceof Response)) throw outcome;
  return { http: outcome.status, ...(await outcome.json()) };
}

/**
 * Returns the `error` in the reply to a request on a socket.
 * @param {Promise<unknown>} request
 * @returns {Promise<{code: number, message: string}>}
 */
export async function errorReply(request) {
  const outcome = await rejectionOf(request);
  if (typeof outcome?.message !== 'string' || outcome instanceof Error) {
    throw new Error('expected an error reply', { cause: outcome });
  }
  return { code: outcome.code ?? 0, message: outcome.message };
}

function rejectionOf(promise) {
  return promise.then(
    (value) => new Error(`not refused, but answered ${JSON.stringify(value)}`),
    (reason) => reason,
  );
}

/** Somebody who uses Nakama's SDK: a session, a socket, and what was seen on it. */
export class NakamaPerson extends Person {
  static dialect = 'nakama';
  static encodings = NAKAMA_ENCODINGS;
  static reportsUnread = true;

  /** @param {{user?: NakamaPerson}} options `user` is the same user on another device */
  async identifies({ user }) {
    this.client = clientOf(this.server);
    this.session = user?.session ?? (await this.client.authenticateCustom(`${this.name}-${randomUUID()}`, true, `${this.name}_${randomUUID().slice(0, 8)}`));
  }

  get userId() {
    return this.session.user_id;
  }

  get username() {
    return this.session.username;
  }

  /** Opens a new connection, which follows nobody yet. @param {boolean} [visible] with the empty status */
  async connects(visible = false) {
    this.socket = socketOf(this.client, this.encoding);
    this.socket.onstatuspresence = (event) => this.#onPresence(event);
    this.closed = new Promise((resolve) => {
      this.socket.ondisconnect = (event) => {
        this.isConnected = false;
        // `disconnect()` calls this with an empty event before the connection is closed.
        if ('code' in event) resolve({ code: event.code, reason: event.reason, wasClean: event.wasClean });
      };
    });
    await this.socket.connect(this.session, visible);
    this.isConnected = true;
  }

  /** Closes the connection and waits until it is closed. */
  async disconnects() {
    this.socket.disconnect();
    return this.isDisconnected();
  }

  /** Ends the connection without a close frame, as a crash would. */
  losesConnection() {
    this.socket.adapter._socket.terminate();
  }

  /** Waits until the connection is closed, by either end. */
  isDisconnected() {
    return within(DEADLINE, this.closed, () => this.timeout('to be disconnected'));
  }

  /** @param {string} status */
  setsStatus(status) {
    return this.socket.updateStatus(status);
  }

  goesInvisible() {
    return this.socket.updateStatus();
  }

  /** @param {...{userId: string}} others @returns {Promise<[string, string][]>} names and statuses of those who are online */
  async follows(...others) {
    return this.#namesAndStatuses(await this.socket.followUsers(others.map(({ userId }) => userId)));
  }

  /** @param {...NakamaPerson} others */
  async followsByUsername(...others) {
    return this.#namesAndStatuses(await this.requestsFollow({ usernames: others.map(({ username }) => username) }));
  }

  /** Sends a follow that the SDK has no method for. @param {{user_ids?: string[], usernames?: string[]}} users */
  async requestsFollow({ user_ids = [], usernames = [] }) {
    return (await this.socket.send({ status_follow: { user_ids, usernames } })).status;
  }

  /** @param {...{userId: string}} others */
  unfollows(...others) {
    return this.socket.unfollowUsers(others.map(({ userId }) => userId));
  }

  /** Makes a round trip: everything that the server sent on this connection before has arrived. */
  pings() {
    return this.socket.send({ ping: {} });
  }

  /** Returns a list that gets all envelopes from now on, as the SDK decodes them, in order of arrival. */
  recordsEnvelopes() {
    const { adapter } = this.socket;
    const webSocket = adapter._socket;
    const toSdk = webSocket.onmessage;
    const envelopes = [];
    adapter.onMessage = (envelope) => envelopes.push(envelope);
    const toList = webSocket.onmessage;
    webSocket.onmessage = (event) => {
      toList(event);
      toSdk(event);
    };
    return envelopes;
  }

  /** Returns a list that gets the sizes in bytes of all messages from now on. */
  recordsMessageSizes() {
    const sizes = [];
    this.socket.adapter._socket.addEventListener('message', ({ data }) => {
      sizes.push(typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength);
    });
    return sizes;
  }

  /** One event may contain several users. It is recorded as one change for each. */
  #onPresence({ joins, leaves }) {
    for (const userId of new Set([...joins, ...leaves].map((presence) => presence.user_id))) {
      const of = (presences) => presences.filter((presence) => presence.user_id === userId);
      this.records({ name: this.nameOf(userId), joins: of(joins), leaves: of(leaves) });
    }
  }

  #namesAndStatuses({ presences }) {
    return presences.map(({ user_id, status }) => [this.nameOf(user_id), status]).sort();
  }
}
