// One presence graph on several nodes: a user on one node is seen from the others, by clients of all three dialects.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { withoutTimes } from '../sdk/harness/centrifugo.mjs';
import { NAKAMA_ENCODINGS } from '../sdk/harness/nakama.mjs';
import { changed, joined, left, peopleIn } from '../sdk/harness/people.mjs';
import { OFFLINE, ONLINE, SDK_APP_ID, UNLOGINED, userSigOf } from '../sdk/harness/tencent.mjs';
import { eventually } from '../sdk/harness/wait.mjs';
import { startCrowd } from './harness/crowd.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { Redis, startRedisCluster, startSentinel } from './harness/redis.mjs';

let redis, cluster, one, two, three;
before(async () => {
  redis = await Redis.start();
  cluster = await startNodes(undefined, redis.url);
  [one, two, three] = cluster.nodes;
});
after(async () => {
  await cluster?.stop();
  await redis?.stop();
});

/** Returns a function that makes Centrifugo users with UUIDs as their ids. */
function centrifugoPeopleIn(t) {
  const person = peopleIn(t, one, { dialect: 'centrifugo' });
  return (name, options) => person(name, { userId: randomUUID(), ...options });
}

for (const encoding of NAKAMA_ENCODINGS) {
  describe(`users of Nakama over ${encoding}`, { concurrency: true }, () => {
    test('see each other come, change and go', async (t) => {
      const person = peopleIn(t, one, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob', { at: two })];
      assert.deepEqual(await alice.follows(bob), []);
      await bob.setsStatus('here');
      await alice.sees(joined('bob', 'here'));
      await bob.setsStatus('busy');
      await alice.sees(changed('bob', 'here', 'busy'));
      await bob.goesInvisible();
      await alice.sees(left('bob', 'busy'));
      await bob.setsStatus('back');
      await alice.sees(joined('bob', 'back'));
      await bob.disconnects();
      await alice.sees(left('bob', 'back'));
    });

    test('get the current statuses with a follow', async (t) => {
      const person = peopleIn(t, one, { encoding });
      const [alice, bob, cleo] = [await person('alice'), await person('bob', { at: two }), await person('cleo', { at: three, visible: true })];
      await bob.setsStatus('here');
      // A follower on the third node sees when the other nodes know the status.
      await cleo.follows(bob).then((seen) => seen.length || cleo.sees(joined('bob', 'here')));
      await eventually(() => alice.follows(bob, cleo), (seen) => seen.length === 2, 'both are seen');
      assert.deepEqual(await alice.follows(bob, cleo), [['bob', 'here'], ['cleo', '']]);
    });

    test('have several devices on several nodes', async (t) => {
      const person = peopleIn(t, three, { encoding });
      const alice = await person('alice');
      const bob = await person('bob', { at: one });
      await alice.follows(bob);
      await bob.setsStatus('in the office');
      await alice.sees(joined('bob', 'in the office'));
      const phone = await bob.anotherDevice({ at: two });
      await phone.setsStatus('on the phone');
      await alice.sees(joined('bob', 'on the phone'));
      await bob.sees(joined('bob', 'in the office'), joined('bob', 'on the phone'));
      await phone.setsStatus('in the street');
      await alice.sees(changed('bob', 'on the phone', 'in the street'));
      await bob.disconnects();
      await alice.sees(left('bob', 'in the office'));
      await alice.seesNothingElseOf(phone);
    });

    test('see nothing of a user after the unfollow', async (t) => {
      const person = peopleIn(t, one, { encoding });
      const [alice, ann, bob] = [await person('alice'), await person('ann'), await person('bob', { at: two })];
      await Promise.all([alice.follows(bob), ann.follows(bob)]);
      await bob.setsStatus('here');
      await Promise.all([alice, ann].map((follower) => follower.sees(joined('bob', 'here'))));
      await alice.unfollows(bob);
      await bob.setsStatus('gone');
      await ann.sees(changed('bob', 'here', 'gone'));
      await alice.pings();
      // The end of the test fails if alice has seen more.
      await bob.disconnects();
      await ann.sees(left('bob', 'gone'));
    });
  });
}

describe('users of Centrifugo', { concurrency: true }, () => {
  test('see each other come, change and go', async (t) => {
    const person = centrifugoPeopleIn(t);
    const [alice, bob] = [await person('alice'), await person('bob', { at: two, connected: false })];
    assert.deepEqual(await alice.follows(bob), []);
    assert.deepEqual(alice.snapshotOf(bob), { online: false, statuses: [] });
    await bob.connects();
    await alice.sees(joined('bob', '', { online: true, statuses: [''] }));
    await bob.setsStatus('dnd');
    // The status and the state arrive on two ways.
    assert.deepEqual(await alice.eventuallySees('bob', { state: 'dnd', statuses: ['dnd'] }), { online: true, statuses: ['dnd'], state: 'dnd' });
    await bob.disconnects();
    const offline = await alice.eventuallySees('bob', { online: false, state: 'dnd' });
    assert.deepEqual(offline, { online: false, statuses: [], state: 'dnd' }, 'the state is kept');
    const ann = await person('ann', { at: three });
    await ann.follows(bob);
    assert.deepEqual(withoutTimes(ann.snapshotOf(bob)), { online: false, statuses: [], state: 'dnd' }, 'for later followers too');
    assert.ok(ann.snapshotOf(bob).last_online);
  });

  test('count devices on all nodes', async (t) => {
    const person = centrifugoPeopleIn(t);
    const bob = await person('bob');
    const phone = await bob.anotherDevice({ at: two });
    const alice = await person('alice', { at: three });
    const channel = `status:${bob.userId}`;
    await eventually(() => alice.client.presenceStats(channel), ({ numClients }) => numClients === 2, 'both are counted');
    const { clients } = await alice.client.presence(channel);
    assert.deepEqual(Object.values(clients).map(({ user }) => user), [bob.userId, bob.userId]);
    await phone.disconnects();
    await eventually(() => alice.client.presenceStats(channel), ({ numClients }) => numClients === 1, 'one has disconnected');
  });
});

describe('users of Tencent Chat', { concurrency: true }, () => {
  test('see each other come, change and go', async (t) => {
    const person = peopleIn(t, one, { dialect: 'tencent' });
    const [alice, bob] = [await person('alice'), await person('bob', { at: two, connected: false })];
    assert.deepEqual(await alice.follows(bob), []);
    assert.deepEqual(alice.snapshotOf(bob), [UNLOGINED, '']);
    await bob.connects();
    await alice.sees(joined('bob', '', { statusType: ONLINE }));
    await bob.setsStatus('cooking');
    await alice.sees(changed('bob', '', 'cooking', { statusType: ONLINE }));
    assert.deepEqual(await alice.queries(bob), [[ONLINE, 'cooking']]);
    await bob.logsOut();
    await alice.sees(left('bob', 'cooking', { statusType: UNLOGINED }));
    const again = await bob.anotherDevice({ at: three });
    await alice.sees(joined('bob', '', { statusType: ONLINE }));
    again.losesConnection();
    await alice.sees(left('bob', '', { statusType: OFFLINE }));
    assert.deepEqual(await alice.queries(bob), [[OFFLINE, '']]);
  });

  test('keep their follows and their status wherever they log in', async (t) => {
    const person = peopleIn(t, one, { dialect: 'tencent' });
    const [alice, bob] = [await person('alice'), await person('bob', { at: three })];
    await alice.follows(bob);
    await bob.follows(alice);
    await alice.setsStatus('mine');
    await bob.sees(changed('alice', '', 'mine', { statusType: ONLINE }));
    const phone = await alice.anotherDevice({ at: two });
    await phone.sees(joined('bob', '', { statusType: ONLINE }));
    await bob.setsStatus('to both');
    for (const device of [alice, phone]) await device.sees(changed('bob', '', 'to both', { statusType: ONLINE }));
    await alice.logsOut();
    await bob.setsStatus('to one');
    await phone.sees(changed('bob', 'to both', 'to one', { statusType: ONLINE }));
  });

  test('share their call rate between the nodes', async (t) => {
    const alice = await peopleIn(t, one, { dialect: 'tencent' })('alice');
    const devices = [alice, await alice.anotherDevice({ at: two })];
    for (let call = 0; call < 20; call += 1) await devices[call % 2].calls('getUserStatus', { userIDList: ['nobody'] });
    for (const device of devices) await assert.rejects(device.calls('getUserStatus', { userIDList: ['nobody'] }), { code: 7008 });
  });
});

describe('users of all three dialects', { concurrency: true }, () => {
  test('see a user who is on all nodes', async (t) => {
    const person = peopleIn(t, one);
    const bob = await person('bob');
    const [alice, ann, amy] = [
      await person('alice', { at: two }),
      await person('ann', { dialect: 'centrifugo', userId: randomUUID(), at: three }),
      await person('amy', { dialect: 'tencent', userId: randomUUID(), at: two }),
    ];
    for (const follower of [alice, ann, amy]) assert.deepEqual(await follower.follows(bob), []);
    assert.deepEqual(amy.snapshotOf(bob), [UNLOGINED, '']);
    await bob.setsStatus('at home');
    await alice.sees(joined('bob', 'at home'));
    assert.deepEqual((await ann.eventuallySees('bob', { online: true })).statuses, ['at home']);
    await amy.sees(joined('bob', 'at home', { statusType: ONLINE }));
    const phone = await bob.anotherDevice({ dialect: 'centrifugo', at: two });
    await alice.sees(joined('bob', ''));
    assert.deepEqual((await ann.nextOf('bob')).details.statuses, ['at home', '']);
    await phone.setsStatus('away');
    await alice.sees(changed('bob', '', 'away'));
    await ann.eventuallySees('bob', { state: 'away', statuses: ['at home', 'away'] });
    const tablet = await bob.anotherDevice({ dialect: 'tencent', at: three });
    await alice.nextOf('bob');
    await bob.disconnects();
    await alice.sees(left('bob', 'at home'));
    await phone.disconnects();
    await alice.sees(left('bob', 'away'));
    await tablet.logsOut();
    await alice.nextOf('bob');
    await ann.eventuallySees('bob', { online: false });
  });

  test('see the truth after bursts and never go backwards', async (t) => {
    const history = new History();
    const crowd = await startCrowd(t, { history, balancers: cluster.balancers, count: 18 });
    await history.converges(10_000);
    for (let burst = 0; burst < 5; burst += 1) {
      await Promise.all(crowd.map(async (device) => {
        for (let status = 0; status < 5; status += 1) await device.setsNextStatus();
      }));
      await history.converges(10_000);
    }
    assert.equal(history.viewCount, 18 * 17);
    assert.deepEqual(history.faults({ bound: 2000 }), []);
  });
});

describe('the server API', { concurrency: true }, () => {
  const presenceOf = async (node, { userId }) => (await node.call('get_presence', { users: [userId] })).users[0];

  test('returns on every node the users of all nodes', async (t) => {
    const bob = await centrifugoPeopleIn(t)('bob');
    await bob.anotherDevice({ at: two });
    await bob.setsStatus('here');
    for (const node of cluster.nodes) {
      const found = await eventually(() => presenceOf(node, bob), ({ connections, state }) => connections.length === 2 && state === 'here', `${node.name} knows both`);
      assert.deepEqual([found.online, found.general], [true, 'online']);
      const { connections } = await node.call('connections', { user: bob.userId });
      assert.equal(Object.keys(connections).length, 2);
    }
    await bob.disconnects();
    for (const node of cluster.nodes) await eventually(() => presenceOf(node, bob), ({ connections }) => connections.length === 1, `${node.name} knows one`);
  });

  test('updates and deletes a status from any node', async () => {
    const user = randomUUID();
    await one.call('update_user_status', { users: [user], state: 'away' });
    const stateOn = async (node) => (await node.call('get_user_status', { users: [user] })).statuses[0].state;
    for (const node of cluster.nodes) await eventually(() => stateOn(node), (state) => state === 'away', `${node.name} knows it`);
    await two.call('delete_user_status', { users: [user] });
    for (const node of cluster.nodes) await eventually(() => stateOn(node), (state) => state === undefined, `${node.name} has deleted it`);
  });

  test('disconnects a user on other nodes', async (t) => {
    const bob = await peopleIn(t, one)('bob', { visible: true });
    const phone = await bob.anotherDevice({ dialect: 'centrifugo', at: two });
    const disconnected = phone.hears('disconnected');
    await three.call('disconnect', { user: bob.userId });
    await bob.isDisconnected();
    assert.equal((await disconnected).code, 3503);
  });

  test('hides a user from the users on the block list, on every node', async (t) => {
    const person = centrifugoPeopleIn(t);
    const [alice, bob] = [await person('alice'), await person('bob', { at: two })];
    await alice.follows(bob);
    await eventually(() => presenceOf(one, bob), ({ online }) => online, 'bob is online');
    await three.call('block', { user: bob.userId, users: [alice.userId] });
    await alice.eventuallySees('bob', { online: false });
    await three.call('unblock', { user: bob.userId, users: [alice.userId] });
    await alice.eventuallySees('bob', { online: true });
  });

  test('lists the nodes', async () => {
    for (const node of cluster.nodes) {
      const { nodes } = await eventually(() => node.call('info'), (info) => info.nodes.length === 3, `${node.name} knows all`);
      assert.deepEqual(nodes.map(({ name }) => name).sort(), ['n1', 'n2', 'n3']);
    }
  });

  test('answers Tencent’s query on every node', async (t) => {
    const bob = await peopleIn(t, one)('bob', { dialect: 'tencent' });
    const query = new URLSearchParams({ sdkappid: String(SDK_APP_ID), identifier: 'administrator', usersig: userSigOf('administrator'), random: '1', contenttype: 'json' });
    const status = async (node) => {
      const response = await fetch(`${node.url}/v4/openim/query_online_status?${query}`, { method: 'POST', body: JSON.stringify({ To_Account: [bob.userId] }) });
      return (await response.json()).QueryResult[0].Status;
    };
    for (const node of cluster.nodes) await eventually(() => status(node), (reply) => reply === 'Online', `${node.name} knows it`);
  });
});

const TOPOLOGIES = {
  'two Redis that share the users': async (t) => (await Promise.all([Redis.start(t), Redis.start(t)])).map(({ url }) => url).join(' '),
  'a Cluster of three masters': async (t) => (await startRedisCluster(t)).url,
  'a master with a sentinel': async (t) => (await startSentinel(t, 30_000)).url,
};

describe('every follower sees the truth', { concurrency: true }, () => {
  for (const [name, start] of Object.entries(TOPOLOGIES)) {
    test(`with ${name}`, async (t) => {
      const { balancers } = await startNodes(t, await start(t), { count: 2 });
      const history = new History();
      const crowd = await startCrowd(t, { history, balancers, count: 12 });
      await history.converges(20_000);
      await Promise.all(crowd.map((device) => device.setsNextStatus()));
      await history.converges(20_000);
      await crowd[0].disconnects();
      await history.converges(20_000);
      assert.deepEqual(history.faults({ bound: 5000 }), []);
    });
  }
});
