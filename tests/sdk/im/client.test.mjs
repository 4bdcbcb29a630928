// `static/chat.js` against a scripted server: what it asks, how it bears a lost line, and where it gives up.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import Chat, { MOST_CALLS } from '../../../static/chat.js';
import { ScriptedServer, chatWith, rejection } from '../harness/im.mjs';

const { EVENT, TYPES } = Chat;
const ALICE = { userID: 'alice', userSig: 'a signature' };
const refuses = (code, message = 'no', data) => () => ({ error: { code, message, ...(data && { data }) } });

/** Somebody logged in on a scripted server. */
async function loggedIn(t) {
  const server = await ScriptedServer.start(t);
  const alice = chatWith(t, server.url);
  await alice.chat.login(ALICE);
  await server.asked('login');
  await alice.emits(EVENT.SDK_READY);
  return { server, ...alice };
}

describe('calls and events', () => {
  test('login says who, on which app and platform', async (t) => {
    const server = await ScriptedServer.start(t);
    const { chat, emits } = chatWith(t, server.url);
    assert.deepEqual([chat.isReady(), chat.getLoginUser()], [false, '']);
    assert.deepEqual(await chat.login(ALICE), { code: 0, data: { userID: 'alice', heartbeatTimeout: 400 } });
    assert.deepEqual((await server.asked('login')).params, { SDKAppID: 1400000000, ...ALICE, platform: 'Web' });
    assert.deepEqual([chat.isReady(), chat.getLoginUser()], [true, 'alice']);
    assert.deepEqual(await emits(EVENT.SDK_READY), { userID: 'alice' });
  });

  test('each call has its method and its parameters', async (t) => {
    const { server, chat } = await loggedIn(t);
    const lists = { successUserList: [{ userID: 'bob', statusType: TYPES.USER_STATUS_ONLINE, customStatus: 'here' }], failureUserList: [] };
    for (const method of ['getUserStatus', 'subscribeUserStatus', 'unsubscribeUserStatus']) server.answers[method] = () => ({ result: lists });
    for (const [method, options, params] of [
      ['setSelfStatus', { customStatus: 'listening' }, { customStatus: 'listening' }],
      ['setSelfStatus', {}, { customStatus: '' }],
      ['getUserStatus', { userIDList: ['bob'] }, { userIDList: ['bob'] }],
      ['subscribeUserStatus', { userIDList: ['bob'] }, { userIDList: ['bob'] }],
      ['unsubscribeUserStatus', { userIDList: ['bob'] }, { userIDList: ['bob'] }],
      ['unsubscribeUserStatus', { userIDList: undefined }, {}],
      ['unsubscribeUserStatus', undefined, {}],
    ]) {
      const { code, data } = await chat[method](options);
      assert.equal(code, 0);
      if (method !== 'setSelfStatus') assert.deepEqual(data, lists);
      assert.deepEqual((await server.asked(method)).params, params, method);
    }
  });

  test('a refusal has the code, the message and what the server adds', async (t) => {
    const { server, chat } = await loggedIn(t);
    server.answers.getUserStatus = refuses(7008, 'called too often', { retryAfterMs: 1200 });
    assert.deepEqual(await rejection(chat.getUserStatus({ userIDList: ['bob'] })), { code: 7008, message: 'called too often', data: { retryAfterMs: 1200 } });
  });

  test('answers find their calls in any order, and in batches', async (t) => {
    const { server, chat } = await loggedIn(t);
    server.answers.getUserStatus = undefined;
    const calls = ['bob', 'cleo'].map((userID) => chat.getUserStatus({ userIDList: [userID] }));
    await server.asked('getUserStatus');
    await server.asked('getUserStatus');
    server.tells([{ jsonrpc: '2.0', id: 3, result: 'of cleo' }, { jsonrpc: '2.0', id: 2, result: 'of bob' }]);
    assert.deepEqual((await Promise.all(calls)).map(({ data }) => data), ['of bob', 'of cleo']);
  });

  test('news of others comes as an event, until it is no longer wanted', async (t) => {
    const { server, chat, emits } = await loggedIn(t);
    const context = { seen: [] };
    function see(event) {
      this.seen.push(event.name);
    }
    chat.on(EVENT.USER_STATUS_UPDATED, see, context);
    const statuses = [{ userID: 'bob', statusType: TYPES.USER_STATUS_OFFLINE, customStatus: '' }];
    const news = { jsonrpc: '2.0', method: 'onUserStatusUpdated', params: statuses };
    server.tells(news);
    assert.deepEqual(await emits(EVENT.USER_STATUS_UPDATED), statuses);
    chat.off(EVENT.USER_STATUS_UPDATED, see);
    server.tells(news);
    await emits(EVENT.USER_STATUS_UPDATED);
    assert.deepEqual(context.seen, ['onUserStatusUpdated']);
  });
});

