// Orderly stops and restarts.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { CENTRIFUGO_ENCODINGS } from './harness/centrifugo.mjs';
import { NAKAMA_ENCODINGS, clientOf, refusal, socketOf } from './harness/nakama.mjs';
import { changed, joined, peopleIn } from './harness/people.mjs';
import { startServer, temporaryFolder } from './harness/server.mjs';

const unique = (word) => `${word}-${randomUUID()}`;

/** The close code that an SDK reports when it got no close frame. */
const WITHOUT_CLOSE_FRAME = 1006;

describe('SIGTERM', () => {
  test('closes every connection and exits with code 0', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const everybody = [];
    for (const encoding of NAKAMA_ENCODINGS) {
      const person = peopleIn(t, server, { encoding });
      everybody.push(...(await Promise.all(['alice', 'bob', 'carol'].map((name) => person(name, { visible: true })))));
    }
    const exit = await server.stop('SIGTERM');
    assert.deepEqual(exit, { code: 0, signal: null });
    for (const person of everybody) {
      const { code, wasClean } = await person.isDisconnected();
      assert.ok(wasClean && code !== WITHOUT_CLOSE_FRAME, `${person.name} was closed with ${code}`);
    }
  });
});

describe('a server that was suspended', () => {
  /** Longer than any client may be silent, in milliseconds. */
  const SUSPENSION = 4000;

  const env = {
    HEREABOUTS_SESSION__PING_INTERVAL: '1s',
    HEREABOUTS_SESSION__PONG_TIMEOUT: '2s',
    HEREABOUTS_CENTRIFUGO__CLIENT__PING_INTERVAL: '2s',
    HEREABOUTS_CENTRIFUGO__CLIENT__PONG_TIMEOUT: '1500ms',
  };

  test('keeps every connection and sends no event', async (t) => {
    const server = await startServer({ env });
    const scenes = NAKAMA_ENCODINGS.map((encoding) => peopleIn(t, server, { encoding }));
    const centrifugoPerson = peopleIn(t, server, { dialect: 'centrifugo' });
    // After the people have disconnected, because they would see each other go.
    t.after(() => {
      process.kill(server.pid, 'SIGCONT');
      return server.stop();
    });
    const centrifugoUsers = await Promise.all(CENTRIFUGO_ENCODINGS.map((encoding) => centrifugoPerson(encoding, { encoding })));
    const pairs = await Promise.all(scenes.map(async (person) => {
      const [alice, bob] = await Promise.all([person('alice'), person('bob', { visible: true })]);
      await alice.follows(bob);
      return { alice, bob };
    }));

    process.kill(server.pid, 'SIGSTOP');
    await sleep(SUSPENSION);
    process.kill(server.pid, 'SIGCONT');

    // As long as the server waits for a client that does not answer.
    for (let step = 1, before = ''; step <= 12; step++) {
      const now = `step ${step}`;
      for (const { alice, bob } of pairs) {
        await bob.setsStatus(now);
        await alice.sees(changed('bob', before, now));
      }
      before = now;
      await sleep(400);
    }
    for (const { events } of centrifugoUsers) assert.deepEqual(events.all.map(({ event }) => event), ['connecting', 'connected']);
    assert.match(server.log(), /stood still/);
  });
});

describe('a restart with the same data', () => {
  test('keeps every account', async (t) => {
    const dataDir = temporaryFolder();
    const first = await startServer({ dataDir });
    t.after(() => first.stop());
    const [custom, device, email] = [unique('custom'), unique('device'), `${unique('mail')}@example.com`];
    const everyWay = async (server, create) => {
      const client = clientOf(server);
      return Promise.all([
        client.authenticateCustom(custom, create),
        client.authenticateDevice(device, create),
        client.authenticateEmail(email, 'correct horse', create),
      ]);
    };
    const before = await everyWay(first, true);
    const renamed = unique('renamed');
    await clientOf(first).updateAccount(before[0], { username: renamed });
    await first.stop();

    const second = await startServer({ dataDir });
    t.after(() => second.stop());
    const after = await everyWay(second, false);
    assert.deepEqual(after.map(({ user_id }) => user_id), before.map(({ user_id }) => user_id));
    assert.deepEqual(after.map(({ created }) => created), [false, false, false]);
    assert.deepEqual(after.map(({ username }) => username), [renamed, before[1].username, before[2].username]);

    const client = clientOf(second);
    assert.equal((await refusal(client.authenticateCustom(unique('custom'), true, renamed))).http, 409);
    assert.equal((await refusal(client.authenticateEmail(email, 'battery staple'))).http, 401);
    assert.equal((await client.authenticateCustom(unique('custom'), true, before[0].username)).created, true);
  });

  for (const encoding of NAKAMA_ENCODINGS) {
    test(`accepts the tokens from before (${encoding})`, async (t) => {
      const dataDir = temporaryFolder();
      const first = await startServer({ dataDir });
      t.after(() => first.stop());
      const session = await clientOf(first).authenticateCustom(unique('bob'));
      await first.stop();

      const second = await startServer({ dataDir });
      t.after(() => second.stop());
      const client = clientOf(second);
      assert.equal((await client.getAccount(session)).user.id, session.user_id);
      const alice = await peopleIn(t, second, { encoding })('alice');
      assert.deepEqual(await alice.socket.followUsers([session.user_id]), { presences: [] });
      const socket = socketOf(client, encoding);
      await socket.connect(session);
      await socket.updateStatus('back');
      await alice.sees(joined(session.user_id, 'back'));
      socket.disconnect();
      await alice.nextOf(session.user_id);
      await client.sessionRefresh(session);
      assert.equal((await client.getAccount(session)).user.id, session.user_id);
    });
  }
});
