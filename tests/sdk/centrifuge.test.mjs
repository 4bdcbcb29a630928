// User status with Centrifugo's JavaScript SDK, in both of its builds.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { FORMATS, TOKEN_KEY, centrifuge, errorOf, seconds, still, tokenOf } from './harness/centrifuge.mjs';
import { joined, changed, left, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';

let server, quick;
before(async () => {
  const pings = { HEREABOUTS_CENTRIFUGO__CLIENT__PING_INTERVAL: '2s', HEREABOUTS_CENTRIFUGO__CLIENT__PONG_TIMEOUT: '1500ms' };
  [server, quick] = await Promise.all([startServer(), startServer({ env: pings })]);
});
after(() => Promise.all([server?.stop(), quick?.stop()]));

/** Somebody nobody else knows. */
const someone = () => `user-${randomUUID()}`;

for (const format of FORMATS) {
  const guest = (t, options, at = server) => centrifuge(t, at, format, options);
  const connected = async (t, user, options, at) => {
    const somebody = guest(t, { claims: { sub: user }, ...options }, at);
    await somebody.connects();
    return somebody;
  };

  describe(`tokens over ${format}`, () => {
    test('a good one lets in', async (t) => {
      const { client, data } = await guest(t, { claims: { sub: someone() } }).connects();
      assert.match(client, /^[0-9a-f-]{36}$/);
      assert.ok(!data?.length, 'nothing besides');
    });

    test('a wrong one ends the connection for good', async (t) => {
      for (const token of [tokenOf({ sub: 'x' }, 'another key'), 'nonsense', tokenOf({ sub: 42 })]) {
        const stranger = guest(t, { token });
        stranger.client.connect();
        const { code, reason } = await stranger.hears('disconnected');
        assert.deepEqual({ code, reason }, { code: 3500, reason: 'invalid token' });
      }
    });

    test('none ends it too', async (t) => {
      const stranger = guest(t);
      stranger.client.connect();
      assert.equal((await stranger.hears('disconnected')).code, 3501);
    });

    test('an expired one is asked for again', async (t) => {
      const user = someone();
      const asked = [];
      const getToken = async () => tokenOf({ sub: user, exp: seconds(asked.push('again') * 100) });
      const late = guest(t, { token: tokenOf({ sub: user, exp: seconds(-1) }), getToken });
      await late.connects();
      assert.deepEqual(asked, ['again']);
      assert.equal((await late.hears('error')).error.code, 109);
    });

    test('one that runs out is refreshed on the open connection', async (t) => {
      const user = someone();
      const watcher = await connected(t, someone());
      const following = await watcher.follows(user);
      let refreshed;
      const done = new Promise((resolve) => (refreshed = resolve));
      const getToken = async () => {
        setTimeout(refreshed, 300);
        return tokenOf({ sub: user, exp: seconds(100) });
      };
      const somebody = guest(t, { token: tokenOf({ sub: user, exp: seconds(2) }), getToken });
      await somebody.connects();
      await done;
      await somebody.updates({ state: 'refreshed' });
      assert.equal(somebody.events.all.filter(({ event }) => event === 'connected').length, 1);
      await following.seesAtLast({ state: 'refreshed' });
    });
  });

  describe(`status over ${format}`, () => {
    test('a user comes, says something and goes', async (t) => {
      const user = someone();
      const alice = await connected(t, someone());
      const following = await alice.follows(user);
      assert.deepEqual(await following.snapshot(), { user, online: false, statuses: [] });
      const bob = await connected(t, user);
      assert.deepEqual(await following.sees(), { user, online: true, statuses: [''] });
      assert.ok(!(await bob.updates({ state: 'dnd' }))?.length, 'the result is empty');
      const seen = await following.seesAtLast({ state: 'dnd' });
      assert.deepEqual(seen, { user, online: true, statuses: ['dnd'], state: 'dnd' });
      bob.client.disconnect();
      assert.deepEqual(await following.seesAtLast({ online: false }), { user, online: false, statuses: [], state: 'dnd' }, 'what it said is kept');
    });

    test('activity is seen by its time', async (t) => {
      const [user, started] = [someone(), seconds()];
      const [alice, bob] = [await connected(t, someone()), await connected(t, user)];
      const following = await alice.follows(user);
      assert.equal((await following.snapshot()).active, undefined);
      await bob.updates({});
      const { active, online } = (await following.hears('publication')).data;
      assert.ok(active >= started && active <= seconds(), String(active));
      assert.equal(online, true);
    });

    test('a new subscription begins with what is', async (t) => {
      const user = someone();
      const [alice, bob] = [await connected(t, someone()), await connected(t, user)];
      await bob.updates({ state: 'busy' });
      const shown = await (await alice.follows(user)).snapshot();
      assert.deepEqual(still(shown), { user, online: true, statuses: ['busy'], state: 'busy' });
      assert.ok(shown.active && shown.last_online);
    });

    test('nothing is seen after unsubscribing, and everything after subscribing again', async (t) => {
      const user = someone();
      const [alice, bob] = [await connected(t, someone()), await connected(t, user)];
      const following = await alice.follows(user);
      following.subscription.unsubscribe();
      await bob.updates({ state: 'unseen' });
      // There and back: what the server sent before has been heard.
      await errorOf(alice.client.rpc('nope', alice.encode({})));
      assert.deepEqual(following.unread, []);
      following.subscription.subscribe();
      await following.hears('subscribed');
      assert.equal((await following.snapshot()).state, 'unseen');
      await bob.updates({ state: 'seen' });
      await following.seesAtLast({ state: 'seen' });
    });

    test('presence and its numbers', async (t) => {
      const user = someone();
      const bob = guest(t, { claims: { sub: user, info: { name: 'Bob' } } });
      const { client } = await bob.connects();
      await connected(t, user);
      const alice = await connected(t, someone());
      const { clients } = await alice.client.presence(`status:${user}`);
      assert.equal(Object.keys(clients).length, 2);
      const info = clients[client];
      assert.deepEqual([info.user, info.client, alice.decode(info.connInfo)], [user, client, { name: 'Bob' }]);
      const { numClients, numUsers } = await alice.client.presenceStats(`status:${user}`);
      assert.deepEqual([numClients, numUsers], [2, 1]);
      assert.deepEqual((await alice.client.presence(`status:${someone()}`)).clients, {});
    });

    test('what is not there is an error', async (t) => {
      const alice = await connected(t, someone());
      const empty = alice.encode({});
      assert.deepEqual(await alice.isRefused('news'), { code: 102, reason: 'unknown channel' });
      assert.deepEqual(await errorOf(alice.client.rpc('nope', empty)), { code: 104, message: 'method not found' });
      assert.deepEqual(await errorOf(alice.client.publish('status:x', empty)), { code: 103, message: 'permission denied' });
      assert.deepEqual(await errorOf(alice.client.history('status:x', { limit: 1 })), { code: 108, message: 'not available' });
      assert.deepEqual(await errorOf(alice.client.presence('news')), { code: 102, message: 'unknown channel' });
      assert.deepEqual(await errorOf(alice.updates({ state: 5 })), { code: 107, message: 'bad request' });
      await alice.client.send(empty);
      await alice.updates({});
    });

    test('128 channels and not one more', async (t) => {
      const alice = await connected(t, someone());
      await Promise.all(Array.from({ length: 128 }, () => alice.follows(someone())));
      assert.deepEqual(await alice.isRefused(`status:${someone()}`), { code: 106, reason: 'limit exceeded' });
    });

    test('pings are answered, and a connection outlives them', async (t) => {
      const user = someone();
      const [alice, bob] = [await connected(t, someone(), {}, quick), await connected(t, user, {}, quick)];
      const following = await alice.follows(user);
      await new Promise((resolve) => setTimeout(resolve, 4500));
      await bob.updates({ state: 'still here' });
      await following.seesAtLast({ state: 'still here' });
      for (const { events } of [alice, bob]) {
        assert.deepEqual(events.all.map(({ event }) => event), ['connecting', 'connected']);
      }
    });
  });

  describe(`a server that stops, over ${format}`, () => {
    test('its clients come back and follow as before', async (t) => {
      const first = await startServer();
      t.after(() => first.stop());
      const alice = await connected(t, someone(), {}, first);
      const following = await alice.follows('bob');
      await first.stop();
      const { code, reason } = (await alice.hears('connecting'), await alice.hears('connecting'));
      assert.deepEqual({ code, reason }, { code: 3001, reason: 'shutdown' });
      const again = await startServer({ address: first.address });
      t.after(() => again.stop());
      await alice.hears('connected');
      await following.hears('subscribed');
      const bob = await connected(t, 'bob', {}, again);
      await following.sees();
      await bob.updates({ state: 'back' });
      await following.seesAtLast({ state: 'back' });
    });
  });

  describe(`two worlds, over ${format}`, () => {
    test('a Nakama follower sees a Centrifugo user and the reverse', async (t) => {
      const person = peopleIn(t, server);
      const alice = await person('alice');
      const bob = await connected(t, alice.userId);
      const following = await bob.follows(alice.userId);
      assert.equal((await following.snapshot()).online, true, 'the own connection is visible');
      await alice.sees(joined('alice', ''));
      await bob.updates({ state: 'from Centrifugo' });
      await alice.sees(changed('alice', '', 'from Centrifugo'));
      await alice.setsStatus('from Nakama');
      await alice.sees(joined('alice', 'from Nakama'));
      await following.sees();
      const seen = await following.sees();
      assert.deepEqual(seen.statuses, ['from Centrifugo', 'from Nakama']);
      assert.equal(seen.state, 'from Centrifugo', 'a status of Nakama is no state');
      bob.client.disconnect();
      await alice.sees(left('alice', 'from Centrifugo'));
    });
  });
}

test('speakers of JSON and of protobuf see each other', async (t) => {
  const [one, two] = [someone(), someone()];
  const json = centrifuge(t, server, 'json', { claims: { sub: one } });
  const protobuf = centrifuge(t, server, 'protobuf', { claims: { sub: two } });
  await Promise.all([json.connects(), protobuf.connects()]);
  const [ofTwo, ofOne] = [await json.follows(two), await protobuf.follows(one)];
  await json.updates({ state: 'from JSON ✓' });
  await ofOne.seesAtLast({ state: 'from JSON ✓' });
  await protobuf.updates({ state: 'from protobuf ✓' });
  await ofTwo.seesAtLast({ state: 'from protobuf ✓' });
});

test('the key of the tests is the development key', () => {
  assert.equal(TOKEN_KEY, 'secret');
});
