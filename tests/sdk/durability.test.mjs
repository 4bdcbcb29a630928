// Acknowledged sign-ups survive a kill of the server.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';

import { clientOf } from './harness/nakama.mjs';
import { startServer, temporaryFolder } from './harness/server.mjs';

const SIGN_UPS = 1000;
/** Number of concurrent sign-ups. */
const AT_ONCE = 32;
/** Number of acknowledged sign-ups after which the server is killed. */
const KILLED_AFTER = 300;

describe('kill -9 during a thousand sign-ups', () => {
  test('keeps every acknowledged account', { timeout: 120_000 }, async (t) => {
    const dataDir = temporaryFolder();
    const server = await startServer({ dataDir });
    t.after(() => server.abandon());
    const people = Array.from({ length: SIGN_UPS }, () => randomUUID());
    const acknowledged = await signUpUntilKilled(server, people);
    assert.ok(acknowledged.size >= KILLED_AFTER && acknowledged.size < SIGN_UPS, `${acknowledged.size} acknowledged`);
    t.diagnostic(`${acknowledged.size} of ${SIGN_UPS} were acknowledged`);

    const again = await startServer({ dataDir });
    t.after(() => again.stop());
    const client = clientOf(again);
    await each([...acknowledged], async ([id, userId]) => {
      const session = await client.authenticateCustom(id, false);
      assert.deepEqual([session.user_id, session.username, session.created], [userId, usernameOf(id), false]);
    });
    // The other accounts may exist or not, but not in part: every user can sign in with their name.
    await each(people, async (id) => {
      const { username } = await client.authenticateCustom(id, true, usernameOf(id));
      assert.equal(username, usernameOf(id));
    });
  });
});

const usernameOf = (id) => `name of ${id}`;

/** Signs up users until the server has exited. @returns {Promise<Map<string, string>>} user ids of the acknowledged ones */
async function signUpUntilKilled(server, people) {
  const client = clientOf(server);
  const acknowledged = new Map();
  let killed;
  await each(people, async (id) => {
    const session = await client.authenticateCustom(id, true, usernameOf(id)).catch((error) => {
      if (!killed) throw error;
    });
    if (!session) return;
    assert.equal(session.created, true);
    acknowledged.set(id, session.user_id);
    if (acknowledged.size === KILLED_AFTER) killed = server.stop('SIGKILL');
  });
  assert.equal((await killed).signal, 'SIGKILL');
  return acknowledged;
}

/** Runs `act` for each item, for `AT_ONCE` items concurrently. */
async function each(items, act) {
  const rest = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of rest) await act(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
