// A receiver of webhooks that keeps account of who is there.

import { once } from 'node:events';
import { createServer } from 'node:http';

/** What each event does to the number of a user's connections. */
const COUNTS = { 'user.login': 1, 'user.logout': -1, 'user.disconnect': -1 };

export class Receiver {
  /** By id: an event that is tried again is the same. */ events = new Map();
  #server;

  /** @param {import('node:test').TestContext} t ends it */
  static async start(t) {
    const receiver = new Receiver();
    receiver.#server = createServer((request, response) => receiver.#takes(request, response)).listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    t.after(() => {
      receiver.#server.closeAllConnections();
      receiver.#server.close();
    });
    return receiver;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  async #takes(request, response) {
    let body = '';
    for await (const chunk of request) body += chunk;
    const event = JSON.parse(body);
    this.events.set(event.id, event);
    response.end();
  }

  /** How many connections each user has, by what was told. */
  counts() {
    const counts = {};
    for (const { type, data } of this.events.values()) counts[data.user] = (counts[data.user] ?? 0) + COUNTS[type];
    return counts;
  }

  /** What was told of a user, in the order it came. */
  of(user) {
    return [...this.events.values()].filter(({ data }) => data.user === user).map(({ type }) => type);
  }

  /** How often this was told of a user. */
  told(type, user) {
    return this.of(user).filter((told) => told === type).length;
  }
}
