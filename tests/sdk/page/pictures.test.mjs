// Takes pictures of the page: updates on their way along the arrows, a user on two devices, an invisible user, a user of
// another protocol. They go into `tests/sdk/out/`.

import { mkdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launchBrowser } from '../harness/browser.mjs';
import { startServer } from '../harness/server.mjs';
import { Visitor } from './visitor.mjs';

const OUT = fileURLToPath(new URL('../out/', import.meta.url));
/** The time of the lights' animation in the picture, in milliseconds. */
const LIGHT_TIME = 300;

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
      await visitor.page.locator('#add-panel').screenshot({ path: `${OUT}${name}-add-panel.png` });
      await visitor.close();
    });
  }
});

/** Brings the users into the states to show, and stops the lights in the middle of their way. */
async function pose(visitor) {
  const [ada, ben, cleo, dov] = ['Ada', 'Ben', 'Cleo', 'Dov'].map((name) => visitor.user(name));
  await visitor.seesOnline('Ada', 'Ben', 'Cleo');
  await visitor.adds('Dov', 'Tencent Chat');
  await dov.setsStatus('drawing the graph');
  await cleo.sees('Dov', 'drawing the graph');
  await ben.follows('Dov');
  await dov.follows('Ben');
  await ben.addsDevice();
  await ben.picksStatus('coffee');
  await ada.sees('Ben', 'coffee', 'at work');
  await cleo.goesInvisible();
  await ada.sees('Cleo', 'offline');
  await visitor.waitsFor('all round-trip times', () => [...document.querySelectorAll('.rtt')].every((rtt) => /ms/.test(rtt.textContent)));
  await visitor.waitsFor('a page without animations', () => document.getAnimations().length === 0);
  await visitor.page.evaluate(() => document.activeElement.blur());

  const devtools = await visitor.context.newCDPSession(visitor.page);
  await devtools.send('Animation.enable');
  await devtools.send('Animation.setPlaybackRate', { playbackRate: 0.01 });
  await ada.picksStatus('in a meeting');
  await ben.sees('Ada', 'in a meeting');
  await visitor.waitsFor('lights on three arrows', () => document.querySelectorAll('#graph .light').length >= 3);
  await visitor.page.mouse.move(0, 0);
  await visitor.page.evaluate((time) => {
    document.activeElement.blur();
    scrollTo(0, 0);
    for (const animation of document.getAnimations()) {
      animation.pause();
      animation.currentTime = time;
    }
  }, LIGHT_TIME);
}
