// `static/chat.js` against a scripted server: its requests, its behaviour after a lost connection, and its limits.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import Chat, { MAX_CALLS } from '../../../static/chat.js';
import { ScriptedServer, chatWith, rejection } from '../harness/scripted-tencent.mjs';

const { EVENT, TYPES } = Chat;
const ALICE = { userID: 'alice', userSig: 'a signature' };
const refuses = (code, message = 'no', data) => () => ({ error: { code, message, ...(data && { data }) } });

/** Returns a chat that is logged in on a scripted server. */
async function loggedIn(t) {
  const server = await ScriptedServer.start(t);
  const alice = chatWith(t, server.url);
  await alice.chat.login(ALICE);
  await server.receives('login');
  await alice.emits(EVENT.SDK_READY);
  return { server, ...alice };
}

describe('calls and events', () => {
  test('a login sends the user, the app and the platform', async (t) => {
    const server = await ScriptedServer.start(t);
    const { chat, emits } = chatWith(t, server.url);
    assert.deepEqual([chat.isReady(), chat.getLoginUser()], [false, '']);
    assert.deepEqual(await chat.login(ALICE), { code: 0, data: { userID: 'alice', heartbeatTimeout: 400 } });
    assert.deepEqual((await server.receives('login')).params, { SDKAppID: 1400000000, ...ALICE, platform: 'Web' });
    assert.deepEqual([chat.isReady(), chat.getLoginUser()], [true, 'alice']);
    assert.deepEqual(await emits(EVENT.SDK_READY), { userID: 'alice' });
  });

  test('each call sends its method and its parameters', async (t) => {
    const { server, chat } = await loggedIn(t);
    const lists = { successUserList: [{ userID: 'bob', statusType: TYPES.USER_STATUS_ONLINE, customStatus: 'here' }], failureUserList: [] };
    for (const method of ['getUserStatus', 'subscribeUserStatus', 'unsubscribeUserStatus']) server.replies[method] = () => ({ result: lists });
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
      assert.deepEqual((await server.receives(method)).params, params, method);
    }
  });

  test('a refusal has the code, the message and the server’s details', async (t) => {
    const { server, chat } = await loggedIn(t);
    server.replies.getUserStatus = refuses(7008, 'called too often', { retryAfterMs: 1200 });
    assert.deepEqual(await rejection(chat.getUserStatus({ userIDList: ['bob'] })), { code: 7008, message: 'called too often', data: { retryAfterMs: 1200 } });
  });

  test('replies match their calls in any order and in batches', async (t) => {
    const { server, chat } = await loggedIn(t);
    server.replies.getUserStatus = undefined;
    const calls = ['bob', 'cleo'].map((userID) => chat.getUserStatus({ userIDList: [userID] }));
    await server.receives('getUserStatus');
    await server.receives('getUserStatus');
    server.sends([{ jsonrpc: '2.0', id: 3, result: 'of cleo' }, { jsonrpc: '2.0', id: 2, result: 'of bob' }]);
    assert.deepEqual((await Promise.all(calls)).map(({ data }) => data), ['of bob', 'of cleo']);
  });

  test('a handler gets the statuses of others until it is removed', async (t) => {
    const { server, chat, emits } = await loggedIn(t);
    const context = { seen: [] };
    function see(event) {
      this.seen.push(event.name);
    }
    chat.on(EVENT.USER_STATUS_UPDATED, see, context);
    const statuses = [{ userID: 'bob', statusType: TYPES.USER_STATUS_OFFLINE, customStatus: '' }];
    const notification = { jsonrpc: '2.0', method: 'onUserStatusUpdated', params: statuses };
    server.sends(notification);
    assert.deepEqual(await emits(EVENT.USER_STATUS_UPDATED), statuses);
    chat.off(EVENT.USER_STATUS_UPDATED, see);
    server.sends(notification);
    await emits(EVENT.USER_STATUS_UPDATED);
    assert.deepEqual(context.seen, ['onUserStatusUpdated']);
  });
});

describe('login and logout', () => {
  test('a call without a login is rejected', async (t) => {
    const server = await ScriptedServer.start(t);
    const { chat } = chatWith(t, server.url);
    for (const call of [chat.setSelfStatus({ customStatus: '' }), chat.getUserStatus({ userIDList: ['bob'] }), chat.unsubscribeUserStatus()]) {
      assert.equal((await rejection(call)).code, 6014);
    }
    assert.equal(server.connections, 0);
  });

  test('a repeated login succeeds, one as another user does not', async (t) => {
    const { server, chat } = await loggedIn(t);
    assert.deepEqual(await chat.login(ALICE), { code: 0, data: { userID: 'alice', repeatLogin: true } });
    assert.equal((await rejection(chat.login({ ...ALICE, userID: 'bob' }))).code, 2025);
    assert.equal(server.connections, 1);
  });

  test('a refused login has the server’s code and can be repeated', async (t) => {
    const server = await ScriptedServer.start(t);
    const { chat, clock } = chatWith(t, server.url);
    const reply = server.replies.login;
    server.replies.login = refuses(70003, 'malformed');
    assert.deepEqual(await rejection(chat.login(ALICE)), { code: 70003, message: 'malformed' });
    assert.deepEqual([chat.getLoginUser(), clock.pending], ['', []]);
    server.replies.login = reply;
    assert.equal((await chat.login(ALICE)).code, 0);
  });

  test('a login without a server or without a reply is a network error', async (t) => {
    const server = await ScriptedServer.start(t);
    server.replies.login = undefined;
    const { chat, clock } = chatWith(t, server.url);
    const login = chat.login(ALICE);
    await server.receives('login');
    clock.advance(10_000);
    assert.equal((await rejection(login)).code, 2800);
    await server.stop();
    assert.equal((await rejection(chat.login(ALICE))).code, 2800);
    assert.deepEqual(clock.pending, []);
  });

  test('a logout is sent and ends the login', async (t) => {
    const { server, chat, clock, emits, becomes } = await loggedIn(t);
    assert.equal((await chat.logout()).code, 0);
    await server.receives('logout');
    assert.deepEqual(await emits(EVENT.SDK_NOT_READY), { userID: 'alice' });
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    assert.deepEqual([chat.isReady(), chat.getLoginUser(), clock.pending], [false, '', []]);
    assert.equal((await rejection(chat.setSelfStatus({ customStatus: '' }))).code, 6014);
    await chat.login(ALICE);
    assert.equal(server.connections, 2);
  });

  test('a destroyed instance logs out and cannot log in again', async (t) => {
    const { server, chat, clock } = await loggedIn(t);
    await chat.destroy();
    await server.receives('logout');
    assert.equal((await rejection(chat.login(ALICE))).code, 6014);
    assert.deepEqual(clock.pending, []);
  });
});

