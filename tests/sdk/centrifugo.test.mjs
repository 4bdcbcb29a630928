// User status with Centrifugo's JavaScript SDK, in both of its builds.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { CENTRIFUGO_ENCODINGS, TOKEN_KEY, errorOf, seconds, tokenOf, withoutTimes } from './harness/centrifugo.mjs';
import { changed, joined, left, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';

let server, serverWithFastPings;
before(async () => {
  const pings = { HEREABOUTS_CENTRIFUGO__CLIENT__PING_INTERVAL: '2s', HEREABOUTS_CENTRIFUGO__CLIENT__PONG_TIMEOUT: '1500ms' };
  [server, serverWithFastPings] = await Promise.all([startServer(), startServer({ env: pings })]);
});
after(() => Promise.all([server?.stop(), serverWithFastPings?.stop()]));

/** A user who is not in the test otherwise. */
const unknownUser = () => ({ userId: `user-${randomUUID()}` });

for (const encoding of CENTRIFUGO_ENCODINGS) {
  const scene = (t, at = server) => peopleIn(t, at, { dialect: 'centrifugo', encoding });

  describe(`a token over ${encoding}`, () => {
    test('that is valid is accepted', async (t) => {
      const alice = await scene(t)('alice', { connected: false });
      const { client, data } = await alice.connects();
      assert.match(client, /^[0-9a-f-]{36}$/);
      assert.ok(!data?.length, 'no other data');
    });

    test('that is invalid ends the connection for good', async (t) => {
      const person = scene(t);
      for (const token of [tokenOf({ sub: 'x' }, 'another key'), 'nonsense', tokenOf({ sub: 42 })]) {
        const stranger = await person('stranger', { client: { token }, connected: false });
        stranger.client.connect();
        const { code, reason } = await stranger.hears('disconnected');
        assert.deepEqual({ code, reason }, { code: 3500, reason: 'invalid token' });
      }
    });

    test('that is missing ends the connection', async (t) => {
      const stranger = await scene(t)('stranger', { client: {}, connected: false });
      stranger.client.connect();
      assert.equal((await stranger.hears('disconnected')).code, 3501);
    });

    test('that has expired is requested again', async (t) => {
      const userId = `user-${randomUUID()}`;
      const requests = [];
      const getToken = async () => tokenOf({ sub: userId, exp: seconds(requests.push('again') * 100) });
      const alice = await scene(t)('alice', { userId, client: { token: tokenOf({ sub: userId, exp: seconds(-1) }), getToken } });
      assert.deepEqual(requests, ['again']);
      assert.equal((await alice.hears('error')).error.code, 109);
    });

    test('that expires is refreshed on the open connection', async (t) => {
      const person = scene(t);
      const userId = `user-${randomUUID()}`;
      let refreshed;
      const done = new Promise((resolve) => (refreshed = resolve));
      const getToken = async () => {
        setTimeout(refreshed, 300);
        return tokenOf({ sub: userId, exp: seconds(100) });
      };
      const alice = await person('alice');
      await alice.follows({ userId });
      const bob = await person('bob', { userId, client: { token: tokenOf({ sub: userId, exp: seconds(2) }), getToken } });
      await done;
      await bob.setsStatus('refreshed');
      assert.equal(bob.events.all.filter(({ event }) => event === 'connected').length, 1);
      await alice.eventuallySees('bob', { state: 'refreshed' });
    });
  });

  describe(`a status over ${encoding}`, () => {
    test('is seen by a follower from the connect to the disconnect', async (t) => {
      const person = scene(t);
      const [alice, bob] = [await person('alice'), await person('bob', { connected: false })];
      assert.deepEqual(await alice.follows(bob), []);
      assert.deepEqual(alice.snapshotOf(bob), { online: false, statuses: [] });
      await bob.connects();
      await alice.sees(joined('bob', '', { online: true, statuses: [''] }));
      assert.ok(!(await bob.setsStatus('dnd'))?.length, 'the result is empty');
      assert.deepEqual(await alice.eventuallySees('bob', { state: 'dnd' }), { online: true, statuses: ['dnd'], state: 'dnd' });
      await bob.disconnects();
      const offline = await alice.eventuallySees('bob', { online: false });
      assert.deepEqual(offline, { online: false, statuses: [], state: 'dnd' }, 'the state is kept');
    });

    test('has the time of the latest activity', async (t) => {
      const person = scene(t);
      const started = seconds();
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      assert.equal(alice.snapshotOf(bob).active, undefined);
      await bob.updatesStatus({});
      const { active, online } = (await alice.nextOf('bob')).raw;
      assert.ok(active >= started && active <= seconds(), String(active));
      assert.equal(online, true);
    });

    test('is in the reply to a new subscription', async (t) => {
      const person = scene(t);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await bob.setsStatus('busy');
      assert.deepEqual(await alice.follows(bob), [['bob', 'busy']]);
      const snapshot = alice.snapshotOf(bob);
      assert.deepEqual(withoutTimes(snapshot), { online: true, statuses: ['busy'], state: 'busy' });
      assert.ok(snapshot.active && snapshot.last_online);
    });

    test('is not seen between an unfollow and the next follow', async (t) => {
      const person = scene(t);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await alice.unfollows(bob);
      await bob.setsStatus('unseen');
      await alice.pings();
      assert.deepEqual(alice.unreadOf('bob'), []);
      await alice.follows(bob);
      assert.equal(alice.snapshotOf(bob).state, 'unseen');
      await bob.setsStatus('seen');
      await alice.eventuallySees('bob', { state: 'seen' });
    });

    test('is in the presence of its connections and in their number', async (t) => {
      const person = scene(t);
      const bob = await person('bob', { claims: { info: { name: 'Bob' } }, connected: false });
      const { client } = await bob.connects();
      await bob.anotherDevice();
      const alice = await person('alice');
      const { clients } = await alice.client.presence(`status:${bob.userId}`);
      assert.equal(Object.keys(clients).length, 2);
      const info = clients[client];
      assert.deepEqual([info.user, info.client, alice.decode(info.connInfo)], [bob.userId, client, { name: 'Bob' }]);
      const { numClients, numUsers } = await alice.client.presenceStats(`status:${bob.userId}`);
      assert.deepEqual([numClients, numUsers], [2, 1]);
      assert.deepEqual((await alice.client.presence(`status:${unknownUser().userId}`)).clients, {});
    });
  });

  describe(`a connection over ${encoding}`, () => {
    test('gets an error for an unsupported request', async (t) => {
      const alice = await scene(t)('alice');
      const empty = alice.encode({});
      assert.deepEqual(await alice.isRefused('news'), { code: 102, reason: 'unknown channel' });
      assert.deepEqual(await errorOf(alice.client.rpc('nope', empty)), { code: 104, message: 'method not found' });
      assert.deepEqual(await errorOf(alice.client.publish('status:x', empty)), { code: 103, message: 'permission denied' });
      assert.deepEqual(await errorOf(alice.client.history('status:x', { limit: 1 })), { code: 108, message: 'not available' });
      assert.deepEqual(await errorOf(alice.client.presence('news')), { code: 102, message: 'unknown channel' });
      assert.deepEqual(await errorOf(alice.updatesStatus({ state: 5 })), { code: 107, message: 'bad request' });
      await alice.client.send(empty);
      await alice.updatesStatus({});
    });

    test('subscribes to 128 channels and not to one more', async (t) => {
      const alice = await scene(t)('alice');
      await alice.follows(...Array.from({ length: 128 }, unknownUser));
      assert.deepEqual(await alice.isRefused(`status:${unknownUser().userId}`), { code: 106, reason: 'limit exceeded' });
    });

    test('answers pings and stays open', async (t) => {
      const person = scene(t, serverWithFastPings);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await new Promise((resolve) => setTimeout(resolve, 4500));
      await bob.setsStatus('still online');
      await alice.eventuallySees('bob', { state: 'still online' });
      for (const { events } of [alice, bob]) {
        assert.deepEqual(events.all.map(({ event }) => event), ['connecting', 'connected']);
      }
    });

    test('is opened again after a restart of the server, with its follows', async (t) => {
      const first = await startServer();
      t.after(() => first.stop());
      const person = scene(t, first);
      const alice = await person('alice');
      const userId = 'bob';
      await alice.follows({ userId });
      await first.stop();
      const { code, reason } = (await alice.hears('connecting'), await alice.hears('connecting'));
      assert.deepEqual({ code, reason }, { code: 3001, reason: 'shutdown' });
      const second = await startServer({ address: first.address });
      t.after(() => second.stop());
      await alice.hears('connected');
      await alice.followsAgain({ userId });
      const bob = await person('bob', { userId, at: second });
      await alice.nextOf('bob');
      await bob.setsStatus('back');
      await alice.eventuallySees('bob', { state: 'back' });
    });

    test('and a connection of Nakama see each other', async (t) => {
      const person = peopleIn(t, server);
      const alice = await person('alice');
      const phone = await alice.anotherDevice({ dialect: 'centrifugo', encoding });
      await phone.follows(alice);
      assert.equal(phone.snapshotOf(alice).online, true, 'the own connection is visible');
      await alice.sees(joined('alice', ''));
      await phone.setsStatus('from Centrifugo');
      await alice.sees(changed('alice', '', 'from Centrifugo'));
      await alice.setsStatus('from Nakama');
      await alice.sees(joined('alice', 'from Nakama'));
      await phone.nextOf('alice');
      const { raw } = await phone.nextOf('alice');
      assert.deepEqual(raw.statuses, ['from Centrifugo', 'from Nakama']);
      assert.equal(raw.state, 'from Centrifugo', 'a status of Nakama is no state');
      await phone.disconnects();
      await alice.sees(left('alice', 'from Centrifugo'));
    });
  });
}

test('users of JSON and of protobuf see each other', async (t) => {
  const person = peopleIn(t, server, { dialect: 'centrifugo' });
  const [alice, bob] = await Promise.all([person('alice', { encoding: 'json' }), person('bob', { encoding: 'protobuf' })]);
  await Promise.all([alice.follows(bob), bob.follows(alice)]);
  await alice.setsStatus('from JSON ✓');
  await bob.eventuallySees('alice', { state: 'from JSON ✓' });
  await bob.setsStatus('from protobuf ✓');
  await alice.eventuallySees('bob', { state: 'from protobuf ✓' });
});

test('the tests use the development key', () => {
  assert.equal(TOKEN_KEY, 'secret');
});
