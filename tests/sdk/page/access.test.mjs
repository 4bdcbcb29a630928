// The page for everybody: by keyboard, read aloud, on a narrow screen, calm, in the dark.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage } from './stage.mjs';

describe('the demo page is for everybody', () => {
  const { visitFirstCast } = setStage();

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
});
