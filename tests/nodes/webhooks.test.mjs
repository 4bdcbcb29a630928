// Webhooks about nodes that die and nodes that were suspended: each connection ends once.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import { startCrowd } from './harness/crowd.mjs';
import { LoadBalancer } from './harness/load-balancer.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { WebhookReceiver } from './harness/webhook-receiver.mjs';
import { Redis } from './harness/redis.mjs';
import { until } from './harness/until.mjs';

/** Maximum time until every follower has seen the users of a dead node leave, in milliseconds. */
const BOUND = 15_000;

/** Maximum time for updates on a busy machine, in milliseconds. */
const SOON = 10_000;

describe('a webhook receiver', { concurrency: true }, () => {
  async function startScene(t, grace) {
    const redis = await Redis.start(t);
    const receiver = await WebhookReceiver.start(t);
    const env = { HEREABOUTS_WEBHOOK__URLS: receiver.url, HEREABOUTS_WEBHOOK__GRACE_SECONDS: String(grace) };
    const { nodes, balancers } = await startNodes(t, redis.url, { env });
    /** Waits until the events add up to these numbers of connections by user. */
    const counted = (expected, deadline) => until(
      () => isDeepStrictEqual(receiver.connectionCounts(), expected()),
      () => Object.entries(expected()).filter(([user, count]) => receiver.connectionCounts()[user] !== count)
        .map(([user, count]) => `${count} of ${user}, but its events are ${receiver.eventsOf(user)}`).join('; '),
      deadline,
    );
    return { receiver, nodes, balancers, counted };
  }

  const oneEach = (crowd) => Object.fromEntries(crowd.map(({ user }) => [user, 1]));

  test('learns from a survivor that the users of a dead node left', async (t) => {
    const { receiver, nodes, balancers, counted } = await startScene(t, 0);
    const onlyDying = await LoadBalancer.open([nodes[2]]);
    t.after(() => onlyDying.close());
    const crowd = await startCrowd(t, { history: new History(), balancers: [...balancers, onlyDying], count: 12 });
    await counted(() => oneEach(crowd), SOON);
    await nodes[2].kill();
    const gone = crowd.filter(({ balancer }) => balancer === onlyDying).map(({ user }) => [user, 0]);
    await counted(() => ({ ...oneEach(crowd), ...Object.fromEntries(gone) }), BOUND + SOON);
    for (const { preferredNode, name, user } of crowd) {
      assert.equal(receiver.countOf('user.disconnect', user), preferredNode > 1 ? 1 : 0, name);
    }
  });

  test('learns from a node that was suspended that its users are still connected', async (t) => {
    const { receiver, nodes, balancers, counted } = await startScene(t, 5);
    const crowd = await startCrowd(t, { history: new History(), balancers, count: 9 });
    await counted(() => oneEach(crowd), SOON);
    const suspended = crowd.filter(({ preferredNode }) => preferredNode === 2);
    nodes[2].suspend();
    const suspension = sleep(20_000);
    await until(
      () => suspended.every(({ user }) => receiver.countOf('user.disconnect', user) === 1),
      () => `events about all ${suspended.length}: ${JSON.stringify([...receiver.events.values()])}`,
      BOUND + SOON,
    );
    await suspension;
    nodes[2].resume();
    await counted(() => oneEach(crowd), BOUND);
    // A client with its own heartbeat may have closed its connection.
    for (const { closeCodes, name, user } of suspended) {
      if (closeCodes.length === 0) assert.equal(receiver.countOf('user.login', user), 2, name);
    }
  });
});
