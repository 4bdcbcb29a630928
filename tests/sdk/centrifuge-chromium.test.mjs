// Centrifugo's SDK in a real browser, from a page of another origin, which has to be allowed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';

import { launchBrowser } from './harness/browser.mjs';
import { FORMATS, centrifuge, tokenOf } from './harness/centrifuge.mjs';
import { startServer } from './harness/server.mjs';

/** In milliseconds. */
const PATIENCE = 60_000;

/** The SDK as published, by format. */
const BUILDS = { json: 'centrifuge.js', protobuf: 'centrifuge.protobuf.js' };

/** Runs in the page: connects, follows `user`, says something and returns what it saw. */
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

/** Runs in the page: what becomes of a connection that is not let in. */
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
  let elsewhere, server, closed, browser;
  before(async () => {
    elsewhere = await otherOrigin();
    const env = { HEREABOUTS_CENTRIFUGO__CLIENT__ALLOWED_ORIGINS: `http://nowhere.example ${elsewhere.origin}` };
    [server, closed, browser] = await Promise.all([startServer({ env }), startServer(), launchBrowser()]);
  });
  after(async () => {
    await browser?.close();
    elsewhere?.close();
    await Promise.all([server?.stop(), closed?.stop()]);
  });

  async function visit(t, build) {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    await page.goto(elsewhere.origin);
    await page.addScriptTag({ url: `${elsewhere.origin}/${build}` });
    return page;
  }

  const urlOf = ({ address }) => `ws://${address}/connection/websocket`;

  for (const format of FORMATS) {
    test(`talks over ${format}`, { timeout: PATIENCE }, async (t) => {
      const [here, there] = [`page-${format}`, `node-${format}`];
      const page = await visit(t, BUILDS[format]);
      const node = centrifuge(t, server, 'json', { claims: { sub: there } });
      await node.connects();
      const ofPage = await node.follows(here);
      const place = { url: urlOf(server), token: tokenOf({ sub: here }), user: there, isProtobuf: format === 'protobuf' };
      const talking = page.evaluate(conversationInPage, place);
      await ofPage.seesAtLast({ state: 'from a page' });
      await node.updates({ state: 'from Node' });
      const seen = await talking;
      assert.deepEqual([seen[0], seen.at(-1)], [true, 'from Node']);
    });
  }

  test('is not let in where no origin is allowed', { timeout: PATIENCE }, async (t) => {
    const page = await visit(t, BUILDS.json);
    const refusal = await page.evaluate(refusalInPage, { url: urlOf(closed), token: tokenOf({ sub: 'page' }) });
    assert.equal(refusal, 'transport closed');
  });
});

/** A web server that is not ours, on a port of its own. */
async function otherOrigin() {
  const folder = new URL('node_modules/centrifuge/dist/', import.meta.url);
  const builds = Object.values(BUILDS);
  const files = new Map(await Promise.all(builds.map(async (name) => [`/${name}`, await readFile(new URL(name, folder))])));
  const http = createServer(({ url }, response) => {
    const script = files.get(url);
    response.writeHead(200, { 'Content-Type': `${script ? 'text/javascript' : 'text/html'}; charset=utf-8` });
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