describe('logging in and out', () => {
  test('nothing without a login', async (t) => {
    const server = await ScriptedServer.start(t);
    const { chat } = chatWith(t, server.url);
    for (const call of [chat.setSelfStatus({ customStatus: '' }), chat.getUserStatus({ userIDList: ['bob'] }), chat.unsubscribeUserStatus()]) {
      assert.equal((await rejection(call)).code, 6014);
    }
    assert.equal(server.connections, 0);
  });

  test('once more is fine, as somebody else is not', async (t) => {
    const { server, chat } = await loggedIn(t);
    assert.deepEqual(await chat.login(ALICE), { code: 0, data: { userID: 'alice', repeatLogin: true } });
    assert.equal((await rejection(chat.login({ ...ALICE, userID: 'bob' }))).code, 2025);
    assert.equal(server.connections, 1);
  });

  test('a refused login has the server’s code, and may be tried again', async (t) => {
    const server = await ScriptedServer.start(t);
    const { chat, time } = chatWith(t, server.url);
    const answer = server.answers.login;
    server.answers.login = refuses(70003, 'malformed');
    assert.deepEqual(await rejection(chat.login(ALICE)), { code: 70003, message: 'malformed' });
    assert.deepEqual([chat.getLoginUser(), time.waiting], ['', []]);
    server.answers.login = answer;
    assert.equal((await chat.login(ALICE)).code, 0);
  });

  test('a server that is not there, or does not answer, is a network error', async (t) => {
    const server = await ScriptedServer.start(t);
    server.answers.login = undefined;
    const { chat, time } = chatWith(t, server.url);
    const login = chat.login(ALICE);
    await server.asked('login');
    time.pass(10_000);
    assert.equal((await rejection(login)).code, 2800);
    await server.stop();
    assert.equal((await rejection(chat.login(ALICE))).code, 2800);
    assert.deepEqual(time.waiting, []);
  });

  test('a logout is told, and ends it', async (t) => {
    const { server, chat, time, emits, becomes } = await loggedIn(t);
    assert.equal((await chat.logout()).code, 0);
    await server.asked('logout');
    assert.deepEqual(await emits(EVENT.SDK_NOT_READY), { userID: 'alice' });
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    assert.deepEqual([chat.isReady(), chat.getLoginUser(), time.waiting], [false, '', []]);
    assert.equal((await rejection(chat.setSelfStatus({ customStatus: '' }))).code, 6014);
    await chat.login(ALICE);
    assert.equal(server.connections, 2);
  });

  test('a destroyed instance is logged out and stays so', async (t) => {
    const { server, chat, time } = await loggedIn(t);
    await chat.destroy();
    await server.asked('logout');
    assert.equal((await rejection(chat.login(ALICE))).code, 6014);
    assert.deepEqual(time.waiting, []);
  });
});

