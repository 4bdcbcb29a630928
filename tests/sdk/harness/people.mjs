// The people of a test, in all dialects: `bob.setsStatus('away')`, `alice.sees(joined('bob', 'away'))`. What they can do is
// in person.mjs and, for each dialect, in nakama.mjs, centrifugo.mjs and tencent.mjs.

import assert from 'node:assert/strict';

import { CentrifugoPerson } from './centrifugo.mjs';
import { NakamaPerson } from './nakama.mjs';
import { TencentPerson } from './tencent.mjs';

export { changed, joined, left } from './person.mjs';

/** @typedef {import('./person.mjs').Person} Person */

const CLASSES = Object.fromEntries([NakamaPerson, CentrifugoPerson, TencentPerson].map((each) => [each.dialect, each]));

/**
 * @typedef {{dialect?: 'nakama' | 'centrifugo' | 'tencent', encoding?: string, at?: object, visible?: boolean, connected?: boolean}} Options
 *   `dialect` is Nakama unless the scene has another; `encoding` is that of the SDK; `at` is another server than the
 *   scene's; a Nakama user is invisible at first without `visible`; with `connected: false`, the test calls `connects`.
 *   Each dialect has further options.
 */

/**
 * Makes people for one test. When the test ends, all connections are closed, and the test fails if a Nakama user saw changes
 * of others that it did not ask for. Users of other dialects may get one change in several events, so theirs may be unread.
 * @param {import('node:test').TestContext} t
 * @param {{host: string, port: number, log: () => string}} server
 * @param {Options} [defaults] for everybody
 * @returns {(name: string, options?: Options) => Promise<any>}
 */
export function peopleIn(t, server, defaults = {}) {
  const scene = new Scene(server, defaults);
  t.after(() => scene.ends());
  return (name, options) => scene.adds(name, options);
}

class Scene {
  /** Names by user id. */ names = new Map();
  /** @type {Person[]} */ people = [];

  constructor(server, { dialect = 'nakama', encoding }) {
    this.server = server;
    this.dialect = dialect;
    this.encoding = encoding;
  }

  async adds(name, { dialect = this.dialect, encoding, at = this.server, connected = true, visible = false, ...options } = {}) {
    const PersonClass = CLASSES[dialect];
    const ofScene = dialect === this.dialect ? this.encoding : undefined;
    const person = new PersonClass({ scene: this, name, encoding: PersonClass.encodings.includes(encoding) ? encoding : ofScene, server: at });
    await person.identifies(options);
    this.names.set(person.userId, name);
    this.people.push(person);
    if (connected) await person.connects(visible);
    return person;
  }

  async ends() {
    const unread = this.people.filter((person) => person.constructor.reportsUnread).flatMap((person) => person.unreadOfOthers());
    await Promise.all(this.people.map((person) => person.isConnected && person.disconnects()));
    assert.deepEqual(unread, [], 'nobody sees more than the test expects');
  }
}
