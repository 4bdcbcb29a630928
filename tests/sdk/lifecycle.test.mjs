// Orderly stops and new starts.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { centrifuge, FORMATS } from './harness/centrifuge.mjs';
import { ADAPTERS, clientOf, refusal, socketOf } from './harness/nakama.mjs';
import { changed, joined, peopleIn } from './harness/people.mjs';
import { startServer, temporaryFolder } from './harness/server.mjs';

const unique = (word) => `${word}-${randomUUID()}`;

/** A close code that only this end makes up, when the other was gone without a close frame. */
const CUT = 1006;

describe('SIGTERM', () => {
  test('closes every line and ends with code 0', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const everybody = [];
    for (const adapter of ADAPTERS) {
      const person = peopleIn(t, server, adapter);
      everybody.push(...(await Promise.all(['alice', 'bob', 'carol'].map((name) => person(name, { shows: true })))));
    }
    const exit = await server.stop('SIGTERM');
    assert.deepEqual(exit, { code: 0, signal: null });
    for (const person of everybody) {
      const { code, wasClean } = await person.isDisconnected();
      assert.ok(wasClean && code !== CUT, `${person.name} was closed with ${code}`);
    }
  });
});

describe('a server that stands still', () => {
  /** Longer than every client may be silent. */
  const STANDSTILL = 4000;

  const env = {
    HEREABOUTS_SESSION__PING_INTERVAL: '1s',
    HEREABOUTS_SESSION__PONG_TIMEOUT: '2s',
    HEREABOUTS_CENTRIFUGO__CLIENT__PING_INTERVAL: '2s',
    HEREABOUTS_CENTRIFUGO__CLIENT__PONG_TIMEOUT: '1500ms',
  };

  test('has missed nobody: all stay, and nothing is told', async (t) => {
    const server = await startServer({ env });
    const scenes = ADAPTERS.map((adapter) => peopleIn(t, server, adapter));
    // After everybody has gone: they would see each other go.
    t.after(() => {
      process.kill(server.pid, 'SIGCONT');
      return server.stop();
    });
    const guests = await Promise.all(FORMATS.map(async (format) => {
      const guest = centrifuge(t, server, format, { claims: { sub: format } });
      await guest.connects();
      return guest;
    }));
    const watched = await Promise.all(scenes.map(async (person) => {
      const [alice, bob] = await Promise.all([person('alice'), person('bob', { shows: true })]);
      await alice.follows(bob);
      return { alice, bob };
    }));

    process.kill(server.pid, 'SIGSTOP');
    await sleep(STANDSTILL);
    process.kill(server.pid, 'SIGCONT');

    // For as long as it takes to give up somebody who does not answer.
    for (let round = 1, before = ''; round <= 12; round++) {
      const now = `round ${round}`;
      for (const { alice, bob } of watched) {
        await bob.setsStatus(now);
        await alice.sees(changed('bob', before, now));
      }
      before = now;
      await sleep(400);
    }
    for (const { events } of guests) assert.deepEqual(events.all.map(({ event }) => event), ['connecting', 'connected']);
    assert.match(server.log(), /stood still/);
  });
});

describe('a new start on the same data', () => {
  test('finds every account as it was', async (t) => {
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

  for (const adapter of ADAPTERS) {
    test(`takes the tokens of before (${adapter})`, async (t) => {
      const dataDir = temporaryFolder();
      const first = await startServer({ dataDir });
      t.after(() => first.stop());
      const session = await clientOf(first).authenticateCustom(unique('bob'));
      await first.stop();

      const second = await startServer({ dataDir });
      t.after(() => second.stop());
      const client = clientOf(second);
      assert.equal((await client.getAccount(session)).user.id, session.user_id);
      const alice = await peopleIn(t, second, adapter)('alice');
      assert.deepEqual(await alice.socket.followUsers([session.user_id]), { presences: [] });
      const socket = socketOf(client, adapter);
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
