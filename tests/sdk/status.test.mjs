// Statuses, devices and follows with Nakama's SDK.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { NAKAMA_ENCODINGS, errorReply } from './harness/nakama.mjs';
import { changed, joined, left, peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

for (const encoding of NAKAMA_ENCODINGS) {
  describe(`statuses over ${encoding}`, () => {
    test('a follower sees a user come, change the status and go', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      assert.deepEqual(await alice.follows(bob), []);
      await bob.setsStatus('here');
      await alice.sees(joined('bob', 'here'));
      await bob.setsStatus('away');
      await alice.sees(changed('bob', 'here', 'away'));
      await bob.setsStatus('');
      await alice.sees(changed('bob', 'away', ''));
      await bob.goesInvisible();
      await alice.sees(left('bob', ''));
    });

    test('a presence has the user, the session and the status', async (t) => {
      const person = peopleIn(t, server, { encoding });
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

    test('a follower sees the empty status of a user who connects visible', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await bob.anotherDevice({ visible: true });
      await alice.sees(joined('bob', ''));
    });

    test('a follower does not see a user who connects invisible', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      const phone = await bob.anotherDevice();
      await phone.pings();
      await bob.setsStatus('the first thing seen');
      await alice.sees(joined('bob', 'the first thing seen'));
    });

    test('a follower sees a user go invisible once', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob', { visible: true })];
      assert.deepEqual(await alice.follows(bob), [['bob', '']]);
      await bob.goesInvisible();
      await bob.goesInvisible();
      await alice.sees(left('bob', ''));
      await bob.setsStatus('back');
      await alice.sees(joined('bob', 'back'));
    });

    test('a follower sees the same status again as another event', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await bob.setsStatus('same');
      await bob.setsStatus('same');
      await alice.sees(joined('bob', 'same'), changed('bob', 'same', 'same'));
    });

    test('a user sees their own status', async (t) => {
      const alice = await peopleIn(t, server, { encoding })('alice');
      await alice.setsStatus('mine');
      await alice.sees(joined('alice', 'mine'));
      await alice.setsStatus('still mine');
      await alice.sees(changed('alice', 'mine', 'still mine'));
      await alice.goesInvisible();
      await alice.sees(left('alice', 'still mine'));
    });

    test('the reply to a status update comes before its event', async (t) => {
      const alice = await peopleIn(t, server, { encoding })('alice', { visible: true });
      await alice.sees(joined('alice', ''));
      const envelopes = alice.recordsEnvelopes();
      const statuses = Array.from({ length: 20 }, (_, i) => String(i));
      await Promise.all(statuses.map((status) => alice.setsStatus(status)));
      await alice.seesOwn('19');
      const position = (wanted) => envelopes.findIndex(wanted);
      const replies = envelopes.filter(({ cid, pong }) => cid && !pong);
      for (const [i, status] of statuses.entries()) {
        const reply = position((envelope) => envelope === replies[i]);
        const event = position((envelope) => envelope.status_presence_event?.joins[0].status === status);
        assert.ok(reply < event, `reply ${status} at ${reply}, event at ${event}`);
      }
    });

    test('updates sent without waiting for replies arrive in order', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      const statuses = Array.from({ length: 50 }, (_, i) => `${i}`);
      await Promise.all(statuses.map((status) => bob.setsStatus(status)));
      await alice.sees(joined('bob', '0'), ...statuses.slice(1).map((status, i) => changed('bob', statuses[i], status)));
    });

    test('joins and leaves caused without waiting for replies arrive in order', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      const statuses = Array.from({ length: 25 }, (_, i) => `${i}`);
      await Promise.all(statuses.flatMap((status) => [bob.setsStatus(status), bob.goesInvisible()]));
      await alice.sees(...statuses.flatMap((status) => [joined('bob', status), left('bob', status)]));
    });

    test('two devices are two presences', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, laptop] = [await person('alice'), await person('bob')];
      const phone = await laptop.anotherDevice();
      await alice.follows(laptop);
      await laptop.setsStatus('at work');
      await phone.setsStatus('on the train');
      const [first, second] = [await alice.nextOf('bob'), await alice.nextOf('bob')];
      assert.equal(first.joins[0].status, 'at work');
      assert.equal(second.joins[0].status, 'on the train');
      assert.notEqual(first.joins[0].session_id, second.joins[0].session_id);
      assert.deepEqual(await alice.follows(laptop), [['bob', 'at work'], ['bob', 'on the train']]);

      await phone.disconnects();
      const gone = await alice.nextOf('bob');
      assert.deepEqual([gone.joins, gone.leaves], [[], second.joins]);
      assert.deepEqual(await alice.follows(laptop), [['bob', 'at work']]);
    });

    test('a device sees the user’s other device', async (t) => {
      const laptop = await peopleIn(t, server, { encoding })('bob');
      const phone = await laptop.anotherDevice();
      await phone.setsStatus('on the train');
      await laptop.sees(joined('bob', 'on the train'));
      await phone.disconnects();
      await laptop.sees(left('bob', 'on the train'));
    });

    test('a follower sees a user leave after a disconnect', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob', { visible: true })];
      assert.deepEqual(await alice.follows(bob), [['bob', '']]);
      await bob.setsStatus('nearly gone');
      await alice.sees(changed('bob', '', 'nearly gone'));
      await bob.disconnects();
      await alice.sees(left('bob', 'nearly gone'));
    });

    test('a follower sees a user leave after a lost connection', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob', { visible: true })];
      await alice.follows(bob);
      bob.losesConnection();
      await alice.sees(left('bob', ''));
    });

    test('a follower sees three joins and three leaves of three short connections', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      for (const status of ['one', 'two', 'three']) {
        const device = await bob.anotherDevice();
        await device.setsStatus(status);
        await device.disconnects();
      }
      await alice.sees(...['one', 'two', 'three'].flatMap((status) => [joined('bob', status), left('bob', status)]));
      await bob.setsStatus('nothing between');
      await alice.sees(joined('bob', 'nothing between'));
    });

    test('a status holds any text up to 2048 bytes', async (t) => {
      const person = peopleIn(t, server, { encoding });
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

  describe(`follows over ${encoding}`, () => {
    test('the reply lists the users who are online', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob, carol, dave] = [await person('alice'), await person('bob'), await person('carol', { visible: true }), await person('dave')];
      await bob.setsStatus('about');
      assert.deepEqual(await alice.follows(bob, carol, dave), [['bob', 'about'], ['carol', '']]);
    });

    test('empty lists are present in replies and events', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      assert.deepEqual(await alice.socket.followUsers([bob.userId]), { presences: [] });
      await bob.setsStatus('here');
      assert.deepEqual((await alice.nextOf('bob')).leaves, []);
      await bob.goesInvisible();
      assert.deepEqual((await alice.nextOf('bob')).joins, []);
    });

    test('a user follows by username', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob, carol] = [await person('alice'), await person('bob', { visible: true }), await person('carol')];
      assert.deepEqual(await alice.followsByUsername(bob, carol), [['bob', '']]);
      await bob.setsStatus('away');
      await alice.sees(changed('bob', '', 'away'));
      await carol.setsStatus('here');
      await alice.sees(joined('carol', 'here'));
    });

    test('a follow by id and username counts once', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob', { visible: true })];
      const { presences } = await alice.requestsFollow({ user_ids: [bob.userId, bob.userId], usernames: [bob.username] });
      assert.equal(presences.length, 1);
      await bob.setsStatus('once');
      await alice.sees(changed('bob', '', 'once'));
      await alice.seesNothingElseOf(bob);
    });

    test('a follow by username is case-sensitive', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob', { visible: true })];
      assert.deepEqual(await alice.requestsFollow({ usernames: [bob.username.toUpperCase()] }), { presences: [] });
    });

    test('a follower sees the first connection of a user', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await bob.disconnects();
      assert.deepEqual(await alice.follows(bob), []);
      await bob.connects(true);
      await alice.sees(joined('bob', ''));
    });

    test('a user who is followed twice is seen once', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.follows(bob);
      await alice.follows(bob);
      await bob.setsStatus('once');
      await alice.sees(joined('bob', 'once'));
      await alice.seesNothingElseOf(bob);
    });

    test('a user who follows themself gets an empty reply and the usual events', async (t) => {
      const alice = await peopleIn(t, server, { encoding })('alice', { visible: true });
      await alice.sees(joined('alice', ''));
      assert.deepEqual(await alice.follows(alice), []);
      assert.deepEqual(await alice.followsByUsername(alice), []);
      await alice.setsStatus('once');
      await alice.sees(changed('alice', '', 'once'));
      await alice.seesNothingElseOf(alice);
    });

    test('a user who unfollows themself gets the usual events', async (t) => {
      const alice = await peopleIn(t, server, { encoding })('alice');
      await alice.unfollows(alice);
      await alice.setsStatus('still seen');
      await alice.sees(joined('alice', 'still seen'));
    });

    test('a user who unfollowed sees nothing more', async (t) => {
      const person = peopleIn(t, server, { encoding });
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

    test('an unfollow accepts users who were not followed', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      await alice.unfollows(bob);
      await alice.unfollows();
      await alice.socket.unfollowUsers(['ffffffff-ffff-4fff-bfff-ffffffffffff']);
    });

    test('an invalid id is an error, and no user of the request is followed', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob')];
      const { socket } = alice;
      const invalid = { code: 3, message: 'Invalid user identifier' };
      assert.deepEqual(await errorReply(socket.followUsers([bob.userId, 'does_not_exist'])), invalid);
      assert.deepEqual(await errorReply(socket.unfollowUsers(['does_not_exist'])), invalid);
      assert.deepEqual(await errorReply(alice.requestsFollow({ user_ids: [bob.userId], usernames: [''] })), { code: 3, message: 'Invalid username' });
      await bob.setsStatus('unseen');
      assert.deepEqual(await alice.follows(bob), [['bob', 'unseen']]);
      await bob.setsStatus('seen');
      await alice.sees(changed('bob', 'unseen', 'seen'));
    });

    test('unknown ids and usernames are ignored', async (t) => {
      const alice = await peopleIn(t, server, { encoding })('alice');
      const nobody = ['ffffffff-ffff-4fff-bfff-ffffffffffff', '00000000-0000-0000-0000-000000000000'];
      assert.deepEqual(await alice.requestsFollow({ user_ids: nobody, usernames: ['nobody has this name'] }), { presences: [] });
      assert.deepEqual(await alice.socket.followUsers([]), { presences: [] });
    });

    test('a new connection follows nobody', async (t) => {
      const person = peopleIn(t, server, { encoding });
      const [alice, bob] = [await person('alice'), await person('bob', { visible: true })];
      await alice.follows(bob);
      await alice.disconnects();
      await alice.connects();
      await bob.setsStatus('unseen');
      assert.deepEqual(await alice.follows(bob), [['bob', 'unseen']]);
      await bob.setsStatus('seen');
      await alice.sees(changed('bob', 'unseen', 'seen'));
    });

    test('a follow belongs to a device, not to its user', async (t) => {
      const person = peopleIn(t, server, { encoding });
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

describe('text and protobuf', () => {
  test('users of one encoding see users of the other', async (t) => {
    const person = peopleIn(t, server);
    const [alice, bob] = [await person('alice', { encoding: 'text' }), await person('bob', { encoding: 'protobuf' })];
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
