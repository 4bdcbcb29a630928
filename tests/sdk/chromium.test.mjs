// The SDK in a real browser: fetch and WebSocket are Chromium's own, and the page comes from another origin than
// the server, or from none at all.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { EXPECTED, conversation } from './conversation.mjs';
import { launchBrowser } from './harness/browser.mjs';
import { ADAPTERS, Client, makeAdapter } from './harness/nakama.mjs';
import { startServer } from './harness/server.mjs';

/** In milliseconds; the conversation itself, which browsers load too, waits without an end. */
const PATIENCE = 60_000;

/** What the other origin serves: the SDK as published, and what is to be said with it. */
const FILES = {
  '/nakama-js.mjs': 'node_modules/@heroiclabs/nakama-js/dist/nakama-js.esm.mjs',
  '/nakama-js-protobuf.mjs': 'node_modules/@heroiclabs/nakama-js-protobuf/dist/nakama-js-protobuf.esm.mjs',
  '/conversation.mjs': 'conversation.mjs',
};

/** Runs in the page. Its `adapter`, `host` and `port` are those of the test. */
async function conversationInPage({ origin, adapter, host, port, unique }) {
  const [{ Client, WebSocketAdapterText }, { WebSocketAdapterPb }, { conversation }] = await Promise.all(
    ['nakama-js', 'nakama-js-protobuf', 'conversation'].map((name) => import(`${origin}/${name}.mjs`)),
  );
  const Adapter = { text: WebSocketAdapterText, protobuf: WebSocketAdapterPb }[adapter];
  return conversation({ Client, makeAdapter: () => new Adapter(), host, port, unique });
}

describe('the same conversation everywhere', () => {
  let server, browser, elsewhere;
  before(async () => {
    [server, browser, elsewhere] = await Promise.all([startServer(), launchBrowser(), otherOrigin()]);
  });
  after(async () => {
    await browser?.close();
    elsewhere?.close();
    await server?.stop();
  });

  const place = (adapter) => ({ adapter, host: server.host, port: server.port, unique: randomUUID() });

  /** A page of the other origin. */
  async function visit(t) {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(elsewhere.origin);
    return page;
  }

  /** A page inside the page, which has no origin and may only run scripts. */
  async function visitSandboxed(t) {
    const page = await visit(t);
    await page.setContent('<iframe sandbox="allow-scripts" srcdoc="<p>Nobody’s page</p>"></iframe>');
    const frame = await (await page.$('iframe')).contentFrame();
    await frame.waitForSelector('p');
    return frame;
  }

  for (const adapter of ADAPTERS) {
    test(`in Node (${adapter})`, { timeout: PATIENCE }, async () => {
      assert.deepEqual(await conversation({ ...place(adapter), Client, makeAdapter: () => makeAdapter(adapter) }), EXPECTED);
    });

    test(`in Chromium, from another origin (${adapter})`, { timeout: PATIENCE }, async (t) => {
      const page = await visit(t);
      assert.equal(await page.evaluate(() => self.origin), elsewhere.origin);
      assert.deepEqual(await page.evaluate(conversationInPage, { origin: elsewhere.origin, ...place(adapter) }), EXPECTED);
    });

    test(`in Chromium, from no origin (${adapter})`, { timeout: PATIENCE }, async (t) => {
      const frame = await visitSandboxed(t);
      assert.equal(await frame.evaluate(() => self.origin), 'null');
      assert.deepEqual(await frame.evaluate(conversationInPage, { origin: elsewhere.origin, ...place(adapter) }), EXPECTED);
    });
  }
});

/** A web server that is not ours, on a port of its own. */
async function otherOrigin() {
  const files = new Map(await Promise.all(
    Object.entries(FILES).map(async ([path, file]) => [path, await readFile(new URL(file, import.meta.url))]),
  ));
  const http = createServer(({ url }, response) => {
    const script = files.get(url);
    const type = script ? 'text/javascript' : 'text/html';
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8`, 'Access-Control-Allow-Origin': '*' });
    response.end(script ?? '<!doctype html><title>elsewhere</title>');
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const close = () => {
    http.close();
    http.closeAllConnections();
  };
  return { origin: `http://127.0.0.1:${http.address().port}`, close };
}
