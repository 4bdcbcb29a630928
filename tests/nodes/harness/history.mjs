// What every follower saw of everybody and when, beside what was so; and what must hold of the two after any run:
//
// * forward: what a follower sees of a connection is never older than what it saw of it before, and is told once;
// * cause: nobody is seen to go without a cause, and not after having come back;
// * bound: whatever a follower sees was so no longer ago than the bound (no ghosts, nothing missed);
// * end: in the end everybody sees what is so.
//
// A user has one device and shows a number that only grows. A view is the list of the numbers that a follower sees of a
// user; `null` is a connection that shows none. It has more than one while a lost connection stands beside the one that
// took its place. An empty view is a user who is not there.

import { within } from '../../sdk/harness/wait.mjs';

/** How long news may be under way, in milliseconds: what somebody just did may be seen this much later. */
const ON_THE_WAY = 2000;

/** How much later than its followers a client may notice that its line is lost, or that it is in. */
const EARLY = 250;

/** This process looks at the time so often, in milliseconds. */
const GLANCE = 50;

/** Who looks so much later has stood still, and the machine with it. */
const STANDSTILL = 300;

/** How long what was cut short by a standstill may take to be made good. */
const AFTER_STANDSTILL = 2000;

export class History {
  #now;
  #start;
  /** What was so, by user: spans with their beginning, `number` (`undefined`: not there), and for an absence its cause. @type {Map<string, Span[]>} */ #truth = new Map();
  /** By line of a follower and user. @type {Map<string, View>} */ #views = new Map();
  /** Views that are open and are not what is so. */ #differing = new Set();
  /** Times in which bounds are longer. */ #troubles = [];
  /** Absences that a failure explains. */ #excuses = [];
  /** Numbers that may be shown more than once, as `user number`. */ #doubts = new Set();
  /** What followers themselves found wrong. */ #found = [];
  #waiters = new Set();
  /** When the time was looked at last; without it, nothing stands still. */ #looked;

