// Waiting: always for something, never longer than a deadline, never for time to pass.

/** How long anything may take that should take milliseconds; generous, for busy machines. */
export const DEADLINE = 10_000;

/**
 * The outcome of `promise`, or the error that `complain` makes when the deadline passes first.
 * @template T @param {number} deadline in milliseconds @param {Promise<T>} promise @param {() => Error} complain
 * @returns {Promise<T>}
 */
export function within(deadline, promise, complain) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(complain()), deadline);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Asks again and again, each time with a full round trip, until the answer is accepted.
 * @template T @param {() => Promise<T>} ask @param {(answer: T) => boolean} accept @param {string} what in words
 * @param {number} [deadline] in milliseconds
 * @returns {Promise<T>}
 */
export async function eventually(ask, accept, what, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  for (;;) {
    const answer = await ask();
    if (accept(answer)) return answer;
    if (Date.now() > end) throw new Error(`never: ${what}; the last answer was ${JSON.stringify(answer)}`);
  }
}

/** A list that can be waited on. @template T */
export class Inbox {
  /** Everything that ever came in, for messages. @type {T[]} */ all = [];
  /** What came in and was not taken. @type {T[]} */ unread = [];
  #waiters = new Set();

  /** @param {T} item */
  put(item) {
    this.all.push(item);
    this.unread.push(item);
    for (const look of this.#waiters) look();
  }

  /**
   * Takes the oldest item that is wanted, waiting for it if need be.
   * @param {(item: T) => boolean} wanted @param {() => Error} complain
   * @returns {Promise<T>}
   */
  take(wanted, complain) {
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
    return within(DEADLINE, found, complain).finally(() => this.#waiters.delete(look));
  }
}
