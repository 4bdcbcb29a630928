// One presence graph on several nodes: whoever is on one is seen from the others, by clients of all three worlds.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { centrifuge, still } from '../sdk/harness/centrifuge.mjs';
import { SDK_APP_ID, userSigOf } from '../sdk/harness/im-people.mjs';
import { ADAPTERS } from '../sdk/harness/nakama.mjs';
import { changed, joined, left, peopleIn } from '../sdk/harness/people.mjs';
import { eventually } from '../sdk/harness/wait.mjs';
import { Chatter, OFFLINE, ONLINE, UNLOGINED } from './harness/chat.mjs';
import { gathers } from './harness/crowd.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { Redis, startRedisCluster, startSentinel } from './harness/redis.mjs';

let redis, world, one, two, three;
before(async () => {
  redis = await Redis.start();
  world = await startNodes(undefined, redis.url);
  [one, two, three] = world.nodes;
});
after(async () => {
  await world?.stop();
  await redis?.stop();
});

/** A user of Centrifugo at a node. */
async function guestAt(t, node, user = randomUUID()) {
  const guest = centrifuge(t, node, 'json', { claims: { sub: user } });
  guest.user = user;
  await guest.connects();
  return guest;
}

for (const adapter of ADAPTERS) {
  describe(`people of Nakama over ${adapter}`, { concurrency: true }, () => {
    test('see each other come, change and go', async (t) => {
      const person = peopleIn(t, one, adapter);
      const [alice, bob] = [await person('alice'), await person('bob', { at: two })];
      assert.deepEqual(await alice.follows(bob), []);
      await bob.setsStatus('here');
      await alice.sees(joined('bob', 'here'));
      await bob.setsStatus('busy');
      await alice.sees(changed('bob', 'here', 'busy'));
      await bob.appearsOffline();
      await alice.sees(left('bob', 'busy'));
      await bob.setsStatus('back');
      await alice.sees(joined('bob', 'back'));
      await bob.disconnects();
      await alice.sees(left('bob', 'back'));
    });

    test('begin with what is', async (t) => {
      const person = peopleIn(t, one, adapter);
      const [alice, bob, cleo] = [await person('alice'), await person('bob', { at: two }), await person('cleo', { at: three, shows: true })];
      await bob.setsStatus('here');
      // A follower at the third node knows when it has got about.
      await cleo.follows(bob).then((seen) => seen.length || cleo.sees(joined('bob', 'here')));
      await eventually(() => alice.follows(bob, cleo), (seen) => seen.length === 2, 'both are seen');
      assert.deepEqual(await alice.follows(bob, cleo), [['bob', 'here'], ['cleo', '']]);
    });

    test('have several devices on several nodes', async (t) => {
      const person = peopleIn(t, three, adapter);
      const alice = await person('alice');
      const bob = await person('bob', { at: one });
      await alice.follows(bob);
      await bob.setsStatus('at the desk');
      await alice.sees(joined('bob', 'at the desk'));
      const phone = await bob.anotherDevice({ at: two });
      await phone.setsStatus('on the phone');
      await alice.sees(joined('bob', 'on the phone'));
      await bob.sees(joined('bob', 'at the desk'), joined('bob', 'on the phone'));
      await phone.setsStatus('in the street');
      await alice.sees(changed('bob', 'on the phone', 'in the street'));
      await bob.disconnects();
      await alice.sees(left('bob', 'at the desk'));
      await alice.seesNothingElseOf(phone);
    });

    test('see nothing of whom they no longer follow', async (t) => {
      const person = peopleIn(t, one, adapter);
      const [alice, ann, bob] = [await person('alice'), await person('ann'), await person('bob', { at: two })];
      await Promise.all([alice.follows(bob), ann.follows(bob)]);
      await bob.setsStatus('here');
      await Promise.all([alice, ann].map((follower) => follower.sees(joined('bob', 'here'))));
      await alice.unfollows(bob);
      await bob.setsStatus('gone');
      await ann.sees(changed('bob', 'here', 'gone'));
      await alice.pings();
      // The scene fails if alice has seen more.
      await bob.disconnects();
      await ann.sees(left('bob', 'gone'));
    });
  });
}

describe('people of Centrifugo', { concurrency: true }, () => {
  test('see each other come, change and go', async (t) => {
    const user = randomUUID();
    const alice = await guestAt(t, one);
    const following = await alice.follows(user);
    assert.deepEqual(await following.snapshot(), { user, online: false, statuses: [] });
    const bob = await guestAt(t, two, user);
    assert.deepEqual(await following.sees(), { user, online: true, statuses: [''] });
    await bob.updates({ state: 'dnd' });
    // What it shows and what it said come by two ways.
    assert.deepEqual(await following.seesAtLast({ state: 'dnd', statuses: ['dnd'] }), { user, online: true, statuses: ['dnd'], state: 'dnd' });
    bob.client.disconnect();
    assert.deepEqual(await following.seesAtLast({ online: false, state: 'dnd' }), { user, online: false, statuses: [], state: 'dnd' }, 'what it said is kept');
    const later = await (await (await guestAt(t, three)).follows(user)).snapshot();
    assert.deepEqual(still(later), { user, online: false, statuses: [], state: 'dnd' }, 'for those who come later too');
    assert.ok(later.last_online);
  });

  test('count devices on all nodes', async (t) => {
    const first = await guestAt(t, one);
    const other = await guestAt(t, two, first.user);
    const alice = await guestAt(t, three);
    const channel = `status:${first.user}`;
    await eventually(() => alice.client.presenceStats(channel), ({ numClients }) => numClients === 2, 'both are counted');
    const { clients } = await alice.client.presence(channel);
    assert.deepEqual(Object.values(clients).map(({ user }) => user), [first.user, first.user]);
    other.client.disconnect();
    await eventually(() => alice.client.presenceStats(channel), ({ numClients }) => numClients === 1, 'one has gone');
  });
});

