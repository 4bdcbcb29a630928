// What every test of the page needs: one browser and one server for a whole `describe`, and visitors. After each test it
// closes the visitors and fails the test if the page misbehaved.

import { after, afterEach, before } from 'node:test';

import { launchBrowser } from '../harness/browser.mjs';
import { startServer } from '../harness/server.mjs';
import { Visitor } from './visitor.mjs';

/** Sets up the `describe` in which it is called. */
export function setUpPage() {
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

  /** Visits for the first time, and waits until Ada, Ben and Cleo see the users that they follow. @param {Parameters<typeof visit>[0]} [options] */
  async function visitFirstTime(options) {
    const visitor = await visit(options);
    const [ada, ben, cleo] = ['Ada', 'Ben', 'Cleo'].map((name) => visitor.user(name));
    await ada.sees('Ben', 'at work');
    await ada.sees('Cleo', 'available');
    await ben.sees('Ada', 'writing the manual');
    await cleo.sees('Ada', 'writing the manual');
    await cleo.sees('Ben', 'at work');
    return { visitor, ada, ben, cleo };
  }

  return { visit, visitFirstTime, serverUrl: () => server.url };
}
