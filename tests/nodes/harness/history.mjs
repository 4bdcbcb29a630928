// The history of a run: what was true of every user, and what every follower saw, with times. After any run these rules must
// hold:
//
// * forward: a follower's view of a connection never goes backwards, and each update arrives once;
// * cause: a user is seen to leave only with a cause, and not after the user is back;
// * bound: everything that a follower sees was true no longer ago than the bound (no ghosts, no missed updates);
// * end: in the end every follower sees the truth.
//
// A user has one device and sets a number as the status, which only grows. A view is the list of the numbers that a follower
// sees of a user; `null` is a connection without a number. A view has several while a lost connection is shown together with
// the one that replaced it. An empty view means that the user is offline.

import { within } from '../../sdk/harness/wait.mjs';

/** Maximum time from an action to its arrival at followers, in milliseconds. */
const DELIVERY_TIME = 2000;

/** How much later than its followers a client may notice that its connection is lost or open, in milliseconds. */
const CLIENT_DELAY = 250;

/** Interval of the timer that detects a suspension of this process, in milliseconds. */
const TICK = 50;

/** A timer that is this late means that the process, and probably the machine, was suspended. */
const SUSPENSION = 300;

/** Time for recovery after a suspension, in milliseconds. */
const AFTER_SUSPENSION = 2000;

export class History {
  #now;
  #start;
  /** The truth, by user: spans with their beginning, a `number` (`undefined`: offline), and the cause of an absence. @type {Map<string, Span[]>} */ #truth = new Map();
  /** By connection of a follower, and user. @type {Map<string, View>} */ #views = new Map();
  /** Open views that differ from the truth. */ #differing = new Set();
  /** Times with longer bounds. */ #failures = [];
  /** Users that a failure may make leave. */ #excuses = [];
  /** Numbers that may appear more than once, as `user number`. */ #uncertain = new Set();
  /** Faults that followers reported. */ #reported = [];
  #waiters = new Set();
  /** The time of the last tick. */ #lastTick;

