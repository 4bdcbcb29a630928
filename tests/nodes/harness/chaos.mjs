// Random failures from a seed: nodes that are killed, suspended and restarted; Redis that restarts, is suspended and drops its
// subscribers; clients that lose their connections. Then a time without failures, and a check of the history.

import { setTimeout as sleep } from 'node:timers/promises';

import { startCrowd, stopCrowd } from './crowd.mjs';
import { History } from './history.mjs';
import { startNodes } from './nodes.mjs';
import { Redis } from './redis.mjs';

/** A node that is suspended for longer may be considered dead. In milliseconds. */
const LEASE = 8000;

/** Maximum time until every follower sees the truth after a failure, in milliseconds. */
const RECOVERY = 20_000;

/** Maximum age of a view without a failure: within this time a dead node's presences are removed. In milliseconds. */
export const BOUND = 15_000;

/** Maximum time until every follower sees the truth after all failures, in milliseconds. */
const FINAL_RECOVERY = 60_000;

/** Returns a generator of pseudo-random numbers from 0 to 1 (mulberry32). @param {number} seed */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns the failures of a run. They depend only on the seed, not on the machine. */
export function plan(seed, seconds) {
  const random = randomFrom(seed);
  const between = (low, high) => Math.round(low + random() * (high - low));
  const events = [];
  // At most one failure of a node and one of Redis at a time: two of three nodes stay.
  const tracks = [
    [
      (node) => ({ kind: 'kill', node, lasts: between(1000, 14_000) }),
      (node) => ({ kind: 'suspend', node, lasts: between(500, 16_000) }),
      (node) => ({ kind: 'drain', node, lasts: between(0, 3000) }),
    ],
    [
      () => ({ kind: 'redis restarts', lasts: between(100, 5000) }),
      () => ({ kind: 'redis is suspended', lasts: between(200, 6000) }),
      () => ({ kind: 'redis drops its subscribers', lasts: 0 }),
    ],
    [(node) => ({ kind: 'clients lose their connections', node, lasts: 0 })],
  ];
  for (const [track, kinds] of tracks.entries()) {
    let at = between(500, 4000);
    while (at < seconds * 1000) {
      const event = kinds[Math.floor(random() * kinds.length)](Math.floor(random() * 3));
      events.push({ track, at, ...event });
      at += event.lasts + between(1000, 8000);
    }
  }
  return events.sort((a, b) => a.at - b.at);
}

/**
 * Carries out a plan on three nodes and returns the faults of the history.
 * @param {{seed: number, seconds: number, count?: number, say?: (text: string) => void}} options
 */
export async function chaos({ seed, seconds, count = 24, say = () => {} }) {
  const redis = await Redis.start();
  const cluster = await startNodes(undefined, redis.url, { env: { HEREABOUTS_SERVER__DRAIN_TIMEOUT: '3s', HEREABOUTS_PRESENCE__DRAIN_LINGER: '10s' } });
  const run = new Run(redis, cluster, say);
  try {
    run.crowd = await startCrowd(undefined, { history: run.history, balancers: cluster.balancers, count });
    await run.history.converges(RECOVERY);
    await run.carriesOut(plan(seed, seconds), seconds, randomFrom(seed + 1));
    say('no more failures');
    await Promise.all(run.crowd.map((device) => device.setsNextStatus()));
    await run.history.converges(FINAL_RECOVERY).catch((error) => run.history.reportFault(error.message.split('\n')[0]));
    const faults = run.history.faults({ bound: BOUND });
    if (faults.length) faults.push(...cluster.nodes.map((node) => `${node.name} wrote last:\n${node.log().split('\n').slice(-40).join('\n')}`));
    return { faults, views: run.history.viewCount, updates: run.history.updateCount, connections: run.crowd.reduce((sum, { connectCount }) => sum + connectCount, 0) };
  } finally {
    if (run.crowd) await stopCrowd(run.crowd);
    await cluster.stop();
    await redis.stop();
  }
}

class Run {
  history = new History();

  constructor(redis, cluster, say) {
    Object.assign(this, { redis, say, ...cluster });
  }

  /** Carries out a plan, each track by itself. Meanwhile a user sets the next status ten times a second. */
  async carriesOut(events, seconds, random) {
    const begin = performance.now();
    const until = (at) => sleep(Math.max(0, begin + at - performance.now()));
    const tracks = [0, 1, 2].map(async (track) => {
      for (const event of events.filter((each) => each.track === track)) {
        await until(event.at);
        this.say(`${((performance.now() - begin) / 1000).toFixed(1)} s: ${event.kind}${event.node === undefined ? '' : ` n${event.node + 1}`}${event.lasts ? ` for ${event.lasts} ms` : ''}`);
        await this.#fail(event);
      }
    });
    const end = begin + seconds * 1000;
    const updating = (async () => {
      while (performance.now() < end) {
        await sleep(100);
        this.crowd[Math.floor(random() * this.crowd.length)].setsNextStatus().catch(() => {
          // Its connection is lost. It sets the status again after the reconnect.
        });
      }
    })();
    await Promise.all([...tracks, updating]);
  }

  async #fail({ kind, node: index, lasts: ms }) {
    const { redis, nodes, balancers } = this;
    const node = nodes[index];
    const users = (at) => this.crowd.filter(({ balancer }) => balancer === balancers[at]).map(({ user }) => user);
    switch (kind) {
      case 'kill':
        return this.#during('a node is dead', {}, async () => {
          await node.kill();
          await sleep(ms);
          await this.#starts(node);
        });
      case 'suspend':
        // Any user may be on it, because those who came while another node was away have stayed.
        return this.#during('a node is suspended', { delays: true, excused: nodes.flatMap((_, at) => users(at)), from: LEASE }, async () => {
          node.suspend();
          await sleep(ms);
          node.resume();
        });
      case 'drain':
        return this.#during('a node restarts', {}, async () => {
          await node.drains();
          await sleep(ms);
          await this.#starts(node);
        });
      case 'redis restarts':
        return this.#during('redis restarts', { delays: true }, async () => {
          await redis.kill();
          await sleep(ms);
          await redis.starts();
        });
      case 'redis is suspended':
        return this.#during('redis is suspended', { delays: true }, async () => {
          redis.suspend();
          await sleep(ms);
          redis.resume();
        });
      case 'redis drops its subscribers':
        // Redis may be stopping.
        return redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub').catch(() => {});
      case 'clients lose their connections':
        return balancers[index].dropsConnections();
      default:
        throw new Error(`${kind} is not known`);
    }
  }

  /** Starts a node and retries as a process supervisor does, because a node does not start without Redis. */
  async #starts(node) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await node.starts();
      } catch (error) {
        if (attempt === 20) throw error;
        await sleep(500);
      }
    }
  }

  /** Runs `fail` and records the failure in the history. */
  async #during(what, options, fail) {
    const ends = this.history.failure(what, RECOVERY, options);
    await fail();
    ends();
  }
}
