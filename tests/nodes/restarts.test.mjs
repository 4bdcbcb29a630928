// Nodes that stop in order, and lost connections: followers do not see a user leave who reconnects in time.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { changed, joined, left, peopleIn } from '../sdk/harness/people.mjs';
import { ONLINE } from '../sdk/harness/tencent.mjs';
import { eventually } from '../sdk/harness/wait.mjs';
import { startCrowd } from './harness/crowd.mjs';
import { LoadBalancer } from './harness/load-balancer.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { Redis } from './harness/redis.mjs';
import { until } from './harness/until.mjs';

const SOON = 10_000;

/** Duration of a node's drain in these tests, in milliseconds. */
const DRAIN = 6000;

/** Waits until every device is connected. */
function allAreConnected(crowd) {
  const others = () => crowd.filter(({ isConnected }) => !isConnected);
  return until(() => others().length === 0, () => `all are connected; not connected: ${others().map(({ name }) => name)}`);
}

describe('three nodes that restart one after another', { concurrency: true }, () => {
  test('cause no update for any follower', async (t) => {
    const redis = await Redis.start(t);
    const env = { HEREABOUTS_SERVER__DRAIN_TIMEOUT: `${DRAIN}ms` };
    const { nodes, balancers } = await startNodes(t, redis.url, { env });
    const history = new History();
    const crowd = await startCrowd(t, { history, balancers, count: 240, followCount: 12, keepsPresence: true });
    await history.converges(SOON);
    const begin = history.now();
    for (const node of nodes) {
      await node.drains();
      await allAreConnected(crowd);
      await node.starts();
    }
    await history.converges(SOON * 2);
    assert.deepEqual(history.faults({ bound: SOON }), []);
    assert.equal(history.departureCount(crowd.map(({ user }) => user)), 0);
    assert.deepEqual(history.updatesSince(begin), [], 'no follower gets an update');
    const moved = crowd.filter(({ connectCount }) => connectCount > 1).length;
    assert.ok(moved === crowd.length, `every user must reconnect at least once, but ${crowd.length - moved} did not`);
  });

  test('refuse new clients and disconnect the others one by one', async (t) => {
    const redis = await Redis.start(t);
    const env = { HEREABOUTS_SERVER__DRAIN_TIMEOUT: `${DRAIN}ms` };
    const { nodes, balancers } = await startNodes(t, redis.url, { count: 2, env });
    const history = new History();
    const crowd = await startCrowd(t, { history, balancers: [balancers[0]], count: 60, followCount: 3, keepsPresence: true });
    const closed = [];
    for (const device of crowd) {
      const onDisconnected = device.onDisconnected.bind(device);
      device.onDisconnected = (code) => {
        closed.push({ at: history.now(), code, name: device.name });
        onDisconnected(code);
      };
    }
    assert.equal((await fetch(`${nodes[0].url}/ready`)).status, 200);
    const draining = nodes[0].drains();
    await until(() => closed.length > 0, () => 'the first client is disconnected');
    const ready = await fetch(`${nodes[0].url}/ready`).then(({ status }) => status, () => 'unreachable');
    assert.ok(ready === 503 || ready === 'unreachable', String(ready));
    await draining;
    const [begin, end] = [closed[0].at, closed.at(-1).at];
    const span = end - begin - history.suspendedTime(begin, end);
    assert.ok(span > DRAIN / 4 && span < DRAIN * 1.5, `disconnected within ${span} ms`);
    const codes = new Set(closed.filter(({ name }) => name.startsWith('centrifugo')).map(({ code }) => code));
    assert.deepEqual([...codes], [3001]);
    await allAreConnected(crowd);
    await history.converges(SOON);
  });
});

/** Longer than an immediate update takes, in milliseconds. */
const LINGER = 8000;

