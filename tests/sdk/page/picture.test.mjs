// Pictures of the page at a moment worth looking at: news on its way along the arrows, one person on two
// devices, one just gone invisible, one of another world. Written to `out/` beside the tests.

import { mkdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launchBrowser } from '../harness/browser.mjs';
import { startServer } from '../harness/server.mjs';
import { Visitor } from './visitor.mjs';

const OUT = fileURLToPath(new URL('../out/', import.meta.url));
/** How far along the arrows the lights are in the picture, in milliseconds. */
const MOMENT = 300;

describe('pictures of the demo page', () => {
  let browser, server;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer(), mkdir(OUT, { recursive: true })]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  for (const [name, options] of Object.entries({
    page: { width: 1280, height: 800 },
    'page-dark': { width: 1280, height: 800, dark: true },
    'page-narrow': { width: 360, height: 800 },
  })) {
    test(name, async () => {
      const visitor = await Visitor.open(browser, server.url, options);
      await pose(visitor);
      await visitor.page.screenshot({ path: `${OUT}${name}.png` });
      await visitor.page.locator('#door').screenshot({ path: `${OUT}${name}-door.png` });
      await visitor.close();
    });
  }
});

/** Puts the people in place, then holds the lights still in the middle of their way. */
async function pose(visitor) {
  const [ada, ben, cleo, dov] = ['Ada', 'Ben', 'Cleo', 'Dov'].map((name) => visitor.person(name));
  await visitor.everybodyIsHere('Ada', 'Ben', 'Cleo');
  await visitor.adds('Dov', 'Tencent Chat');
  await dov.setsStatus('drawing the graph');
  await cleo.sees('Dov', 'drawing the graph');
  await ben.togglesFollowing('Dov');
  await dov.togglesFollowing('Ben');
  await ben.addsDevice();
  await ben.picksStatus('coffee');
  await ada.sees('Ben', 'coffee', 'at my desk');
  await cleo.togglesInvisible();
  await ada.sees('Cleo', 'not here');
  await visitor.waitsFor('everybody’s round-trip time', () => [...document.querySelectorAll('.rtt')].every((rtt) => /ms/.test(rtt.textContent)));
  await visitor.waitsFor('the page at rest', () => document.getAnimations().length === 0);
  await visitor.page.evaluate(() => document.activeElement.blur());

  const devtools = await visitor.context.newCDPSession(visitor.page);
  await devtools.send('Animation.enable');
  await devtools.send('Animation.setPlaybackRate', { playbackRate: 0.01 });
  await ada.picksStatus('in a meeting');
  await ben.sees('Ada', 'in a meeting');
  await visitor.waitsFor('lights on three arrows', () => document.querySelectorAll('#graph .light').length >= 3);
  await visitor.page.mouse.move(0, 0);
  await visitor.page.evaluate((moment) => {
    document.activeElement.blur();
    scrollTo(0, 0);
    for (const animation of document.getAnimations()) {
      animation.pause();
      animation.currentTime = moment;
    }
  }, MOMENT);
}
