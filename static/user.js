// One user: an identity on the server, the users that they follow, and their devices. What a device sees and shows is in device.js;
// which other users there are to follow is in people.js.

import { Device } from './device.js';
import { dialectOf } from './dialects.js';
import { randomText, recallServerKey } from './memory.js';
import { RefusedError } from './nakama.js';

/** @typedef {import('./memory.js').RememberedUser} RememberedUser */
/** @typedef {import('./nakama.js').Session} Session */

/** Labels of the devices that a user may have, in the order in which they are given. */
export const DEVICE_LABELS = ['laptop', 'phone', 'tablet', 'desktop'];

/** How often a user name that is taken is replaced before the sign-in fails. */
const MAX_SIGN_INS = 3;

/**
 * Events: `change`; `identity` when the server has given the user an id, or another one; and `frame`, `presence` and
 * `refused` of a device, each with `device` added to the detail.
 */
export class User extends EventTarget {
  /** The id on the server, after the first sign-in. @type {string | undefined} */ userId;
  /** @type {Device[]} */ devices = [];

  #address; #browser; #idOf; #username; #dialectName;
  /** The sign-in in progress. @type {Promise<Session> | undefined} */ #signingIn;

  /**
   * @param {RememberedUser} remembered
   * @param {{address: string, browser: string, idOf: (name: string) => string | undefined}} people
   */
  constructor(remembered, { address, browser, idOf }) {
    super();
    this.name = remembered.name;
    this.hue = remembered.hue;
    /** The protocol that the user's devices use. */
    this.dialect = dialectOf(remembered.dialect);
    this.#dialectName = remembered.dialect;
    /** Names of the followed users. @type {Set<string>} */
    this.follows = new Set(remembered.follows);
    this.#address = address;
    this.#browser = browser;
    this.#idOf = idOf;
    this.#username = remembered.username ?? `${toIdentifier(this.name)}.${browser}`;
    /** The device that the card shows. @type {Device} */
    this.device = remembered.devices.map((device) => this.#createDevice(device))[0];
  }

  /** @returns {RememberedUser} */
  toMemory() {
    const { name, hue, follows, devices } = this;
    return { name, hue, dialect: this.#dialectName, username: this.#username, follows: [...follows], devices: devices.map((device) => device.toMemory()) };
  }

  /** The best state of all devices: `online` before `invisible` before the rest. */
  get state() {
    const states = this.devices.map((device) => device.state);
    return ['online', 'invisible', 'connecting', 'lost', 'refused'].find((state) => states.includes(state)) ?? 'disconnected';
  }

  /** Adds a device with a free label. Does nothing when all labels are taken. */
  addDevice() {
    const label = DEVICE_LABELS.find((each) => this.devices.every((device) => device.label !== each));
    if (!label) return;
    const status = this.dialect.sharesStatus ? this.device.status : '';
    this.device = this.#createDevice({ label, status, invisible: false, disconnected: false });
    this.#emit('change');
  }

  /** Removes a device. The last one stays. @param {Device} device */
  removeDevice(device) {
    if (this.devices.length === 1) return;
    device.disconnect();
    this.devices = this.devices.filter((each) => each !== device);
    this.device = this.devices[0];
    this.#emit('change');
  }

  /** Follows a user on every device. @param {User} other */
  follow(other) {
    this.follows.add(other.name);
    this.#emit('change');
    if (other.userId) this.followId(other.userId);
  }

  /** Unfollows a user on every device. @param {User} other */
  unfollow(other) {
    this.follows.delete(other.name);
    this.#emit('change');
    if (other.userId) for (const device of this.devices) device.unfollow([other.userId]);
  }

  /** Follows this id on every open connection. @param {string} userId */
  followId(userId) {
    for (const device of this.devices) device.follow([userId]);
  }

  /** Closes all connections. */
  disconnect() {
    for (const device of this.devices) device.disconnect();
  }

  #createDevice(remembered) {
    const device = new Device(remembered, {
      signIn: () => this.#signIn(),
      open: (session) => this.dialect.connect(this.#address, session),
      followedIds: () => [...this.follows].map(this.#idOf).filter((id) => id !== undefined),
    });
    device.addEventListener('change', () => this.#emit('change'));
    device.addEventListener('own', ({ detail }) => this.#shareStatus(detail));
    for (const type of ['frame', 'presence', 'refused']) {
      device.addEventListener(type, ({ detail }) => this.#emit(type, { ...detail, device }));
    }
    this.devices.push(device);
    return device;
  }

  /** Devices without a connection will show the status of the others when they reconnect. */
  #shareStatus({ status }) {
    for (const device of this.devices) if (device.connection !== 'open') device.status = status;
  }

  /** Devices that connect at the same moment share one sign-in, because it may create the account. */
  #signIn() {
    this.#signingIn ??= this.#identify().finally(() => (this.#signingIn = undefined));
    return this.#signingIn;
  }

  async #identify() {
    const id = `demo-${this.#browser}-${toIdentifier(this.name)}`;
    for (let attempts = 1; ; attempts += 1) {
      try {
        const session = await this.dialect.signIn({ address: this.#address, serverKey: recallServerKey(), id, username: this.#username });
        this.#setIdentity(session);
        return session;
      } catch (error) {
        const taken = error instanceof RefusedError && error.http === 409;
        if (!taken || attempts === MAX_SIGN_INS) throw error;
        this.#username = `${toIdentifier(this.name)}.${randomText(8)}`;
      }
    }
  }

  /** A server that lost its data gives the same user another id. Followers must then follow the new one. */
  #setIdentity({ userId, username }) {
    const before = this.userId;
    this.userId = userId;
    this.#username = username;
    if (before !== userId) this.#emit('identity', { before });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Returns a name as one word without spaces or control characters, as ids must be. @param {string} name */
export function toIdentifier(name) {
  return name.normalize('NFC').toLowerCase().replace(/[\s\p{C}]+/gu, '_');
}
