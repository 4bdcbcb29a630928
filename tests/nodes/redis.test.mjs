// Redis in trouble: no client is dropped, those of one node go on seeing each other, and everybody is at the truth soon
// after, without a restart of ours.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as lasts } from 'node:timers/promises';

import { centrifuge } from '../sdk/harness/centrifuge.mjs';
import { clientOf, errorReply, refusal, socketOf } from '../sdk/harness/nakama.mjs';
import { eventually } from '../sdk/harness/wait.mjs';
import { Chatter } from './harness/chat.mjs';
import { gathers } from './harness/crowd.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { Redis, reshard, startRedisCluster, startSentinel } from './harness/redis.mjs';
import { until } from './harness/until.mjs';

/** How long everybody may take to be at the truth once Redis is well, in milliseconds. */
const RECOVERY = 20_000;

/** News on its way, on a busy machine. */
const SOON = 10_000;

/** Shorter than the defaults, so that what follows from them is seen sooner. */
const QUICK = {
  HEREABOUTS_CLUSTER__LEASE_TTL: '5s',
  HEREABOUTS_CLUSTER__HEARTBEAT: '500ms',
  HEREABOUTS_CLUSTER__RESPONSE_TIMEOUT: '1s',
};

/** Everybody on two nodes, before the trouble; and what must hold when it is over. */
class Trouble {
  static async on(t, url) {
    const trouble = new Trouble();
    Object.assign(trouble, await startNodes(t, url, { count: 2, env: QUICK }));
    trouble.history = new History();
    trouble.crowd = await gathers(t, { history: trouble.history, gates: trouble.gates, count: 12 });
    await trouble.history.settles(SOON);
    return trouble;
  }

  /** @param {object} [options] of `History.trouble` */
  begins(what, options) {
    this.ends = this.history.trouble(what, RECOVERY, { delays: true, ...options });
  }

  get users() {
    return this.crowd.map(({ user }) => user);
  }

  /** Everybody shows something else. */
  async allShow() {
    await Promise.all(this.crowd.map((device) => device.shows()));
  }

  /** Those of one node see each other's latest, whatever there is of Redis. */
  async areServedAmongThemselves() {
    const homes = new Map(this.crowd.flatMap(({ name, user, home }) => [[name, home], [user, home]]));
    await this.allShow();
    await this.history.settles(SOON, (follower, user) => homes.get(follower) === homes.get(user));
  }

  /** Redis is well again: soon everybody sees everything, and nothing was wrong meanwhile. */
  async isOver() {
    this.ends();
    await this.history.settles(RECOVERY);
    await this.allShow();
    await this.history.settles(SOON);
    assert.deepEqual(this.history.faults({ bound: SOON }), []);
    assert.deepEqual(this.crowd.flatMap(({ closes }) => closes), [], 'no line is lost');
  }

  /** Every node has said so in a log line, and counted it. */
  async isTold(line, metric) {
    for (const node of this.nodes) {
      await until(() => line.test(node.log()), () => `${node.name} logs ${line}, but:\n${node.log()}`);
      if (metric) assert.ok((await node.metric(metric)) > 0, `${node.name} counts it in ${metric}`);
    }
  }
}

const AWAY = /the lease is not renewed/;
const BACK = /redis is back/;
const FAILURES = 'hereabouts_cluster_redis_failures';

describe('Redis', { concurrency: true }, () => {
  test('ends and starts again with its data: nobody goes', async (t) => {
    const redis = await Redis.start(t);
    const trouble = await Trouble.on(t, redis.url);
    trouble.begins('redis is away');
    await redis.kill();
    await trouble.isTold(AWAY, FAILURES);
    await trouble.areServedAmongThemselves();
    await redis.starts();
    await trouble.isOver();
    await trouble.isTold(BACK);
    assert.equal(trouble.history.departures(trouble.users), 0);
  });

  test('ends and starts again empty: nobody goes, and everything is told to it anew', async (t) => {
    const redis = await Redis.start(t);
    const trouble = await Trouble.on(t, redis.url);
    trouble.begins('redis is empty');
    await redis.kill();
    await trouble.isTold(AWAY, FAILURES);
    await redis.starts(undefined, { isEmpty: true });
    await trouble.isOver();
    await trouble.isTold(BACK);
    assert.equal(trouble.history.departures(trouble.users), 0);
  });

  test('stands still for 5 s: nobody goes', async (t) => {
    const redis = await Redis.start(t);
    const trouble = await Trouble.on(t, redis.url);
    trouble.begins('redis stands still');
    redis.freeze();
    const thaw = lasts(5000);
    await trouble.areServedAmongThemselves();
    await thaw;
    redis.thaw();
    await trouble.isOver();
    assert.equal(trouble.history.departures(trouble.users), 0);
  });

  test('is full: nobody goes, and later everything is told', async (t) => {
    const redis = await Redis.start(t);
    const trouble = await Trouble.on(t, redis.url);
    trouble.begins('redis is full');
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    await trouble.areServedAmongThemselves();
    await trouble.isTold(/redis is full/, FAILURES);
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await trouble.isOver();
    assert.equal(trouble.history.departures(trouble.users), 0);
  });

  test('loses its subscribers again and again: nothing is missed', async (t) => {
    const redis = await Redis.start(t);
    const trouble = await Trouble.on(t, redis.url);
    trouble.begins('lines are lost');
    for (let round = 0; round < 10; round += 1) {
      const told = trouble.allShow();
      await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await told;
    }
    await trouble.isOver();
    assert.equal(trouble.history.departures(trouble.users), 0);
    await trouble.isTold(/a connection for subscriptions is lost/);
  });

  test('has another master: nobody goes', async (t) => {
    const { master, sentinel, replica, url } = await startSentinel(t);
    const trouble = await Trouble.on(t, url);
    trouble.begins('the master is lost');
    await master.kill();
    await trouble.areServedAmongThemselves();
    const leader = () => sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main');
    await eventually(leader, (answer) => answer.includes(String(replica.port)), 'the replica leads', 30_000);
    await trouble.isOver();
    assert.equal(trouble.history.departures(trouble.users), 0);
  });

  test('moves slots from one master to another: nobody goes', async (t) => {
    const { masters, url } = await startRedisCluster(t);
    const trouble = await Trouble.on(t, url);
    trouble.begins('slots move');
    let isMoving = true;
    const moving = reshard(masters[0], masters[1], 3000).finally(() => (isMoving = false));
    while (isMoving) await Promise.all([trouble.allShow(), lasts(50)]);
    await moving;
    await trouble.isOver();
    assert.equal(trouble.history.departures(trouble.users), 0);
  });
});

