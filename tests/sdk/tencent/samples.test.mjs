// Every sample of Tencent's documentation of user status, with `static/chat.js`, in Chromium.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launchBrowser } from '../harness/browser.mjs';
import { startServer } from '../harness/server.mjs';
import { browserPeopleIn } from '../harness/tencent-browser.mjs';
import { OFFLINE, ONLINE, TENCENT_SETTINGS, UNLOGINED, userSigOf } from '../harness/tencent.mjs';

const status = (person, statusType, customStatus = '') => ({ userID: person.userID ?? person, statusType, customStatus });

/** The samples as an app contains them. */
const samples = {
  setSelfStatus: ({ chat }) => chat.setSelfStatus({ customStatus: 'listening to music' }),
  clearSelfStatus: ({ chat }) => chat.setSelfStatus({ customStatus: '' }),
  getOwnStatus: ({ chat }) => chat.getUserStatus({ userIDList: [chat.getLoginUser()] }),
  getUserStatus: ({ chat, given }) => chat.getUserStatus({ userIDList: given }),
  subscribe: ({ chat, given }) => chat.subscribeUserStatus({ userIDList: given }),
  unsubscribe: ({ chat, given }) => chat.unsubscribeUserStatus({ userIDList: given }),
  unsubscribeAll: ({ chat }) => chat.unsubscribeUserStatus({ userIDList: undefined }),
  listen: ({ chat, TencentCloudChat, log }) => {
    chat.on(TencentCloudChat.EVENT.USER_STATUS_UPDATED, (event) => {
      for (const { userID, statusType, customStatus } of event.data) {
        log({ userID, statusType, customStatus, isOwn: userID === chat.getLoginUser() });
      }
    });
  },
  logout: ({ chat }) => chat.logout(),
};