  /** @param {() => number} [now] milliseconds */
  constructor(now) {
    this.#now = now ?? (() => this.glances(performance.now()));
    this.#start = this.#now();
    if (!now) setInterval(this.#now, GLANCE).unref();
  }

  /** Looks at the time, which tells whether this process has stood still since it did so last: a trouble of its own. */
  glances(now) {
    const from = this.#looked ?? now;
    this.#looked = now;
    if (now - from > STANDSTILL) this.#troubles.push({ what: 'the machine stood still', from, to: now, recovery: AFTER_STANDSTILL, delays: true, isStandstill: true });
    return now;
  }

  /** A user shows a number from here on; without one it is there, and what it shows is not known. */
  shows(user, number = null) {
    this.#becomes(user, { number });
  }

  /**
   * A user is not there any longer.
   * @param {string} cause in words @param {number} [linger] how long it is held, in milliseconds
   */
  goes(user, cause, linger = 0) {
    this.#becomes(user, { number: undefined, cause, linger });
  }

  /** Whether a user showed a number is not known: it may be shown late, and again. */
  doubts(user, number) {
    this.#doubts.add(`${user} ${number}`);
  }

  /** A follower with a new line, on which nothing was seen yet. @param {string} name */
  line(name) {
    return new Line(this, name);
  }

  /**
   * Something is broken, until the returned function is called: bounds are counted from `recovery` ms after that.
   * @param {string} what @param {number} recovery
   * @param {{delays?: boolean, excused?: string[], from?: number}} [options] `delays`: news may be held up by it;
   *   `excused`: users who may be seen to go meanwhile, from so many ms after the beginning
   */
  trouble(what, recovery, { delays = false, excused = [], from = 0 } = {}) {
    const trouble = { what, from: this.#now(), to: Infinity, recovery, delays };
    this.#troubles.push(trouble);
    for (const user of excused) this.#excuses.push({ user, trouble, from });
    return () => (trouble.to = this.#now());
  }

  /** For how many ms between two times this process stood still. @param {number} begin @param {number} end */
  stoodStill(begin, end) {
    const spans = this.#troubles.filter(({ isStandstill }) => isStandstill).map(({ from, to }) => Math.min(to, end) - Math.max(from, begin));
    return spans.reduce((sum, ms) => sum + Math.max(0, ms), 0);
  }

  /** Something that must not be. @param {string} fault in words */
  fault(fault) {
    this.#found.push(`${this.#time(this.#now())} ${fault}`);
  }

  /** How many views there are that can be told apart. */
  get size() {
    return this.#views.size;
  }

  /** What was told unasked so far. */
  told = 0;

  /** The present time. */
  now() {
    return this.#now();
  }

  /** What was told unasked since then, in words. @param {number} from */
  tellings(from) {
    const told = [...this.#views.values()].filter(({ seen }) => seen.some(({ at, isSnapshot }) => at >= from && !isSnapshot));
    return told.map((view) => `${view.line.name} of ${view.user} is told something\n${this.#told(view, this.#truth.get(view.user) ?? [])}`);
  }

  /** How often followers saw one of these users go. @param {string[]} users */
  departures(users) {
    let count = 0;
    for (const { user, seen } of this.#views.values()) {
      if (users.includes(user)) count += seen.filter(({ numbers }, at) => !numbers.length && seen[at - 1]?.numbers.length).length;
    }
    return count;
  }

  /**
   * Waits until every follower sees what is so.
   * @param {number} deadline in milliseconds
   * @param {(follower: string, user: string) => boolean} [counts] which views have to
   */
  async settles(deadline, counts = () => true) {
    const differing = () => [...this.#differing].filter(({ line, user }) => counts(line.follower, user));
    const isSettled = () => differing().length === 0;
    const complaint = () => new Error(`not settled after ${deadline} ms:\n${this.#differences(differing()).slice(0, 20).join('\n')}`);
    await this.#waits(isSettled, deadline, complaint);
  }

  /**
   * Waits until followers have seen these users go so often.
   * @param {string[]} users @param {number} count @param {number} deadline in milliseconds
   */
  async departs(users, count, deadline) {
    const complaint = () => new Error(`${this.departures(users)} departures were seen after ${deadline} ms, not ${count}`);
    await this.#waits(() => this.departures(users) >= count, deadline, complaint);
  }

  async #waits(holds, deadline, complaint) {
    let end;
    const done = new Promise((resolve) => (end = resolve));
    const look = () => holds() && end();
    this.#waiters.add(look);
    look();
    await within(deadline, done, complaint).finally(() => this.#waiters.delete(look));
  }

  /**
   * Everything that must not be, in words; one line each, at most one a view and rule.
   * @param {{bound: number}} limits in milliseconds: how old a view may be outside of troubles
   */
  faults({ bound }) {
    const end = this.#now();
    const faults = [...this.#found];
    for (const view of this.#views.values()) {
      const truth = this.#truth.get(view.user) ?? [];
      const found = [backwards(view, truth, this.#doubts), this.#twice(view, truth), this.#causeless(view, truth), this.#stale(view, truth, end, bound)];
      for (const { at, fault } of found.filter(Boolean)) faults.push(`${view.line.name} of ${view.user}: ${fault}\n${this.#told(view, truth, at)}`);
    }
    return [...faults, ...this.#differences()];
  }

  /** For `Line`. */
  seen(line, user, numbers, besides, isSnapshot) {
    const key = `${line.name}\n${user}`;
    let view = this.#views.get(key);
    if (!view) this.#views.set(key, (view = { key, line, user, seen: [], twice: [], end: Infinity }));
    const at = this.#now();
    const before = view.seen.at(-1);
    const sorted = [...numbers].sort((a, b) => (a ?? -1) - (b ?? -1));
    if (before && !isSnapshot && before.besides === besides && sameNumbers(before.numbers, sorted)) view.twice.push({ before: before.at, at, numbers: sorted });
    view.seen.push({ at, numbers: sorted, besides, isSnapshot });
    this.#compare(view);
  }

  /** For `Line`. */
  ended(line) {
    for (const view of this.#views.values()) {
      if (view.line !== line) continue;
      view.end = this.#now();
      this.#differing.delete(view);
    }
    this.#tell();
  }

  #becomes(user, state) {
    const spans = this.#truth.get(user) ?? [];
    this.#truth.set(user, spans);
    const at = this.#now();
    if (spans.length) spans.at(-1).to = at;
    spans.push({ from: at, to: Infinity, ...state });
    for (const view of this.#views.values()) if (view.user === user) this.#compare(view);
  }

  #compare(view) {
    if (view.end !== Infinity) return;
    if (this.#isTrue(view)) this.#differing.delete(view);
    else this.#differing.add(view);
    this.#tell();
  }

  #tell() {
    for (const look of this.#waiters) look();
  }

  #isTrue(view) {
    const span = this.#truth.get(view.user)?.at(-1) ?? { number: undefined };
    const { numbers } = view.seen.at(-1);
    return span.number === undefined ? numbers.length === 0 : numbers.length === 1 && agrees(span, numbers[0]);
  }

  #differences(views = [...this.#differing]) {
    return views.map((view) => `${view.line.name} of ${view.user}: ends otherwise\n${this.#told(view, this.#truth.get(view.user) ?? [])}`);
  }

  /** The first time that the same is told again, though nobody went or came between. */
  #twice({ twice }, truth) {
    const wrong = twice.find(({ before, at, numbers }) => {
      const isThere = numbers.length > 0;
      return !truth.some((span, index) => {
        const isOther = (span.number === undefined) === isThere && truth.slice(0, index).some(({ number }) => (number !== undefined) === isThere);
        return isOther && this.#isNotBefore(at, span.from) && this.#heardBy({ from: span.from, to: span.from }) >= before;
      });
    });
    return wrong && { at: wrong.at, fault: `is told the same twice at ${this.#time(wrong.at)}: ${show(wrong.numbers)}` };
  }

  /** The first time that the user is seen to go for no reason. */
  #causeless({ seen, user }, truth) {
    const wrong = seen.find(({ at, numbers }, index) => {
      if (numbers.length || !seen[index - 1]?.numbers.length) return false;
      const isCaused = truth.some((span) => span.number === undefined && this.#isNotBefore(at, span.from + (span.linger ?? 0)) && at <= this.#heardBy(span));
      return !isCaused && !this.#isExcused(user, at);
    });
    return wrong && { at: wrong.at, fault: `goes without a cause at ${this.#time(wrong.at)}` };
  }

  /** Whether something that was seen at `at` may follow from what a client noticed at `from`. */
  #isNotBefore(at, from) {
    return from - at - this.stoodStill(at, from) <= EARLY;
  }

  /** Until when an absence may be told. */
  #heardBy({ from, to }) {
    let by = to + ON_THE_WAY;
    for (const trouble of this.#troublesInOrder()) {
      if (trouble.delays && trouble.from <= by && trouble.to >= from) by = Math.max(by, trouble.to + ON_THE_WAY);
    }
    return by;
  }

  #troublesInOrder() {
    return [...this.#troubles].sort((a, b) => a.from - b.from);
  }

  #isExcused(user, at) {
    return this.#excuses.some((excuse) => excuse.user === user && excuse.trouble.from + excuse.from <= at && at <= excuse.trouble.to + excuse.trouble.recovery);
  }

  /** The first time that something is seen which was so too long ago. */
  #stale({ seen, end }, truth, now, bound) {
    const last = Math.min(end, now);
    for (const [index, { at, numbers }] of seen.entries()) {
      const until = seen[index + 1]?.at ?? last;
      for (const number of numbers.length ? numbers : [undefined]) {
        const spans = truth.filter((span) => agrees(span, number) && this.#isNotBefore(until, span.from));
        // Before anything is known of a user it is not there.
        const wasSo = spans.length ? Math.max(...spans.map(({ to }) => to)) : number === undefined ? (truth[0]?.from ?? Infinity) : -Infinity;
        if (this.#deadline(wasSo, truth, bound) < until) {
          const when = wasSo === -Infinity ? 'was never so' : `was so until ${this.#time(wasSo)}`;
          return { at, fault: `sees ${show(number === undefined ? [] : [number])} from ${this.#time(at)} to ${this.#time(until)}, which ${when}` };
        }
      }
    }
    return undefined;
  }

  /** Until when something may be seen that was so until then. */
  #deadline(wasSo, truth, bound) {
    const absence = truth.find(({ from, number }) => from === wasSo && number === undefined);
    let deadline = wasSo + bound + (absence?.linger ?? 0);
    for (const { from, to, recovery } of this.#troublesInOrder()) {
      if (from <= deadline && to + recovery >= wasSo) deadline = Math.max(deadline, to + recovery + bound);
    }
    return deadline;
  }

  #time(at) {
    return `${((at - this.#start) / 1000).toFixed(3)} s`;
  }

  /** What was seen and what was so about then. */
  #told({ seen, end }, truth, about = Infinity) {
    const near = (list, time) => {
      const after = list.filter((each) => time(each) <= about).length;
      return list.slice(Math.max(0, after - 8), after + 4);
    };
    const saw = near(seen, ({ at }) => at).map(({ at, numbers }) => `${this.#time(at)} ${show(numbers)}`);
    const was = near(truth, ({ from }) => from).map(({ from, number, cause }) => `${this.#time(from)} ${number === undefined ? `gone (${cause})` : show([number])}`);
    const troubles = this.#troubles.map(({ what, from, to }) => `${what} from ${this.#time(from)} to ${this.#time(to)}`);
    return `    saw: ${saw.join(', ')}${end === Infinity ? '' : `, line lost at ${this.#time(end)}`}\n    was: ${was.join(', ')}\n    troubles: ${troubles.join(', ') || 'none'}`;
  }
}

/** What a follower sees on one line. */
class Line {
  static #last = 0;

