// People of several protocols on one page: each sees the others, by its own protocol.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage } from './stage.mjs';

describe('people of Nakama and of Centrifugo', () => {
  const { visit, visitFirstCast } = setStage();

  /** A first visit with Dora, who is Centrifugo's; Cleo follows her, and she Ada and Cleo. */
  async function visitWithDora() {
    const { visitor, ada, ben, cleo } = await visitFirstCast();
    await visitor.adds('Dora', 'Centrifugo');
    const dora = visitor.person('Dora');
    await dora.isShownAs('here');
    return { visitor, ada, ben, cleo, dora };
  }

  test('see each other’s statuses, arrivals and departures', async () => {
    const { visitor, ada, cleo, dora } = await visitWithDora();
    await cleo.sees('Dora', 'here');
    await dora.sees('Ada', 'writing the manual');
    await dora.sees('Cleo', 'available');
    await dora.setsStatus('do not disturb');
    await cleo.sees('Dora', 'do not disturb');
    await ada.setsStatus('done');
    await dora.sees('Ada', 'done');
    const [told] = await visitor.frames('[data-person=Dora][data-kind=event]');
    assert.deepEqual(JSON.parse(told).push.pub.data.statuses, ['done']);
    const heard = await visitor.frames('[data-person=Cleo][data-kind=event]');
    assert.ok(heard.some((text) => JSON.parse(text).status_presence_event.joins?.[0]?.status === 'do not disturb'), heard.join('\n'));
    await ada.togglesInvisible();
    await dora.sees('Ada', 'not here');
    await dora.dropsTheLine();
    await cleo.sees('Dora', 'not here');
    await dora.comesBack();
    await cleo.sees('Dora', 'do not disturb');
    await dora.sees('Cleo', 'available');
  });

  test('have several devices, and follow and unfollow', async () => {
    const { cleo, ben, dora } = await visitWithDora();
    await cleo.sees('Dora', 'here');
    await dora.addsDevice();
    await cleo.sees('Dora', 'here', 'here');
    await dora.setsStatus('on the phone');
    await cleo.sees('Dora', 'here', 'on the phone');
    await cleo.addsDevice();
    await dora.sees('Cleo', 'available', 'here');
    await dora.togglesFollowing('Ben');
    await dora.sees('Ben', 'at my desk');
    await dora.togglesFollowing('Ben');
    await dora.sees('Ben', 'not followed');
    await ben.togglesFollowing('Dora');
    await ben.sees('Dora', 'here', 'on the phone');
  });

  test('come back after a reload as who they were', async () => {
    const { visitor, cleo, dora } = await visitWithDora();
    await dora.setsStatus('still Dora');
    await cleo.sees('Dora', 'still Dora');
    await visitor.reload();
    await cleo.sees('Dora', 'still Dora');
    await dora.sees('Ada', 'writing the manual');
  });

  test('a token signed with another key is refused for good, and never shown', async () => {
    const visitor = await visit({ storage: { tokenKey: 'another key' } });
    await visitor.adds('Dora', 'Centrifugo');
    const dora = visitor.person('Dora');
    await dora.isShownAs('refused');
    await dora.isTold('Invalid token.');
    const sent = await visitor.frames('[data-person=Dora]');
    assert.ok(sent.some((text) => text.includes('"connect"')) && sent.every((text) => !text.includes('eyJ')), sent.join('\n'));
  });
});

describe('people of Nakama, Centrifugo and Tencent Chat', () => {
  const { visitFirstCast } = setStage();

  test('see each other, and come back after a reload as who they were', async () => {
    const { visitor, ben, cleo } = await visitFirstCast();
    await visitor.adds('Dora', 'Centrifugo');
    await visitor.adds('Eli', 'Tencent Chat');
    const [dora, eli] = [visitor.person('Dora'), visitor.person('Eli')];
    await dora.sees('Eli', 'here');
    await eli.sees('Dora', 'here');
    await eli.sees('Ada', 'writing the manual');
    await dora.setsStatus('reading');
    await eli.sees('Dora', 'reading');
    await eli.setsStatus('cooking');
    await dora.sees('Eli', 'cooking');
    await ben.togglesFollowing('Eli');
    await ben.sees('Eli', 'cooking');
    await cleo.sees('Dora', 'reading');
    await eli.addsDevice();
    await eli.dropsTheLine();
    await ben.sees('Eli', 'cooking');
    await visitor.reload();
    await dora.sees('Eli', 'cooking');
    await eli.sees('Dora', 'reading');
    await ben.sees('Eli', 'cooking');
    await eli.leaves();
    await dora.sees('Ada', 'writing the manual');
    assert.equal(await dora.card.locator('.sees li[data-person=Eli]').count(), 0);
  });
});
