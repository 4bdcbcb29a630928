// Trouble at random, from a seed: nodes that are killed, frozen and restarted, Redis that restarts, stalls and cuts its
// lines, clients whose lines break; then peace, and the history of all that.

import { setTimeout as lasts } from 'node:timers/promises';

import { disperses, gathers } from './crowd.mjs';
import { History } from './history.mjs';
import { startNodes } from './nodes.mjs';
import { Redis } from './redis.mjs';

/** A node that stands still for longer may be taken for dead; in milliseconds. */
const LEASE = 8000;

/** How long everybody may take to be at the truth after a trouble. */
const RECOVERY = 20_000;

/** How old a view may be outside of troubles: what a dead node had goes within this. */
export const BOUND = 15_000;

const PEACE = 60_000;

/** Numbers from 0 to 1 that a seed decides (mulberry32). @param {number} seed */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What happens, decided before it begins: the same for the same seed, whatever the machine does. */
export function plan(seed, seconds) {
  const roll = dice(seed);
  const between = (low, high) => Math.round(low + roll() * (high - low));
  const events = [];
  // One trouble of nodes at a time, and beside it one of Redis: two of three nodes stay.
  const lanes = [
    [
      (node) => ({ kind: 'kill', node, lasts: between(1000, 14_000) }),
      (node) => ({ kind: 'freeze', node, lasts: between(500, 16_000) }),
      (node) => ({ kind: 'drain', node, lasts: between(0, 3000) }),
    ],
    [
      () => ({ kind: 'redis restarts', lasts: between(100, 5000) }),
      () => ({ kind: 'redis stalls', lasts: between(200, 6000) }),
      () => ({ kind: 'redis cuts', lasts: 0 }),
    ],
    [(node) => ({ kind: 'lines break', node, lasts: 0 })],
  ];
  for (const [lane, kinds] of lanes.entries()) {
    let at = between(500, 4000);
    while (at < seconds * 1000) {
      const event = kinds[Math.floor(roll() * kinds.length)](Math.floor(roll() * 3));
      events.push({ lane, at, ...event });
      at += event.lasts + between(1000, 8000);
    }
  }
  return events.sort((a, b) => a.at - b.at);
}

/**
 * Carries a plan out on three nodes; the faults of the history, none being as it should be.
 * @param {{seed: number, seconds: number, count?: number, say?: (text: string) => void}} options
 */
export async function chaos({ seed, seconds, count = 24, say = () => {} }) {
  const redis = await Redis.start();
  const world = await startNodes(undefined, redis.url, { env: { HEREABOUTS_SERVER__DRAIN_TIMEOUT: '3s', HEREABOUTS_PRESENCE__DRAIN_LINGER: '10s' } });
  const run = new Run(redis, world, say);
  try {
    run.crowd = await gathers(undefined, { history: run.history, gates: world.gates, count });
    await run.history.settles(RECOVERY);
    await run.happens(plan(seed, seconds), seconds, dice(seed + 1));
    say('peace');
    await Promise.all(run.crowd.map((device) => device.shows()));
    await run.history.settles(PEACE).catch((error) => run.history.fault(error.message.split('\n')[0]));
    const faults = run.history.faults({ bound: BOUND });
    if (faults.length) faults.push(...world.nodes.map((node) => `${node.name} wrote at last:\n${node.log().split('\n').slice(-40).join('\n')}`));
    return { faults, views: run.history.size, told: run.history.told, lines: run.crowd.reduce((sum, { arrivals }) => sum + arrivals, 0) };
  } finally {
    if (run.crowd) await disperses(run.crowd);
    await world.stop();
    await redis.stop();
  }
}

class Run {
  history = new History();

  constructor(redis, world, say) {
    Object.assign(this, { redis, say, ...world });
  }

  /** The plan, each lane by itself; meanwhile somebody shows something else ten times a second. */
  async happens(events, seconds, roll) {
    const begin = performance.now();
    const until = (at) => lasts(Math.max(0, begin + at - performance.now()));
    const lanes = [0, 1, 2].map(async (lane) => {
      for (const event of events.filter((each) => each.lane === lane)) {
        await until(event.at);
        this.say(`${((performance.now() - begin) / 1000).toFixed(1)} s: ${event.kind}${event.node === undefined ? '' : ` n${event.node + 1}`}${event.lasts ? ` for ${event.lasts} ms` : ''}`);
        await this.#one(event);
      }
    });
    const end = begin + seconds * 1000;
    const showing = (async () => {
      while (performance.now() < end) {
        await lasts(100);
        this.crowd[Math.floor(roll() * this.crowd.length)].shows().catch(() => {
          // Its line is lost: it shows the same again when it is back.
        });
      }
    })();
    await Promise.all([...lanes, showing]);
  }

  async #one({ kind, node: index, lasts: ms }) {
    const { redis, nodes, gates } = this;
    const node = nodes[index];
    const users = (at) => this.crowd.filter(({ gate }) => gate === gates[at]).map(({ user }) => user);
    switch (kind) {
      case 'kill':
        return this.#during('a node is dead', {}, async () => {
          await node.kill();
          await lasts(ms);
          await this.#starts(node);
        });
      case 'freeze':
        // Who is on it may be anybody: whoever came while another node was away has stayed.
        return this.#during('a node stands still', { delays: true, excused: nodes.flatMap((_, at) => users(at)), from: LEASE }, async () => {
          node.freeze();
          await lasts(ms);
          node.thaw();
        });
      case 'drain':
        return this.#during('a node restarts', {}, async () => {
          await node.drains();
          await lasts(ms);
          await this.#starts(node);
        });
      case 'redis restarts':
        return this.#during('redis restarts', { delays: true }, async () => {
          await redis.kill();
          await lasts(ms);
          await redis.starts();
        });
      case 'redis stalls':
        return this.#during('redis stalls', { delays: true }, async () => {
          redis.freeze();
          await lasts(ms);
          redis.thaw();
        });
      case 'redis cuts':
        // Redis may be on its way down.
        return redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub').catch(() => {});
      case 'lines break':
        return gates[index].cuts();
      default:
        throw new Error(`${kind} is not known`);
    }
  }

  /** As a supervisor does: again and again, for a node does not start without Redis. */
  async #starts(node) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await node.starts();
      } catch (error) {
        if (attempt === 20) throw error;
        await lasts(500);
      }
    }
  }

  async #during(what, options, happen) {
    const over = this.history.trouble(what, RECOVERY, options);
    await happen();
    over();
  }
}
