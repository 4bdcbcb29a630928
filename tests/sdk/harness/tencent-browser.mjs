// People who use Tencent Chat's API in Chromium, each in a browser window of their own, with the server's `chat.js`. They
// run samples of Tencent's documentation.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { SDK_APP_ID, userSigOf } from './tencent.mjs';
import { DEADLINE } from './wait.mjs';

/**
 * Makes people for one test. Their windows are closed when it ends.
 * @param {import('node:test').TestContext} t @param {import('playwright-core').Browser} browser @param {{url: string}} server
 * @returns {(name: string) => Promise<BrowserPerson>}
 */
export function browserPeopleIn(t, browser, server) {
  const unique = randomUUID().slice(0, 8);
  return (name) => BrowserPerson.logsIn(t, browser, server.url, `${name}-${unique}`);
}

/** Somebody who is logged in on one device. */
export class BrowserPerson {
  static async logsIn(t, browser, url, userID) {
    const person = new BrowserPerson(t, browser, url, userID);
    await person.#opensWindow();
    await person.logsIn();
    return person;
  }

  constructor(t, browser, url, userID) {
    Object.assign(this, { userID });
    this.#place = [t, browser, url];
  }

  #place;

  /** Logs in the same user on another device. */
  anotherDevice() {
    return BrowserPerson.logsIn(...this.#place, this.userID);
  }

  /**
   * Runs a sample in the window.
   * @template T @param {(environment: {chat: any, TencentCloudChat: any, log: (entry: any) => void, given: any}) => T} sample
   * @param {unknown} [given] an argument of the sample
   * @returns {Promise<T>} its result, or `{code, message}` of its rejection
   */
  runs(sample, given) {
    return this.page.evaluate(`(async () => {
      const { chat, TencentCloudChat, log } = window;
      return (${sample})({ chat, TencentCloudChat, log, given: ${JSON.stringify(given)} });
    })().catch(({ code, message, stack }) => { if (code === undefined) throw new Error(stack); return { code, message }; })`);
  }

  logsIn(userSig = userSigOf(this.userID)) {
    return this.runs(({ chat, given }) => chat.login(given), { userID: this.userID, userSig });
  }

  /** Returns what the samples have logged so far. */
  logged() {
    return this.page.evaluate('window.entries');
  }

  /** Waits until a sample has logged an entry with these members. @param {object} wanted */
  async logs(wanted) {
    await this.page
      .waitForFunction((wanted) => window.entries.some((entry) => Object.entries(wanted).every(([name, value]) => entry[name] === value)), wanted, { timeout: DEADLINE })
      .catch(async () => assert.fail(`${this.userID} did not log ${JSON.stringify(wanted)}, but ${JSON.stringify(await this.logged())}`));
  }

  /** Clears the log. */
  async clearsLog() {
    await this.page.evaluate('void (window.entries.length = 0)');
  }

  /** Closes the window, without a logout. */
  losesConnection() {
    return this.page.context().close();
  }

  async #opensWindow() {
    const [t, browser, url] = this.#place;
    const context = await browser.newContext();
    t.after(() => context.close());
    this.page = await context.newPage();
    // A file of the server which is not the demo page.
    await this.page.goto(`${url}/favicon.svg`);
    await this.page.evaluate(async (SDKAppID) => {
      window.TencentCloudChat = (await import('/chat.js')).default;
      window.chat = window.TencentCloudChat.create({ SDKAppID });
      window.entries = [];
      window.log = (entry) => window.entries.push(entry);
    }, SDK_APP_ID);
  }
}
