// People of the `im` dialect, each in a browser window of their own on the server's own page, with `static/chat.js` and
// userSigs made by Tencent's own package.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';

const { Api } = createRequire(import.meta.url)('tls-sig-api-v2');

export const SDK_APP_ID = 1400000000;
export const SECRET_KEY = 'a secret of these tests';
/** The settings that go with them. */
export const IM = { HEREABOUTS_TENCENT__SDK_APP_ID: String(SDK_APP_ID), HEREABOUTS_TENCENT__SECRET_KEY: SECRET_KEY };

export const STATUS = { ONLINE: 1, OFFLINE: 2, UNLOGINED: 3 };

const PATIENCE = 10_000;

/** @param {string} userID @param {{expire?: number, secretKey?: string, SDKAppID?: number}} [options] `expire` in seconds */
export function userSigOf(userID, { expire = 3600, secretKey = SECRET_KEY, SDKAppID = SDK_APP_ID } = {}) {
  return new Api(SDKAppID, secretKey).genSig(userID, expire);
}

/**
 * Makes people for one test; their windows are closed when it ends.
 * @param {import('node:test').TestContext} t @param {import('playwright-core').Browser} browser @param {{url: string}} server
 * @returns {(name: string) => Promise<ImPerson>}
 */
export function imPeopleIn(t, browser, server) {
  const unique = randomUUID().slice(0, 8);
  return (name) => ImPerson.enters(t, browser, server.url, `${name}-${unique}`);
}

/** Somebody on one device. */
export class ImPerson {
  static async enters(t, browser, url, userID) {
    const person = new ImPerson(t, browser, url, userID);
    await person.#visits();
    await person.logsIn();
    return person;
  }

  constructor(t, browser, url, userID) {
    Object.assign(this, { userID });
    this.#stage = [t, browser, url];
  }

  #stage;

  /** The same user on another device. */
  anotherDevice() {
    return ImPerson.enters(...this.#stage, this.userID);
  }

  /**
   * Runs a sample in the window.
   * @template T @param {(world: {chat: any, TencentCloudChat: any, log: (line: any) => void, given: any}) => T} sample
   * @param {unknown} [given] what it needs besides
   * @returns {Promise<T>} or `{code, message}` of a rejection
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

  /** What the page has logged so far. */
  logged() {
    return this.page.evaluate('window.lines');
  }

  /** Waits until something was logged that has these members. @param {object} wanted */
  async logs(wanted) {
    await this.page
      .waitForFunction((wanted) => window.lines.some((line) => Object.entries(wanted).every(([name, value]) => line[name] === value)), wanted, { timeout: PATIENCE })
      .catch(async () => assert.fail(`${this.userID} never logged ${JSON.stringify(wanted)}, but ${JSON.stringify(await this.logged())}`));
  }

  /** Forgets what was logged. */
  async forgets() {
    await this.page.evaluate('void (window.lines.length = 0)');
  }

  /** Closes the window: no logout. */
  closes() {
    return this.page.context().close();
  }

  async #visits() {
    const [t, browser, url] = this.#stage;
    const context = await browser.newContext();
    t.after(() => context.close());
    this.page = await context.newPage();
    // A page of the server without the demo on it.
    await this.page.goto(`${url}/favicon.svg`);
    await this.page.evaluate(async (SDKAppID) => {
      window.TencentCloudChat = (await import('/chat.js')).default;
      window.chat = window.TencentCloudChat.create({ SDKAppID });
      window.lines = [];
      window.log = (line) => window.lines.push(line);
    }, SDK_APP_ID);
  }
}
