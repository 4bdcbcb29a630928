// The page and failures: a wrong key, a name that is taken, a lost connection, a server without its data.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { startServer } from '../harness/server.mjs';
import { setUpPage } from './setup.mjs';
import { TcpProxy } from './tcp-proxy.mjs';

describe('the demo page with failures', () => {
  const { visit, visitFirstTime, serverUrl } = setUpPage();

  test('the page asks for another key when the server refuses its key', async () => {
    const visitor = await visit({ storage: { serverKey: 'wrong' } });
    await visitor.page.getByLabel('Server key').fill('defaultkey');
    await visitor.page.getByRole('button', { name: 'Try this key' }).click();
    await visitor.seesOnline('Ada', 'Ben', 'Cleo');
    const refusals = visitor.faults.splice(0);
    assert.ok(refusals.length > 0 && refusals.every((text) => text.includes('401')), refusals.join('\n'));
  });

  test('a user with a name that is taken signs in with another name', async () => {
    const response = await fetch(`${serverUrl()}/v2/account/authenticate/custom?username=ada.takennow`, {
      method: 'POST',
      headers: { Authorization: `Basic ${btoa('defaultkey:')}` },
      body: JSON.stringify({ id: 'somebody-else-entirely' }),
    });
    assert.equal(response.status, 200);
    const visitor = await visit({ storage: { browser: 'takennow' } });
    await visitor.seesOnline('Ada', 'Ben', 'Cleo');
    await visitor.user('Ben').sees('Ada', 'writing the manual');
    const refusals = visitor.faults.splice(0);
    assert.ok(refusals.length === 1 && refusals[0].includes('409'), refusals.join('\n'));
  });

  test('the page shows that the server does not answer, and reconnects when it does', async (t) => {
    const proxy = await TcpProxy.to(serverUrl());
    t.after(() => proxy.stop());
    const { visitor, ada, ben } = await visitFirstTime({ url: proxy.url });
    await ben.setsStatus('patient');
    await ada.sees('Ben', 'patient');
    await proxy.stop();
    await ada.isShownAs('lost');
    await ada.showsProblem('Trying again in');
    await ada.sees('Ben', 'unknown');
    await visitor.waitsFor('that the server does not answer', () => document.getElementById('server-state').textContent === 'does not answer');
    await proxy.connectTo(serverUrl());
    await visitor.seesOnline('Ada', 'Ben', 'Cleo');
    await ada.sees('Ben', 'patient');
    visitor.faults = visitor.faults.filter((text) => !/ERR_CONNECTION|ERR_EMPTY/.test(text));
  });

  test('the same users see each other on a server that lost its data', async (t) => {
    const other = await startServer();
    t.after(() => other.stop());
    const proxy = await TcpProxy.to(serverUrl());
    t.after(() => proxy.stop());
    const { visitor, ada, ben } = await visitFirstTime({ url: proxy.url });
    await proxy.stop();
    await ben.isShownAs('lost');
    await proxy.connectTo(other.url);
    await visitor.seesOnline('Ada', 'Ben', 'Cleo');
    await ada.sees('Ben', 'at work');
    await ben.setsStatus('new here');
    await ada.sees('Ben', 'new here');
    visitor.faults = visitor.faults.filter((text) => !/ERR_CONNECTION|ERR_EMPTY/.test(text));
  });

  test('the delay of a retry is random up to a bound that doubles', async () => {
    const { visitor } = await visitFirstTime();
    const delays = await visitor.page.evaluate(async () => {
      const { retryDelay } = await import('/device.js');
      return [0, 1, 2, 10].map((attempt) => [retryDelay(attempt, () => 0), retryDelay(attempt, () => 1)]);
    });
    assert.deepEqual(delays, [[0, 500], [0, 1000], [0, 2000], [0, 10_000]]);
  });
});
