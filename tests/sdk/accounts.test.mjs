// Sign-in and accounts through the SDK's REST calls.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { NAKAMA_ENCODINGS, clientOf, refusal, socketOf } from './harness/nakama.mjs';
import { joined, left, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';
import { eventually } from './harness/wait.mjs';

let server, client;
before(async () => {
  server = await startServer();
  client = clientOf(server);
});
after(() => server?.stop());

const unique = (word) => `${word}-${randomUUID()}`;

describe('a sign-in', () => {
  const WAYS = {
    custom: (id, ...options) => client.authenticateCustom(id, ...options),
    device: (id, ...options) => client.authenticateDevice(id, ...options),
    email: (id, ...options) => client.authenticateEmail(`${id}@example.com`, 'correct horse', ...options),
  };

  for (const [way, signIn] of Object.entries(WAYS)) {
    test(`by ${way} creates an account once and finds it again`, async () => {
      const [id, username] = [unique(way), unique('name')];
      const first = await signIn(id, true, username);
      assert.equal(first.created, true);
      assert.equal(first.username, username);
      assert.match(first.user_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(first.isexpired(Date.now() / 1000), false);

      const again = await signIn(id, true, 'another name');
      assert.equal(again.created, false);
      assert.deepEqual([again.user_id, again.username], [first.user_id, username]);
    });

    test(`by ${way} creates a random username without one`, async () => {
      assert.match((await signIn(unique(way))).username, /^[A-Za-z]{10}$/);
    });

    test(`by ${way} creates no account without \`create\``, async () => {
      assert.deepEqual(await refusal(signIn(unique(way), false)), { http: 404, code: 5, message: 'User account not found.' });
    });

    test(`by ${way} creates no account with a username that is taken`, async () => {
      const [id, username] = [unique(way), unique('taken')];
      await client.authenticateCustom(unique('owner'), true, username);
      assert.deepEqual(await refusal(signIn(id, true, username)), { http: 409, code: 6, message: 'Username is already in use.' });
      assert.equal((await refusal(signIn(id, false))).http, 404);
    });

    test(`by ${way} puts the client's variables into the token`, async () => {
      const session = await signIn(unique(way), true, undefined, { device: 'laptop' });
      assert.deepEqual({ ...session.vars }, { device: 'laptop' });
    });
  }

  test('ignores the case of an email address', async () => {
    const name = unique('Mixed');
    const first = await client.authenticateEmail(`${name}@Example.com`, 'correct horse');
    const again = await client.authenticateEmail(`${name.toLowerCase()}@example.COM`, 'correct horse', false);
    assert.equal(again.user_id, first.user_id);
  });

  test('with a wrong password is refused', async () => {
    const email = `${unique('mail')}@example.com`;
    await client.authenticateEmail(email, 'correct horse');
    assert.deepEqual(await refusal(client.authenticateEmail(email, 'battery staple')), { http: 401, code: 16, message: 'Invalid credentials.' });
  });

  test('accepts a username in any script, without symbols', async () => {
    const username = unique('Zażółć gęślą');
    const session = await client.authenticateCustom(unique('script'), true, username);
    // The SDK decodes its own token as Latin-1, so `session.username` cannot be compared.
    assert.equal((await client.getAccount(session)).user.username, username);
    assert.equal((await client.getUsers(session, [], [username])).users[0].id, session.user_id);
    const { http, code } = await refusal(client.authenticateCustom(unique('symbol'), true, `game ${unique('🎮')}`));
    assert.deepEqual([http, code], [400, 3]);
  });

  test('with an invalid id is refused', async () => {
    const refused = async (call) => {
      const { http, code, message } = await refusal(call);
      assert.deepEqual([http, code], [400, 3]);
      return message;
    };
    assert.equal(await refused(client.authenticateCustom('')), 'Custom ID is required.');
    assert.equal(await refused(client.authenticateCustom('short')), 'Custom ID invalid, must be 6-128 bytes.');
    assert.equal(await refused(client.authenticateCustom('with a space')), 'Custom ID invalid, no spaces or control characters allowed.');
    assert.equal(await refused(client.authenticateDevice('too-short')), 'Device ID invalid, must be 10-128 bytes.');
    assert.equal(await refused(client.authenticateDevice('x'.repeat(129))), 'Device ID invalid, must be 10-128 bytes.');
    assert.equal(await refused(client.authenticateEmail('no-address-at-all', 'correct horse')), 'Invalid email address format.');
    assert.equal(await refused(client.authenticateEmail(`${unique('mail')}@example.com`, 'short')), 'Password must be at least 8 characters long.');
  });

  test('with another server key is refused', async () => {
    const stranger = clientOf(server, { serverKey: 'not the key' });
    const invalid = { http: 401, code: 16, message: 'Server key invalid' };
    assert.deepEqual(await refusal(stranger.authenticateCustom(unique('custom'))), invalid);
    assert.deepEqual(await refusal(stranger.authenticateDevice(unique('device'))), invalid);
    assert.deepEqual(await refusal(stranger.authenticateEmail(`${unique('mail')}@example.com`, 'correct horse')), invalid);
    const session = await client.authenticateCustom(unique('custom'));
    assert.deepEqual(await refusal(stranger.sessionRefresh(session)), invalid);
  });

  test('with the same new id from several clients creates one account', async () => {
    const id = unique('race');
    const sessions = await Promise.all(Array.from({ length: 10 }, () => client.authenticateCustom(id)));
    assert.equal(new Set(sessions.map(({ user_id }) => user_id)).size, 1);
    assert.equal(sessions.filter(({ created }) => created).length, 1);
  });
});

describe('an account', () => {
  test('is shown to its owner', async () => {
    const [custom, username] = [unique('custom'), unique('name')];
    const session = await client.authenticateCustom(custom, true, username);
    const { user, wallet, custom_id } = await client.getAccount(session);
    assert.deepEqual([user.id, user.username, user.lang_tag, user.metadata], [session.user_id, username, 'en', '{}']);
    assert.deepEqual([wallet, custom_id], ['{}', custom]);
    assert.match(user.create_time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

    const device = unique('device');
    assert.deepEqual((await client.getAccount(await client.authenticateDevice(device))).devices, [{ id: device }]);
    const email = `${unique('mail')}@example.com`;
    assert.equal((await client.getAccount(await client.authenticateEmail(email, 'correct horse'))).email, email);
  });

  test('takes another name', async () => {
    const session = await client.authenticateCustom(unique('custom'));
    const username = unique('renamed');
    assert.equal(await client.updateAccount(session, { username, display_name: 'Ада' }), true);
    const { user } = await client.getAccount(session);
    assert.deepEqual([user.username, user.display_name], [username, 'Ада']);
  });

  test('does not take the name of another', async () => {
    const [mine, theirs] = await Promise.all([1, 2].map(() => client.authenticateCustom(unique('custom'))));
    const taken = await refusal(client.updateAccount(mine, { username: theirs.username }));
    assert.deepEqual(taken, { http: 409, code: 6, message: 'Username is already in use.' });
    assert.equal((await client.getAccount(mine)).user.username, mine.username);
  });

  test('frees its name when it takes another', async () => {
    const session = await client.authenticateCustom(unique('custom'));
    await client.updateAccount(session, { username: unique('renamed') });
    assert.equal((await client.authenticateCustom(unique('custom'), true, session.username)).created, true);
  });

  test('is found by other users, by id and by username', async () => {
    const [me, ann, ben] = await Promise.all([1, 2, 3].map(() => client.authenticateCustom(unique('custom'))));
    const { users } = await client.getUsers(me, [ann.user_id, ann.user_id], [ben.username, ann.username, 'nobody has this name']);
    const found = users.map(({ id, username }) => [id, username]).sort();
    assert.deepEqual(found, [ann, ben].map(({ user_id, username }) => [user_id, username]).sort());
    assert.ok(users.every(({ online }) => !online));
    assert.deepEqual(await client.getUsers(me, ['ffffffff-ffff-4fff-bfff-ffffffffffff']), { users: [] });
    assert.deepEqual(await refusal(client.getUsers(me, ['xyz'])), { http: 400, code: 3, message: "ID 'xyz' is not a valid system ID." });
  });

  for (const encoding of NAKAMA_ENCODINGS) {
    test(`is online while a device shows a status (${encoding})`, async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await bob.pings();
      const isOnline = async () => (await client.getUsers(alice.session, [bob.userId])).users[0].online ?? false;
      assert.equal(await isOnline(), false, 'a connection without a status does not count');
      await bob.setsStatus('');
      await eventually(isOnline, (online) => online === true, 'bob online');
      assert.equal((await client.getAccount(bob.session)).user.online, true);
      const phone = await bob.anotherDevice({ visible: true });
      await bob.goesInvisible();
      await bob.pings();
      assert.equal(await isOnline(), true, 'the phone still shows a status');
      await phone.disconnects();
      await eventually(isOnline, (online) => online === false, 'bob offline');
    });

    test(`keeps its name on open connections and has the new one on new connections (${encoding})`, async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      const [before, after] = [bob.username, unique('renamed')];
      await client.updateAccount(bob.session, { username: after });
      await bob.setsStatus('on the old connection');
      assert.equal((await alice.nextOf('bob')).joins[0].username, before);
      await bob.disconnects();
      await alice.sees(left('bob', 'on the old connection'));

      await client.sessionRefresh(bob.session);
      assert.equal(bob.username, after);
      await bob.connects();
      await bob.setsStatus('on the new connection');
      assert.equal((await alice.nextOf('bob')).joins[0].username, after);
      const { presences } = await alice.requestsFollow({ usernames: [after] });
      assert.deepEqual(presences.map(({ username }) => username), [after]);
      assert.deepEqual(await alice.requestsFollow({ usernames: [before] }), { presences: [] });
    });
  }
});

describe('a session', () => {
  test('is refreshed', async () => {
    const session = await client.authenticateCustom(unique('custom'), true, undefined, { device: 'laptop' });
    const { user_id, username, token } = session;
    const refreshed = await client.sessionRefresh(session);
    assert.deepEqual([refreshed.user_id, refreshed.username, { ...refreshed.vars }], [user_id, username, { device: 'laptop' }]);
    for (const each of [token, refreshed.token]) {
      const response = await fetch(`${server.url}/v2/account`, { headers: { Authorization: `Bearer ${each}` } });
      assert.equal(response.status, 200);
    }
    assert.deepEqual({ ...(await client.sessionRefresh(session, { device: 'phone' })).vars }, { device: 'phone' });
  });

  test('is not refreshed by a token of another kind', async () => {
    const session = await client.authenticateCustom(unique('custom'));
    session.refresh_token = session.token;
    assert.deepEqual(await refusal(client.sessionRefresh(session)), { http: 401, code: 16, message: 'Refresh token invalid or expired.' });
  });

  test('ends with a logout, and other sessions do not', async () => {
    const id = unique('custom');
    const [session, other] = [await client.authenticateCustom(id), await client.authenticateCustom(id)];
    assert.equal(await client.sessionLogout(session, session.token, session.refresh_token), true);
    assert.deepEqual(await refusal(client.getAccount(session)), { http: 401, code: 16, message: 'Auth token invalid' });
    assert.equal((await refusal(client.sessionRefresh(session))).http, 401);
    assert.equal((await client.getAccount(other)).user.id, session.user_id);
  });

  for (const encoding of NAKAMA_ENCODINGS) {
    test(`opens no new connection after a logout, and keeps the old one (${encoding})`, async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await client.sessionLogout(bob.session, bob.session.token, bob.session.refresh_token);
      await isRefused(bob.session, encoding);
      await bob.setsStatus('still on the old connection');
      await alice.sees(joined('bob', 'still on the old connection'));
      await bob.disconnects();
      await alice.sees(left('bob', 'still on the old connection'));
    });

    test(`opens no connection with an invalid token (${encoding})`, async () => {
      const session = await client.authenticateCustom(unique('custom'));
      session.token = `${session.token.slice(0, -4)}AAAA`;
      await isRefused(session, encoding);
    });
  }
});

async function isRefused(session, encoding) {
  await assert.rejects(socketOf(client, encoding).connect(session), (event) => {
    assert.match(event.message, /401/);
    return true;
  });
}

describe('an unsupported method', () => {
  test('is refused with an error that the SDK understands', async () => {
    const session = await client.authenticateCustom(unique('custom'));
    assert.deepEqual(await refusal(client.listFriends(session)), { http: 404, code: 5, message: 'Not Found' });
    assert.deepEqual(await refusal(client.rpc(session, 'hello', {})), { http: 404, code: 5, message: 'Not Found' });
  });
});
