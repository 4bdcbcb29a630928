// `static/chat.js` has the interface of Tencent's own package: its typings match, and it implements them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import Chat from '../../../static/chat.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const COMPILER = fileURLToPath(import.meta.resolve('typescript/lib/tsc.js'));

test('an instance has the type of a ChatSDK’s status methods', () => {
  const flags = '--noEmit --strict --skipLibCheck --module esnext --moduleResolution bundler --target es2022 --lib es2022,dom';
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMPILER, ...flags.split(' '), 'typings.ts'], { cwd: HERE, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});

test('the module implements its typings', () => {
  const chat = Chat.create({ SDKAppID: 1, proxyServer: 'ws://127.0.0.1:9/im' });
  for (const method of ['login', 'logout', 'setSelfStatus', 'getUserStatus', 'subscribeUserStatus', 'unsubscribeUserStatus', 'on', 'off', 'isReady', 'getLoginUser', 'destroy']) {
    assert.equal(typeof chat[method], 'function', method);
  }
  assert.equal(Chat.EVENT.USER_STATUS_UPDATED, 'onUserStatusUpdated');
  assert.deepEqual([Chat.TYPES.USER_STATUS_UNKNOWN, Chat.TYPES.USER_STATUS_ONLINE, Chat.TYPES.USER_STATUS_OFFLINE, Chat.TYPES.USER_STATUS_UNLOGINED], [0, 1, 2, 3]);
});