describe('without Redis', { concurrency: true }, () => {
  const NOBODY = '4c2f2f44-9c93-4d0c-9a2a-5f0e8b2f6d11';

  test('a request that needs it is refused for now, in the words of its dialect, and works later', async (t) => {
    const redis = await Redis.start(t);
    const { nodes } = await startNodes(t, redis.url, { count: 2, env: QUICK });
    const [node] = nodes;
    const guest = centrifuge(t, node, 'json', { claims: { sub: 'guest' } });
    const { client: line } = await guest.connects();
    const chatter = await Chatter.enters(t, node, 'chatter');
    const client = clientOf(node);
    const socket = socketOf(client, 'text');
    await socket.connect(await client.authenticateCustom('somebody-of-these-tests'));
    t.after(() => socket.disconnect());
    await redis.kill();
    await until(() => AWAY.test(node.log()), () => 'redis is missed');

    const { error } = await node.asked('get_presence', { users: ['stranger'] });
    assert.deepEqual(error, { code: 100, message: 'internal server error', detail: 'The server is busy, try again.' });
    await assert.rejects(guest.client.presence('status:stranger'), { code: 100, temporary: true });
    for (const method of ['getUserStatus', 'subscribeUserStatus']) {
      await assert.rejects(chatter.call(method, { userIDList: ['stranger'] }), { code: -32000, message: 'the server is busy' });
    }
    const byName = { status_follow: { user_ids: [], usernames: ['nobody'] } };
    assert.equal((await errorReply(socket.send(byName))).message, 'Server busy, try again');
    assert.deepEqual(await refusal(client.authenticateCustom('somebody-else-of-them')), { http: 503, code: 14, message: 'The server is busy, try again.' });
    // What can be answered without it is.
    assert.deepEqual(await socket.followUsers([NOBODY]), { presences: [] });
    assert.equal((await (await guest.follows('chatter')).snapshot()).online, true);

    await redis.starts();
    await eventually(() => node.asked('get_presence', { users: ['stranger'] }), ({ result }) => result, 'the server API answers', RECOVERY);
    assert.deepEqual((await guest.client.presence('status:stranger')).clients, {});
    await chatter.call('subscribeUserStatus', { userIDList: ['stranger'] });
    await socket.send(byName);
    await client.authenticateCustom('somebody-else-of-them');
    assert.equal(guest.events.all.findLast(({ event }) => event === 'connected').client, line, 'the line is the one of before');
  });

  test('for too long, a node is not ready and sends its clients elsewhere', async (t) => {
    const redis = await Redis.start(t);
    const { nodes } = await startNodes(t, redis.url, { count: 1, env: { ...QUICK, HEREABOUTS_CLUSTER__ISOLATED_CLOSE: '2s' } });
    const [node] = nodes;
    const guest = centrifuge(t, node, 'json', { claims: { sub: 'guest' } });
    await guest.connects();
    const ready = async () => (await fetch(`${node.url}/ready`)).status;
    assert.equal(await ready(), 200);
    await redis.kill();
    await eventually(ready, (status) => status === 503, 'the node is not ready');
    assert.deepEqual(guest.events.all.map(({ event }) => event), ['connecting', 'connected']);
    await guest.hears('connecting');
    assert.equal((await guest.hears('connecting')).code, 3001);
    await redis.starts();
    await eventually(ready, (status) => status === 200, 'the node is ready again', RECOVERY);
  });
});
