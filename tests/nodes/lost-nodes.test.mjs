// Nodes that die and nodes that were suspended, with the default timings.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { startCrowd } from './harness/crowd.mjs';
import { LoadBalancer } from './harness/load-balancer.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { Redis } from './harness/redis.mjs';

/** Maximum time until every follower has seen the users of a dead node leave, in milliseconds. */
const BOUND = 15_000;

/** Minimum time until a node without heartbeats is considered dead, in milliseconds. Its last renewal was at most a heartbeat ago. */
const EARLIEST = 8000;

/** Maximum time for updates on a busy machine, in milliseconds. */
const SOON = 10_000;

const LOST = 'the lease is lost';

const usersOf = (devices) => devices.map(({ user }) => user);

describe('a node', { concurrency: true }, () => {
  test('that is killed loses the users who do not reconnect, and no others', async (t) => {
    const redis = await Redis.start(t);
    const { nodes, balancers } = await startNodes(t, redis.url);
    const dying = nodes[2];
    const onlyDying = await LoadBalancer.open([dying]);
    t.after(() => onlyDying.close());
    const history = new History();
    const crowd = await startCrowd(t, { history, balancers: [...balancers, onlyDying], count: 24 });
    await history.converges(SOON);
    const stayAway = crowd.filter(({ balancer }) => balancer === onlyDying);
    const comeBack = crowd.filter(({ balancer }) => balancer === balancers[2]);
    const witnesses = crowd.filter(({ balancer }) => balancer === balancers[0] || balancer === balancers[1]);
    await dying.kill();
    await history.seesDepartures(usersOf(stayAway), stayAway.length * witnesses.length, BOUND);
    await history.converges(BOUND);
    assert.deepEqual(history.faults({ bound: BOUND }), []);
    assert.equal(history.departureCount(usersOf(comeBack)), 0, 'a user who reconnects to another node never leaves');
    assert.equal(history.departureCount(usersOf(witnesses)), 0);
    assert.ok(comeBack.every(({ connectCount }) => connectCount > 1), 'they reconnected');
    const reaped = await Promise.all(nodes.slice(0, 2).map((node) => node.metric('hereabouts_cluster_reaped')));
    assert.equal(reaped[0] + reaped[1], stayAway.length + comeBack.length, 'each is removed by one of the other nodes');

    await dying.starts();
    await history.converges(SOON * 2);
    assert.deepEqual(history.faults({ bound: BOUND }), []);
  });

  test('that is suspended for 20 s loses its lease and recovers by itself', async (t) => {
    const redis = await Redis.start(t);
    const { nodes, balancers } = await startNodes(t, redis.url);
    const history = new History();
    const crowd = await startCrowd(t, { history, balancers, count: 18 });
    await history.converges(SOON);
    const suspended = crowd.filter(({ preferredNode }) => preferredNode === 2);
    const others = crowd.filter(({ preferredNode }) => preferredNode !== 2);
    const ends = history.failure('a node is suspended', SOON, { delays: true, excused: usersOf(suspended), from: EARLIEST });
    nodes[2].suspend();
    const suspension = sleep(20_000);
    await history.seesDepartures(usersOf(suspended), suspended.length * others.length, BOUND);
    await Promise.all(others.map((device) => device.setsNextStatus()));
    await suspension;
    nodes[2].resume();
    ends();
    await history.converges(BOUND);
    assert.ok(nodes[2].log().includes(LOST), nodes[2].log());
    assert.equal(history.departureCount(usersOf(others)), 0);
    await Promise.all(crowd.map((device) => device.setsNextStatus()));
    await history.converges(SOON);
    assert.deepEqual(history.faults({ bound: BOUND }), []);
    // A client with its own heartbeat may have closed its connection.
    const patient = suspended.filter(({ closeCodes }) => closeCodes.length === 0);
    assert.ok(patient.length >= suspended.length / 2);
    assert.equal(history.departureCount(usersOf(patient)), patient.length * others.length, 'each absence arrives once');
  });

  test('that is suspended for 5 s keeps every user', async (t) => {
    const redis = await Redis.start(t);
    const { nodes, balancers } = await startNodes(t, redis.url);
    const history = new History();
    const crowd = await startCrowd(t, { history, balancers, count: 18 });
    await history.converges(SOON);
    const ends = history.failure('a node is suspended', 0, { delays: true });
    nodes[2].suspend();
    const suspension = sleep(5000);
    await Promise.all(crowd.filter(({ preferredNode }) => preferredNode !== 2).map((device) => device.setsNextStatus()));
    await suspension;
    nodes[2].resume();
    ends();
    await history.converges(SOON);
    await Promise.all(crowd.map((device) => device.setsNextStatus()));
    await history.converges(SOON);
    assert.deepEqual(history.faults({ bound: 5000 }), []);
    assert.equal(history.departureCount(usersOf(crowd)), 0);
    assert.deepEqual(crowd.map(({ connectCount }) => connectCount), crowd.map(() => 1), 'no connection is lost');
    assert.ok(!nodes[2].log().includes(LOST), nodes[2].log());
    assert.equal(await nodes[2].metric('hereabouts_cluster_incarnations'), 1);
  });
});