describe('people of Tencent Chat', { concurrency: true }, () => {
  test('see each other come, change and go', async (t) => {
    const name = `bob-${randomUUID().slice(0, 8)}`;
    const alice = await Chatter.enters(t, one, `alice-${randomUUID().slice(0, 8)}`);
    assert.deepEqual(await alice.subscribes(name), [[UNLOGINED, '']]);
    const bob = await Chatter.enters(t, two, name);
    assert.deepEqual(await alice.sees(name), [ONLINE, '']);
    await bob.call('setSelfStatus', { customStatus: 'cooking' });
    assert.deepEqual(await alice.sees(name), [ONLINE, 'cooking']);
    assert.deepEqual(await alice.asks(name), [[ONLINE, 'cooking']]);
    await bob.call('logout');
    assert.deepEqual(await alice.sees(name), [UNLOGINED, '']);
    const again = await Chatter.enters(t, three, name);
    assert.deepEqual(await alice.sees(name), [ONLINE, '']);
    again.breaksOff();
    assert.deepEqual(await alice.sees(name), [OFFLINE, '']);
    assert.deepEqual(await alice.asks(name), [[OFFLINE, '']]);
  });

  test('keep what they follow and what they show wherever they log in', async (t) => {
    const [name, bob] = [`alice-${randomUUID().slice(0, 8)}`, await Chatter.enters(t, three, `bob-${randomUUID().slice(0, 8)}`)];
    const first = await Chatter.enters(t, one, name);
    await first.subscribes(bob.userID);
    await bob.subscribes(name);
    await first.call('setSelfStatus', { customStatus: 'mine' });
    assert.deepEqual(await bob.sees(name), [ONLINE, 'mine']);
    const second = await Chatter.enters(t, two, name);
    assert.deepEqual(await second.sees(bob.userID), [ONLINE, ''], 'what the account follows is told to a new device');
    await bob.call('setSelfStatus', { customStatus: 'to both' });
    assert.deepEqual(await first.sees(bob.userID), [ONLINE, 'to both']);
    assert.deepEqual(await second.sees(bob.userID), [ONLINE, 'to both']);
    await first.call('logout');
    await bob.call('setSelfStatus', { customStatus: 'to one' });
    assert.deepEqual(await second.sees(bob.userID), [ONLINE, 'to one']);
  });

  test('may call so often in all, not so often a node', async (t) => {
    const name = `alice-${randomUUID().slice(0, 8)}`;
    const devices = [await Chatter.enters(t, one, name), await Chatter.enters(t, two, name)];
    for (let call = 0; call < 20; call += 1) await devices[call % 2].call('getUserStatus', { userIDList: ['nobody'] });
    for (const device of devices) await assert.rejects(device.call('getUserStatus', { userIDList: ['nobody'] }), { code: 7008 });
  });
});

describe('all three worlds', { concurrency: true }, () => {
  test('see one user who is on all nodes', async (t) => {
    const person = peopleIn(t, one, 'text');
    const bob = await person('bob', { at: one });
    const [alice, ann, amy] = [await person('alice', { at: two }), await guestAt(t, three), await Chatter.enters(t, two, randomUUID())];
    await alice.follows(bob);
    const following = await ann.follows(bob.userId);
    assert.deepEqual(await amy.subscribes(bob.userId), [[UNLOGINED, '']]);
    await bob.setsStatus('at home');
    await alice.sees(joined('bob', 'at home'));
    assert.deepEqual((await following.seesAtLast({ online: true })).statuses, ['at home']);
    assert.deepEqual(await amy.sees(bob.userId), [ONLINE, 'at home']);
    const phone = await guestAt(t, two, bob.userId);
    await alice.sees(joined('bob', ''));
    assert.deepEqual((await following.sees()).statuses, ['at home', '']);
    await phone.updates({ state: 'away' });
    await alice.sees(changed('bob', '', 'away'));
    await following.seesAtLast({ state: 'away', statuses: ['at home', 'away'] });
    const tablet = await Chatter.enters(t, three, bob.userId);
    await alice.nextOf('bob');
    await bob.disconnects();
    await alice.sees(left('bob', 'at home'));
    phone.client.disconnect();
    await alice.sees(left('bob', 'away'));
    await tablet.call('logout');
    await alice.nextOf('bob');
    await following.seesAtLast({ online: false });
  });

  test('end at the truth after bursts, and never go backwards', async (t) => {
    const history = new History();
    const crowd = await gathers(t, { history, gates: world.gates, count: 18 });
    await history.settles(10_000);
    for (let burst = 0; burst < 5; burst += 1) {
      await Promise.all(crowd.map(async (device) => {
        for (let turn = 0; turn < 5; turn += 1) await device.shows();
      }));
      await history.settles(10_000);
    }
    assert.equal(history.size, 18 * 17);
    assert.deepEqual(history.faults({ bound: 2000 }), []);
  });
});