describe('with a linger, a user', { concurrency: true }, () => {
  /** Loses the connection to the first node, and connects to the second one after that has learned of the loss. */
  async function movesToSecondNode(bob, balancer, [, second]) {
    const received = () => second.metric('hereabouts_cluster_received');
    const before = await received();
    bob.losesConnection();
    await bob.isDisconnected();
    await eventually(received, (events) => events > before, 'the second node knows of the loss');
    balancer.routesTo(second);
    await bob.connects();
  }

  /** Starts two nodes, a load balancer to the first one, and a follower at the second one. */
  async function startScene(t) {
    const redis = await Redis.start(t);
    const { nodes } = await startNodes(t, redis.url, { count: 2, env: { HEREABOUTS_PRESENCE__LINGER: `${LINGER}ms` } });
    const balancer = await LoadBalancer.open(nodes);
    t.after(() => balancer.close());
    const person = peopleIn(t, nodes[1]);
    return { nodes, balancer, person, alice: await person('alice') };
  }

  test('who loses the connection and connects to another node does not leave', async (t) => {
    const { nodes, balancer, person, alice } = await startScene(t);
    const bob = await person('bob', { at: balancer });
    const amy = await person('amy', { dialect: 'tencent', userId: 'amy' });
    await alice.follows(bob);
    await bob.setsStatus('here');
    await alice.sees(joined('bob', 'here'));
    await amy.follows(bob);
    assert.deepEqual(amy.snapshotOf(bob), [ONLINE, 'here']);
    await movesToSecondNode(bob, balancer, nodes);
    await bob.setsStatus('here');
    await alice.seesNothingElseOf(bob);
    const { details, leaves } = await amy.nextOf('bob');
    assert.deepEqual([details.statusType, leaves[0].status], [ONLINE, 'here'], 'the only update is the change');
    await bob.disconnects();
    await alice.nextOf('bob');
  });

  test('who reconnects with another status is seen to change it', async (t) => {
    const { nodes, balancer, person, alice } = await startScene(t);
    const bob = await person('bob', { at: balancer });
    await alice.follows(bob);
    await bob.setsStatus('here');
    await alice.sees(joined('bob', 'here'));
    await movesToSecondNode(bob, balancer, nodes);
    await bob.setsStatus('there');
    await alice.sees(changed('bob', 'here', 'there'));
    await bob.disconnects();
    await alice.sees(left('bob', 'there'));
  });

  test('who disconnects or goes invisible leaves at once', async (t) => {
    const { nodes, person, alice } = await startScene(t);
    const [bob, cleo] = [await person('bob', { at: nodes[0], visible: true }), await person('cleo', { at: nodes[0] })];
    const dora = await person('dora', { dialect: 'centrifugo', userId: 'dora', at: nodes[0] });
    const [amy, eve] = [await person('amy', { dialect: 'tencent', userId: 'amy' }), await person('eve', { dialect: 'tencent', userId: 'eve', at: nodes[0] })];
    await alice.follows(bob, cleo);
    await cleo.setsStatus('here');
    await alice.sees(joined('cleo', 'here'));
    await amy.follows(dora, eve);
    const history = new History();
    const begin = history.now();
    await bob.disconnects();
    await cleo.goesInvisible();
    await dora.disconnects();
    await eve.logsOut();
    await Promise.all([alice.sees(left('bob')), alice.sees(left('cleo', 'here'))]);
    for (const name of ['dora', 'eve']) while ((await amy.nextOf(name)).details.statusType === ONLINE);
    const end = history.now();
    const took = end - begin - history.suspendedTime(begin, end);
    assert.ok(took < LINGER / 2, `seen after ${took} ms`);
  });

  test('who loses the connection and does not reconnect leaves after the linger', async (t) => {
    const { nodes, person, alice } = await startScene(t);
    const bob = await person('bob', { at: nodes[0], visible: true });
    await alice.follows(bob).then((seen) => seen.length || alice.sees(joined('bob')));
    const begin = performance.now();
    bob.losesConnection();
    await alice.sees(left('bob'));
    const took = performance.now() - begin;
    assert.ok(took > LINGER - 500, `seen after ${took} ms`);
  });
});
