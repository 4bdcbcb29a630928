// The page's accessibility: keyboard, screen reader, narrow screens, reduced motion, themes.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setUpPage } from './setup.mjs';

describe('the accessibility of the demo page', () => {
  const { visitFirstTime } = setUpPage();

  test('the keyboard reaches every control', async () => {
    const { visitor, ada, ben } = await visitFirstTime();
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
      assert.fail(`Tab does not reach ${label}`);
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

  test('every control has a label, and changes are announced', async () => {
    const { visitor, ben } = await visitFirstTime();
    await ben.setsStatus('read out');
    await visitor.waitsFor('the announcement', () => document.getElementById('announcements').textContent.includes('“read out”'));
    const unnamed = await visitor.page.evaluate(() =>
      [...document.querySelectorAll('button, input, select')]
        .filter((control) => !control.getAttribute('aria-label') && !control.textContent.trim() && !control.labels?.length)
        .map((control) => control.outerHTML));
    assert.deepEqual(unnamed, []);
    assert.match(await visitor.page.locator('#graph').getAttribute('aria-label'), /Ada follows Ben and Cleo\./);
  });

  for (const width of [360, 320, 820]) {
    test(`the page fits a screen of ${width} pixels`, async () => {
      const { visitor, ben } = await visitFirstTime({ width, height: 800 });
      await ben.addsDevice();
      await visitor.adds('Somebody with a long name');
      await ben.setsStatus('a-status-without-a-single-space-that-goes-on-and-on-and-on-and-on');
      await visitor.waitsFor('the long status', () => document.querySelector('.card[data-user=Ada] .follows').textContent.includes('on-and-on'));
      const [content, screen] = await visitor.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= screen, `${content} pixels on a screen of ${screen}`);
    });
  }

  test('the page does not move when the system asks for reduced motion', async () => {
    const { visitor, ada, ben } = await visitFirstTime({ reducedMotion: true });
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

  test('the theme follows the system and the button', async () => {
    const { visitor } = await visitFirstTime({ dark: true });
    const lightness = () => visitor.page.evaluate(() => Number(getComputedStyle(document.body).backgroundColor.match(/[\d.]+/)[0]));
    const dark = await lightness();
    await visitor.page.getByRole('button', { name: 'Theme: auto. Change to light' }).click();
    assert.ok((await lightness()) > dark);
    await visitor.reloads();
    assert.ok((await lightness()) > dark, 'the choice is remembered');
    await visitor.page.getByRole('button', { name: 'Theme: light. Change to dark' }).click();
    assert.equal(await lightness(), dark);
  });
});
