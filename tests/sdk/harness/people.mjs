// People with devices, so that tests read as the feature: `bob.setsStatus('away')`, `alice.sees(joined('bob', 'away'))`.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { clientOf, socketOf } from './nakama.mjs';
import { Inbox, within, DEADLINE } from './wait.mjs';

/** How statuses begin that are set only to see that nothing came before them. */
const FENCE = 'fence ';

/** Somebody came: a presence that was not there. */
export const joined = (name, status = '') => ({ name, joins: [status], leaves: [] });

/** Somebody left, or appears offline. */
export const left = (name, status = '') => ({ name, joins: [], leaves: [status] });

/** Somebody's status became another. */
export const changed = (name, before, after) => ({ name, joins: [after], leaves: [before] });

/**
 * Makes people for one test, signed in and connected; whatever they saw of others and the test did not ask for
 * fails it, and all their lines are closed when it ends.
 * @param {import('node:test').TestContext} t
 * @param {{host: string, port: number, log: () => string}} server
 * @param {string} adapter of everybody who asks for no other
 * @returns {(name: string, options?: {shows?: boolean, adapter?: string, at?: object}) => Promise<Person>} with `shows`,
 *   they have the empty status from the start; `at` is another server than that of the others
 */
export function peopleIn(t, server, adapter) {
  const scene = new Scene(server);
  t.after(() => scene.ends());
  return (name, { shows = false, adapter: own = adapter, at = server } = {}) => scene.enters(name, shows, own, at);
}

class Scene {
  /** Names by user id. */ names = new Map();
  /** @type {Person[]} */ people = [];

  constructor(server) {
    this.server = server;
  }

  async enters(name, shows, adapter, at) {
    const username = `${name}_${randomUUID().slice(0, 8)}`;
    const session = await clientOf(at).authenticateCustom(`${name}-${randomUUID()}`, true, username);
    this.names.set(session.user_id, name);
    return this.connects(new Person(this, name, session, adapter, at), shows);
  }

  async connects(person, shows) {
    this.people.push(person);
    await person.connects(shows);
    return person;
  }

  async ends() {
    const unread = this.people.flatMap((person) => person.unreadOfOthers());
    await Promise.all(this.people.map((person) => person.isOpen && person.disconnects()));
    assert.deepEqual(unread, [], 'nobody sees more than the test expects');
  }
}

/** Somebody on one device: a session, a socket, and what was heard on it. */
class Person {
  #scene;
  #adapter;
  #server;
  #seen = new Inbox();

  constructor(scene, name, session, adapter, server) {
    this.#scene = scene;
    this.#adapter = adapter;
    this.#server = server;
    this.name = name;
    this.session = session;
    this.client = clientOf(server);
  }

  get userId() {
    return this.session.user_id;
  }

  get username() {
    return this.session.username;
  }

