// A receiver of webhooks which counts the connections of each user.

import { once } from 'node:events';
import { createServer } from 'node:http';

/** The change of a user's number of connections by each event. */
const CHANGES = { 'user.login': 1, 'user.logout': -1, 'user.disconnect': -1 };

export class WebhookReceiver {
  /** By id, because an event that is sent again has the same one. */ events = new Map();
  #server;

  /** @param {import('node:test').TestContext} t ends it */
  static async start(t) {
    const receiver = new WebhookReceiver();
    receiver.#server = createServer((request, response) => receiver.#receive(request, response)).listen(0, '127.0.0.1');
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

  async #receive(request, response) {
    let body = '';
    for await (const chunk of request) body += chunk;
    const event = JSON.parse(body);
    this.events.set(event.id, event);
    response.end();
  }

  /** Returns the number of connections of each user, from the events so far. */
  connectionCounts() {
    const counts = {};
    for (const { type, data } of this.events.values()) counts[data.user] = (counts[data.user] ?? 0) + CHANGES[type];
    return counts;
  }

  /** Returns the types of a user's events, in order of arrival. */
  eventsOf(user) {
    return [...this.events.values()].filter(({ data }) => data.user === user).map(({ type }) => type);
  }

  /** Returns how many events of this type there were for a user. */
  countOf(type, user) {
    return this.eventsOf(user).filter((each) => each === type).length;
  }
}
