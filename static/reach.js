// How far a status got, and how fast: the page holds both ends of every line, so the same clock reads
// the sending and each arrival.

/** @typedef {{to: string[], ms: number}} Reached */

/** Follows the latest status of every user to those who are told of it. */
export class Reach {
  /** @type {Map<string, {at: number, to: Map<string, number>}>} */ #latest = new Map();

  /** A user's status left the page. @param {string} userId @param {number} at */
  sent(userId, at) {
    this.#latest.set(userId, { at, to: new Map() });
  }

  /** It arrived at somebody else, for the first time. @param {string} userId @param {string} name @param {number} at */
  arrived(userId, name, at) {
    const latest = this.#latest.get(userId);
    if (latest && !latest.to.has(name)) latest.to.set(name, at - latest.at);
  }

  /** Whom the latest status reached, and after how many milliseconds the last of them. @param {string | undefined} userId @returns {Reached | undefined} */
  of(userId) {
    const to = this.#latest.get(userId)?.to;
    if (!to?.size) return undefined;
    return { to: [...to.keys()], ms: Math.max(...to.values()) };
  }
}
