// A server of the `im` dialect that does what a test says, and time that passes when a test says so: for what a real
// server cannot be made to do.

import { once } from 'node:events';

import WebSocket, { WebSocketServer } from 'ws';

import Chat from '../../../static/chat.js';
import { DEADLINE, Inbox, within } from './wait.mjs';

/** Timers that only `pass` lets go off. */
export class ManualTime {
  #now = 0;
  #timers = new Map();
  #last = 0;

  setTimeout = (handler, ms) => {
    this.#timers.set(++this.#last, { handler, at: this.#now + ms });
    return this.#last;
  };

  clearTimeout = (timer) => this.#timers.delete(timer);

  /** How long until each timer goes off, in milliseconds, soonest first. */
  get waiting() {
    return [...this.#timers.values()].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  /** @param {number} ms */
  pass(ms) {
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

/** What a method is answered with unless a test says otherwise. */
const ANSWERS = {
  login: ({ userID }) => ({ result: { userID, heartbeatTimeout: 400 } }),
  logout: () => ({ result: {} }),
  heartbeat: () => ({ result: {} }),
  setSelfStatus: ({ customStatus }) => ({ result: { userID: 'alice', statusType: 1, customStatus } }),
};

/** A server that listens on a port of its own. `requests` has what it was asked and no test has taken. */
export class ScriptedServer {
  requests = new Inbox();
  /** By method; `undefined` gives no answer at all. */ answers = { ...ANSWERS };
  connections = 0;
  #server;

  /** @param {import('node:test').TestContext} t */
  static async start(t, port = 0) {
    const server = new ScriptedServer();
    server.#server = new WebSocketServer({ host: '127.0.0.1', port });
    server.#server.on('connection', (socket) => server.#welcome(socket));
    await once(server.#server, 'listening');
    t.after(() => server.stop());
    server.port = server.#server.address().port;
    server.url = `ws://127.0.0.1:${server.port}/im`;
    return server;
  }

  /** The next request of this method. @param {string} method */
  async asked(method) {
    return this.requests.take((request) => request.method === method, () => new Error(`never asked: ${method}; but ${JSON.stringify(this.requests.all)}`));
  }

  /** @param {any} message */
  tells(message) {
    for (const socket of this.#server.clients) socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Cuts every line without a word. */
  cuts() {
    for (const socket of this.#server.clients) socket.terminate();
  }

  /** Nobody listens any longer. */
  async stop() {
    this.cuts();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #welcome(socket) {
    this.connections += 1;
    socket.on('message', (data) => {
      const { id, method, params, jsonrpc } = JSON.parse(data);
      const answer = jsonrpc === '2.0' ? this.answers[method]?.(params ?? {}) : { error: { code: -32600, message: 'no version' } };
      if (answer) socket.send(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
      if (method === 'logout' && answer) socket.close(1000);
      this.requests.put({ method, params });
    });
  }
}

/**
 * A chat in time that stands still. `random` is 1: every delay is the longest it may be.
 * @param {import('node:test').TestContext} t @param {string} url
 */
export function chatWith(t, url) {
  const time = new ManualTime();
  const chat = Chat.create({ SDKAppID: 1400000000, proxyServer: url }, { ...time, WebSocket, random: () => 1 });
  const events = new Inbox();
  for (const name of Object.values(Chat.EVENT)) chat.on(name, (event) => events.put(event));
  t.after(() => chat.destroy());
  /** The next event of this name. */
  const emits = async (name) => (await events.take((event) => event.name === name, () => new Error(`never emitted: ${name}; but ${JSON.stringify(events.all)}`))).data;
  /** Waits for a state of the net. */
  const becomes = (state) => events.take(({ name, data }) => name === Chat.EVENT.NET_STATE_CHANGE && data.state === state, () => new Error(`never ${state}`));
  return { chat, time, events, emits, becomes };
}

/** The code, message and data that a promise is rejected with. @param {Promise<unknown>} promise */
export async function rejection(promise) {
  const outcome = await within(DEADLINE, promise.then((value) => ({ value }), (error) => ({ error })), () => new Error('neither resolved nor rejected'));
  if (!outcome.error) throw new Error(`not rejected, but ${JSON.stringify(outcome.value)}`);
  const { code, message, data } = outcome.error;
  return { code, message, ...(data === undefined ? {} : { data }) };
}
