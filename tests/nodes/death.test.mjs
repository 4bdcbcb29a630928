// Nodes that die, and nodes that only stood still, at the timings that operators get.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as lasts } from 'node:timers/promises';

import { gathers } from './harness/crowd.mjs';
import { Gate } from './harness/gate.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { Redis } from './harness/redis.mjs';

/** Within this, in milliseconds, everybody is told of what a dead node had. */
const BOUND = 15_000;

/** A node that does not renew its lease is not taken for dead earlier: its last renewal was at most a heartbeat ago. */
const EARLIEST = 8000;

/** News on its way, on a busy machine. */
const SOON = 10_000;

const LOST = 'the lease is lost';

const usersOf = (devices) => devices.map(({ user }) => user);

describe('a node', { concurrency: true }, () => {
  test('that is killed: whoever does not come back goes, once; nobody else does', async (t) => {
    const redis = await Redis.start(t);
    const { nodes, gates } = await startNodes(t, redis.url);
    const dying = nodes[2];
    const lone = await Gate.open([dying]);
    t.after(() => lone.close());
    const history = new History();
    const crowd = await gathers(t, { history, gates: [...gates, lone], count: 24 });
    await history.settles(SOON);
    const stayAway = crowd.filter(({ gate }) => gate === lone);
    const comeBack = crowd.filter(({ gate }) => gate === gates[2]);
    const witnesses = crowd.filter(({ gate }) => gate === gates[0] || gate === gates[1]);
    await dying.kill();
    await history.departs(usersOf(stayAway), stayAway.length * witnesses.length, BOUND);
    await history.settles(BOUND);
    assert.deepEqual(history.faults({ bound: BOUND }), []);
    assert.equal(history.departures(usersOf(comeBack)), 0, 'who came back elsewhere was never gone');
    assert.equal(history.departures(usersOf(witnesses)), 0);
    assert.ok(comeBack.every(({ arrivals }) => arrivals > 1), 'they did come back');
    const reaped = await Promise.all(nodes.slice(0, 2).map((node) => node.metric('hereabouts_cluster_reaped')));
    assert.equal(reaped[0] + reaped[1], stayAway.length + comeBack.length, 'each is removed by one survivor');

    await dying.starts();
    await history.settles(SOON * 2);
    assert.deepEqual(history.faults({ bound: BOUND }), []);
  });

  test('that stands still for 20 s: its lease is lost, and it finds back by itself', async (t) => {
    const redis = await Redis.start(t);
    const { nodes, gates } = await startNodes(t, redis.url);
    const history = new History();
    const crowd = await gathers(t, { history, gates, count: 18 });
    await history.settles(SOON);
    const frozen = crowd.filter(({ home }) => home === 2);
    const others = crowd.filter(({ home }) => home !== 2);
    const over = history.trouble('a node stands still', SOON, { delays: true, excused: usersOf(frozen), from: EARLIEST });
    nodes[2].freeze();
    const thaw = lasts(20_000);
    await history.departs(usersOf(frozen), frozen.length * others.length, BOUND);
    await Promise.all(others.map((device) => device.shows()));
    await thaw;
    nodes[2].thaw();
    over();
    await history.settles(BOUND);
    assert.ok(nodes[2].log().includes(LOST), nodes[2].log());
    assert.equal(history.departures(usersOf(others)), 0);
    await Promise.all(crowd.map((device) => device.shows()));
    await history.settles(SOON);
    assert.deepEqual(history.faults({ bound: BOUND }), []);
    // A client with a heartbeat of its own may have given its line up.
    const patient = frozen.filter(({ closes }) => closes.length === 0);
    assert.ok(patient.length >= frozen.length / 2);
    assert.equal(history.departures(usersOf(patient)), patient.length * others.length, 'each was told once');
  });

  test('that stands still for 5 s: nothing happens', async (t) => {
    const redis = await Redis.start(t);
    const { nodes, gates } = await startNodes(t, redis.url);
    const history = new History();
    const crowd = await gathers(t, { history, gates, count: 18 });
    await history.settles(SOON);
    const over = history.trouble('a node stands still', 0, { delays: true });
    nodes[2].freeze();
    const thaw = lasts(5000);
    await Promise.all(crowd.filter(({ home }) => home !== 2).map((device) => device.shows()));
    await thaw;
    nodes[2].thaw();
    over();
    await history.settles(SOON);
    await Promise.all(crowd.map((device) => device.shows()));
    await history.settles(SOON);
    assert.deepEqual(history.faults({ bound: 5000 }), []);
    assert.equal(history.departures(usersOf(crowd)), 0);
    assert.deepEqual(crowd.map(({ arrivals }) => arrivals), crowd.map(() => 1), 'no line is lost');
    assert.ok(!nodes[2].log().includes(LOST), nodes[2].log());
    assert.equal(await nodes[2].metric('hereabouts_cluster_incarnations'), 1);
  });
});
