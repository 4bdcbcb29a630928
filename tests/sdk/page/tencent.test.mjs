// Users of Tencent Chat's API on the demo page, among themselves and with users of Nakama.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';

import { setUpPage } from './setup.mjs';

describe('users of Tencent Chat’s API on the demo page', () => {
  const { visit, visitFirstTime } = setUpPage();

  /** Visits a page with Ada and Ben, who use that API and follow each other. */
  async function visitWithTencentUsers() {
    const device = (status) => [{ label: 'laptop', status, invisible: false, disconnected: false }];
    const visitor = await visit({
      storage: {
        people: [
          { name: 'Ada', hue: 285, dialect: 'tencent', follows: ['Ben'], devices: device('reading') },
          { name: 'Ben', hue: 45, dialect: 'tencent', follows: ['Ada'], devices: device('') },
        ],
      },
    });
    const [ada, ben] = ['Ada', 'Ben'].map((name) => visitor.user(name));
    await ben.sees('Ada', 'reading');
    await ada.sees('Ben', 'online');
    return { visitor, ada, ben };
  }

  test('two of them see each other’s status', async () => {
    const { ada, ben } = await visitWithTencentUsers();
    await ben.setsStatus('writing');
    await ada.sees('Ben', 'writing');
    await ben.setsStatus('');
    await ada.sees('Ben', 'online');
  });

  test('a follower sees a disconnect at once, and the same status after the reconnect', async () => {
    const { ada, ben } = await visitWithTencentUsers();
    await ben.setsStatus('on the train');
    await ada.sees('Ben', 'on the train');
    await ben.disconnects();
    await ada.sees('Ben', 'offline');
    await ben.reconnects();
    await ada.sees('Ben', 'on the train');
    await ada.unfollows('Ben');
    await ada.sees('Ben', 'not followed');
  });

  test('every device of a user changes the custom status', async () => {
    const { ada, ben } = await visitWithTencentUsers();
    await ben.addsDevice();
    await ben.setsStatus('from the phone');
    await ada.sees('Ben', 'from the phone');
    await ben.removesDevice('phone');
    await ben.setsStatus('from the laptop');
    await ada.sees('Ben', 'from the laptop');
  });

  test('a device that connects or reconnects shows the status of the others', async () => {
    const { visitor, ada, ben } = await visitWithTencentUsers();
    const showsStatus = (text) => visitor.waitsFor(`${text} on Ben’s card`, (wanted) => document.querySelector('.card[data-user=Ben] .status input').value === wanted, text);
    await ben.setsStatus('on the laptop');
    await ada.sees('Ben', 'on the laptop');
    await ben.addsDevice();
    await showsStatus('on the laptop');
    await ben.setsStatus('on both');
    await ada.sees('Ben', 'on both');
    await ben.disconnects();
    await ben.selectsDevice('laptop');
    await showsStatus('on both');
    await ben.setsStatus('without the phone');
    await ada.sees('Ben', 'without the phone');
    await ben.selectsDevice('phone');
    await showsStatus('without the phone');
    await ben.reconnects();
    await ben.isShownAs('online');
    await visitor.waitsFor('the laptop’s status on Ben’s phone', () =>
      document.querySelector('.card[data-user=Ben] .status-text').textContent === '“without the phone”',
    );
    await ada.sees('Ben', 'without the phone');
  });

  test('a status that is too long is refused, and the user stays online', async () => {
    const { ada, ben } = await visitWithTencentUsers();
    await ben.setsStatus('x'.repeat(101));
    // The refusal names the parameter.
    await ben.showsProblem('ustomStatus');
    await ben.isShownAs('online');
    await ben.setsStatus('short');
    await ada.sees('Ben', 'short');
  });

  test('a user cannot be invisible, and the log describes the frames', async () => {
    const { visitor, ben } = await visitWithTencentUsers();
    assert.equal(await ben.card.getByRole('switch', { name: 'Invisible' }).count(), 0);
    await ben.setsStatus('in words');
    for (const words of ['log in', 'follow Ben', 'Ben: “” → “in words”']) {
      await visitor.waitsFor(words, (words) => [...document.querySelectorAll('#frames li[data-user=Ada] .description')].some(({ textContent }) => textContent === words), words);
    }
    const sent = await visitor.frames('[data-user=Ada]');
    assert.ok(sent.some((text) => text.includes('"userSig":"…"')) && sent.every((text) => !text.includes('eJ')), sent.join('\n'));
  });

  test('users of Tencent Chat and of Nakama see each other', async () => {
    const { visitor, ada, ben, cleo } = await visitFirstTime();
    await visitor.adds('Dov', 'Tencent Chat');
    const dov = visitor.user('Dov');
    await dov.sees('Ada', 'writing the manual');
    await dov.sees('Cleo', 'available');
    await dov.setsStatus('hello from here');
    await cleo.sees('Dov', 'hello from here');
    await ben.follows('Dov');
    await ben.sees('Dov', 'hello from here');
    await ada.setsStatus('hello to you');
    await dov.sees('Ada', 'hello to you');
    await cleo.goesInvisible();
    await dov.sees('Cleo', 'offline');
    await dov.disconnects();
    await ben.sees('Dov', 'offline');
  });
});
