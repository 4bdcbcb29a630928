// Everybody on this page: who there is, who follows whom by name, and what of it is remembered.

import { browserId, recallCast, rememberCast } from './memory.js';
import { Person, word } from './person.js';

/** @typedef {import('./memory.js').RememberedPerson} RememberedPerson */

/** As many as a page can show; adding more is refused. */
export const MOST_PEOPLE = 12;
export const LONGEST_NAME = 24;

/** Hues far enough apart to be told apart, in the order people get them. */
const HUES = [285, 45, 200, 345, 120, 240, 20, 165, 310, 75, 220, 0];

/** @type {RememberedPerson[]} */
const FIRST_CAST = [
  { name: 'Ada', hue: HUES[0], follows: ['Ben', 'Cleo'], devices: [laptop('writing the manual')] },
  { name: 'Ben', hue: HUES[1], follows: ['Ada'], devices: [laptop('at my desk')] },
  { name: 'Cleo', hue: HUES[2], follows: ['Ada', 'Ben'], devices: [laptop('available')] },
];

/**
 * Events: `change`; and every person's `frame`, `presence` and `refused`, with `person` added to the
 * detail.
 */
export class Cast extends EventTarget {
  /** @type {Person[]} */ people = [];
  #address; #browser = browserId();

  /** @param {string} address of the server */
  constructor(address) {
    super();
    this.#address = address;
  }

  /** Brings back the remembered people, or the first ones on a first visit. */
  enter() {
    for (const remembered of recallCast() ?? FIRST_CAST) this.#welcome(remembered);
    this.#changed();
  }

  /** Everybody leaves, and the first people come. */
  startOver() {
    for (const person of [...this.people]) this.remove(person);
    for (const remembered of FIRST_CAST) this.#welcome(remembered);
    this.#changed();
  }

  /**
   * Adds a person who follows the first and the latest, and whom the latest follows.
   * @param {string} input the name @param {string} [world] a name of worlds.js @returns {string | undefined} why not
   */
  add(input, world) {
    const name = input.trim().slice(0, LONGEST_NAME);
    if (!name) return 'A person needs a name.';
    if (this.people.length >= MOST_PEOPLE) return `${MOST_PEOPLE} people are as many as fit here.`;
    if (this.people.some((person) => word(person.name) === word(name))) return `${name} is already here.`;
    const latest = this.people.at(-1);
    const follows = [...new Set([this.people[0], latest])].filter(Boolean).map((person) => person.name);
    const person = this.#welcome({ name, hue: this.#freeHue(), world, follows, devices: [laptop('')] });
    latest?.follow(person);
    this.#changed();
  }

  /** @param {Person} person */
  remove(person) {
    for (const other of this.people) if (other.follows.has(person.name)) other.unfollow(person);
    person.leave();
    this.people = this.people.filter((each) => each !== person);
    this.#changed();
  }

  /** @param {string} name @returns {Person | undefined} */
  named(name) {
    return this.people.find((person) => person.name === name);
  }

  /** @param {string} userId @returns {Person | undefined} */
  withId(userId) {
    return this.people.find((person) => person.userId === userId);
  }

  /** Everybody whose key was refused tries again. */
  reconnect() {
    for (const { devices } of this.people) {
      for (const device of devices) if (device.line === 'refused') device.connect();
    }
  }

  #welcome(remembered) {
    const person = new Person(remembered, {
      address: this.#address,
      browser: this.#browser,
      idOf: (name) => this.named(name)?.userId,
    });
    person.addEventListener('change', () => this.#changed());
    person.addEventListener('identity', ({ detail: { before } }) => this.#introduce(person, before));
    for (const type of ['frame', 'presence', 'refused']) {
      person.addEventListener(type, ({ detail }) => this.#tell(type, { ...detail, person }));
    }
    this.people.push(person);
    return person;
  }

  /** Whoever follows this person by name follows the id they turn out to have. */
  #introduce(person, before) {
    for (const other of this.people) {
      if (!other.follows.has(person.name)) continue;
      if (before) for (const device of other.devices) device.unfollow([before]);
      other.followId(person.userId);
    }
  }

  #freeHue() {
    return HUES.find((hue) => this.people.every((person) => person.hue !== hue)) ?? HUES[0];
  }

  #changed() {
    rememberCast(this.people.map((person) => person.toMemory()));
    this.#tell('change');
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function laptop(status) {
  return { label: 'laptop', status, invisible: false, dropped: false };
}
