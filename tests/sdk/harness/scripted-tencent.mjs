// A server of Tencent's dialect which follows a test's script, and a clock which the test moves: for behaviour that a real
// server does not show on request.

import { once } from 'node:events';

import WebSocket, { WebSocketServer } from 'ws';

import Chat from '../../../static/chat.js';
import { DEADLINE, Inbox, within } from './wait.mjs';

/** A clock that only `advance` moves, and its timers. */
export class ManualClock {
  #now = 0;
  #timers = new Map();
  #last = 0;

  setTimeout = (handler, ms) => {
    this.#timers.set(++this.#last, { handler, at: this.#now + ms });
    return this.#last;
  };

  clearTimeout = (timer) => this.#timers.delete(timer);

  /** The time until each timer fires, in milliseconds, the earliest first. */
  get pending() {
    return [...this.#timers.values()].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  /** Moves the clock and fires the timers that are due. @param {number} ms */
  advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
      if (!next) break;
      this.#timers.delete(next[0]);
      this.#now = next[1].at;
      next[1].handler();
    }
    this.#now = end;
  }
}

/** The reply to each method, unless a test replaces it. */
const REPLIES = {
  login: ({ userID }) => ({ result: { userID, heartbeatTimeout: 400 } }),
  logout: () => ({ result: {} }),
  heartbeat: () => ({ result: {} }),
  setSelfStatus: ({ customStatus }) => ({ result: { userID: 'alice', statusType: 1, customStatus } }),
};

/** A server that listens on a port of its own. `requests` holds the requests that no test has taken. */
export class ScriptedServer {
  requests = new Inbox();
  /** By method; `undefined` means no reply. */ replies = { ...REPLIES };
  connections = 0;
  #server;

  /** @param {import('node:test').TestContext} t */
  static async start(t, port = 0) {
    const server = new ScriptedServer();
    server.#server = new WebSocketServer({ host: '127.0.0.1', port });
    server.#server.on('connection', (socket) => server.#accept(socket));
    await once(server.#server, 'listening');
    t.after(() => server.stop());
    server.port = server.#server.address().port;
    server.url = `ws://127.0.0.1:${server.port}/im`;
    return server;
  }

  /** The next request of this method. @param {string} method */
  async receives(method) {
    return this.requests.take((request) => request.method === method, () => new Error(`no request ${method}; requests so far: ${JSON.stringify(this.requests.all)}`));
  }

  /** Sends a message to every client. @param {any} message */
  sends(message) {
    for (const socket of this.#server.clients) socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Ends every connection without a close frame. */
  dropsConnections() {
    for (const socket of this.#server.clients) socket.terminate();
  }

  /** Ends every connection and stops to listen. */
  async stop() {
    this.dropsConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket) {
    this.connections += 1;
    socket.on('message', (data) => {
      const { id, method, params, jsonrpc } = JSON.parse(data);
      const reply = jsonrpc === '2.0' ? this.replies[method]?.(params ?? {}) : { error: { code: -32600, message: 'no version' } };
      if (reply) socket.send(JSON.stringify({ jsonrpc: '2.0', id, ...reply }));
      if (method === 'logout' && reply) socket.close(1000);
      this.requests.put({ method, params });
    });
  }
}

/**
 * Returns a chat with a clock that stands still. `random` is 1, so every delay is the maximum.
 * @param {import('node:test').TestContext} t @param {string} url
 */
export function chatWith(t, url) {
  const clock = new ManualClock();
  const chat = Chat.create({ SDKAppID: 1400000000, proxyServer: url }, { ...clock, WebSocket, random: () => 1 });
  const events = new Inbox();
  for (const name of Object.values(Chat.EVENT)) chat.on(name, (event) => events.put(event));
  t.after(() => chat.destroy());
  /** Waits for the next event with this name and returns its data. */
  const emits = async (name) => (await events.take((event) => event.name === name, () => new Error(`no event ${name}; events so far: ${JSON.stringify(events.all)}`))).data;
  /** Waits for a state of the network. */
  const becomes = (state) => events.take(({ name, data }) => name === Chat.EVENT.NET_STATE_CHANGE && data.state === state, () => new Error(`the network state is never ${state}`));
  return { chat, clock, events, emits, becomes };
}

/** Returns the code, message and data of a rejection. @param {Promise<unknown>} promise */
export async function rejection(promise) {
  const outcome = await within(DEADLINE, promise.then((value) => ({ value }), (error) => ({ error })), () => new Error('neither resolved nor rejected'));
  if (!outcome.error) throw new Error(`not rejected, but ${JSON.stringify(outcome.value)}`);
  const { code, message, data } = outcome.error;
  return { code, message, ...(data === undefined ? {} : { data }) };
}
