// userSigs: the server accepts those of Tencent's own package, and its command line makes the same ones.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { inflateSync } from 'node:zlib';

import WebSocket from 'ws';

import Chat from '../../../static/chat.js';
import { runBinary, startServer } from '../harness/server.mjs';
import { SDK_APP_ID, SECRET_KEY, TENCENT_SETTINGS, userSigOf } from '../harness/tencent.mjs';

const { Api } = createRequire(import.meta.url)('tls-sig-api-v2');

/** Returns the content of a userSig. */
function unpack(userSig) {
  const packed = userSig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  return JSON.parse(inflateSync(Buffer.from(packed, 'base64')));
}

describe('a userSig', () => {
  let server;
  before(async () => {
    server = await startServer({ env: TENCENT_SETTINGS });
  });
  after(() => server?.stop());

  /** Logs in and returns the user, or the error's code. */
  async function login(userID, userSig) {
    const chat = Chat.create({ SDKAppID: SDK_APP_ID, proxyServer: `${server.url.replace(/^http/, 'ws')}/im` }, { WebSocket });
    try {
      return await chat.login({ userID, userSig }).then(({ data }) => data.userID, ({ code }) => code);
    } finally {
      await chat.destroy();
    }
  }

  test('of the package is accepted', async () => {
    const api = new Api(SDK_APP_ID, SECRET_KEY);
    assert.equal(await login('alice', api.genUserSig('alice', 60)), 'alice');
    assert.equal(await login('alice', api.genPrivateMapKey('alice', 60, 10_000, 255)), 'alice', 'with a userbuf');
    assert.equal(await login('alice', api.genPrivateMapKeyWithStringRoomID('alice', 60, 'room', 255)), 'alice');
  });

  test('of the package that is invalid is refused with its code', async () => {
    assert.equal(await login('bob', userSigOf('alice')), 70013);
    assert.equal(await login('alice', userSigOf('alice', { expire: 0 })), 70001);
    assert.equal(await login('alice', userSigOf('alice', { secretKey: 'another' })), 70003);
    assert.equal(await login('alice', userSigOf('alice', { SDKAppID: SDK_APP_ID + 1 })), 70014);
  });

  test('of the command line is the same as of the package, and is accepted', async () => {
    const userSig = (await runBinary(['user-sig', 'alice', '--expire', '1h'], TENCENT_SETTINGS)).trim();
    const { 'TLS.sig': signature, 'TLS.time': time, ...document } = unpack(userSig);
    assert.deepEqual(document, { 'TLS.ver': '2.0', 'TLS.identifier': 'alice', 'TLS.sdkappid': SDK_APP_ID, 'TLS.expire': 3600 });
    assert.equal(signature, new Api(SDK_APP_ID, SECRET_KEY)._hmacsha256('alice', time, 3600, null));
    assert.notEqual(signature, new Api(SDK_APP_ID, 'another')._hmacsha256('alice', time, 3600, null));
    assert.equal(await login('alice', userSig), 'alice');
  });
});
