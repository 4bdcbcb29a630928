// Tokens that expire after a few seconds: what the SDK sees then, and how it continues.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { NAKAMA_ENCODINGS, clientOf, refusal, socketOf } from './harness/nakama.mjs';
import { joined, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';
import { eventually } from './harness/wait.mjs';

describe('a token that expires', { concurrency: true }, () => {
  let server, plain;
  before(async () => {
    server = await startServer({ env: { HEREABOUTS_NAKAMA__TOKEN_EXPIRY: '5s' } });
    plain = clientOf(server, { refreshes: false });
  });
  after(() => server?.stop());

  /** Waits until the server refuses the token. */
  function hasExpired(session) {
    const status = () => plain.getAccount(session).then(() => 200, ({ status }) => status);
    return eventually(status, (each) => each === 401, 'the token expired');
  }

  test('is refused after its expiry, and not before', async () => {
    const session = await plain.authenticateCustom(`custom-${randomUUID()}`);
    await hasExpired(session);
    assert.ok(Date.now() / 1000 >= session.expires_at, 'refused too early');
    assert.deepEqual(await refusal(plain.getAccount(session)), { http: 401, code: 16, message: 'Auth token invalid' });
  });

  test('is replaced by the SDK', async () => {
    const refreshing = clientOf(server);
    const session = await refreshing.authenticateCustom(`custom-${randomUUID()}`);
    const { token } = session;
    await hasExpired(session);
    assert.equal((await refreshing.getAccount(session)).user.id, session.user_id);
    assert.notEqual(session.token, token);
  });

  for (const encoding of NAKAMA_ENCODINGS) {
    test(`opens no connection after its expiry (${encoding})`, async () => {
      const session = await plain.authenticateCustom(`custom-${randomUUID()}`);
      await hasExpired(session);
      await assert.rejects(socketOf(plain, encoding).connect(session), ({ message }) => /401/.test(message));
      await plain.sessionRefresh(session);
      const socket = socketOf(plain, encoding);
      await socket.connect(session);
      await socket.updateStatus('back');
      socket.disconnect();
    });

    test(`does not end the connection that it opened (${encoding})`, async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await hasExpired(bob.session);
      await alice.follows(bob);
      await bob.setsStatus('still here');
      await alice.sees(joined('bob', 'still here'));
    });
  }
});
