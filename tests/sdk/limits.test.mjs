// Much at once, and what this server does not do.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { ADAPTERS, clientOf, errorReply } from './harness/nakama.mjs';
import { joined, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';

const FOLLOWEES = 500;
const HERE = 60;
const LARGEST_STATUS = 'x'.repeat(2048);
/** What a message may hold so that every SDK takes it. */
const LARGEST_MESSAGE = 60 * 1024;

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

for (const adapter of ADAPTERS) {
  describe(`many followees over ${adapter}`, () => {
    test('500 in one message, all far away; one comes', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      const others = await accounts(FOLLOWEES - 1);
      assert.deepEqual(await alice.socket.followUsers([...others, bob.userId]), { presences: [] });
      await bob.setsStatus('here');
      await alice.sees(joined('bob', 'here'));
    });

    test('those who do not fit into the answer follow as joins', async (t) => {
      const person = peopleIn(t, server, adapter);
      const alice = await person('alice');
      const here = await Promise.all(Array.from({ length: HERE }, (_, i) => person(`guest${i}`)));
      await Promise.all(here.map((guest) => guest.setsStatus(LARGEST_STATUS)));
      const sizes = alice.measures();
      const answered = await alice.follows(...here);
      assert.ok(answered.length > 0 && answered.length < HERE, `${answered.length} in the answer`);
      const names = new Set(answered.map(([name]) => name));
      const rest = here.filter(({ name }) => !names.has(name));
      await alice.sees(...rest.map(({ name }) => joined(name, LARGEST_STATUS)));
      assert.ok(Math.max(...sizes) <= LARGEST_MESSAGE, `messages of ${sizes} bytes`);
      await Promise.all(here.map((guest) => alice.seesNothingElseOf(guest)));
    });
  });

  describe(`what this server does not do, over ${adapter}`, () => {
    const REQUESTS = {
      'a remote call': (socket) => socket.rpc('hello', '{}'),
      'making a match': (socket) => socket.createMatch(),
      'joining a match': (socket) => socket.joinMatch(`${randomUUID()}.`),
      'looking for opponents': (socket) => socket.addMatchmaker('*', 2, 4),
      'joining a chat': (socket) => socket.joinChat('a room', 1, true, false),
      'writing to a chat': (socket) => socket.writeChatMessage('2...a room', { text: 'hello' }),
      'making a party': (socket) => socket.createParty(true, 4),
      'joining a party': (socket) => socket.joinParty(`${randomUUID()}.`),
    };

    for (const [what, request] of Object.entries(REQUESTS)) {
      test(`${what} is refused, and the line stays open`, async (t) => {
        const alice = await peopleIn(t, server, adapter)('alice');
        const { code, message } = await errorReply(request(alice.socket));
        assert.ok(Number.isInteger(code) && message.length > 0);
        await alice.setsStatus('still here');
        await alice.sees(joined('alice', 'still here'));
      });
    }

    test('what expects no answer is passed over, and the line stays open', async (t) => {
      const alice = await peopleIn(t, server, adapter)('alice');
      await alice.socket.sendMatchState(`${randomUUID()}.`, 1, 'data');
      await alice.socket.sendPartyData(`${randomUUID()}.`, 1, 'data');
      await alice.setsStatus('still here');
      await alice.sees(joined('alice', 'still here'));
    });
  });
}

/** Makes accounts, a few at a time, and tells their ids. */
async function accounts(count) {
  const client = clientOf(server);
  const ids = [];
  while (ids.length < count) {
    const batch = Array.from({ length: Math.min(25, count - ids.length) }, () => client.authenticateCustom(`custom-${randomUUID()}`));
    ids.push(...(await Promise.all(batch)).map(({ user_id }) => user_id));
  }
  return ids;
}
