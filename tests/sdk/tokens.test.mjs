// Tokens that live a few seconds: what the SDK sees when they end, and how it goes on.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { ADAPTERS, clientOf, refusal, socketOf } from './harness/nakama.mjs';
import { joined, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';
import { eventually } from './harness/wait.mjs';

describe('a token that lives a few seconds', { concurrency: true }, () => {
  let server, plain;
  before(async () => {
    server = await startServer({ env: { HEREABOUTS_NAKAMA__TOKEN_EXPIRY: '5s' } });
    plain = clientOf(server, { refreshes: false });
  });
  after(() => server?.stop());

  /** Waits until the server itself no longer takes the token. */
  function isOver(session) {
    const answer = () => plain.getAccount(session).then(() => 200, ({ status }) => status);
    return eventually(answer, (status) => status === 401, 'the token expired');
  }

  test('is refused when it is over, and not before its time', async () => {
    const session = await plain.authenticateCustom(`custom-${randomUUID()}`);
    await isOver(session);
    assert.ok(Date.now() / 1000 >= session.expires_at, 'refused too early');
    assert.deepEqual(await refusal(plain.getAccount(session)), { http: 401, code: 16, message: 'Auth token invalid' });
  });

  test('is replaced by the SDK on its own', async () => {
    const refreshing = clientOf(server);
    const session = await refreshing.authenticateCustom(`custom-${randomUUID()}`);
    const { token } = session;
    await isOver(session);
    assert.equal((await refreshing.getAccount(session)).user.id, session.user_id);
    assert.notEqual(session.token, token);
  });

  for (const adapter of ADAPTERS) {
    test(`opens no line when it is over (${adapter})`, async () => {
      const session = await plain.authenticateCustom(`custom-${randomUUID()}`);
      await isOver(session);
      await assert.rejects(socketOf(plain, adapter).connect(session), ({ message }) => /401/.test(message));
      await plain.sessionRefresh(session);
      const socket = socketOf(plain, adapter);
      await socket.connect(session);
      await socket.updateStatus('back');
      socket.disconnect();
    });

    test(`does not end the line that it opened (${adapter})`, async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await isOver(bob.session);
      await alice.follows(bob);
      await bob.setsStatus('still here');
      await alice.sees(joined('bob', 'still here'));
    });
  }
});