  constructor(history, name) {
    this.history = history;
    this.follower = name;
    this.name = `${name}#${(Line.#last += 1)}`;
  }

  /** The answer to a follow. @param {(number | null)[]} numbers @param {string} [besides] what was told with it */
  snapshot(user, numbers, besides) {
    if (!this.isLost) this.history.seen(this, user, numbers, besides, true);
  }

  /** Something told unasked. @param {(number | null)[]} numbers @param {string} [besides] what was told with it */
  told(user, numbers, besides) {
    if (this.isLost) return;
    this.history.told += 1;
    this.history.seen(this, user, numbers, besides, false);
  }

  /** Nothing is seen on it any longer. */
  lost() {
    if (this.isLost) return;
    this.isLost = true;
    this.history.ended(this);
  }
}

/**
 * The first time that something older is seen of a connection than before. Every absence of a user ends a connection;
 * while its node does not know that, it stands beside the next and may be seen after it.
 */
function backwards({ seen, user }, truth, doubts) {
  const connections = new Map();
  let connection = 0;
  for (const { number } of truth) {
    if (number === undefined) connection += 1;
    else if (number !== null && !doubts.has(`${user} ${number}`)) connections.set(number, connection);
  }
  const newest = new Map();
  for (const { at, numbers } of seen) {
    for (const number of numbers.filter((each) => each !== null)) {
      const whose = connections.get(number);
      if (whose === undefined) continue;
      if (number < newest.get(whose)) return { at, fault: `goes backwards from ${newest.get(whose)} to ${number}` };
      newest.set(whose, number);
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
