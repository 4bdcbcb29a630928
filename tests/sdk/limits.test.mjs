// Large follows and large messages, and requests that the server does not support.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { NAKAMA_ENCODINGS, clientOf, errorReply } from './harness/nakama.mjs';
import { joined, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';

const FOLLOWED = 500;
const ONLINE = 60;
const MAX_STATUS = 'x'.repeat(2048);
/** Maximum size of a message that every SDK accepts, in bytes. */
const MAX_MESSAGE = 60 * 1024;

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

for (const encoding of NAKAMA_ENCODINGS) {
  describe(`many followed users over ${encoding}`, () => {
    test('a user follows 500 users in one message and sees one come', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      const others = await accounts(FOLLOWED - 1);
      assert.deepEqual(await alice.socket.followUsers([...others, bob.userId]), { presences: [] });
      await bob.setsStatus('here');
      await alice.sees(joined('bob', 'here'));
    });

    test('users who do not fit into the reply arrive as joins', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const alice = await person('alice');
      const online = await Promise.all(Array.from({ length: ONLINE }, (_, i) => person(`user${i}`)));
      await Promise.all(online.map((user) => user.setsStatus(MAX_STATUS)));
      const sizes = alice.recordsMessageSizes();
      const replied = await alice.follows(...online);
      assert.ok(replied.length > 0 && replied.length < ONLINE, `${replied.length} in the reply`);
      const names = new Set(replied.map(([name]) => name));
      const rest = online.filter(({ name }) => !names.has(name));
      await alice.sees(...rest.map(({ name }) => joined(name, MAX_STATUS)));
      assert.ok(Math.max(...sizes) <= MAX_MESSAGE, `messages of ${sizes} bytes`);
      await Promise.all(online.map((user) => alice.seesNothingElseOf(user)));
    });
  });

  describe(`unsupported requests over ${encoding}`, () => {
    const REQUESTS = {
      'a remote call': (socket) => socket.rpc('hello', '{}'),
      'a new match': (socket) => socket.createMatch(),
      'a join of a match': (socket) => socket.joinMatch(`${randomUUID()}.`),
      'a search for opponents': (socket) => socket.addMatchmaker('*', 2, 4),
      'a join of a chat': (socket) => socket.joinChat('a room', 1, true, false),
      'a chat message': (socket) => socket.writeChatMessage('2...a room', { text: 'hello' }),
      'a new party': (socket) => socket.createParty(true, 4),
      'a join of a party': (socket) => socket.joinParty(`${randomUUID()}.`),
    };

    for (const [what, request] of Object.entries(REQUESTS)) {
      test(`${what} is refused, and the connection stays open`, async (t) => {
        const alice = await peopleIn(t, server, { encoding })('alice');
        const { code, message } = await errorReply(request(alice.socket));
        assert.ok(Number.isInteger(code) && message.length > 0);
        await alice.setsStatus('still online');
        await alice.sees(joined('alice', 'still online'));
      });
    }

    test('a message that expects no reply is ignored, and the connection stays open', async (t) => {
      const alice = await peopleIn(t, server, { encoding })('alice');
      await alice.socket.sendMatchState(`${randomUUID()}.`, 1, 'data');
      await alice.socket.sendPartyData(`${randomUUID()}.`, 1, 'data');
      await alice.setsStatus('still online');
      await alice.sees(joined('alice', 'still online'));
    });
  });
}

/** Creates accounts, a few at a time, and returns their ids. */
async function accounts(count) {
  const client = clientOf(server);
  const ids = [];
  while (ids.length < count) {
    const batch = Array.from({ length: Math.min(25, count - ids.length) }, () => client.authenticateCustom(`custom-${randomUUID()}`));
    ids.push(...(await Promise.all(batch)).map(({ user_id }) => user_id));
  }
  return ids;
}
