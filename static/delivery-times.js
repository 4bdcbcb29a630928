// How many followers got a status, and how fast. The page holds both ends of every connection, so the same clock times the
// sending and each arrival.

/** @typedef {{to: string[], ms: number}} Delivery */

/** Tracks the latest status of every user on its way to the followers. */
export class DeliveryTimes {
  /** @type {Map<string, {at: number, to: Map<string, number>}>} */ #latest = new Map();

  /** Records that a user's status was sent. @param {string} userId @param {number} at */
  sent(userId, at) {
    this.#latest.set(userId, { at, to: new Map() });
  }

  /** Records the arrival at a follower. Only the first one counts. @param {string} userId @param {string} name @param {number} at */
  arrived(userId, name, at) {
    const latest = this.#latest.get(userId);
    if (latest && !latest.to.has(name)) latest.to.set(name, at - latest.at);
  }

  /** Returns the followers that got the latest status, and the milliseconds until the last of them had it. @param {string | undefined} userId @returns {Delivery | undefined} */
  of(userId) {
    const to = this.#latest.get(userId)?.to;
    if (!to?.size) return undefined;
    return { to: [...to.keys()], ms: Math.max(...to.values()) };
  }
}
