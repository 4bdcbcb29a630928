// The page when things go wrong: the key, a name, the line, the server itself.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { startServer } from '../harness/server.mjs';
import { Cable } from './cable.mjs';
import { setStage } from './stage.mjs';

describe('the demo page in trouble', () => {
  const { visit, visitFirstCast, serverUrl } = setStage();

  test('a wrong server key is asked for', async () => {
    const visitor = await visit({ storage: { serverKey: 'wrong' } });
    await visitor.page.getByLabel('Server key').fill('defaultkey');
    await visitor.page.getByRole('button', { name: 'Try this key' }).click();
    await visitor.everybodyIsHere('Ada', 'Ben', 'Cleo');
    const refusals = visitor.complaints.splice(0);
    assert.ok(refusals.length > 0 && refusals.every((text) => text.includes('401')), refusals.join('\n'));
  });

  test('a user name that is taken does not keep anybody out', async () => {
    const response = await fetch(`${serverUrl()}/v2/account/authenticate/custom?username=ada.takennow`, {
      method: 'POST',
      headers: { Authorization: `Basic ${btoa('defaultkey:')}` },
      body: JSON.stringify({ id: 'somebody-else-entirely' }),
    });
    assert.equal(response.status, 200);
    const visitor = await visit({ storage: { browser: 'takennow' } });
    await visitor.everybodyIsHere('Ada', 'Ben', 'Cleo');
    await visitor.person('Ben').sees('Ada', 'writing the manual');
    const refusals = visitor.complaints.splice(0);
    assert.ok(refusals.length === 1 && refusals[0].includes('409'), refusals.join('\n'));
  });

  test('when the server goes away the page says so, and comes back with it', async (t) => {
    const cable = await Cable.to(serverUrl());
    t.after(() => cable.pull());
    const { visitor, ada, ben } = await visitFirstCast({ url: cable.url });
    await ben.setsStatus('patient');
    await ada.sees('Ben', 'patient');
    await cable.pull();
    await ada.isShownAs('lost');
    await ada.isTold('Trying again in');
    await ada.sees('Ben', 'cannot tell without a line');
    await visitor.waitsFor('the server missed', () => document.getElementById('server-words').textContent === 'does not answer');
    await cable.plugInto(serverUrl());
    await visitor.everybodyIsHere('Ada', 'Ben', 'Cleo');
    await ada.sees('Ben', 'patient');
    visitor.complaints = visitor.complaints.filter((text) => !/ERR_CONNECTION|ERR_EMPTY/.test(text));
  });

  test('a server that forgot everybody meets the same people, who find each other', async (t) => {
    const other = await startServer();
    t.after(() => other.stop());
    const cable = await Cable.to(serverUrl());
    t.after(() => cable.pull());
    const { visitor, ada, ben } = await visitFirstCast({ url: cable.url });
    await cable.pull();
    await ben.isShownAs('lost');
    await cable.plugInto(other.url);
    await visitor.everybodyIsHere('Ada', 'Ben', 'Cleo');
    await ada.sees('Ben', 'at my desk');
    await ben.setsStatus('new here');
    await ada.sees('Ben', 'new here');
    visitor.complaints = visitor.complaints.filter((text) => !/ERR_CONNECTION|ERR_EMPTY/.test(text));
  });

  test('retries are spread over a bound that doubles', async () => {
    const { visitor } = await visitFirstCast();
    const delays = await visitor.page.evaluate(async () => {
      const { retryDelay } = await import('/device.js');
      return [0, 1, 2, 10].map((attempt) => [retryDelay(attempt, () => 0), retryDelay(attempt, () => 1)]);
    });
    assert.deepEqual(delays, [[0, 500], [0, 1000], [0, 2000], [0, 10_000]]);
  });
});
