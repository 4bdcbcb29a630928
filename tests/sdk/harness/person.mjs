// Somebody on one device, in one vocabulary for all dialects. The classes in nakama.mjs, centrifugo.mjs and tencent.mjs
// connect it to an SDK; people.mjs makes the people of a test.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

import { Inbox } from './wait.mjs';

/** Prefix of the statuses that are set only to see that nothing came before them. */
const FENCE = 'fence ';

/** A status that others see. @typedef {{status: string}} Presence */

/**
 * What a follower sees of a user in one event. `details` are the other members in the follower's dialect: `statusType`
 * for Tencent; `online`, `statuses` and `state` for Centrifugo. `raw` is the event as the SDK gave it.
 * @typedef {{name: string, joins: Presence[], leaves: Presence[], details?: object, raw?: any}} Change
 */

/** A user came online, with another connection perhaps. @param {object} [details] compared when they are given */
export const joined = (name, status = '', details = undefined) => ({ name, joins: [status], leaves: [], details });

/** A user's connection went offline or became invisible. @param {object} [details] */
export const left = (name, status = '', details = undefined) => ({ name, joins: [], leaves: [status], details });

/** A status was replaced by another. @param {object} [details] */
export const changed = (name, before, after, details = undefined) => ({ name, joins: [after], leaves: [before], details });

/**
 * The verbs of every dialect. Subclasses add `connects`, `disconnects`, `losesConnection`, `setsStatus`, `follows` and
 * `unfollows`, and what only their dialect has.
 */
export class Person {
  /** Whether the end of the test fails when the person saw changes of others that the test did not ask for. */
  static reportsUnread = false;

  isConnected = false;
  #seen = new Inbox();

  /**
   * @param {{scene: {names: Map<string, string>, adds: Function}, name: string, encoding: string, server: {log: () => string}}} options
   */
  constructor({ scene, name, encoding, server }) {
    this.scene = scene;
    this.name = name;
    this.encoding = encoding;
    this.server = server;
  }

  /** Adds another device of the same user. @param {object} [options] as of `peopleIn`'s function */
  anotherDevice(options = {}) {
    return this.scene.adds(this.name, { dialect: this.constructor.dialect, encoding: this.encoding, at: this.server, user: this, ...options });
  }

  /**
   * Waits for changes. Those of one user must arrive in this order, with no other change of that user between them. Those of
   * different users may arrive in any order.
   * @param {...Change} changes from `joined`, `changed` and `left`
   */
  async sees(...changes) {
    for (const expected of changes) {
      const actual = await this.#next(expected.name, expected);
      assert.deepEqual(summary(actual, expected), summary(expected, expected), `what ${this.name} sees; so far:\n${this.#history()}`);
    }
  }

  /** Waits for a change with these details, and skips those of the same user before it. @returns {Promise<object>} all its details */
  async eventuallySees(name, wanted) {
    for (;;) {
      const { details } = await this.#next(name, wanted);
      if (Object.entries(wanted).every(([key, value]) => isDeepStrictEqual(details[key], value))) return details;
    }
  }

  /** Skips changes of the person's own status up to one. @param {string} status */
  async seesOwn(status) {
    while ((await this.#next(this.name, `their own status ${status}`)).joins[0]?.status !== status);
  }

  /** Returns the next change of a user, as the SDK gave it. @param {string} name @returns {Promise<Change>} */
  nextOf(name) {
    return this.#next(name, 'any change');
  }

  /**
   * Checks that no change of `other` is unread or on its way: the next one is that of a status which is set for this purpose.
   * @param {Person} other a followed user, or the person
   */
  async seesNothingElseOf(other) {
    const fence = FENCE + randomUUID();
    await other.setsStatus(fence);
    const { joins } = await this.#next(other.name, `no change but ${fence}`);
    assert.deepEqual(joins.map(({ status }) => status), [fence], `what ${this.name} sees; so far:\n${this.#history()}`);
  }

  /** Changes of a user that the test has not asked for yet. @param {string} name */
  unreadOf(name) {
    return this.#seen.unread.filter((change) => change.name === name);
  }

  unreadOfOthers() {
    const unread = this.#seen.unread.filter(({ name }) => name !== this.name).map(format);
    return unread.filter((change) => !change.includes(FENCE)).map((change) => `${this.name} sees ${change}`);
  }

  /** Returns the name of a user in this test. @param {string} userId */
  nameOf(userId) {
    return this.scene.names.get(userId) ?? userId;
  }

  /** Records a change that the SDK reported. @param {Change} change */
  records(change) {
    this.#seen.put(change);
  }

  /** Returns the error of a wait that failed. @param {string} what the person waited for */
  timeout(what) {
    const log = this.server.log().split('\n').slice(-20).join('\n');
    return new Error(`${this.name} waited in vain ${what}\nSeen so far:\n${this.#history()}\nThe server's last lines:\n${log}`);
  }

  #next(name, expected) {
    return this.#seen.take((change) => change.name === name, () => this.timeout(`to see ${JSON.stringify(expected)} of ${name}`));
  }

  #history() {
    return this.#seen.all.map((change) => `  ${format(change)}`).join('\n') || '  (nothing)';
  }
}

/** A change without what `expected` leaves open. */
function summary({ name, joins, leaves, details }, expected) {
  const statuses = (presences) => presences.map((presence) => presence.status ?? presence);
  return { name, joins: statuses(joins), leaves: statuses(leaves), ...(expected.details && { details }) };
}

function format(change) {
  return JSON.stringify(summary(change, change));
}
