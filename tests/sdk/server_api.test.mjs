// The documentation page of the server API in a real browser. It uses no other server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchBrowser } from './harness/browser.mjs';
import { startServer } from './harness/server.mjs';

const KEY = 'secret';

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([startServer({ env: { HEREABOUTS_HTTP_API__KEY: KEY } }), launchBrowser()]);
});
after(async () => {
  await Promise.all([browser.close(), server.stop()]);
});

test('the page shows every method, calls one with the key, and contacts no other server', async () => {
  const page = await browser.newPage();
  const otherRequests = [];
  const errors = [];
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith('http') && host !== `${server.host}:${server.port}`) otherRequests.push(request.url());
  });
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`http://${server.host}:${server.port}/api/docs`);
  const method = page.locator('#operations-calls-get_user_status');
  await method.waitFor();
  assert.equal(await page.locator('.opblock').count(), 15);
  await page.locator('button.authorize').first().click();
  await page.locator('.auth-container', { hasText: 'X-API-Key' }).locator('input').fill(KEY);
  await page.locator('.auth-container', { hasText: 'X-API-Key' }).locator('button.authorize').click();
  await page.locator('button.btn-done').first().click();
  await method.locator('.opblock-summary-control').first().click();
  await method.locator('button.try-out__btn').click();
  await method.locator('textarea').fill('{"users": ["42"]}');
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith('/api/get_user_status')),
    method.locator('button.execute').click(),
  ]);
  assert.equal(answer.status(), 200);
  assert.deepEqual(await answer.json(), { result: { statuses: [{ user: '42' }] } });
  assert.deepEqual(otherRequests, []);
  assert.deepEqual(errors, []);
});
