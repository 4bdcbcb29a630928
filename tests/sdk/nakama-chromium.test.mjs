// Nakama's SDK in a real browser, with Chromium's own fetch and WebSocket. The page has another origin than the server, or
// none.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { EXPECTED, conversation } from './conversation.mjs';
import { launchBrowser } from './harness/browser.mjs';
import { NAKAMA_ENCODINGS, Client, makeAdapter } from './harness/nakama.mjs';
import { startServer } from './harness/server.mjs';

/** In milliseconds. The conversation itself, which browsers load too, waits without a deadline. */
const TEST_DEADLINE = 60_000;

/** The files of the other origin: the published SDK, and the conversation. */
const FILES = {
  '/nakama-js.mjs': 'node_modules/@heroiclabs/nakama-js/dist/nakama-js.esm.mjs',
  '/nakama-js-protobuf.mjs': 'node_modules/@heroiclabs/nakama-js-protobuf/dist/nakama-js-protobuf.esm.mjs',
  '/conversation.mjs': 'conversation.mjs',
};

/** Runs in the page, with the test's `encoding`, `host` and `port`. */
async function conversationInPage({ origin, encoding, host, port, unique }) {
  const [{ Client, WebSocketAdapterText }, { WebSocketAdapterPb }, { conversation }] = await Promise.all(
    ['nakama-js', 'nakama-js-protobuf', 'conversation'].map((name) => import(`${origin}/${name}.mjs`)),
  );
  const Adapter = { text: WebSocketAdapterText, protobuf: WebSocketAdapterPb }[encoding];
  return conversation({ Client, makeAdapter: () => new Adapter(), host, port, unique });
}

describe('the same conversation', () => {
  let server, browser, otherServer;
  before(async () => {
    [server, browser, otherServer] = await Promise.all([startServer(), launchBrowser(), startOtherServer()]);
  });
  after(async () => {
    await browser?.close();
    otherServer?.close();
    await server?.stop();
  });

  const place = (encoding) => ({ encoding, host: server.host, port: server.port, unique: randomUUID() });

  /** Opens a page of the other origin. */
  async function visit(t) {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(otherServer.origin);
    return page;
  }

  /** Opens a sandboxed frame in the page, which has no origin and may only run scripts. */
  async function visitSandboxed(t) {
    const page = await visit(t);
    await page.setContent('<iframe sandbox="allow-scripts" srcdoc="<p>A page without an origin</p>"></iframe>');
    const frame = await (await page.$('iframe')).contentFrame();
    await frame.waitForSelector('p');
    return frame;
  }

  for (const encoding of NAKAMA_ENCODINGS) {
    test(`runs in Node (${encoding})`, { timeout: TEST_DEADLINE }, async () => {
      assert.deepEqual(await conversation({ ...place(encoding), Client, makeAdapter: () => makeAdapter(encoding) }), EXPECTED);
    });

    test(`runs in Chromium from another origin (${encoding})`, { timeout: TEST_DEADLINE }, async (t) => {
      const page = await visit(t);
      assert.equal(await page.evaluate(() => self.origin), otherServer.origin);
      assert.deepEqual(await page.evaluate(conversationInPage, { origin: otherServer.origin, ...place(encoding) }), EXPECTED);
    });

    test(`runs in Chromium without an origin (${encoding})`, { timeout: TEST_DEADLINE }, async (t) => {
      const frame = await visitSandboxed(t);
      assert.equal(await frame.evaluate(() => self.origin), 'null');
      assert.deepEqual(await frame.evaluate(conversationInPage, { origin: otherServer.origin, ...place(encoding) }), EXPECTED);
    });
  }
});

/** Starts another web server. */
async function startOtherServer() {
  const files = new Map(await Promise.all(
    Object.entries(FILES).map(async ([path, file]) => [path, await readFile(new URL(file, import.meta.url))]),
  ));
  const http = createServer(({ url }, response) => {
    const script = files.get(url);
    const type = script ? 'text/javascript' : 'text/html';
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8`, 'Access-Control-Allow-Origin': '*' });
    response.end(script ?? '<!doctype html><title>another origin</title>');
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const close = () => {
    http.close();
    http.closeAllConnections();
  };
  return { origin: `http://127.0.0.1:${http.address().port}`, close };
}