  /** @param {() => number} [now] milliseconds */
  constructor(now) {
    this.#now = now ?? (() => this.tick(performance.now()));
    this.#start = this.#now();
    if (!now) setInterval(this.#now, TICK).unref();
  }

  /** Notes the time. A long gap since the last tick is a suspension of this process, which counts as a failure. */
  tick(now) {
    const from = this.#lastTick ?? now;
    this.#lastTick = now;
    if (now - from > SUSPENSION) this.#failures.push({ what: 'the machine was suspended', from, to: now, recovery: AFTER_SUSPENSION, delays: true, isSuspension: true });
    return now;
  }

  /** Records a user's status. Without a number the user is online with an unknown status. */
  recordStatus(user, number = null) {
    this.#setTruth(user, { number });
  }

  /**
   * Records that a user went offline.
   * @param {string} cause in words @param {number} [linger] how long the presence is kept, in milliseconds
   */
  recordAbsence(user, cause, linger = 0) {
    this.#setTruth(user, { number: undefined, cause, linger });
  }

  /** Records that a number may or may not have been set: it may appear late, and again. */
  recordUncertain(user, number) {
    this.#uncertain.add(`${user} ${number}`);
  }

  /** Returns a new connection of a follower. @param {string} name */
  connection(name) {
    return new FollowerConnection(this, name);
  }

  /**
   * Records a failure, which lasts until the returned function is called. Bounds start `recovery` ms after that.
   * @param {string} what @param {number} recovery
   * @param {{delays?: boolean, excused?: string[], from?: number}} [options] `delays`: the failure may delay updates;
   *   `excused`: users who may be seen to leave during the failure, from `from` ms after its beginning
   */
  failure(what, recovery, { delays = false, excused = [], from = 0 } = {}) {
    const failure = { what, from: this.#now(), to: Infinity, recovery, delays };
    this.#failures.push(failure);
    for (const user of excused) this.#excuses.push({ user, failure, from });
    return () => (failure.to = this.#now());
  }

  /** Returns for how many ms between two times this process was suspended. @param {number} begin @param {number} end */
  suspendedTime(begin, end) {
    const spans = this.#failures.filter(({ isSuspension }) => isSuspension).map(({ from, to }) => Math.min(to, end) - Math.max(from, begin));
    return spans.reduce((sum, ms) => sum + Math.max(0, ms), 0);
  }

  /** Reports a fault that a follower found. @param {string} fault in words */
  reportFault(fault) {
    this.#reported.push(`${this.#time(this.#now())} ${fault}`);
  }

  /** The number of views: one for each connection of a follower and each user. */
  get viewCount() {
    return this.#views.size;
  }

  /** The number of updates so far, without snapshots. */
  updateCount = 0;

  /** Returns the current time. */
  now() {
    return this.#now();
  }

  /** Describes the views with updates after a time. @param {number} from */
  updatesSince(from) {
    const updated = [...this.#views.values()].filter(({ seen }) => seen.some(({ at, isSnapshot }) => at >= from && !isSnapshot));
    return updated.map((view) => `${view.connection.name} of ${view.user} is updated\n${this.#describe(view, this.#truth.get(view.user) ?? [])}`);
  }

  /** Returns how often followers saw one of these users leave. @param {string[]} users */
  departureCount(users) {
    let count = 0;
    for (const { user, seen } of this.#views.values()) {
      if (users.includes(user)) count += seen.filter(({ numbers }, at) => !numbers.length && seen[at - 1]?.numbers.length).length;
    }
    return count;
  }

  /**
   * Waits until every follower sees the truth.
   * @param {number} deadline in milliseconds
   * @param {(follower: string, user: string) => boolean} [counts] which views count
   */
  async converges(deadline, counts = () => true) {
    const differing = () => [...this.#differing].filter(({ connection, user }) => counts(connection.follower, user));
    const isCorrect = () => differing().length === 0;
    const timeout = () => new Error(`not converged after ${deadline} ms:\n${this.#differences(differing()).slice(0, 20).join('\n')}`);
    await this.#wait(isCorrect, deadline, timeout);
  }

  /**
   * Waits until followers have seen these users leave `count` times.
   * @param {string[]} users @param {number} count @param {number} deadline in milliseconds
   */
  async seesDepartures(users, count, deadline) {
    const timeout = () => new Error(`${this.departureCount(users)} departures were seen after ${deadline} ms, not ${count}`);
    await this.#wait(() => this.departureCount(users) >= count, deadline, timeout);
  }

  async #wait(holds, deadline, timeout) {
    let end;
    const done = new Promise((resolve) => (end = resolve));
    const check = () => holds() && end();
    this.#waiters.add(check);
    check();
    await within(deadline, done, timeout).finally(() => this.#waiters.delete(check));
  }

  /**
   * Returns all faults in words, at most one for each view and rule.
   * @param {{bound: number}} limits maximum age of a view without a failure, in milliseconds
   */
  faults({ bound }) {
    const end = this.#now();
    const faults = [...this.#reported];
    for (const view of this.#views.values()) {
      const truth = this.#truth.get(view.user) ?? [];
      const found = [backwards(view, truth, this.#uncertain), this.#duplicate(view, truth), this.#withoutCause(view, truth), this.#stale(view, truth, end, bound)];
      for (const { at, fault } of found.filter(Boolean)) faults.push(`${view.connection.name} of ${view.user}: ${fault}\n${this.#describe(view, truth, at)}`);
    }
    return [...faults, ...this.#differences()];
  }

  /** Called by `FollowerConnection`. */
  onView(connection, user, numbers, details, isSnapshot) {
    const key = `${connection.name}
${user}`;
    let view = this.#views.get(key);
    if (!view) this.#views.set(key, (view = { key, connection, user, seen: [], duplicates: [], end: Infinity }));
    const at = this.#now();
    const before = view.seen.at(-1);
    const sorted = [...numbers].sort((a, b) => (a ?? -1) - (b ?? -1));
    if (before && !isSnapshot && before.details === details && sameNumbers(before.numbers, sorted)) view.duplicates.push({ before: before.at, at, numbers: sorted });
    view.seen.push({ at, numbers: sorted, details, isSnapshot });
    this.#compare(view);
  }

  /** Called by `FollowerConnection`. */
  onClosed(connection) {
    for (const view of this.#views.values()) {
      if (view.connection !== connection) continue;
      view.end = this.#now();
      this.#differing.delete(view);
    }
    this.#notify();
  }

  #setTruth(user, state) {
    const spans = this.#truth.get(user) ?? [];
    this.#truth.set(user, spans);
    const at = this.#now();
    if (spans.length) spans.at(-1).to = at;
    spans.push({ from: at, to: Infinity, ...state });
    for (const view of this.#views.values()) if (view.user === user) this.#compare(view);
  }

  #compare(view) {
    if (view.end !== Infinity) return;
    if (this.#isCorrect(view)) this.#differing.delete(view);
    else this.#differing.add(view);
    this.#notify();
  }

  #notify() {
    for (const check of this.#waiters) check();
  }

  #isCorrect(view) {
    const span = this.#truth.get(view.user)?.at(-1) ?? { number: undefined };
    const { numbers } = view.seen.at(-1);
    return span.number === undefined ? numbers.length === 0 : numbers.length === 1 && agrees(span, numbers[0]);
  }

  #differences(views = [...this.#differing]) {
    return views.map((view) => `${view.connection.name} of ${view.user}: differs from the truth at the end\n${this.#describe(view, this.#truth.get(view.user) ?? [])}`);
  }

  /** Returns the first repeated update, unless the user came or left between the two. */
  #duplicate({ duplicates }, truth) {
    const wrong = duplicates.find(({ before, at, numbers }) => {
      const isOnline = numbers.length > 0;
      return !truth.some((span, index) => {
        const explains = (span.number === undefined) === isOnline && truth.slice(0, index).some(({ number }) => (number !== undefined) === isOnline);
        return explains && this.#isNotBefore(at, span.from) && this.#latestDelivery({ from: span.from, to: span.from }) >= before;
      });
    });
    return wrong && { at: wrong.at, fault: `gets the same update twice at ${this.#time(wrong.at)}: ${show(wrong.numbers)}` };
  }

  /** Returns the first time that the user is seen to leave without a cause. */
  #withoutCause({ seen, user }, truth) {
    const wrong = seen.find(({ at, numbers }, index) => {
      if (numbers.length || !seen[index - 1]?.numbers.length) return false;
      const isCaused = truth.some((span) => span.number === undefined && this.#isNotBefore(at, span.from + (span.linger ?? 0)) && at <= this.#latestDelivery(span));
      return !isCaused && !this.#isExcused(user, at);
    });
    return wrong && { at: wrong.at, fault: `leaves without a cause at ${this.#time(wrong.at)}` };
  }

  /** Whether an update at `at` may be the effect of what a client noticed at `from`. */
  #isNotBefore(at, from) {
    return from - at - this.suspendedTime(at, from) <= CLIENT_DELAY;
  }

  /** Returns the latest time at which an absence may arrive at followers. */
  #latestDelivery({ from, to }) {
    let by = to + DELIVERY_TIME;
    for (const failure of this.#failuresInOrder()) {
      if (failure.delays && failure.from <= by && failure.to >= from) by = Math.max(by, failure.to + DELIVERY_TIME);
    }
    return by;
  }

  #failuresInOrder() {
    return [...this.#failures].sort((a, b) => a.from - b.from);
  }

  #isExcused(user, at) {
    return this.#excuses.some((excuse) => excuse.user === user && excuse.failure.from + excuse.from <= at && at <= excuse.failure.to + excuse.failure.recovery);
  }

  /** Returns the first view that was true too long ago. */
  #stale({ seen, end }, truth, now, bound) {
    const last = Math.min(end, now);
    for (const [index, { at, numbers }] of seen.entries()) {
      const until = seen[index + 1]?.at ?? last;
      for (const number of numbers.length ? numbers : [undefined]) {
        const spans = truth.filter((span) => agrees(span, number) && this.#isNotBefore(until, span.from));
        // A user is offline before the first record.
        const trueUntil = spans.length ? Math.max(...spans.map(({ to }) => to)) : number === undefined ? (truth[0]?.from ?? Infinity) : -Infinity;
        if (this.#deadline(trueUntil, truth, bound) < until) {
          const when = trueUntil === -Infinity ? 'was never true' : `was true until ${this.#time(trueUntil)}`;
          return { at, fault: `sees ${show(number === undefined ? [] : [number])} from ${this.#time(at)} to ${this.#time(until)}, which ${when}` };
        }
      }
    }
    return undefined;
  }

  /** Returns how long a view may still be seen that was true until then. */
  #deadline(trueUntil, truth, bound) {
    const absence = truth.find(({ from, number }) => from === trueUntil && number === undefined);
    let deadline = trueUntil + bound + (absence?.linger ?? 0);
    for (const { from, to, recovery } of this.#failuresInOrder()) {
      if (from <= deadline && to + recovery >= trueUntil) deadline = Math.max(deadline, to + recovery + bound);
    }
    return deadline;
  }

  #time(at) {
    return `${((at - this.#start) / 1000).toFixed(3)} s`;
  }

  /** Describes what was seen and what was true around a time. */
  #describe({ seen, end }, truth, about = Infinity) {
    const near = (list, time) => {
      const after = list.filter((each) => time(each) <= about).length;
      return list.slice(Math.max(0, after - 8), after + 4);
    };
    const saw = near(seen, ({ at }) => at).map(({ at, numbers }) => `${this.#time(at)} ${show(numbers)}`);
    const was = near(truth, ({ from }) => from).map(({ from, number, cause }) => `${this.#time(from)} ${number === undefined ? `offline (${cause})` : show([number])}`);
    const failures = this.#failures.map(({ what, from, to }) => `${what} from ${this.#time(from)} to ${this.#time(to)}`);
    return `    saw: ${saw.join(', ')}${end === Infinity ? '' : `, connection lost at ${this.#time(end)}`}\n    was: ${was.join(', ')}\n    failures: ${failures.join(', ') || 'none'}`;
  }
}

/** What a follower sees on one connection. */
class FollowerConnection {
  static #last = 0;

