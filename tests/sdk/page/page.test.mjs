// The demo page in a real browser against a real server. Every visitor has an empty storage, so every test has an Ada, a
// Ben and a Cleo of its own.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setUpPage } from './setup.mjs';

describe('the demo page', () => {
  const { visitFirstTime } = setUpPage();

  test('two users see each other’s status', async () => {
    const { ada, ben } = await visitFirstTime();
    await ada.setsStatus('reading');
    await ben.sees('Ada', 'reading');
    await ben.picksStatus('in a meeting');
    await ada.sees('Ben', 'in a meeting');
    await ben.setsStatus('');
    await ada.sees('Ben', 'online');
  });

  test('an invisible user looks exactly like one who is offline', async () => {
    const { visitor, ada, ben } = await visitFirstTime();
    await ben.setsStatus('about');
    await ada.sees('Ben', 'about');
    const latestEvent = async () => JSON.parse((await visitor.frames('[data-user=Ada][data-kind=event]'))[0]).status_presence_event;
    const rowIsStill = () => visitor.waitsFor('the row without an animation', () => document.querySelector('.card[data-user=Ada] .follows').getAnimations({ subtree: true }).length === 0);

    await ben.goesInvisible();
    await ben.isShownAs('invisible');
    await ada.sees('Ben', 'offline');
    await rowIsStill();
    const invisible = { row: await ada.rowOf('Ben'), event: await latestEvent() };

    await ben.goesVisible();
    await ada.sees('Ben', 'about');
    await ben.disconnects();
    await ada.sees('Ben', 'offline');
    await rowIsStill();
    const offline = { row: await ada.rowOf('Ben'), event: await latestEvent() };

    assert.deepEqual(invisible, offline);
    assert.equal(invisible.event.leaves[0].status, 'about');
  });

  test('a status that is set while invisible is kept and shown later', async () => {
    const { ada, ben } = await visitFirstTime();
    await ben.goesInvisible();
    await ada.sees('Ben', 'offline');
    await ben.setsStatus('secret plans');
    await ben.isShownAs('invisible');
    await ben.goesVisible();
    await ada.sees('Ben', 'secret plans');
  });

  test('a user disconnects and reconnects with the same status', async () => {
    const { ada, ben } = await visitFirstTime();
    await ben.setsStatus('on the train');
    await ada.sees('Ben', 'on the train');
    await ben.disconnects();
    await ben.isShownAs('disconnected');
    await ada.sees('Ben', 'offline');
    await ben.sees('Ada', 'unknown');
    await ben.reconnects();
    await ada.sees('Ben', 'on the train');
    await ada.setsStatus('welcome');
    await ben.sees('Ada', 'welcome');
  });

  test('a follower sees a user from the follow to the unfollow', async () => {
    const { visitor, ben, cleo } = await visitFirstTime();
    await ben.sees('Cleo', 'not followed');
    await ben.follows('Cleo');
    await ben.sees('Cleo', 'available');
    await ben.unfollows('Cleo');
    await ben.sees('Cleo', 'not followed');
    await cleo.setsStatus('unseen');
    await visitor.user('Cleo').isShownAs('online');
    assert.deepEqual((await visitor.frames('[data-user=Ben][data-kind=event]')).filter((text) => text.includes('unseen')), []);
  });

  test('a reload restores the same users', async () => {
    const { visitor, ada, ben, cleo } = await visitFirstTime();
    await ben.setsStatus('still me');
    await ada.sees('Ben', 'still me');
    await cleo.goesInvisible();
    await ada.sees('Cleo', 'offline');
    await visitor.adds('Dov');
    await visitor.seesOnline('Dov');
    const idOfBen = async () => (await visitor.frames('[data-user=Ada]')).join().match(/"user_id":"([^"]+)","session_id":"[^"]+","username":"ben[^}]+still me/)[1];
    const before = await idOfBen();

    await visitor.reloads();
    await visitor.seesOnline('Ada', 'Ben', 'Dov');
    await cleo.isShownAs('invisible');
    await ada.sees('Ben', 'still me');
    await ada.sees('Cleo', 'offline');
    assert.equal(await idOfBen(), before, 'the server knows Ben as the same user');
  });

  test('another device is another presence', async () => {
    const { ada, ben } = await visitFirstTime();
    await ben.setsStatus('in the office');
    await ben.addsDevice();
    await ada.sees('Ben', 'in the office', 'online');
    await ben.setsStatus('walking');
    await ada.sees('Ben', 'in the office', 'walking');
    await ben.removesDevice('phone');
    await ada.sees('Ben', 'in the office');
  });

  test('a second tab is a second session of every user', async () => {
    const { visitor, ada, ben } = await visitFirstTime();
    await ben.setsStatus('one');
    await ada.sees('Ben', 'one');
    const tab = await visitor.opensTab();
    await ada.sees('Ben', 'one', 'one');
    await tab.user('Ben').setsStatus('two');
    await ada.sees('Ben', 'one', 'two');
    await tab.page.close();
    await ada.sees('Ben', 'one');
    assert.deepEqual(tab.faults, []);
  });

  test('a visitor adds and removes users', async () => {
    const { visitor, ada, cleo } = await visitFirstTime();
    await visitor.adds('Dov');
    const dov = visitor.user('Dov');
    await cleo.sees('Dov', 'online');
    await dov.sees('Ada', 'writing the manual');
    await visitor.adds('dov');
    await visitor.waitsFor('the refusal of a name that exists', () => document.getElementById('add-problem').textContent === 'dov is already here.');
    await visitor.removes('Dov');
    await visitor.waitsFor('no Dov', () => !document.querySelector('[data-user=Dov]:not(#frames *)'));
    await ada.sees('Ben', 'at work');
  });

  test('the card shows the server’s refusal', async () => {
    const { ada, ben } = await visitFirstTime();
    await ben.setsStatus('x'.repeat(2049));
    await ben.showsProblem('2048');
    await ada.sees('Ben', 'at work');
    await ben.setsStatus('shorter');
    await ada.sees('Ben', 'shorter');
  });

  test('the log describes, filters, holds and bounds the frames', async () => {
    const { visitor, ben } = await visitFirstTime();
    const { page } = visitor;
    const log = page.locator('#frames');
    await ben.setsStatus('framed');
    await visitor.waitsFor('the request in words', () => /Ben.*set status “framed”/s.test(document.getElementById('frames').innerText));
    await visitor.waitsFor('the event in words', () => /Ada.*Ben: “at work” → “framed”/s.test(document.getElementById('frames').innerText));
    await log.locator('summary', { hasText: 'set status “framed”' }).click();
    const raw = await log.locator('details[open] .raw').innerText();
    assert.deepEqual(JSON.parse(raw).status_update, { status: 'framed' });

    await page.getByLabel('Frames of').selectOption('Ada');
    await visitor.waitsFor('frames of Ada only', () => [...document.querySelectorAll('#frames li:not([hidden])')].every((row) => row.dataset.user === 'Ada'));
    await page.getByLabel('Frames of').selectOption('Everybody');

    await log.getByRole('button', { name: 'Pause' }).click();
    await ben.setsStatus('unread');
    await log.getByRole('button', { name: /Resume \(\d+\)/ }).waitFor();
    assert.doesNotMatch(await log.innerText(), /unread/);
    await log.getByRole('button', { name: /Resume/ }).click();
    await visitor.waitsFor('the frames that waited', () => document.getElementById('frames').innerText.includes('set status “unread”'));

    await page.evaluate(() => {
      const chips = document.querySelectorAll('.card[data-user=Ben] .chip');
      for (let round = 0; round < 150; round += 1) chips[round % chips.length].click();
    });
    await visitor.waitsFor('a full log', () => document.querySelectorAll('#frames li').length === 300);
    await log.getByRole('button', { name: 'Clear' }).click();
    await visitor.waitsFor('the round-trip time of Ben', () => /\d ms/.test(document.querySelector('.card[data-user=Ben] .rtt').textContent));
  });
});
