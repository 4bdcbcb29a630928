// The demo page in a real browser against a real server. Every test opens a browser with an empty storage,
// so every test has an Ada, a Ben and a Cleo of its own.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { launchBrowser } from '../harness/browser.mjs';
import { startServer } from '../harness/server.mjs';
import { Cable } from './cable.mjs';
import { Visitor } from './visitor.mjs';

describe('the demo page', () => {
  let browser, server, visitors;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
    visitors = [];
  });
  afterEach(async () => {
    await Promise.all(visitors.splice(0).map((visitor) => visitor.close()));
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function visit({ url = server.url, ...options } = {}) {
    const visitor = await Visitor.open(browser, url, options);
    visitors.push(visitor);
    return visitor;
  }

  /** The first visit, once everybody has found whom they follow. */
  async function visitFirstCast(options) {
    const visitor = await visit(options);
    const [ada, ben, cleo] = ['Ada', 'Ben', 'Cleo'].map((name) => visitor.person(name));
    await ada.sees('Ben', 'at my desk');
    await ada.sees('Cleo', 'available');
    await ben.sees('Ada', 'writing the manual');
    await cleo.sees('Ada', 'writing the manual');
    await cleo.sees('Ben', 'at my desk');
    return { visitor, ada, ben, cleo };
  }

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

  test('a wrong server key is asked for', async () => {
    const visitor = await visit({ storage: { serverKey: 'wrong' } });
    await visitor.page.getByLabel('Server key').fill('defaultkey');
    await visitor.page.getByRole('button', { name: 'Try this key' }).click();
    await visitor.everybodyIsHere('Ada', 'Ben', 'Cleo');
    const refusals = visitor.complaints.splice(0);
    assert.ok(refusals.length > 0 && refusals.every((text) => text.includes('401')), refusals.join('\n'));
  });

  test('a user name that is taken does not keep anybody out', async () => {
    const response = await fetch(`${server.url}/v2/account/authenticate/custom?username=ada.takennow`, {
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

  test('the keyboard is enough', async () => {
    const { visitor, ada, ben } = await visitFirstCast();
    const { keyboard } = visitor.page;
    const tabTo = async (label) => {
      for (let presses = 0; presses < 60; presses += 1) {
        await keyboard.press('Tab');
        const focused = await visitor.page.evaluate(() => {
          const element = document.activeElement;
          const ring = getComputedStyle(element).outlineStyle !== 'none';
          return { label: element.getAttribute('aria-label') ?? element.textContent.trim(), ring };
        });
        assert.ok(focused.ring, `no focus ring on ${focused.label}`);
        if (focused.label === label) return;
      }
      assert.fail(`no way to ${label} by Tab`);
    };
    await tabTo('Status of Ada');
    await keyboard.press('Control+A');
    await keyboard.type('all keys');
    await keyboard.press('Enter');
    await ben.sees('Ada', 'all keys');
    await tabTo('Invisible');
    await keyboard.press('Space');
    await ada.isShownAs('invisible');
    await tabTo('Ada follows Ben');
    await keyboard.press('Space');
    await ada.sees('Ben', 'not followed');
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

  test('the page is named, labelled and says what changes', async () => {
    const { visitor, ben } = await visitFirstCast();
    await ben.setsStatus('said aloud');
    await visitor.waitsFor('the change said', () => document.getElementById('said').textContent.includes('“said aloud”'));
    const unnamed = await visitor.page.evaluate(() =>
      [...document.querySelectorAll('button, input, select')]
        .filter((control) => !control.getAttribute('aria-label') && !control.textContent.trim() && !control.labels?.length)
        .map((control) => control.outerHTML));
    assert.deepEqual(unnamed, []);
    assert.match(await visitor.page.locator('#graph').getAttribute('aria-label'), /Ada follows Ben and Cleo\./);
  });

  for (const width of [360, 320, 820]) {
    test(`nothing is wider than a screen of ${width} pixels`, async () => {
      const { visitor, ben } = await visitFirstCast({ width, height: 800 });
      await ben.addsDevice();
      await visitor.adds('Somebody with a long name');
      await ben.setsStatus('a-status-without-a-single-space-that-goes-on-and-on-and-on-and-on');
      await visitor.waitsFor('the long status', () => document.querySelector('.card[data-person=Ada] .sees').textContent.includes('on-and-on'));
      const [content, screen] = await visitor.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= screen, `${content} pixels on a screen of ${screen}`);
    });
  }

  test('whoever asked for less motion gets none', async () => {
    const { visitor, ada, ben } = await visitFirstCast({ calm: true });
    await visitor.page.evaluate(() => {
      window.lights = 0;
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes) for (const node of addedNodes) if (/light|ripple|arrival/.test(node.getAttribute?.('class'))) window.lights += 1;
      }).observe(document.getElementById('graph'), { subtree: true, childList: true });
    });
    await ada.setsStatus('calm');
    await ben.sees('Ada', 'calm');
    assert.equal(await visitor.page.evaluate(() => window.lights), 0);
  });

  test('the theme follows the system, and the button', async () => {
    const { visitor } = await visitFirstCast({ dark: true });
    const lightness = () => visitor.page.evaluate(() => Number(getComputedStyle(document.body).backgroundColor.match(/[\d.]+/)[0]));
    const dark = await lightness();
    await visitor.page.getByRole('button', { name: 'Theme: auto. Change to light' }).click();
    assert.ok((await lightness()) > dark);
    await visitor.reload();
    assert.ok((await lightness()) > dark, 'the choice is remembered');
    await visitor.page.getByRole('button', { name: 'Theme: light. Change to dark' }).click();
    assert.equal(await lightness(), dark);
  });

  test('when the server goes away the page says so, and comes back with it', async (t) => {
    const cable = await Cable.to(server.url);
    t.after(() => cable.pull());
    const { visitor, ada, ben } = await visitFirstCast({ url: cable.url });
    await ben.setsStatus('patient');
    await ada.sees('Ben', 'patient');
    await cable.pull();
    await ada.isShownAs('lost');
    await ada.isTold('Trying again in');
    await ada.sees('Ben', 'cannot tell without a line');
    await visitor.waitsFor('the server missed', () => document.getElementById('server-words').textContent === 'does not answer');
    await cable.plugInto(server.url);
    await visitor.everybodyIsHere('Ada', 'Ben', 'Cleo');
    await ada.sees('Ben', 'patient');
    visitor.complaints = visitor.complaints.filter((text) => !/ERR_CONNECTION|ERR_EMPTY/.test(text));
  });

  test('a server that forgot everybody meets the same people, who find each other', async (t) => {
    const other = await startServer();
    t.after(() => other.stop());
    const cable = await Cable.to(server.url);
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
