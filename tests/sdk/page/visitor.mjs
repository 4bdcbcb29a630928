// Somebody with a browser on the demo page. Tests use the cards of the page's users through it. Every wait is for something
// that the page shows, never for time to pass.

import assert from 'node:assert/strict';

const DEADLINE = 10_000;

/** A browser window on the page, with a storage of its own. `close` fails if the page misbehaved. */
export class Visitor {
  /** What the page should not have done: errors on the console, exceptions, requests to other hosts. */
  faults = [];

  /**
   * @param {import('playwright-core').Browser} browser @param {string} url
   * @param {{width?: number, height?: number, dark?: boolean, reducedMotion?: boolean, storage?: Record<string, unknown>}} [options]
   */
  static async open(browser, url, { width = 1280, height = 800, dark = false, reducedMotion = false, storage = {} } = {}) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: reducedMotion ? 'reduce' : 'no-preference',
    });
    await context.addInitScript((entries) => {
      for (const [key, value] of entries) localStorage[`hereabouts.${key}`] ??= JSON.stringify(value);
    }, Object.entries(storage));
    return new Visitor(context, url).#visit();
  }

  constructor(context, url) {
    this.context = context;
    this.url = url;
  }

  /** Opens another tab of the same browser. */
  async opensTab() {
    return new Visitor(this.context, this.url).#visit();
  }

  /** @param {string} name */
  user(name) {
    return new UserOnPage(this, name);
  }

  /** Waits until all of these users are online. @param {string[]} names */
  async seesOnline(...names) {
    for (const name of names) await this.user(name).isShownAs('online');
  }

  async reloads() {
    await this.page.reload();
  }

  /** @param {string} name @param {string} [protocol] as the page calls it */
  async adds(name, protocol = 'Nakama') {
    await this.page.getByLabel('New person').fill(name);
    await this.page.getByLabel('Protocol').selectOption(protocol);
    await this.page.getByRole('button', { name: 'Add', exact: true }).click();
  }

  /** @param {string} name */
  async removes(name) {
    await this.user(name).card.getByRole('button', { name: `Remove ${name}` }).click();
  }

  /** Waits until the page shows something. @param {string} what in words @param {() => unknown} look runs in the page @param {unknown} [argument] */
  async waitsFor(what, look, argument) {
    await this.page.waitForFunction(look, argument, { timeout: DEADLINE }).catch(async () => {
      assert.fail(`the page does not show ${what}; its text is:\n${await this.page.locator('main').innerText()}`);
    });
  }

  /** Returns the raw text of the frames in the log, newest first. @param {string} selector of rows */
  async frames(selector) {
    return this.page.locator(`#frames li${selector} .raw`).allTextContents();
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.faults, [], 'the page misbehaved');
  }

  async #visit() {
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(DEADLINE);
    this.page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.faults.push(`console: ${message.text()}`);
    });
    this.page.on('pageerror', (error) => this.faults.push(`exception: ${error.message}`));
    this.page.on('request', (request) => this.#checkHost(request.url()));
    await this.page.goto(this.url);
    return this;
  }

  #checkHost(url) {
    const { host, protocol } = new URL(url);
    if (protocol !== 'data:' && host !== new URL(this.url).host) this.faults.push(`request: ${url}`);
  }
}

/** One user's card, as a visitor uses and reads it. */
class UserOnPage {
  constructor(visitor, name) {
    this.visitor = visitor;
    this.name = name;
    this.card = visitor.page.locator(`.card[data-user="${name}"]`);
  }

  async setsStatus(text) {
    await this.card.getByLabel(`Status of ${this.name}`).fill(text);
    await this.card.getByRole('button', { name: 'Set', exact: true }).click();
  }

  /** Sets a status by one click. */
  async picksStatus(text) {
    await this.card.getByRole('button', { name: text, exact: true }).click();
  }

  async goesInvisible() {
    await this.card.getByRole('switch', { name: 'Invisible', checked: false }).click();
  }

  async goesVisible() {
    await this.card.getByRole('switch', { name: 'Invisible', checked: true }).click();
  }

  async disconnects() {
    await this.card.getByRole('button', { name: 'Disconnect' }).click();
  }

  async reconnects() {
    await this.card.getByRole('button', { name: 'Reconnect' }).click();
  }

  async follows(other) {
    await this.card.getByRole('checkbox', { name: `${this.name} follows ${other}`, checked: false }).click();
  }

  async unfollows(other) {
    await this.card.getByRole('checkbox', { name: `${this.name} follows ${other}`, checked: true }).click();
  }

  async addsDevice() {
    await this.card.getByRole('button', { name: `Add a device for ${this.name}` }).click();
  }

  /** Selects the device that the card shows. */
  async selectsDevice(label) {
    await this.card.locator('.devices').getByRole('button', { name: new RegExp(`^${label}`) }).click();
  }

  async removesDevice(label) {
    await this.card.getByRole('button', { name: `Remove the ${label} of ${this.name}` }).click();
  }

  /** Waits for a state: online, invisible, connecting, disconnected, lost or refused. */
  async isShownAs(state) {
    await this.visitor.waitsFor(
      `${this.name} as ${state}`,
      ([name, wanted]) => document.querySelector(`.card[data-user="${name}"]`)?.dataset.state === wanted,
      [this.name, state],
    );
  }

  /** Waits until exactly these words follow the other's name, one for each session in any order. */
  async sees(other, ...words) {
    await this.visitor.waitsFor(
      `that ${this.name} sees ${other} as ${JSON.stringify(words)}`,
      ([name, followed, wanted]) => {
        const row = document.querySelector(`.card[data-user="${name}"] .follows li[data-user="${followed}"]`);
        const seen = [...(row?.querySelectorAll('.presence') ?? [])].map((presence) => presence.textContent);
        return JSON.stringify(seen.sort()) === wanted;
      },
      [this.name, other, JSON.stringify(words.sort())],
    );
  }

  /** Returns everything that this card shows of another user. */
  async rowOf(other) {
    return this.card.locator(`.follows li[data-user="${other}"]`).evaluate((row) => row.outerHTML);
  }

  /** Waits until the card shows a problem that contains this text. */
  async showsProblem(problem) {
    await this.visitor.waitsFor(
      `the problem ${problem} of ${this.name}`,
      ([name, wanted]) => document.querySelector(`.card[data-user="${name}"] .problem`)?.textContent.includes(wanted),
      [this.name, problem],
    );
  }
}
