// One person: an identity on the server, whom they follow, and the devices they are on. What a device
// sees and shows is the device's (device.js); who else there is to follow is the cast's (cast.js).

import { Device } from './device.js';
import { Refused } from './nakama.js';
import { randomLetters, recallServerKey } from './memory.js';
import { worldOf } from './worlds.js';

/** @typedef {import('./memory.js').RememberedPerson} RememberedPerson */
/** @typedef {import('./nakama.js').Session} Session */

/** The devices a person may have, in the order they get them. */
export const DEVICE_LABELS = ['laptop', 'phone', 'tablet', 'desk'];

/**
 * Events: `change`; `identity`: the server said who this is; and a device's `frame`, `presence` and
 * `refused`, each with `device` added to the detail.
 */
export class Person extends EventTarget {
  /** Who the server says this is, once it has. @type {string | undefined} */ userId;
  /** @type {Device[]} */ devices = [];

  #address; #browser; #idOf; #username; #worldName;
  /** @type {Promise<Session> | undefined} */ #signingIn;

  /**
   * @param {RememberedPerson} remembered
   * @param {{address: string, browser: string, idOf: (name: string) => string | undefined}} cast
   */
  constructor(remembered, { address, browser, idOf }) {
    super();
    this.name = remembered.name;
    this.hue = remembered.hue;
    /** How they speak to the server. */
    this.world = worldOf(remembered.world);
    this.#worldName = remembered.world;
    /** Names of those followed. @type {Set<string>} */
    this.follows = new Set(remembered.follows);
    this.#address = address;
    this.#browser = browser;
    this.#idOf = idOf;
    this.#username = remembered.username ?? `${word(this.name)}.${browser}`;
    /** Whose turn it is on the card. @type {Device} */
    this.device = remembered.devices.map((device) => this.#plugIn(device))[0];
  }

  /** @returns {RememberedPerson} */
  toMemory() {
    const { name, hue, follows, devices } = this;
    return { name, hue, world: this.#worldName, username: this.#username, follows: [...follows], devices: devices.map((device) => device.toMemory()) };
  }

  /** The best that any device of theirs shows: `here` before `invisible` before the rest. */
  get state() {
    const states = this.devices.map((device) => device.state);
    return ['here', 'invisible', 'connecting', 'lost', 'refused'].find((state) => states.includes(state)) ?? 'dropped';
  }

  /** Another connection of the same person, with a free label, or nothing when there are enough. */
  addDevice() {
    const label = DEVICE_LABELS.find((each) => this.devices.every((device) => device.label !== each));
    if (!label) return;
    const status = this.world.sharesStatus ? this.device.status : '';
    this.device = this.#plugIn({ label, status, invisible: false, dropped: false });
    this.#tell('change');
  }

  /** Takes a device away; the last one stays. @param {Device} device */
  removeDevice(device) {
    if (this.devices.length === 1) return;
    device.drop();
    this.devices = this.devices.filter((each) => each !== device);
    this.device = this.devices[0];
    this.#tell('change');
  }

  /** Starts following on every device. @param {Person} other */
  follow(other) {
    this.follows.add(other.name);
    this.#tell('change');
    if (other.userId) this.followId(other.userId);
  }

  /** Stops following on every device. @param {Person} other */
  unfollow(other) {
    this.follows.delete(other.name);
    this.#tell('change');
    if (other.userId) for (const device of this.devices) device.unfollow([other.userId]);
  }

  /** Tells every open line to follow this user. @param {string} userId */
  followId(userId) {
    for (const device of this.devices) device.follow([userId]);
  }

  /** Ends all lines. */
  leave() {
    for (const device of this.devices) device.drop();
  }

  #plugIn(remembered) {
    const device = new Device(remembered, {
      signIn: () => this.#signIn(),
      open: (session) => this.world.connect(this.#address, session),
      following: () => [...this.follows].map(this.#idOf).filter((id) => id !== undefined),
    });
    device.addEventListener('change', () => this.#tell('change'));
    device.addEventListener('own', ({ detail }) => this.#share(detail));
    for (const type of ['frame', 'presence', 'refused']) {
      device.addEventListener(type, ({ detail }) => this.#tell(type, { ...detail, device }));
    }
    this.devices.push(device);
    return device;
  }

  /** Those that are away come back with what the others show. */
  #share({ status }) {
    for (const device of this.devices) if (device.line !== 'open') device.status = status;
  }

  /** Devices that connect at the same moment share one sign-in: it may be creating the account. */
  #signIn() {
    this.#signingIn ??= this.#identify().finally(() => (this.#signingIn = undefined));
    return this.#signingIn;
  }

  async #identify() {
    const id = `demo-${this.#browser}-${word(this.name)}`;
    for (let attempts = 1; ; attempts += 1) {
      try {
        const session = await this.world.signIn({ address: this.#address, serverKey: recallServerKey(), id, username: this.#username });
        this.#recognise(session);
        return session;
      } catch (error) {
        const taken = error instanceof Refused && error.http === 409;
        if (!taken || attempts === 3) throw error;
        this.#username = `${word(this.name)}.${randomLetters(8)}`;
      }
    }
  }

  /** A server that forgot everything gives the same person another id: followers must hear of it. */
  #recognise({ userId, username }) {
    const before = this.userId;
    this.userId = userId;
    this.#username = username;
    if (before !== userId) this.#tell('identity', { before });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** A name as one word without spaces or control characters, as ids must be. @param {string} name */
export function word(name) {
  return name.normalize('NFC').toLowerCase().replace(/[\s\p{C}]+/gu, '_');
}
