// The people on this page: which users there are, which names follow which, and what the browser remembers of it.

import { browserId, recallPeople, rememberPeople } from './memory.js';
import { User, toIdentifier } from './user.js';

/** @typedef {import('./memory.js').RememberedUser} RememberedUser */

/** Maximum number of users that the page can show. Adding more is refused. */
export const MAX_USERS = 12;
export const MAX_NAME_LENGTH = 24;

/** Hues that are easy to tell apart, in the order in which users get them. */
const HUES = [285, 45, 200, 345, 120, 240, 20, 165, 310, 75, 220, 0];

/** The users of a first visit. @type {RememberedUser[]} */
const FIRST_USERS = [
  { name: 'Ada', hue: HUES[0], follows: ['Ben', 'Cleo'], devices: [laptop('writing the manual')] },
  { name: 'Ben', hue: HUES[1], follows: ['Ada'], devices: [laptop('at work')] },
  { name: 'Cleo', hue: HUES[2], follows: ['Ada', 'Ben'], devices: [laptop('available')] },
];

/**
 * The users of the page. Events: `change`, and `frame`, `presence` and `refused` of every user, with `user` added to the
 * detail.
 */
export class People extends EventTarget {
  /** @type {User[]} */ users = [];
  #address; #browser = browserId();

  /** @param {string} address of the server */
  constructor(address) {
    super();
    this.#address = address;
  }

  /** Restores the remembered users, or adds the first ones on a first visit. */
  start() {
    for (const remembered of recallPeople() ?? FIRST_USERS) this.#addUser(remembered);
    this.#changed();
  }

  /** Removes all users and adds the first ones. */
  startOver() {
    for (const user of [...this.users]) this.remove(user);
    for (const remembered of FIRST_USERS) this.#addUser(remembered);
    this.#changed();
  }

  /**
   * Adds a user. The new user follows the first and the latest one, and the latest one follows the new user.
   * @param {string} input the name @param {string} [dialect] a name of dialects.js @returns {string | undefined} the problem
   *   when no user was added
   */
  add(input, dialect) {
    const name = input.trim().slice(0, MAX_NAME_LENGTH);
    if (!name) return 'A person needs a name.';
    if (this.users.length >= MAX_USERS) return `The page shows at most ${MAX_USERS} people.`;
    if (this.users.some((user) => toIdentifier(user.name) === toIdentifier(name))) return `${name} is already here.`;
    const latest = this.users.at(-1);
    const follows = [...new Set([this.users[0], latest])].filter(Boolean).map((user) => user.name);
    const user = this.#addUser({ name, hue: this.#freeHue(), dialect, follows, devices: [laptop('')] });
    latest?.follow(user);
    this.#changed();
  }

  /** @param {User} user */
  remove(user) {
    for (const other of this.users) if (other.follows.has(user.name)) other.unfollow(user);
    user.disconnect();
    this.users = this.users.filter((each) => each !== user);
    this.#changed();
  }

  /** @param {string} name @returns {User | undefined} */
  named(name) {
    return this.users.find((user) => user.name === name);
  }

  /** @param {string} userId @returns {User | undefined} */
  withId(userId) {
    return this.users.find((user) => user.userId === userId);
  }

  /** Connects every device with a key that was refused. */
  reconnect() {
    for (const { devices } of this.users) {
      for (const device of devices) if (device.connection === 'refused') device.connect();
    }
  }

  #addUser(remembered) {
    const user = new User(remembered, {
      address: this.#address,
      browser: this.#browser,
      idOf: (name) => this.named(name)?.userId,
    });
    user.addEventListener('change', () => this.#changed());
    user.addEventListener('identity', ({ detail: { before } }) => this.#followNewId(user, before));
    for (const type of ['frame', 'presence', 'refused']) {
      user.addEventListener(type, ({ detail }) => this.#emit(type, { ...detail, user }));
    }
    this.users.push(user);
    return user;
  }

  /** Follows are by name; the server wants ids. Tells every follower of this user to follow the new id. */
  #followNewId(user, before) {
    for (const other of this.users) {
      if (!other.follows.has(user.name)) continue;
      if (before) for (const device of other.devices) device.unfollow([before]);
      other.followId(user.userId);
    }
  }

  #freeHue() {
    return HUES.find((hue) => this.users.every((user) => user.hue !== hue)) ?? HUES[0];
  }

  #changed() {
    rememberPeople(this.users.map((user) => user.toMemory()));
    this.#emit('change');
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function laptop(status) {
  return { label: 'laptop', status, invisible: false, disconnected: false };
}
