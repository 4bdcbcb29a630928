// What every test of the page needs: one browser and one server for a whole `describe`, and visitors who
// are shown out, and asked whether the page behaved, after each test.

import { after, afterEach, before } from 'node:test';

import { launchBrowser } from '../harness/browser.mjs';
import { startServer } from '../harness/server.mjs';
import { Visitor } from './visitor.mjs';

/** Sets the stage for the `describe` it is called in. */
export function setStage() {
  const visitors = [];
  let browser, server;

  before(async () => {
    [browser, server] = await Promise.all([launchBrowser(), startServer()]);
  });
  afterEach(async () => {
    await Promise.all(visitors.splice(0).map((visitor) => visitor.close()));
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** @param {Parameters<typeof Visitor.open>[2] & {url?: string}} [options] */
  async function visit({ url = server.url, ...options } = {}) {
    const visitor = await Visitor.open(browser, url, options);
    visitors.push(visitor);
    return visitor;
  }

  /** A first visit, once everybody has found whom they follow. @param {Parameters<typeof visit>[0]} [options] */
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

  return { visit, visitFirstCast, serverUrl: () => server.url };
}