  constructor(history, name) {
    this.history = history;
    this.follower = name;
    this.name = `${name}#${(FollowerConnection.#last += 1)}`;
  }

  /** Records the reply to a follow. @param {(number | null)[]} numbers @param {string} [details] that came with it */
  snapshot(user, numbers, details) {
    if (!this.isClosed) this.history.onView(this, user, numbers, details, true);
  }

  /** Records an update. @param {(number | null)[]} numbers @param {string} [details] that came with it */
  update(user, numbers, details) {
    if (this.isClosed) return;
    this.history.updateCount += 1;
    this.history.onView(this, user, numbers, details, false);
  }

  /** Ends the connection. */
  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.history.onClosed(this);
  }
}

/**
 * Returns the first time that an older number of a connection is seen after a newer one. Every absence of a user ends a
 * connection. Until its node knows that, the connection is shown together with the next one, and may be seen after it.
 */
function backwards({ seen, user }, truth, uncertain) {
  const connections = new Map();
  let connection = 0;
  for (const { number } of truth) {
    if (number === undefined) connection += 1;
    else if (number !== null && !uncertain.has(`${user} ${number}`)) connections.set(number, connection);
  }
  const newest = new Map();
  for (const { at, numbers } of seen) {
    for (const number of numbers.filter((each) => each !== null)) {
      const origin = connections.get(number);
      if (origin === undefined) continue;
      if (number < newest.get(origin)) return { at, fault: `goes backwards from ${newest.get(origin)} to ${number}` };
      newest.set(origin, number);
    }
  }
  return undefined;
}

function agrees(span, number) {
  if (number === undefined || span.number === undefined) return number === span.number;
  return span.number === null || span.number === number;
}

const sameNumbers = (one, other) => one.length === other.length && one.every((number, at) => number === other[at]);
const show = (numbers) => `[${numbers.map((number) => number ?? '?').join(' ')}]`;