describe('a lost connection', () => {
  test('is replaced: the chat logs in again and repeats the pending calls', async (t) => {
    const { server, chat, clock, emits, becomes } = await loggedIn(t);
    const reply = server.replies.setSelfStatus;
    server.replies.setSelfStatus = undefined;
    const first = chat.setSelfStatus({ customStatus: 'one' });
    await server.receives('setSelfStatus');
    server.dropsConnections();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    assert.equal(chat.isReady(), false);
    const second = chat.setSelfStatus({ customStatus: 'two' });
    server.replies.setSelfStatus = reply;
    clock.advance(500);
    assert.deepEqual((await Promise.all([first, second])).map(({ data }) => data.customStatus), ['one', 'two']);
    assert.deepEqual((await server.receives('login')).params.userSig, ALICE.userSig);
    assert.deepEqual([(await server.receives('setSelfStatus')).params, (await server.receives('setSelfStatus')).params], [{ customStatus: 'one' }, { customStatus: 'two' }]);
    assert.deepEqual(await emits(EVENT.SDK_READY), { userID: 'alice' });
    assert.equal(server.connections, 2);
  });

  test('is replaced after a delay that doubles up to its bound and is reset by a login', async (t) => {
    const { server, clock, emits, becomes } = await loggedIn(t);
    await server.stop();
    for (const delay of [500, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
      await becomes(TYPES.NET_STATE_DISCONNECTED);
      assert.deepEqual(clock.pending, [delay]);
      clock.advance(delay);
    }
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    const again = await ScriptedServer.start(t, server.port);
    clock.advance(10_000);
    await emits(EVENT.SDK_READY);
    again.dropsConnections();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    assert.deepEqual(clock.pending, [500]);
  });

  test('holds calls up to a number and for a time', async (t) => {
    const { server, chat, clock, becomes } = await loggedIn(t);
    await server.stop();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    const calls = Array.from({ length: MAX_CALLS }, () => rejection(chat.setSelfStatus({ customStatus: 'x' })));
    const { code, message } = await rejection(chat.setSelfStatus({ customStatus: 'one too many' }));
    assert.equal(code, 2800);
    assert.match(message, /100 calls wait/);
    clock.advance(30_000);
    assert.deepEqual(new Set((await Promise.all(calls)).map(({ code }) => code)), new Set([2801]));
    const after = rejection(chat.setSelfStatus({ customStatus: 'one less' }));
    await chat.logout();
    assert.equal((await after).code, 6014);
  });

  test('ends the login when the userSig has expired', async (t) => {
    const { server, chat, clock, emits, becomes } = await loggedIn(t);
    server.replies.login = refuses(70001, 'expired');
    server.dropsConnections();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    const call = rejection(chat.setSelfStatus({ customStatus: 'x' }));
    clock.advance(500);
    assert.deepEqual(await call, { code: 70001, message: 'expired' });
    await emits(EVENT.SDK_NOT_READY);
    assert.deepEqual(await emits(EVENT.KICKED_OUT), { type: TYPES.KICKED_OUT_USERSIG_EXPIRED });
    assert.deepEqual(await emits(EVENT.ERROR), { code: 70001, message: 'expired' });
    assert.deepEqual(clock.pending, []);
  });

  test('is replaced again when the server is too busy for the login', async (t) => {
    const { server, clock, emits, becomes } = await loggedIn(t);
    const reply = server.replies.login;
    server.replies.login = refuses(-32603, 'too busy');
    server.dropsConnections();
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    clock.advance(500);
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    server.replies.login = reply;
    clock.advance(1000);
    await emits(EVENT.SDK_READY);
  });

  test('is detected by a heartbeat without a reply', async (t) => {
    const { server, clock, emits, becomes } = await loggedIn(t);
    assert.deepEqual(clock.pending, [30_000]);
    clock.advance(20_000);
    server.sends({ jsonrpc: '2.0', method: 'onUserStatusUpdated', params: [] });
    await emits(EVENT.USER_STATUS_UPDATED);
    assert.deepEqual(clock.pending, [30_000], 'any frame restarts the timer');
    server.replies.heartbeat = undefined;
    clock.advance(30_000);
    await server.receives('heartbeat');
    clock.advance(9_999);
    assert.deepEqual(clock.pending, [1]);
    clock.advance(1);
    await becomes(TYPES.NET_STATE_DISCONNECTED);
    clock.advance(500);
    await emits(EVENT.SDK_READY);
    assert.equal(server.connections, 2);
  });

  test('is assumed after a frame that is not JSON', async (t) => {
    const { server, becomes } = await loggedIn(t);
    server.sends('<html>');
    await becomes(TYPES.NET_STATE_DISCONNECTED);
  });
});
