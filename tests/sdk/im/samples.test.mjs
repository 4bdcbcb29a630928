// Every sample of Tencent's documentation of user status, written with `static/chat.js`, in Chromium.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launchBrowser } from '../harness/browser.mjs';
import { IM, STATUS, imPeopleIn, userSigOf } from '../harness/im-people.mjs';
import { startServer } from '../harness/server.mjs';

const { ONLINE, OFFLINE, UNLOGINED } = STATUS;

const status = (person, statusType, customStatus = '') => ({ userID: person.userID ?? person, statusType, customStatus });

/** The samples, as an app has them. */
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
        log({ userID, statusType, customStatus, whose: userID === chat.getLoginUser() ? 'own' : 'another’s' });
      }
    });
  },
  logout: ({ chat }) => chat.logout(),
};

describe('the documentation’s samples with chat.js', () => {
  let browser, server;
  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer({ env: IM })]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
  const people = (t) => imPeopleIn(t, browser, server);

  test('set and clear one’s own status, and hear of it', async (t) => {
    const alice = await people(t)('alice');
    await alice.runs(samples.listen);
    assert.deepEqual(await alice.runs(samples.setSelfStatus), { code: 0, data: status(alice, ONLINE, 'listening to music') });
    await alice.logs({ ...status(alice, ONLINE, 'listening to music'), whose: 'own' });
    await alice.forgets();
    assert.deepEqual(await alice.runs(samples.clearSelfStatus), { code: 0, data: status(alice, ONLINE) });
    await alice.logs({ ...status(alice, ONLINE), whose: 'own' });
  });

  test('a custom status has at most 100 bytes', async (t) => {
    const alice = await people(t)('alice');
    const set = (customStatus) => alice.runs(({ chat, given }) => chat.setSelfStatus(given), { customStatus });
    assert.equal((await set('é'.repeat(50))).code, 0);
    assert.equal((await set(`${'é'.repeat(50)}x`)).code, 6017);
  });

  test('query one’s own status', async (t) => {
    const alice = await people(t)('alice');
    await alice.runs(samples.setSelfStatus);
    const { code, data } = await alice.runs(samples.getOwnStatus);
    assert.equal(code, 0);
    assert.deepEqual(data, { successUserList: [status(alice, ONLINE, 'listening to music')], failureUserList: [] });
  });

  test('query the status of others, online, lost and never seen', async (t) => {
    const person = people(t);
    const [alice, bob, cleo] = [await person('alice'), await person('bob'), await person('cleo')];
    await bob.runs(samples.setSelfStatus);
    await alice.runs(samples.listen);
    await alice.runs(samples.subscribe, [cleo.userID]);
    await cleo.closes();
    await alice.logs(status(cleo, OFFLINE));
    const { data } = await alice.runs(samples.getUserStatus, [bob.userID, cleo.userID, 'nobody']);
    assert.deepEqual(data.successUserList, [status(bob, ONLINE, 'listening to music'), status(cleo, OFFLINE), status('nobody', UNLOGINED)]);
  });

  test('subscribe, hear of everything, unsubscribe from one', async (t) => {
    const person = people(t);
    const [alice, bob, cleo] = [await person('alice'), await person('bob'), await person('cleo')];
    await alice.runs(samples.listen);
    const { code, data } = await alice.runs(samples.subscribe, [bob.userID, cleo.userID]);
    assert.equal(code, 0);
    assert.deepEqual(data.successUserList, [status(bob, ONLINE), status(cleo, ONLINE)]);
    await bob.runs(samples.setSelfStatus);
    await alice.logs({ ...status(bob, ONLINE, 'listening to music'), whose: 'another’s' });
    assert.deepEqual(await alice.runs(samples.unsubscribe, [bob.userID]), { code: 0, data: { failureUserList: [] } });
    await alice.forgets();
    await bob.runs(samples.clearSelfStatus);
    await cleo.runs(samples.setSelfStatus);
    await alice.logs(status(cleo, ONLINE, 'listening to music'));
    assert.deepEqual((await alice.logged()).map(({ userID }) => userID), [cleo.userID], 'nothing of bob');
    await alice.runs(samples.unsubscribeAll);
    await alice.forgets();
    await cleo.runs(samples.clearSelfStatus);
    await alice.runs(samples.setSelfStatus);
    await alice.logs(status(alice, ONLINE, 'listening to music'));
    assert.deepEqual((await alice.logged()).map(({ userID }) => userID), [alice.userID], 'nothing of cleo');
  });

  test('nobody subscribes to oneself', async (t) => {
    const alice = await people(t)('alice');
    const { data } = await alice.runs(samples.subscribe, [alice.userID]);
    assert.deepEqual([data.successUserList, data.failureUserList.map(({ userID }) => userID)], [[], [alice.userID]]);
  });

  test('a closed window is offline and clears the custom status, a logout is not logged in', async (t) => {
    const person = people(t);
    const [alice, bob, cleo] = [await person('alice'), await person('bob'), await person('cleo')];
    for (const each of [bob, cleo]) await each.runs(samples.setSelfStatus);
    await alice.runs(samples.listen);
    await alice.runs(samples.subscribe, [bob.userID, cleo.userID]);
    await bob.closes();
    await alice.logs(status(bob, OFFLINE));
    assert.deepEqual(await cleo.runs(samples.logout), { code: 0, data: {} });
    await alice.logs(status(cleo, UNLOGINED));
    const told = (await alice.logged()).map(({ userID, statusType }) => [userID, statusType]);
    assert.deepEqual(told, [[bob.userID, OFFLINE], [cleo.userID, UNLOGINED]], 'one notification each');
  });

  test('what is set on one device is told on all', async (t) => {
    const alice = await people(t)('alice');
    const phone = await alice.anotherDevice();
    for (const device of [alice, phone]) await device.runs(samples.listen);
    await phone.runs(samples.setSelfStatus);
    for (const device of [alice, phone]) await device.logs({ ...status(alice, ONLINE, 'listening to music'), whose: 'own' });
    await phone.closes();
    const { data } = await alice.runs(samples.getOwnStatus);
    assert.deepEqual(data.successUserList, [status(alice, ONLINE, 'listening to music')], 'one device is left');
  });

  test('a userSig that is no good has its own code', async (t) => {
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
  test('others are 72001, oneself is not', async (t) => {
    const [browser, server] = await Promise.all([launchBrowser(), startServer({ env: { ...IM, HEREABOUTS_TENCENT__STATUS_NOTIFICATION: 'false' } })]);
    t.after(() => Promise.all([browser.close(), server.stop()]));
    const alice = await imPeopleIn(t, browser, server)('alice');
    for (const sample of ['subscribe', 'unsubscribe', 'getUserStatus']) {
      assert.equal((await alice.runs(samples[sample], ['bob'])).code, 72001, sample);
    }
    assert.equal((await alice.runs(samples.setSelfStatus)).code, 0);
    assert.equal((await alice.runs(samples.getOwnStatus)).code, 0);
  });
});
