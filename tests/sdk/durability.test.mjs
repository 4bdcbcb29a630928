// What the server has said yes to is there after it was killed in the middle of its work.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';

import { clientOf } from './harness/nakama.mjs';
import { startServer, temporaryFolder } from './harness/server.mjs';

const SIGN_UPS = 1000;
/** How many wait for an answer at any time. */
const AT_ONCE = 32;
/** The answer after which the server is killed. */
const KILLED_AFTER = 300;

describe('kill -9 among a thousand sign-ups', () => {
  test('every account that was acknowledged is there', { timeout: 120_000 }, async (t) => {
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
    // The others may be there or not, but not by halves: everybody can sign in, under their name.
    await each(people, async (id) => {
      const { username } = await client.authenticateCustom(id, true, usernameOf(id));
      assert.equal(username, usernameOf(id));
    });
  });
});

const usernameOf = (id) => `name of ${id}`;

/** Signs people up until the server is gone. @returns {Promise<Map<string, string>>} user ids of those with an answer */
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

/** Does something for each item, for some at a time. */
async function each(items, act) {
  const rest = items[Symbol.iterator]();
  const worker = async () => {
    for (const item of rest) await act(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