describe('the server API', { concurrency: true }, () => {
  const presenceOf = async (node, user) => (await node.asks('get_presence', { users: [user] })).users[0];

  test('knows on every node who is on any', async (t) => {
    const bob = await guestAt(t, one);
    await guestAt(t, two, bob.user);
    await bob.updates({ state: 'here' });
    for (const node of world.nodes) {
      const found = await eventually(() => presenceOf(node, bob.user), ({ connections, state }) => connections.length === 2 && state === 'here', `${node.name} knows both`);
      assert.deepEqual([found.online, found.general], [true, 'online']);
      const { connections } = await node.asks('connections', { user: bob.user });
      assert.equal(Object.keys(connections).length, 2);
    }
    bob.client.disconnect();
    for (const node of world.nodes) await eventually(() => presenceOf(node, bob.user), ({ connections }) => connections.length === 1, `${node.name} knows one`);
  });

  test('updates and forgets a user from any node', async () => {
    const user = randomUUID();
    await one.asks('update_user_status', { users: [user], state: 'away' });
    const states = async (node) => (await node.asks('get_user_status', { users: [user] })).statuses[0].state;
    for (const node of world.nodes) await eventually(() => states(node), (state) => state === 'away', `${node.name} knows it`);
    await two.asks('delete_user_status', { users: [user] });
    for (const node of world.nodes) await eventually(() => states(node), (state) => state === undefined, `${node.name} has forgotten it`);
  });

  test('disconnects whoever is on another node', async (t) => {
    const person = peopleIn(t, one, 'text');
    const bob = await person('bob', { at: one, shows: true });
    const guest = await guestAt(t, two, bob.userId);
    const disconnected = guest.hears('disconnected');
    await three.asks('disconnect', { user: bob.userId });
    await bob.isDisconnected();
    assert.equal((await disconnected).code, 3503);
  });

  test('hides who blocks, on every node', async (t) => {
    const [alice, bob] = [await guestAt(t, one), await guestAt(t, two)];
    const following = await alice.follows(bob.user);
    await eventually(() => presenceOf(one, bob.user), ({ online }) => online, 'bob is there');
    await three.asks('block', { user: bob.user, users: [alice.user] });
    await following.seesAtLast({ online: false });
    await three.asks('unblock', { user: bob.user, users: [alice.user] });
    await following.seesAtLast({ online: true });
  });

  test('lists the nodes', async () => {
    for (const node of world.nodes) {
      const { nodes } = await eventually(() => node.asks('info'), (info) => info.nodes.length === 3, `${node.name} knows all`);
      assert.deepEqual(nodes.map(({ name }) => name).sort(), ['n1', 'n2', 'n3']);
    }
  });

  test('answers Tencent’s query on every node', async (t) => {
    const name = `bob-${randomUUID().slice(0, 8)}`;
    await Chatter.enters(t, one, name);
    const query = new URLSearchParams({ sdkappid: String(SDK_APP_ID), identifier: 'administrator', usersig: userSigOf('administrator'), random: '1', contenttype: 'json' });
    const status = async (node) => {
      const response = await fetch(`${node.url}/v4/openim/query_online_status?${query}`, { method: 'POST', body: JSON.stringify({ To_Account: [name] }) });
      return (await response.json()).QueryResult[0].Status;
    };
    for (const node of world.nodes) await eventually(() => status(node), (answer) => answer === 'Online', `${node.name} knows it`);
  });
});

const ELSEWHERE = {
  'two Redis, sharing the users': async (t) => (await Promise.all([Redis.start(t), Redis.start(t)])).map(({ url }) => url).join(' '),
  'a Cluster of three masters': async (t) => (await startRedisCluster(t)).url,
  'a master that a sentinel watches': async (t) => (await startSentinel(t, 30_000)).url,
};

describe('on', { concurrency: true }, () => {
  for (const [name, start] of Object.entries(ELSEWHERE)) {
    test(`${name}, it is the same`, async (t) => {
      const { gates } = await startNodes(t, await start(t), { count: 2 });
      const history = new History();
      const crowd = await gathers(t, { history, gates, count: 12 });
      await history.settles(20_000);
      await Promise.all(crowd.map((device) => device.shows()));
      await history.settles(20_000);
      await crowd[0].leaves();
      await history.settles(20_000);
      assert.deepEqual(history.faults({ bound: 5000 }), []);
    });
  }
});