describe('a lost line', () => {
  test('another one, a login, and what was asked is asked again', async (t) => {
    const { server, chat, time, emits, becomes } = await loggedIn(t);
    const answer = server.answers.setSelfStatus;
    server.answers.setSelfStatus = undefined;
    const first = chat.setSelfStatus({ customStatus: 'one' });
    await server.asked('setSelfStatus');
    server.cuts();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    assert.equal(chat.isReady(), false);
    const second = chat.setSelfStatus({ customStatus: 'two' });
    server.answers.setSelfStatus = answer;
    time.pass(500);
    assert.deepEqual((await Promise.all([first, second])).map(({ data }) => data.customStatus), ['one', 'two']);
    assert.deepEqual((await server.asked('login')).params.userSig, ALICE.userSig);
    assert.deepEqual([(await server.asked('setSelfStatus')).params, (await server.asked('setSelfStatus')).params], [{ customStatus: 'one' }, { customStatus: 'two' }]);
    assert.deepEqual(await emits(EVENT.SDK_READY), { userID: 'alice' });
    assert.equal(server.connections, 2);
  });

  test('the delay doubles up to its bound, and starts anew after a login', async (t) => {
    const { server, time, emits, becomes } = await loggedIn(t);
    await server.stop();
    for (const delay of [500, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
      await becomes(TYPES.NET_STATE_DISCONNECTED);
      assert.deepEqual(time.waiting, [delay]);
      time.pass(delay);
    }
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    const again = await ScriptedServer.start(t, server.port);
    time.pass(10_000);
    await emits(EVENT.SDK_READY);
    again.cuts();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    assert.deepEqual(time.waiting, [500]);
  });

  test('calls that wait are bounded, in number and in time', async (t) => {
    const { server, chat, time, becomes } = await loggedIn(t);
    await server.stop();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    const calls = Array.from({ length: MOST_CALLS }, () => rejection(chat.setSelfStatus({ customStatus: 'x' })));
    const { code, message } = await rejection(chat.setSelfStatus({ customStatus: 'one too many' }));
    assert.equal(code, 2800);
    assert.match(message, /100 calls wait/);
    time.pass(30_000);
    assert.deepEqual(new Set((await Promise.all(calls)).map(({ code }) => code)), new Set([2801]));
    const after = rejection(chat.setSelfStatus({ customStatus: 'there is room again' }));
    await chat.logout();
    assert.equal((await after).code, 6014);
  });

  test('a userSig that expired meanwhile ends it', async (t) => {
    const { server, chat, time, emits, becomes } = await loggedIn(t);
    server.answers.login = refuses(70001, 'expired');
    server.cuts();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    const call = rejection(chat.setSelfStatus({ customStatus: 'x' }));
    time.pass(500);
    assert.deepEqual(await call, { code: 70001, message: 'expired' });
    await emits(EVENT.SDK_NOT_READY);
    assert.deepEqual(await emits(EVENT.KICKED_OUT), { type: TYPES.KICKED_OUT_USERSIG_EXPIRED });
    assert.deepEqual(await emits(EVENT.ERROR), { code: 70001, message: 'expired' });
    assert.deepEqual(time.waiting, []);
  });

  test('a login that the server cannot take just then is tried again', async (t) => {
    const { server, time, emits, becomes } = await loggedIn(t);
    const answer = server.answers.login;
    server.answers.login = refuses(-32603, 'too busy');
    server.cuts();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    time.pass(500);
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    server.answers.login = answer;
    time.pass(1000);
    await emits(EVENT.SDK_READY);
  });

  test('silence is looked into, and no answer is a lost line', async (t) => {
    const { server, time, emits, becomes } = await loggedIn(t);
    assert.deepEqual(time.waiting, [30_000]);
    time.pass(20_000);
    server.tells({ jsonrpc: '2.0', method: 'onUserStatusUpdated', params: [] });
    await emits(EVENT.USER_STATUS_UPDATED);
    assert.deepEqual(time.waiting, [30_000], 'any frame will do');
    server.answers.heartbeat = undefined;
    time.pass(30_000);
    await server.asked('heartbeat');
    time.pass(9_999);
    assert.deepEqual(time.waiting, [1]);
    time.pass(1);
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    time.pass(500);
    await emits(EVENT.SDK_READY);
    assert.equal(server.connections, 2);
  });

  test('what is no JSON is no server of ours', async (t) => {
    const { server, becomes } = await loggedIn(t);
    server.tells('<html>');
    await becomes(TYPES.NET_STATE_DISCONNECTED);
  });
});