describe('the documentation’s samples with chat.js', () => {
  let browser, server;
  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer({ env: TENCENT_SETTINGS })]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  const people = (t) => browserPeopleIn(t, browser, server);

  test('a user sets and clears their own status, and gets the events', async (t) => {
    const alice = await people(t)('alice');
    await alice.runs(samples.listen);
    assert.deepEqual(await alice.runs(samples.setSelfStatus), { code: 0, data: status(alice, ONLINE, 'listening to music') });
    await alice.logs({ ...status(alice, ONLINE, 'listening to music'), isOwn: true });
    await alice.clearsLog();
    assert.deepEqual(await alice.runs(samples.clearSelfStatus), { code: 0, data: status(alice, ONLINE) });
    await alice.logs({ ...status(alice, ONLINE), isOwn: true });
  });

  test('a custom status has at most 100 bytes', async (t) => {
    const alice = await people(t)('alice');
    const set = (customStatus) => alice.runs(({ chat, given }) => chat.setSelfStatus(given), { customStatus });
    assert.equal((await set('é'.repeat(50))).code, 0);
    assert.equal((await set(`${'é'.repeat(50)}x`)).code, 6017);
  });

  test('a user queries their own status', async (t) => {
    const alice = await people(t)('alice');
    await alice.runs(samples.setSelfStatus);
    const { code, data } = await alice.runs(samples.getOwnStatus);
    assert.equal(code, 0);
    assert.deepEqual(data, { successUserList: [status(alice, ONLINE, 'listening to music')], failureUserList: [] });
  });

  test('a user queries others who are online, lost and unknown', async (t) => {
    const person = people(t);
    const [alice, bob, cleo] = [await person('alice'), await person('bob'), await person('cleo')];
    await bob.runs(samples.setSelfStatus);
    await alice.runs(samples.listen);
    await alice.runs(samples.subscribe, [cleo.userID]);
    await cleo.losesConnection();
    await alice.logs(status(cleo, OFFLINE));
    const { data } = await alice.runs(samples.getUserStatus, [bob.userID, cleo.userID, 'nobody']);
    assert.deepEqual(data.successUserList, [status(bob, ONLINE, 'listening to music'), status(cleo, OFFLINE), status('nobody', UNLOGINED)]);
  });

  test('a user subscribes, gets all events, and unsubscribes', async (t) => {
    const person = people(t);
    const [alice, bob, cleo] = [await person('alice'), await person('bob'), await person('cleo')];
    await alice.runs(samples.listen);
    const { code, data } = await alice.runs(samples.subscribe, [bob.userID, cleo.userID]);
    assert.equal(code, 0);
    assert.deepEqual(data.successUserList, [status(bob, ONLINE), status(cleo, ONLINE)]);
    await bob.runs(samples.setSelfStatus);
    await alice.logs({ ...status(bob, ONLINE, 'listening to music'), isOwn: false });
    assert.deepEqual(await alice.runs(samples.unsubscribe, [bob.userID]), { code: 0, data: { failureUserList: [] } });
    await alice.clearsLog();
    await bob.runs(samples.clearSelfStatus);
    await cleo.runs(samples.setSelfStatus);
    await alice.logs(status(cleo, ONLINE, 'listening to music'));
    assert.deepEqual((await alice.logged()).map(({ userID }) => userID), [cleo.userID], 'nothing of bob');
    await alice.runs(samples.unsubscribeAll);
    await alice.clearsLog();
    await cleo.runs(samples.clearSelfStatus);
    await alice.runs(samples.setSelfStatus);
    await alice.logs(status(alice, ONLINE, 'listening to music'));
    assert.deepEqual((await alice.logged()).map(({ userID }) => userID), [alice.userID], 'nothing of cleo');
  });

  test('a user cannot subscribe to themself', async (t) => {
    const alice = await people(t)('alice');
    const { data } = await alice.runs(samples.subscribe, [alice.userID]);
    assert.deepEqual([data.successUserList, data.failureUserList.map(({ userID }) => userID)], [[], [alice.userID]]);
  });

  test('a user is offline without a custom status after a closed window, and not logged in after a logout', async (t) => {
    const person = people(t);
    const [alice, bob, cleo] = [await person('alice'), await person('bob'), await person('cleo')];
    for (const each of [bob, cleo]) await each.runs(samples.setSelfStatus);
    await alice.runs(samples.listen);
    await alice.runs(samples.subscribe, [bob.userID, cleo.userID]);
    await bob.losesConnection();
    await alice.logs(status(bob, OFFLINE));
    assert.deepEqual(await cleo.runs(samples.logout), { code: 0, data: {} });
    await alice.logs(status(cleo, UNLOGINED));
    const events = (await alice.logged()).map(({ userID, statusType }) => [userID, statusType]);
    assert.deepEqual(events, [[bob.userID, OFFLINE], [cleo.userID, UNLOGINED]], 'one notification each');
  });

  test('every device of a user gets the status that one of them sets', async (t) => {
    const alice = await people(t)('alice');
    const phone = await alice.anotherDevice();
    for (const device of [alice, phone]) await device.runs(samples.listen);
    await phone.runs(samples.setSelfStatus);
    for (const device of [alice, phone]) await device.logs({ ...status(alice, ONLINE, 'listening to music'), isOwn: true });
    await phone.losesConnection();
    const { data } = await alice.runs(samples.getOwnStatus);
    assert.deepEqual(data.successUserList, [status(alice, ONLINE, 'listening to music')], 'one device is left');
  });

  test('an invalid userSig is refused with its own code', async (t) => {
    const alice = await people(t)('alice');
    await alice.runs(samples.logout);
    const code = async (userSig) => (await alice.logsIn(userSig)).code;
    assert.equal(await code('nonsense'), 70003);
    assert.equal(await code(userSigOf(alice.userID, { secretKey: 'another secret' })), 70003);
    assert.equal(await code(userSigOf('bob')), 70013);
    assert.equal(await code(userSigOf(alice.userID, { expire: 0 })), 70001);
    assert.equal(await code(userSigOf(alice.userID, { SDKAppID: 1400000001 })), 70014);
    assert.equal(await code(userSigOf(alice.userID)), 0);
  });
});

describe('with status notification switched off', () => {
  test('a user’s requests about others are refused with 72001, those about their own status are not', async (t) => {
    const [browser, server] = await Promise.all([launchBrowser(), startServer({ env: { ...TENCENT_SETTINGS, HEREABOUTS_TENCENT__STATUS_NOTIFICATION: 'false' } })]);
    t.after(() => Promise.all([browser.close(), server.stop()]));
    const alice = await browserPeopleIn(t, browser, server)('alice');
    for (const sample of ['subscribe', 'unsubscribe', 'getUserStatus']) {
      assert.equal((await alice.runs(samples[sample], ['bob'])).code, 72001, sample);
    }
    assert.equal((await alice.runs(samples.setSelfStatus)).code, 0);
    assert.equal((await alice.runs(samples.getOwnStatus)).code, 0);
  });
});
