// Centrifugo's SDK in a real browser, on a page of another origin, which the server must allow.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { launchBrowser } from './harness/browser.mjs';
import { CENTRIFUGO_ENCODINGS, tokenOf } from './harness/centrifugo.mjs';
import { peopleIn } from './harness/people.mjs';
import { startServer } from './harness/server.mjs';

/** In milliseconds. */
const TEST_DEADLINE = 60_000;

/** The published SDK, by encoding. */
const BUILDS = { json: 'centrifuge.js', protobuf: 'centrifuge.protobuf.js' };

/** Runs in the page: connects, follows `user`, sets a status and returns what it saw. */
async function conversationInPage({ url, token, user, isProtobuf }) {
  const encode = (data) => (isProtobuf ? new TextEncoder().encode(JSON.stringify(data)) : data);
  const decode = (data) => (isProtobuf ? JSON.parse(new TextDecoder().decode(data)) : data);
  const client = new globalThis.Centrifuge(url, { token });
  const subscription = client.newSubscription(`status:${user}`);
  const seen = [];
  const done = new Promise((resolve, reject) => {
    client.on('disconnected', ({ code, reason }) => reject(new Error(`${code} ${reason}`)));
    subscription.on('subscribed', ({ data }) => seen.push(decode(data).online));
    subscription.on('publication', ({ data }) => {
      const { state } = decode(data);
      seen.push(state);
      if (state === 'from Node') resolve();
    });
  });
  subscription.subscribe();
  client.connect();
  await client.ready(10_000);
  await client.rpc('update_user_status', encode({ state: 'from a page' }));
  await done;
  return seen;
}

/** Runs in the page: connects and returns the error. */
function refusalInPage({ url, token }) {
  const client = new globalThis.Centrifuge(url, { token });
  return new Promise((resolve) => {
    client.on('connected', () => resolve('connected'));
    client.on('error', ({ error }) => {
      client.disconnect();
      resolve(error.message);
    });
    client.connect();
  });
}

describe('a page of another origin', () => {
  let otherServer, server, closed, browser;
  before(async () => {
    otherServer = await startOtherServer();
    const env = { HEREABOUTS_CENTRIFUGO__CLIENT__ALLOWED_ORIGINS: `http://nowhere.example ${otherServer.origin}` };
    [server, closed, browser] = await Promise.all([startServer({ env }), startServer(), launchBrowser()]);
  });
  after(async () => {
    await browser?.close();
    otherServer?.close();
    await Promise.all([server?.stop(), closed?.stop()]);
  });

  async function visit(t, build) {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(otherServer.origin);
    await page.addScriptTag({ url: `${otherServer.origin}/${build}` });
    return page;
  }

  const urlOf = ({ address }) => `ws://${address}/connection/websocket`;

  for (const encoding of CENTRIFUGO_ENCODINGS) {
    test(`sees and sets statuses over ${encoding}`, { timeout: TEST_DEADLINE }, async (t) => {
      const alice = `page-${encoding}`;
      const page = await visit(t, BUILDS[encoding]);
      const bob = await peopleIn(t, server, { dialect: 'centrifugo' })('bob', { userId: `node-${encoding}` });
      await bob.follows({ userId: alice });
      const place = { url: urlOf(server), token: tokenOf({ sub: alice }), user: bob.userId, isProtobuf: encoding === 'protobuf' };
      const conversation = page.evaluate(conversationInPage, place);
      await bob.eventuallySees(alice, { state: 'from a page' });
      await bob.setsStatus('from Node');
      const seen = await conversation;
      assert.deepEqual([seen[0], seen.at(-1)], [true, 'from Node']);
    });
  }

  test('is refused when the server allows no origin', { timeout: TEST_DEADLINE }, async (t) => {
    const page = await visit(t, BUILDS.json);
    const refusal = await page.evaluate(refusalInPage, { url: urlOf(closed), token: tokenOf({ sub: 'page' }) });
    assert.equal(refusal, 'transport closed');
  });
});

/** Starts another web server. */
async function startOtherServer() {
  const folder = new URL('node_modules/centrifuge/dist/', import.meta.url);
  const builds = Object.values(BUILDS);
  const files = new Map(await Promise.all(builds.map(async (name) => [`/${name}`, await readFile(new URL(name, folder))])));
  const http = createServer(({ url }, response) => {
    const script = files.get(url);
    response.writeHead(200, { 'Content-Type': `${script ? 'text/javascript' : 'text/html'}; charset=utf-8` });
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
