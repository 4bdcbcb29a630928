// Failures of Redis: no client is disconnected, the users of one node still see each other, and soon after the failure every
// follower sees the truth, without a restart of a node.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { clientOf, errorReply, refusal, socketOf } from '../sdk/harness/nakama.mjs';
import { peopleIn } from '../sdk/harness/people.mjs';
import { eventually } from '../sdk/harness/wait.mjs';
import { startCrowd } from './harness/crowd.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { Redis, reshard, startRedisCluster, startSentinel } from './harness/redis.mjs';
import { until } from './harness/until.mjs';

/** Maximum time until every follower sees the truth after a failure of Redis, in milliseconds. */
const RECOVERY = 20_000;

/** Maximum time for updates on a busy machine, in milliseconds. */
const SOON = 10_000;

/** Shorter than the defaults, so that their effects come sooner. */
const SHORT_TIMEOUTS = {
  HEREABOUTS_CLUSTER__LEASE_TTL: '5s',
  HEREABOUTS_CLUSTER__HEARTBEAT: '500ms',
  HEREABOUTS_CLUSTER__RESPONSE_TIMEOUT: '1s',
};

/** A crowd on two nodes that converged before a failure, and the checks for its end. */
class Scenario {
  static async on(t, url) {
    const scenario = new Scenario();
    Object.assign(scenario, await startNodes(t, url, { count: 2, env: SHORT_TIMEOUTS }));
    scenario.history = new History();
    scenario.crowd = await startCrowd(t, { history: scenario.history, balancers: scenario.balancers, count: 12 });
    await scenario.history.converges(SOON);
    return scenario;
  }

  /** @param {object} [options] of `History.failure` */
  failureBegins(what, options) {
    this.failureEnds = this.history.failure(what, RECOVERY, { delays: true, ...options });
  }

  get users() {
    return this.crowd.map(({ user }) => user);
  }

  /** Every user sets the next status. */
  async allSetStatus() {
    await Promise.all(this.crowd.map((device) => device.setsNextStatus()));
  }

  /** Users of the same node see each other's latest status, even without Redis. */
  async usersOfOneNodeSeeEachOther() {
    const preferredNodes = new Map(this.crowd.flatMap(({ name, user, preferredNode }) => [[name, preferredNode], [user, preferredNode]]));
    await this.allSetStatus();
    await this.history.converges(SOON, (follower, user) => preferredNodes.get(follower) === preferredNodes.get(user));
  }

  /** The failure has ended: soon every follower sees the truth, and no update was wrong meanwhile. */
  async recovers() {
    this.failureEnds();
    await this.history.converges(RECOVERY);
    await this.allSetStatus();
    await this.history.converges(SOON);
    assert.deepEqual(this.history.faults({ bound: SOON }), []);
    assert.deepEqual(this.crowd.flatMap(({ closeCodes }) => closeCodes), [], 'no connection is lost');
  }

  /** Every node has logged a message and counted it. */
  async isLogged(message, metric) {
    for (const node of this.nodes) {
      await until(() => message.test(node.log()), () => `${node.name} logs ${message}, but:\n${node.log()}`);
      if (metric) assert.ok((await node.metric(metric)) > 0, `${node.name} counts it in ${metric}`);
    }
  }
}

const LOST = /the lease is not renewed/;
const BACK = /redis is back/;
const FAILURES = 'hereabouts_cluster_redis_failures';

describe('Redis', { concurrency: true }, () => {
  test('restarts with its data, and no user leaves', async (t) => {
    const redis = await Redis.start(t);
    const scenario = await Scenario.on(t, redis.url);
    scenario.failureBegins('redis is away');
    await redis.kill();
    await scenario.isLogged(LOST, FAILURES);
    await scenario.usersOfOneNodeSeeEachOther();
    await redis.starts();
    await scenario.recovers();
    await scenario.isLogged(BACK);
    assert.equal(scenario.history.departureCount(scenario.users), 0);
  });

  test('restarts empty, and no user leaves, because the nodes write everything again', async (t) => {
    const redis = await Redis.start(t);
    const scenario = await Scenario.on(t, redis.url);
    scenario.failureBegins('redis is empty');
    await redis.kill();
    await scenario.isLogged(LOST, FAILURES);
    await redis.starts(undefined, { isEmpty: true });
    await scenario.recovers();
    await scenario.isLogged(BACK);
    assert.equal(scenario.history.departureCount(scenario.users), 0);
  });

  test('is suspended for 5 s, and no user leaves', async (t) => {
    const redis = await Redis.start(t);
    const scenario = await Scenario.on(t, redis.url);
    scenario.failureBegins('redis is suspended');
    redis.suspend();
    const suspension = sleep(5000);
    await scenario.usersOfOneNodeSeeEachOther();
    await suspension;
    redis.resume();
    await scenario.recovers();
    assert.equal(scenario.history.departureCount(scenario.users), 0);
  });

  test('is full, and no user leaves, because the nodes write everything later', async (t) => {
    const redis = await Redis.start(t);
    const scenario = await Scenario.on(t, redis.url);
    scenario.failureBegins('redis is full');
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    await scenario.usersOfOneNodeSeeEachOther();
    await scenario.isLogged(/redis is full/, FAILURES);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await scenario.recovers();
    assert.equal(scenario.history.departureCount(scenario.users), 0);
  });

  test('drops its subscribers repeatedly, and no update is missed', async (t) => {
    const redis = await Redis.start(t);
    const scenario = await Scenario.on(t, redis.url);
    scenario.failureBegins('subscribers are dropped');
    for (let drop = 0; drop < 10; drop += 1) {
      const updates = scenario.allSetStatus();
      await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await updates;
    }
    await scenario.recovers();
    assert.equal(scenario.history.departureCount(scenario.users), 0);
    await scenario.isLogged(/a connection for subscriptions is lost/);
  });

  test('fails over to another master, and no user leaves', async (t) => {
    const { master, sentinel, replica, url } = await startSentinel(t);
    const scenario = await Scenario.on(t, url);
    scenario.failureBegins('the master is lost');
    await master.kill();
    await scenario.usersOfOneNodeSeeEachOther();
    const leader = () => sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main');
    await eventually(leader, (reply) => reply.includes(String(replica.port)), 'the replica leads', 30_000);
    await scenario.recovers();
    assert.equal(scenario.history.departureCount(scenario.users), 0);
  });

  test('moves slots from one master to another, and no user leaves', async (t) => {
    const { masters, url } = await startRedisCluster(t);
    const scenario = await Scenario.on(t, url);
    scenario.failureBegins('slots move');
    let isMoving = true;
    const moving = reshard(masters[0], masters[1], 3000).finally(() => (isMoving = false));
    while (isMoving) await Promise.all([scenario.allSetStatus(), sleep(50)]);
    await moving;
    await scenario.recovers();
    assert.equal(scenario.history.departureCount(scenario.users), 0);
  });
});

