// The JavaScript samples of Nakama's documentation of status, word for word: `samples/` holds them as they are
// printed there, and only the placeholder for a user id is filled in.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { format } from 'node:util';

import { NAKAMA_ENCODINGS } from './harness/nakama.mjs';
import { changed, joined, left, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';
import { Inbox } from './harness/wait.mjs';

const AsyncFunction = (async () => {}).constructor;

/** Runs a sample for somebody; what it logs goes into the inbox. */
async function runs(person, sample, { userId, log = new Inbox() } = {}) {
  const source = await readFile(new URL(`samples/${sample}.js`, import.meta.url), 'utf8');
  const console = { log: (...words) => log.put(format(...words)) };
  await new AsyncFunction('socket', 'console', source.replace('<user id>', userId))(person.socket, console);
  return log;
}

/** Waits for one line of a log. */
async function logs(log, expected) {
  const line = await log.take(() => true, () => new Error(`never logged: ${expected}\nso far:\n${log.all.join('\n')}`));
  assert.equal(line, expected);
}

for (const encoding of NAKAMA_ENCODINGS) {
  describe(`the documentation's samples over ${encoding}`, () => {
    let server;
    before(async () => (server = await startServer()));
    after(() => server?.stop());

    test('set a status, appear offline', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await runs(bob, 'set-status');
      await alice.sees(joined('bob', 'Hello everyone!'));
      await runs(bob, 'appear-offline');
      await alice.sees(left('bob', 'Hello everyone!'));
    });

    test('receive status updates', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      const log = await runs(alice, 'receive-status-updates');
      await alice.follows(bob);
      await bob.setsStatus('one');
      await logs(log, `User '${bob.userId}' now has status 'one'`);
      await bob.setsStatus('two');
      await logs(log, `User '${bob.userId}' no longer has status 'one'`);
      await logs(log, `User '${bob.userId}' now has status 'two'`);
      await bob.disconnects();
      await logs(log, `User '${bob.userId}' no longer has status 'two'`);
    });

    test('follow users who are here, and who are not', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      const nobody = await runs(alice, 'follow-users', { userId: bob.userId });
      assert.deepEqual(nobody.all, []);
      await bob.setsStatus('about');
      await alice.sees(joined('bob', 'about'));
      const somebody = await runs(alice, 'follow-users', { userId: bob.userId });
      assert.deepEqual(somebody.all, [`User '${bob.userId}' has status 'about'`]);
    });

    test('unfollow users', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await bob.setsStatus('seen');
      await alice.sees(joined('bob', 'seen'));
      await runs(alice, 'unfollow-users', { userId: bob.userId });
      await alice.pings();
      await bob.setsStatus('unseen');
      await alice.follows(bob);
      await bob.setsStatus('seen again');
      await alice.sees(changed('bob', 'unseen', 'seen again'));
    });
  });
}
