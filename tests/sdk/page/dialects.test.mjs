// Users of several protocols on one page: each sees the others over its own protocol.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setUpPage } from './setup.mjs';

describe('users of Nakama and of Centrifugo', () => {
  const { visit, visitFirstTime } = setUpPage();

  /** Visits for the first time and adds Dora, who uses Centrifugo. Cleo follows Dora; Dora follows Ada and Cleo. */
  async function visitWithDora() {
    const { visitor, ada, ben, cleo } = await visitFirstTime();
    await visitor.adds('Dora', 'Centrifugo');
    const dora = visitor.user('Dora');
    await dora.isShownAs('online');
    return { visitor, ada, ben, cleo, dora };
  }

  test('see each other’s statuses, arrivals and departures', async () => {
    const { visitor, ada, cleo, dora } = await visitWithDora();
    await cleo.sees('Dora', 'online');
    await dora.sees('Ada', 'writing the manual');
    await dora.sees('Cleo', 'available');
    await dora.setsStatus('do not disturb');
    await cleo.sees('Dora', 'do not disturb');
    await ada.setsStatus('done');
    await dora.sees('Ada', 'done');
    const [latest] = await visitor.frames('[data-user=Dora][data-kind=event]');
    assert.deepEqual(JSON.parse(latest).push.pub.data.statuses, ['done']);
    const events = await visitor.frames('[data-user=Cleo][data-kind=event]');
    assert.ok(events.some((text) => JSON.parse(text).status_presence_event.joins?.[0]?.status === 'do not disturb'), events.join('\n'));
    await ada.goesInvisible();
    await dora.sees('Ada', 'offline');
    await dora.disconnects();
    await cleo.sees('Dora', 'offline');
    await dora.reconnects();
    await cleo.sees('Dora', 'do not disturb');
    await dora.sees('Cleo', 'available');
  });

  test('have several devices, and follow and unfollow', async () => {
    const { cleo, ben, dora } = await visitWithDora();
    await cleo.sees('Dora', 'online');
    await dora.addsDevice();
    await cleo.sees('Dora', 'online', 'online');
    await dora.setsStatus('on the phone');
    await cleo.sees('Dora', 'online', 'on the phone');
    await cleo.addsDevice();
    await dora.sees('Cleo', 'available', 'online');
    await dora.follows('Ben');
    await dora.sees('Ben', 'at work');
    await dora.unfollows('Ben');
    await dora.sees('Ben', 'not followed');
    await ben.follows('Dora');
    await ben.sees('Dora', 'online', 'on the phone');
  });

  test('are the same users after a reload', async () => {
    const { visitor, cleo, dora } = await visitWithDora();
    await dora.setsStatus('still Dora');
    await cleo.sees('Dora', 'still Dora');
    await visitor.reloads();
    await cleo.sees('Dora', 'still Dora');
    await dora.sees('Ada', 'writing the manual');
  });

  test('a token signed with another key is refused for good, and never shown', async () => {
    const visitor = await visit({ storage: { tokenKey: 'another key' } });
    await visitor.adds('Dora', 'Centrifugo');
    const dora = visitor.user('Dora');
    await dora.isShownAs('refused');
    await dora.showsProblem('Invalid token.');
    const sent = await visitor.frames('[data-user=Dora]');
    assert.ok(sent.some((text) => text.includes('"connect"')) && sent.every((text) => !text.includes('eyJ')), sent.join('\n'));
  });
});

describe('users of Nakama, Centrifugo and Tencent Chat', () => {
  const { visitFirstTime } = setUpPage();

  test('see each other, and are the same users after a reload', async () => {
    const { visitor, ben, cleo } = await visitFirstTime();
    await visitor.adds('Dora', 'Centrifugo');
    await visitor.adds('Eli', 'Tencent Chat');
    const [dora, eli] = [visitor.user('Dora'), visitor.user('Eli')];
    await dora.sees('Eli', 'online');
    await eli.sees('Dora', 'online');
    await eli.sees('Ada', 'writing the manual');
    await dora.setsStatus('reading');
    await eli.sees('Dora', 'reading');
    await eli.setsStatus('cooking');
    await dora.sees('Eli', 'cooking');
    await ben.follows('Eli');
    await ben.sees('Eli', 'cooking');
    await cleo.sees('Dora', 'reading');
    await eli.addsDevice();
    await eli.disconnects();
    await ben.sees('Eli', 'cooking');
    await visitor.reloads();
    await dora.sees('Eli', 'cooking');
    await eli.sees('Dora', 'reading');
    await ben.sees('Eli', 'cooking');
    await visitor.removes('Eli');
    await dora.sees('Ada', 'writing the manual');
    assert.equal(await dora.card.locator('.follows li[data-user=Eli]').count(), 0);
  });
});
