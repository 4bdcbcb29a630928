// The demo page in a real browser against a real server. Every visitor comes with an empty storage, so
// every test has an Ada, a Ben and a Cleo of its own.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage } from './stage.mjs';

describe('the demo page', () => {
  const { visitFirstCast } = setStage();

  test('two people see each other’s status', async () => {
    const { ada, ben } = await visitFirstCast();
    await ada.setsStatus('reading');
    await ben.sees('Ada', 'reading');
    await ben.picksStatus('in a meeting');
    await ada.sees('Ben', 'in a meeting');
    await ben.setsStatus('');
    await ada.sees('Ben', 'here');
  });

  test('an invisible person looks exactly like one who is gone', async () => {
    const { visitor, ada, ben } = await visitFirstCast();
    await ben.setsStatus('about');
    await ada.sees('Ben', 'about');
    const heard = async () => JSON.parse((await visitor.frames('[data-person=Ada][data-kind=event]'))[0]).status_presence_event;
    const quiet = () => visitor.waitsFor('the row at rest', () => document.querySelector('.card[data-person=Ada] .sees').getAnimations({ subtree: true }).length === 0);

    await ben.togglesInvisible();
    await ben.isShownAs('invisible');
    await ada.sees('Ben', 'not here');
    await quiet();
    const invisible = { row: await ada.looksAt('Ben'), event: await heard() };

    await ben.togglesInvisible();
    await ada.sees('Ben', 'about');
    await ben.dropsTheLine();
    await ada.sees('Ben', 'not here');
    await quiet();
    const gone = { row: await ada.looksAt('Ben'), event: await heard() };

    assert.deepEqual(invisible, gone);
    assert.equal(invisible.event.leaves[0].status, 'about');
  });

  test('a status set while invisible is kept, and shown with the person', async () => {
    const { ada, ben } = await visitFirstCast();
    await ben.togglesInvisible();
    await ada.sees('Ben', 'not here');
    await ben.setsStatus('secret plans');
    await ben.isShownAs('invisible');
    await ben.togglesInvisible();
    await ada.sees('Ben', 'secret plans');
  });

  test('a person drops the line and comes back as they were', async () => {
    const { ada, ben } = await visitFirstCast();
    await ben.setsStatus('on the train');
    await ada.sees('Ben', 'on the train');
    await ben.dropsTheLine();
    await ben.isShownAs('dropped');
    await ada.sees('Ben', 'not here');
    await ben.sees('Ada', 'cannot tell without a line');
    await ben.comesBack();
    await ada.sees('Ben', 'on the train');
    await ada.setsStatus('welcome');
    await ben.sees('Ada', 'welcome');
  });

  test('following starts and stops what is seen', async () => {
    const { visitor, ben, cleo } = await visitFirstCast();
    await ben.sees('Cleo', 'not followed');
    await ben.togglesFollowing('Cleo');
    await ben.sees('Cleo', 'available');
    await ben.togglesFollowing('Cleo');
    await ben.sees('Cleo', 'not followed');
    await cleo.setsStatus('elsewhere');
    await visitor.person('Cleo').isShownAs('here');
    assert.deepEqual((await visitor.frames('[data-person=Ben][data-kind=event]')).filter((text) => text.includes('elsewhere')), []);
  });

  test('a reload brings the same people back', async () => {
    const { visitor, ada, ben, cleo } = await visitFirstCast();
    await ben.setsStatus('still me');
    await ada.sees('Ben', 'still me');
    await cleo.togglesInvisible();
    await ada.sees('Cleo', 'not here');
    await visitor.adds('Dov');
    await visitor.everybodyIsHere('Dov');
    const idOfBen = async () => (await visitor.frames('[data-person=Ada]')).join().match(/"user_id":"([^"]+)","session_id":"[^"]+","username":"ben[^}]+still me/)[1];
    const before = await idOfBen();

    await visitor.reload();
    await visitor.everybodyIsHere('Ada', 'Ben', 'Dov');
    await cleo.isShownAs('invisible');
    await ada.sees('Ben', 'still me');
    await ada.sees('Cleo', 'not here');
    assert.equal(await idOfBen(), before, 'the server knows Ben as the same user');
  });

  test('another device is another presence', async () => {
    const { ada, ben } = await visitFirstCast();
    await ben.setsStatus('at the desk');
    await ben.addsDevice();
    await ada.sees('Ben', 'at the desk', 'here');
    await ben.setsStatus('walking');
    await ada.sees('Ben', 'at the desk', 'walking');
    await ben.removesDevice('phone');
    await ada.sees('Ben', 'at the desk');
  });

  test('a second tab is a second session of everybody', async () => {
    const { visitor, ada, ben } = await visitFirstCast();
    await ben.setsStatus('one');
    await ada.sees('Ben', 'one');
    const tab = await visitor.anotherTab();
    await ada.sees('Ben', 'one', 'one');
    await tab.person('Ben').setsStatus('two');
    await ada.sees('Ben', 'one', 'two');
    await tab.page.close();
    await ada.sees('Ben', 'one');
    assert.deepEqual(tab.complaints, []);
  });

  test('people come and go', async () => {
    const { visitor, ada, cleo } = await visitFirstCast();
    await visitor.adds('Dov');
    const dov = visitor.person('Dov');
    await cleo.sees('Dov', 'here');
    await dov.sees('Ada', 'writing the manual');
    await visitor.adds('dov');
    await visitor.waitsFor('a refusal of the same name', () => document.getElementById('add-problem').textContent === 'dov is already here.');
    await dov.leaves();
    await visitor.waitsFor('no Dov', () => !document.querySelector('[data-person=Dov]:not(#frames *)'));
    await ada.sees('Ben', 'at my desk');
  });

  test('the server’s refusal is told on the card', async () => {
    const { ada, ben } = await visitFirstCast();
    await ben.setsStatus('x'.repeat(2049));
    await ben.isTold('2048');
    await ada.sees('Ben', 'at my desk');
    await ben.setsStatus('shorter');
    await ada.sees('Ben', 'shorter');
  });

  test('the frames pass by, readable, filtered, held and bounded', async () => {
    const { visitor, ben } = await visitFirstCast();
    const { page } = visitor;
    const log = page.locator('#frames');
    await ben.setsStatus('framed');
    await visitor.waitsFor('the request in words', () => /Ben.*show “framed”/s.test(document.getElementById('frames').innerText));
    await visitor.waitsFor('the event in words', () => /Ada.*Ben: “at my desk” → “framed”/s.test(document.getElementById('frames').innerText));
    await log.locator('summary', { hasText: 'show “framed”' }).click();
    const raw = await log.locator('details[open] .raw').innerText();
    assert.deepEqual(JSON.parse(raw).status_update, { status: 'framed' });

    await page.getByLabel('Frames of').selectOption('Ada');
    await visitor.waitsFor('frames of Ada only', () => [...document.querySelectorAll('#frames li:not([hidden])')].every((row) => row.dataset.person === 'Ada'));
    await page.getByLabel('Frames of').selectOption('Everybody');

    await log.getByRole('button', { name: 'Pause' }).click();
    await ben.setsStatus('unheard');
    await log.getByRole('button', { name: /Go on \(\d+\)/ }).waitFor();
    assert.doesNotMatch(await log.innerText(), /unheard/);
    await log.getByRole('button', { name: /Go on/ }).click();
    await visitor.waitsFor('what waited', () => document.getElementById('frames').innerText.includes('show “unheard”'));

    await page.evaluate(() => {
      const chips = document.querySelectorAll('.card[data-person=Ben] .chip');
      for (let round = 0; round < 150; round += 1) chips[round % chips.length].click();
    });
    await visitor.waitsFor('a full log', () => document.querySelectorAll('#frames li').length === 300);
    await log.getByRole('button', { name: 'Clear' }).click();
    await visitor.waitsFor('the round-trip time of Ben', () => /\d ms/.test(document.querySelector('.card[data-person=Ben] .rtt').textContent));
  });
});
