// Waits: always for an event, never longer than a deadline, never for time to pass.

/** Maximum time for an operation that should take milliseconds. Generous, for busy machines. In milliseconds. */
export const DEADLINE = 10_000;

/**
 * Returns the outcome of `promise`, or rejects with the error of `timeout` when the deadline passes first.
 * @template T @param {number} deadline in milliseconds @param {Promise<T>} promise @param {() => Error} timeout
 * @returns {Promise<T>}
 */
export function within(deadline, promise, timeout) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(timeout()), deadline);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Repeats a request until its reply is accepted.
 * @template T @param {() => Promise<T>} request @param {(reply: T) => boolean} accept @param {string} what in words
 * @param {number} [deadline] in milliseconds
 * @returns {Promise<T>}
 */
export async function eventually(request, accept, what, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  for (;;) {
    const reply = await request();
    if (accept(reply)) return reply;
    if (Date.now() > end) throw new Error(`never: ${what}; the last reply was ${JSON.stringify(reply)}`);
  }
}

/** A list to wait on. @template T */
export class Inbox {
  /** All items so far, for error messages. @type {T[]} */ all = [];
  /** Items that were not taken yet. @type {T[]} */ unread = [];
  #waiters = new Set();

  /** @param {T} item */
  put(item) {
    this.all.push(item);
    this.unread.push(item);
    for (const look of this.#waiters) look();
  }

  /**
   * Takes the oldest item that is wanted, and waits for it if there is none.
   * @param {(item: T) => boolean} wanted @param {() => Error} timeout
   * @returns {Promise<T>}
   */
  take(wanted, timeout) {
    let look;
    const found = new Promise((resolve) => {
      look = () => {
        const at = this.unread.findIndex(wanted);
        if (at < 0) return;
        this.#waiters.delete(look);
        resolve(this.unread.splice(at, 1)[0]);
      };
    });
    this.#waiters.add(look);
    look();
    return within(DEADLINE, found, timeout).finally(() => this.#waiters.delete(look));
  }
}