describe('without Redis', { concurrency: true }, () => {
  const UNKNOWN_USER = '4c2f2f44-9c93-4d0c-9a2a-5f0e8b2f6d11';

  test('a request that needs it fails in the form of its dialect, and succeeds later', async (t) => {
    const redis = await Redis.start(t);
    const { nodes } = await startNodes(t, redis.url, { count: 2, env: SHORT_TIMEOUTS });
    const [node] = nodes;
    const person = peopleIn(t, node);
    const ann = await person('ann', { dialect: 'centrifugo', userId: 'ann', connected: false });
    const { client: clientId } = await ann.connects();
    const amy = await person('amy', { dialect: 'tencent', userId: 'amy' });
    const client = clientOf(node);
    const socket = socketOf(client, 'text');
    await socket.connect(await client.authenticateCustom('somebody-of-these-tests'));
    t.after(() => socket.disconnect());
    await redis.kill();
    await until(() => LOST.test(node.log()), () => 'the node logs that Redis is lost');

    const { error } = await node.request('get_presence', { users: ['stranger'] });
    assert.deepEqual(error, { code: 100, message: 'internal server error', detail: 'The server is busy, try again.' });
    await assert.rejects(ann.client.presence('status:stranger'), { code: 100, temporary: true });
    for (const method of ['getUserStatus', 'subscribeUserStatus']) {
      await assert.rejects(amy.calls(method, { userIDList: ['stranger'] }), { code: -32000, message: 'the server is busy' });
    }
    const byName = { status_follow: { user_ids: [], usernames: ['nobody'] } };
    assert.equal((await errorReply(socket.send(byName))).message, 'Server busy, try again');
    assert.deepEqual(await refusal(client.authenticateCustom('somebody-else-of-them')), { http: 503, code: 14, message: 'The server is busy, try again.' });
    // Requests that do not need it succeed.
    assert.deepEqual(await socket.followUsers([UNKNOWN_USER]), { presences: [] });
    await ann.follows(amy);
    assert.equal(ann.snapshotOf(amy).online, true);

    await redis.starts();
    await eventually(() => node.request('get_presence', { users: ['stranger'] }), ({ result }) => result, 'the server API answers', RECOVERY);
    assert.deepEqual((await ann.client.presence('status:stranger')).clients, {});
    await amy.calls('subscribeUserStatus', { userIDList: ['stranger'] });
    await socket.send(byName);
    await client.authenticateCustom('somebody-else-of-them');
    assert.equal(ann.events.all.findLast(({ event }) => event === 'connected').client, clientId, 'the connection is the same');
  });

  test('a node becomes unready after a time and disconnects its clients', async (t) => {
    const redis = await Redis.start(t);
    const { nodes } = await startNodes(t, redis.url, { count: 1, env: { ...SHORT_TIMEOUTS, HEREABOUTS_CLUSTER__ISOLATED_CLOSE: '2s' } });
    const [node] = nodes;
    const ann = await peopleIn(t, node)('ann', { dialect: 'centrifugo', userId: 'ann' });
    const ready = async () => (await fetch(`${node.url}/ready`)).status;
    assert.equal(await ready(), 200);
    await redis.kill();
    await eventually(ready, (status) => status === 503, 'the node is not ready');
    assert.deepEqual(ann.events.all.map(({ event }) => event), ['connecting', 'connected']);
    await ann.hears('connecting');
    assert.equal((await ann.hears('connecting')).code, 3001);
    await redis.starts();
    await eventually(ready, (status) => status === 200, 'the node is ready again', RECOVERY);
  });
});
