// What webhook receivers are told where nodes die, and where they only stood still: of each connection one end.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as lasts } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import { gathers } from './harness/crowd.mjs';
import { Gate } from './harness/gate.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { Receiver } from './harness/receiver.mjs';
import { Redis } from './harness/redis.mjs';
import { until } from './harness/until.mjs';

/** Within this, in milliseconds, everybody is told of what a dead node had. */
const BOUND = 15_000;

/** News on its way, on a busy machine. */
const SOON = 10_000;

describe('webhook receivers', { concurrency: true }, () => {
  async function scene(t, grace) {
    const redis = await Redis.start(t);
    const receiver = await Receiver.start(t);
    const env = { HEREABOUTS_WEBHOOK__URLS: receiver.url, HEREABOUTS_WEBHOOK__GRACE_SECONDS: String(grace) };
    const { nodes, gates } = await startNodes(t, redis.url, { env });
    /** Waits until each has so many connections by what was told. */
    const counted = (expected, deadline) => until(
      () => isDeepStrictEqual(receiver.counts(), expected()),
      () => Object.entries(expected()).filter(([user, count]) => receiver.counts()[user] !== count)
        .map(([user, count]) => `${count} of ${user}, but it was told ${receiver.of(user)}`).join('; '),
      deadline,
    );
    return { receiver, nodes, gates, counted };
  }

  const one = (crowd) => Object.fromEntries(crowd.map(({ user }) => [user, 1]));

  test('hear from a survivor who went with a dead node', async (t) => {
    const { receiver, nodes, gates, counted } = await scene(t, 0);
    const lone = await Gate.open([nodes[2]]);
    t.after(() => lone.close());
    const crowd = await gathers(t, { history: new History(), gates: [...gates, lone], count: 12 });
    await counted(() => one(crowd), SOON);
    await nodes[2].kill();
    const gone = crowd.filter(({ gate }) => gate === lone).map(({ user }) => [user, 0]);
    await counted(() => ({ ...one(crowd), ...Object.fromEntries(gone) }), BOUND + SOON);
    for (const { home, name, user } of crowd) {
      assert.equal(receiver.told('user.disconnect', user), home > 1 ? 1 : 0, name);
    }
  });

  test('hear from a node that stood still who is there all the same', async (t) => {
    const { receiver, nodes, gates, counted } = await scene(t, 5);
    const crowd = await gathers(t, { history: new History(), gates, count: 9 });
    await counted(() => one(crowd), SOON);
    const frozen = crowd.filter(({ home }) => home === 2);
    nodes[2].freeze();
    const thaw = lasts(20_000);
    await until(
      () => frozen.every(({ user }) => receiver.told('user.disconnect', user) === 1),
      () => `told of all ${frozen.length}: ${JSON.stringify([...receiver.events.values()])}`,
      BOUND + SOON,
    );
    await thaw;
    nodes[2].thaw();
    await counted(() => one(crowd), BOUND);
    // A client with a heartbeat of its own may have given its line up.
    for (const { closes, name, user } of frozen) {
      if (closes.length === 0) assert.equal(receiver.told('user.login', user), 2, name);
    }
  });
});