  /** The same user on another device. @param {{shows?: boolean, adapter?: string, at?: object}} [options] */
  anotherDevice({ shows = false, adapter = this.#adapter, at = this.#server } = {}) {
    return this.#scene.connects(new Person(this.#scene, this.name, this.session, adapter, at), shows);
  }

  /** Opens a new line, on which nobody is followed yet. @param {boolean} [shows] */
  async connects(shows = false) {
    this.socket = socketOf(this.client, this.#adapter);
    this.socket.onstatuspresence = (event) => this.#hears(event);
    this.closed = new Promise((resolve) => {
      this.socket.ondisconnect = (event) => {
        this.isOpen = false;
        // `disconnect()` calls this with an empty event before the line is closed.
        if ('code' in event) resolve({ code: event.code, reason: event.reason, wasClean: event.wasClean });
      };
    });
    await this.socket.connect(this.session, shows);
    this.isOpen = true;
  }

  /** Closes the line and waits until it is closed. */
  async disconnects() {
    this.socket.disconnect();
    return this.isDisconnected();
  }

  /** Lets go of the line without a word, as a crash would. */
  breaksOff() {
    this.socket.adapter._socket.terminate();
  }

  /** Waits until the line is closed, whoever closed it. */
  isDisconnected() {
    return within(DEADLINE, this.closed, () => this.#complaint('to be disconnected'));
  }

  /** @param {string} status */
  setsStatus(status) {
    return this.socket.updateStatus(status);
  }

  appearsOffline() {
    return this.socket.updateStatus();
  }

  /** @param {...Person} others @returns {Promise<[string, string][]>} names and statuses of those who are here */
  async follows(...others) {
    return this.#named(await this.socket.followUsers(others.map(({ userId }) => userId)));
  }

  /** @param {...Person} others */
  async followsByName(...others) {
    return this.#named(await this.asksToFollow({ usernames: others.map(({ username }) => username) }));
  }

  /** What the SDK has no method for, but sends. @param {{user_ids?: string[], usernames?: string[]}} whom */
  async asksToFollow({ user_ids = [], usernames = [] }) {
    return (await this.socket.send({ status_follow: { user_ids, usernames } })).status;
  }

  /** @param {...Person} others */
  unfollows(...others) {
    return this.socket.unfollowUsers(others.map(({ userId }) => userId));
  }

  /** There and back: whatever the server sent on this line before has been heard. */
  pings() {
    return this.socket.send({ ping: {} });
  }

  /**
   * Waits for changes. Those of one person must come in this order, with nothing of that person between them;
   * those of different people may come in any.
   * @param {...{name: string, joins: string[], leaves: string[]}} changes
   */
  async sees(...changes) {
    for (const expected of changes) {
      const actual = await this.#next(expected.name, expected);
      assert.deepEqual(told(actual), expected, `what ${this.name} sees; so far:\n${this.#history()}`);
    }
  }

  /** All envelopes from now on, as the SDK decodes them, in the order in which they come in. */
  overhears() {
    const { adapter } = this.socket;
    const line = adapter._socket;
    const toTheSocket = line.onmessage;
    const envelopes = [];
    adapter.onMessage = (envelope) => envelopes.push(envelope);
    const toUs = line.onmessage;
    line.onmessage = (event) => {
      toUs(event);
      toTheSocket(event);
    };
    return envelopes;
  }

  /** The sizes in bytes of all messages from now on. */
  measures() {
    const sizes = [];
    this.socket.adapter._socket.addEventListener('message', ({ data }) => {
      sizes.push(typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength);
    });
    return sizes;
  }

  /** Skips our own changes up to one. @param {string} status */
  async seesThrough(status) {
    while ((await this.#next(this.name, `our own ${status}`)).joins[0]?.status !== status);
  }

  /** The next change of somebody as the SDK gave it, with session ids. @param {string} name */
  async nextOf(name) {
    const { joins, leaves } = await this.#next(name, 'anything');
    return { joins, leaves };
  }

  /**
   * Nothing of `other` waits unseen or is under way: a change made for this comes next.
   * @param {Person} other whom we follow, or ourselves
   */
  async seesNothingElseOf(other) {
    const fence = FENCE + randomUUID();
    await other.setsStatus(fence);
    const { joins } = await this.#next(other.name, `nothing but ${fence}`);
    assert.deepEqual(joins.map(({ status }) => status), [fence], `what ${this.name} sees; so far:\n${this.#history()}`);
  }

  unreadOfOthers() {
    const unread = this.#seen.unread.filter(({ name }) => name !== this.name).map(line);
    return unread.filter((change) => !change.includes(FENCE)).map((change) => `${this.name} sees ${change}`);
  }

  #next(name, expected) {
    return this.#seen.take((change) => change.name === name, () => this.#complaint(`to see ${JSON.stringify(expected)}`));
  }

  /** One event may tell of several people; it is kept as one change for each. */
  #hears({ joins, leaves }) {
    for (const userId of new Set([...joins, ...leaves].map((presence) => presence.user_id))) {
      const of = (list) => list.filter((presence) => presence.user_id === userId);
      this.#seen.put({ name: this.#scene.names.get(userId) ?? userId, joins: of(joins), leaves: of(leaves) });
    }
  }

  #named({ presences }) {
    return presences.map(({ user_id, status }) => [this.#scene.names.get(user_id) ?? user_id, status]).sort();
  }

  #history() {
    return this.#seen.all.map((change) => `  ${line(change)}`).join('\n') || '  (nothing)';
  }

  #complaint(expected) {
    const log = this.#server.log().split('\n').slice(-20).join('\n');
    return new Error(`${this.name} waited in vain ${expected}\nSeen so far:\n${this.#history()}\nThe server's last lines:\n${log}`);
  }
}

/** A change as tests write it. */
function told({ name, joins, leaves }) {
  const statuses = (list) => list.map(({ status }) => status);
  return { name, joins: statuses(joins), leaves: statuses(leaves) };
}

function line(change) {
  return JSON.stringify(told(change));
}
