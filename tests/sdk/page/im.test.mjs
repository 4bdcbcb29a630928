// People on the demo page who speak Tencent Chat's API, beside those who speak Nakama's.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';

import { setStage } from './stage.mjs';

describe('people who speak Tencent Chat’s API on the demo page', () => {
  const { visit, visitFirstCast } = setStage();

  /** A page with Ada and Ben of that world, who follow each other. */
  async function visitOfTheirOwn() {
    const device = (status) => [{ label: 'laptop', status, invisible: false, dropped: false }];
    const visitor = await visit({
      storage: {
        cast: [
          { name: 'Ada', hue: 285, world: 'im', follows: ['Ben'], devices: device('reading') },
          { name: 'Ben', hue: 45, world: 'im', follows: ['Ada'], devices: device('') },
        ],
      },
    });
    const [ada, ben] = ['Ada', 'Ben'].map((name) => visitor.person(name));
    await ben.sees('Ada', 'reading');
    await ada.sees('Ben', 'here');
    return { visitor, ada, ben };
  }

  test('two of them see each other’s status', async () => {
    const { ada, ben } = await visitOfTheirOwn();
    await ben.setsStatus('writing');
    await ada.sees('Ben', 'writing');
    await ben.setsStatus('');
    await ada.sees('Ben', 'here');
  });

  test('a dropped line is seen at once, and they come back as they were', async () => {
    const { ada, ben } = await visitOfTheirOwn();
    await ben.setsStatus('on the train');
    await ada.sees('Ben', 'on the train');
    await ben.dropsTheLine();
    await ada.sees('Ben', 'not here');
    await ben.comesBack();
    await ada.sees('Ben', 'on the train');
    await ada.togglesFollowing('Ben');
    await ada.sees('Ben', 'not followed');
  });

  test('the custom status is the user’s: another device changes it', async () => {
    const { ada, ben } = await visitOfTheirOwn();
    await ben.addsDevice();
    await ben.setsStatus('from the phone');
    await ada.sees('Ben', 'from the phone');
    await ben.removesDevice('phone');
    await ben.setsStatus('from the laptop');
    await ada.sees('Ben', 'from the laptop');
  });

  test('a device that comes in or back shows what the others do', async () => {
    const { visitor, ada, ben } = await visitOfTheirOwn();
    const shown = (text) => visitor.waitsFor(`Ben’s card keeping ${text}`, (wanted) => document.querySelector('.card[data-person=Ben] .status input').value === wanted, text);
    await ben.setsStatus('on the laptop');
    await ada.sees('Ben', 'on the laptop');
    await ben.addsDevice();
    await shown('on the laptop');
    await ben.setsStatus('on both');
    await ada.sees('Ben', 'on both');
    await ben.dropsTheLine();
    await ben.turnsTo('laptop');
    await shown('on both');
    await ben.setsStatus('without the phone');
    await ada.sees('Ben', 'without the phone');
    await ben.turnsTo('phone');
    await shown('without the phone');
    await ben.comesBack();
    await ben.isShownAs('here');
    await visitor.waitsFor('Ben’s phone showing what the laptop does', () =>
      document.querySelector('.card[data-person=Ben] .shows').textContent === '“without the phone”',
    );
    await ada.sees('Ben', 'without the phone');
  });

  test('what is too long is refused, and nothing else happens', async () => {
    const { ada, ben } = await visitOfTheirOwn();
    await ben.setsStatus('x'.repeat(101));
    // The refusal names the parameter.
    await ben.isTold('ustomStatus');
    await ben.isShownAs('here');
    await ben.setsStatus('short');
    await ada.sees('Ben', 'short');
  });

  test('nobody of them can be invisible, and the frames are told in words', async () => {
    const { visitor, ben } = await visitOfTheirOwn();
    assert.equal(await ben.card.getByRole('switch', { name: 'Invisible' }).count(), 0);
    await ben.setsStatus('in words');
    for (const words of ['let me in', 'follow Ben', 'Ben: “” → “in words”']) {
      await visitor.waitsFor(words, (words) => [...document.querySelectorAll('#frames li[data-person=Ada] .what')].some(({ textContent }) => textContent === words), words);
    }
    const sent = await visitor.frames('[data-person=Ada]');
    assert.ok(sent.some((text) => text.includes('"userSig":"…"')) && sent.every((text) => !text.includes('eJ')), sent.join('\n'));
  });

  test('both worlds see each other', async () => {
    const { visitor, ada, ben, cleo } = await visitFirstCast();
    await visitor.adds('Dov', 'Tencent Chat');
    const dov = visitor.person('Dov');
    await dov.sees('Ada', 'writing the manual');
    await dov.sees('Cleo', 'available');
    await dov.setsStatus('hello from here');
    await cleo.sees('Dov', 'hello from here');
    await ben.togglesFollowing('Dov');
    await ben.sees('Dov', 'hello from here');
    await ada.setsStatus('hello to you');
    await dov.sees('Ada', 'hello to you');
    await cleo.togglesInvisible();
    await dov.sees('Cleo', 'not here');
    await dov.dropsTheLine();
    await ben.sees('Dov', 'not here');
  });
});
