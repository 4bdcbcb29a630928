// User status with Centrifugo's Python SDK, in both encodings. `PYTHON` is an interpreter with the SDK.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { CENTRIFUGO_ENCODINGS, seconds, tokenOf } from './harness/centrifugo.mjs';
import { startServer } from './harness/server.mjs';
import { PYTHON } from './samples/stage.mjs';

const script = fileURLToPath(new URL('python/conversation.py', import.meta.url));

describe('centrifuge-python', () => {
  let server;
  before(async () => {
    const env = { HEREABOUTS_CENTRIFUGO__CLIENT__PING_INTERVAL: '1s', HEREABOUTS_CENTRIFUGO__CLIENT__PONG_TIMEOUT: '500ms' };
    server = await startServer({ env });
  });
  after(() => server?.stop());

  for (const encoding of CENTRIFUGO_ENCODINGS) {
    test(`sees and sets statuses in ${encoding}`, async () => {
      const env = {
        ...process.env,
        ALICE: tokenOf({ sub: 'alice' }),
        BOB: tokenOf({ sub: 'bob', exp: seconds(100) }),
        EXPIRED: tokenOf({ sub: 'bob', exp: seconds(-1) }),
        WRONG: tokenOf({ sub: 'bob' }, 'another key'),
      };
      const url = `ws://${server.address}/connection/websocket`;
      const { stdout } = await promisify(execFile)(PYTHON, [script, url, encoding], { env, timeout: 60_000 });
      assert.deepEqual(JSON.parse(stdout), {
        'wrong token': [3500, 'invalid token'],
        snapshot: ['subscribed', 'bob', true, ['']],
        rpc: 0,
        publication: ['dnd'],
        presence: ['bob'],
        presence_stats: [1, 1],
        'unknown method': [104, 'method not found'],
        'unknown channel': ['unsubscribed', 102],
        gone: [],
        end: 'unsubscribed',
      });
    });
  }
});
