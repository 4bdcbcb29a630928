// Who sees what of whom: statuses, devices, follows, as Nakama's SDK tells it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ADAPTERS, errorReply } from './harness/nakama.mjs';
import { changed, joined, left, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

for (const adapter of ADAPTERS) {
  describe(`statuses over ${adapter}`, () => {
    test('a status comes, changes and goes', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      assert.deepEqual(await alice.follows(bob), []);
      await bob.setsStatus('here');
      await alice.sees(joined('bob', 'here'));
      await bob.setsStatus('away');
      await alice.sees(changed('bob', 'here', 'away'));
      await bob.setsStatus('');
      await alice.sees(changed('bob', 'away', ''));
      await bob.appearsOffline();
      await alice.sees(left('bob', ''));
    });

    test('presences carry who, where and what', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await bob.setsStatus('here');
      const { joins } = await alice.nextOf('bob');
      const [{ user_id, username, session_id, status }] = joins;
      assert.deepEqual({ user_id, username, status }, { user_id: bob.userId, username: bob.username, status: 'here' });
      assert.match(session_id, /./);
      await bob.setsStatus('away');
      const next = await alice.nextOf('bob');
      assert.equal(next.joins[0].session_id, session_id);
      assert.equal(next.leaves[0].session_id, session_id);
    });

    test('connecting with a status is seen as the empty one', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await bob.anotherDevice({ shows: true });
      await alice.sees(joined('bob', ''));
    });

    test('connecting without a status is not seen', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      const phone = await bob.anotherDevice();
      await phone.pings();
      await bob.setsStatus('the first thing seen');
      await alice.sees(joined('bob', 'the first thing seen'));
    });

    test('appearing offline twice is seen once', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob', { shows: true })];
      assert.deepEqual(await alice.follows(bob), [['bob', '']]);
      await bob.appearsOffline();
      await bob.appearsOffline();
      await alice.sees(left('bob', ''));
      await bob.setsStatus('back');
      await alice.sees(joined('bob', 'back'));
    });

    test('the same status again is an event again', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await bob.setsStatus('same');
      await bob.setsStatus('same');
      await alice.sees(joined('bob', 'same'), changed('bob', 'same', 'same'));
    });

    test('we see our own status', async (t) => {
      const alice = await peopleIn(t, server, adapter)('alice');
      await alice.setsStatus('mine');
      await alice.sees(joined('alice', 'mine'));
      await alice.setsStatus('still mine');
      await alice.sees(changed('alice', 'mine', 'still mine'));
      await alice.appearsOffline();
      await alice.sees(left('alice', 'still mine'));
    });

    test('the answer to a change comes before the change itself', async (t) => {
      const alice = await peopleIn(t, server, adapter)('alice', { shows: true });
      await alice.sees(joined('alice', ''));
      const envelopes = alice.overhears();
      const changes = Array.from({ length: 20 }, (_, i) => String(i));
      await Promise.all(changes.map((status) => alice.setsStatus(status)));
      await alice.seesThrough('19');
      const place = (wanted) => envelopes.findIndex(wanted);
      const answers = envelopes.filter(({ cid, pong }) => cid && !pong);
      for (const [i, status] of changes.entries()) {
        const answer = place((envelope) => envelope === answers[i]);
        const change = place((envelope) => envelope.status_presence_event?.joins[0].status === status);
        assert.ok(answer < change, `answer ${status} at ${answer}, change at ${change}`);
      }
    });

    test('changes sent without waiting for answers are seen in order', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      const statuses = Array.from({ length: 50 }, (_, i) => `${i}`);
      await Promise.all(statuses.map((status) => bob.setsStatus(status)));
      await alice.sees(joined('bob', '0'), ...statuses.slice(1).map((status, i) => changed('bob', statuses[i], status)));
    });

    test('coming and going without waiting for answers is seen in order', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      const rounds = Array.from({ length: 25 }, (_, i) => `${i}`);
      await Promise.all(rounds.flatMap((status) => [bob.setsStatus(status), bob.appearsOffline()]));
      await alice.sees(...rounds.flatMap((status) => [joined('bob', status), left('bob', status)]));
    });

    test('two devices are two presences', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, laptop] = [await person('alice'), await person('bob')];
      const phone = await laptop.anotherDevice();
      await alice.follows(laptop);
      await laptop.setsStatus('at my desk');
      await phone.setsStatus('on the train');
      const [first, second] = [await alice.nextOf('bob'), await alice.nextOf('bob')];
      assert.equal(first.joins[0].status, 'at my desk');
      assert.equal(second.joins[0].status, 'on the train');
      assert.notEqual(first.joins[0].session_id, second.joins[0].session_id);
      assert.deepEqual(await alice.follows(laptop), [['bob', 'at my desk'], ['bob', 'on the train']]);

      await phone.disconnects();
      const gone = await alice.nextOf('bob');
      assert.deepEqual([gone.joins, gone.leaves], [[], second.joins]);
      assert.deepEqual(await alice.follows(laptop), [['bob', 'at my desk']]);
    });

    test('one device sees the other', async (t) => {
      const laptop = await peopleIn(t, server, adapter)('bob');
      const phone = await laptop.anotherDevice();
      await phone.setsStatus('on the train');
      await laptop.sees(joined('bob', 'on the train'));
      await phone.disconnects();
      await laptop.sees(left('bob', 'on the train'));
    });

    test('a closed line is seen as leaving', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob', { shows: true })];
      assert.deepEqual(await alice.follows(bob), [['bob', '']]);
      await bob.setsStatus('nearly gone');
      await alice.sees(changed('bob', '', 'nearly gone'));
      await bob.disconnects();
      await alice.sees(left('bob', 'nearly gone'));
    });

    test('a line cut without a word is seen as leaving', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob', { shows: true })];
      await alice.follows(bob);
      bob.breaksOff();
      await alice.sees(left('bob', ''));
    });

    test('three times connect, set a status, close: three joins and three leaves', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      for (const round of ['one', 'two', 'three']) {
        const device = await bob.anotherDevice();
        await device.setsStatus(round);
        await device.disconnects();
      }
      await alice.sees(...['one', 'two', 'three'].flatMap((round) => [joined('bob', round), left('bob', round)]));
      await bob.setsStatus('nothing between');
      await alice.sees(joined('bob', 'nothing between'));
    });

    test('statuses hold any text up to 2048 bytes', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      let before;
      for (const status of ['{"match":"<&>\\"", "at":1}', 'Zażółć 🎮 \u2028 שלום', 'line\nline\ttab\u0000nul', ' ', 'é'.repeat(1024), 'x'.repeat(2048)]) {
        await bob.setsStatus(status);
        await alice.sees(before === undefined ? joined('bob', status) : changed('bob', before, status));
        before = status;
      }
      for (const status of ['x'.repeat(2049), 'é'.repeat(1025)]) {
        assert.deepEqual(await errorReply(bob.setsStatus(status)), { code: 3, message: 'Status must be 2048 characters or less' });
      }
      assert.deepEqual(await alice.follows(bob), [['bob', before]]);
      await alice.seesNothingElseOf(bob);
    });
  });

  describe(`follows over ${adapter}`, () => {
    test('the answer lists who is here', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob, carol, dave] = [await person('alice'), await person('bob'), await person('carol', { shows: true }), await person('dave')];
      await bob.setsStatus('about');
      assert.deepEqual(await alice.follows(bob, carol, dave), [['bob', 'about'], ['carol', '']]);
    });

    test('lists are there when they are empty', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      assert.deepEqual(await alice.socket.followUsers([bob.userId]), { presences: [] });
      await bob.setsStatus('here');
      assert.deepEqual((await alice.nextOf('bob')).leaves, []);
      await bob.appearsOffline();
      assert.deepEqual((await alice.nextOf('bob')).joins, []);
    });

    test('by username', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob, carol] = [await person('alice'), await person('bob', { shows: true }), await person('carol')];
      assert.deepEqual(await alice.followsByName(bob, carol), [['bob', '']]);
      await bob.setsStatus('away');
      await alice.sees(changed('bob', '', 'away'));
      await carol.setsStatus('here');
      await alice.sees(joined('carol', 'here'));
    });

    test('by id and username at once counts once', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob', { shows: true })];
      const { presences } = await alice.asksToFollow({ user_ids: [bob.userId, bob.userId], usernames: [bob.username] });
      assert.equal(presences.length, 1);
      await bob.setsStatus('once');
      await alice.sees(changed('bob', '', 'once'));
      await alice.seesNothingElseOf(bob);
    });

    test('usernames are followed letter by letter', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob', { shows: true })];
      assert.deepEqual(await alice.asksToFollow({ usernames: [bob.username.toUpperCase()] }), { presences: [] });
    });

    test('somebody who has never been here is seen when they come', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await bob.disconnects();
      assert.deepEqual(await alice.follows(bob), []);
      await bob.connects(true);
      await alice.sees(joined('bob', ''));
    });

    test('twice brings one event', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await alice.follows(bob);
      await bob.setsStatus('once');
      await alice.sees(joined('bob', 'once'));
      await alice.seesNothingElseOf(bob);
    });

    test('ourselves: no error, nobody in the answer, events as ever', async (t) => {
      const alice = await peopleIn(t, server, adapter)('alice', { shows: true });
      await alice.sees(joined('alice', ''));
      assert.deepEqual(await alice.follows(alice), []);
      assert.deepEqual(await alice.followsByName(alice), []);
      await alice.setsStatus('once');
      await alice.sees(changed('alice', '', 'once'));
      await alice.seesNothingElseOf(alice);
    });

    test('ourselves, unfollowed: events as ever', async (t) => {
      const alice = await peopleIn(t, server, adapter)('alice');
      await alice.unfollows(alice);
      await alice.setsStatus('still seen');
      await alice.sees(joined('alice', 'still seen'));
    });

    test('nothing is seen of somebody unfollowed', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await bob.setsStatus('seen');
      await alice.sees(joined('bob', 'seen'));
      await alice.unfollows(bob);
      await bob.setsStatus('unseen');
      await bob.setsStatus('unseen too');
      assert.deepEqual(await alice.follows(bob), [['bob', 'unseen too']]);
      await bob.setsStatus('seen again');
      await alice.sees(changed('bob', 'unseen too', 'seen again'));
    });

    test('unfollowing takes anybody, followed or not', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.unfollows(bob);
      await alice.unfollows();
      await alice.socket.unfollowUsers(['ffffffff-ffff-4fff-bfff-ffffffffffff']);
    });

    test('does_not_exist is an error, and nobody beside it is followed', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob')];
      const { socket } = alice;
      const invalid = { code: 3, message: 'Invalid user identifier' };
      assert.deepEqual(await errorReply(socket.followUsers([bob.userId, 'does_not_exist'])), invalid);
      assert.deepEqual(await errorReply(socket.unfollowUsers(['does_not_exist'])), invalid);
      assert.deepEqual(await errorReply(alice.asksToFollow({ user_ids: [bob.userId], usernames: [''] })), { code: 3, message: 'Invalid username' });
      await bob.setsStatus('unseen');
      assert.deepEqual(await alice.follows(bob), [['bob', 'unseen']]);
      await bob.setsStatus('seen');
      await alice.sees(changed('bob', 'unseen', 'seen'));
    });

    test('ids and usernames that nobody has are ignored', async (t) => {
      const alice = await peopleIn(t, server, adapter)('alice');
      const nobody = ['ffffffff-ffff-4fff-bfff-ffffffffffff', '00000000-0000-0000-0000-000000000000'];
      assert.deepEqual(await alice.asksToFollow({ user_ids: nobody, usernames: ['nobody has this name'] }), { presences: [] });
      assert.deepEqual(await alice.socket.followUsers([]), { presences: [] });
    });

    test('a new line follows nobody until it is told to', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [alice, bob] = [await person('alice'), await person('bob', { shows: true })];
      await alice.follows(bob);
      await alice.disconnects();
      await alice.connects();
      await bob.setsStatus('unseen');
      assert.deepEqual(await alice.follows(bob), [['bob', 'unseen']]);
      await bob.setsStatus('seen');
      await alice.sees(changed('bob', 'unseen', 'seen'));
    });

    test('follows are of a device, not of its user', async (t) => {
      const person = peopleIn(t, server, adapter);
      const [laptop, bob] = [await person('alice'), await person('bob')];
      const phone = await laptop.anotherDevice();
      await laptop.follows(bob);
      await bob.setsStatus('unseen on the phone');
      await laptop.sees(joined('bob', 'unseen on the phone'));
      await phone.follows(bob);
      await bob.setsStatus('seen on both');
      for (const device of [laptop, phone]) await device.sees(changed('bob', 'unseen on the phone', 'seen on both'));
    });
  });
}

describe('text and protobuf together', () => {
  test('speakers of one see speakers of the other', async (t) => {
    const person = peopleIn(t, server);
    const [alice, bob] = [await person('alice', { adapter: 'text' }), await person('bob', { adapter: 'protobuf' })];
    await alice.follows(bob);
    await bob.follows(alice);
    await alice.setsStatus('from text ✓');
    await bob.sees(joined('alice', 'from text ✓'));
    await bob.setsStatus('from protobuf ✓');
    await alice.sees(joined('bob', 'from protobuf ✓'));
    await alice.disconnects();
    await bob.sees(left('alice', 'from text ✓'));
  });
});
