// Somebody with a browser on the demo page. Tests speak to the people on the page through it, and every
// wait is for something to be seen, never for time to pass.

import assert from 'node:assert/strict';

const PATIENCE = 10_000;

/** A browser window on the page, with a storage of its own; `close` fails if the page misbehaved. */
export class Visitor {
  /** What the page should not have done: errors on the console, exceptions, requests to other hosts. */
  complaints = [];

  /**
   * @param {import('playwright-core').Browser} browser @param {string} url
   * @param {{width?: number, height?: number, dark?: boolean, calm?: boolean, storage?: Record<string, unknown>}} [options]
   */
  static async open(browser, url, { width = 1280, height = 800, dark = false, calm = false, storage = {} } = {}) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: calm ? 'reduce' : 'no-preference',
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

  /** The same browser, another tab. */
  async anotherTab() {
    return new Visitor(this.context, this.url).#visit();
  }

  /** @param {string} name */
  person(name) {
    return new PersonOnPage(this, name);
  }

  /** @param {string[]} names */
  async everybodyIsHere(...names) {
    for (const name of names) await this.person(name).isShownAs('here');
  }

  async reload() {
    await this.page.reload();
  }

  /** @param {string} name @param {string} [world] as the page calls it */
  async adds(name, world = 'Nakama') {
    await this.page.getByLabel('Somebody else').fill(name);
    await this.page.getByLabel('Speaks').selectOption(world);
    await this.page.getByRole('button', { name: 'Add', exact: true }).click();
  }

  /** Waits until the page shows something. @param {string} what in words @param {() => unknown} look runs in the page @param {unknown} [argument] */
  async waitsFor(what, look, argument) {
    await this.page.waitForFunction(look, argument, { timeout: PATIENCE }).catch(async () => {
      assert.fail(`never saw ${what}; the page reads:\n${await this.page.locator('main').innerText()}`);
    });
  }

  /** Raw text of the frames in the log, newest first. @param {string} selector of rows */
  async frames(selector) {
    return this.page.locator(`#frames li${selector} .raw`).allTextContents();
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.complaints, [], 'the page misbehaved');
  }

  async #visit() {
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(PATIENCE);
    this.page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(`console: ${message.text()}`);
    });
    this.page.on('pageerror', (error) => this.complaints.push(`exception: ${error.message}`));
    this.page.on('request', (request) => this.#noteHost(request.url()));
    await this.page.goto(this.url);
    return this;
  }

  #noteHost(url) {
    const { host, protocol } = new URL(url);
    if (protocol !== 'data:' && host !== new URL(this.url).host) this.complaints.push(`request: ${url}`);
  }
}

/** One person's card, as a visitor uses and reads it. */
class PersonOnPage {
  constructor(visitor, name) {
    this.visitor = visitor;
    this.name = name;
    this.card = visitor.page.locator(`.card[data-person="${name}"]`);
  }

  async setsStatus(text) {
    await this.card.getByLabel(`Status of ${this.name}`).fill(text);
    await this.card.getByRole('button', { name: 'Set', exact: true }).click();
  }

  async picksStatus(text) {
    await this.card.getByRole('button', { name: text, exact: true }).click();
  }

  async togglesInvisible() {
    await this.card.getByRole('switch', { name: 'Invisible' }).click();
  }

  async dropsTheLine() {
    await this.card.getByRole('button', { name: 'Drop the line' }).click();
  }

  async comesBack() {
    await this.card.getByRole('button', { name: 'Come back' }).click();
  }

  async togglesFollowing(other) {
    await this.card.getByRole('checkbox', { name: `${this.name} follows ${other}` }).click();
  }

  async addsDevice() {
    await this.card.getByRole('button', { name: `Add a device for ${this.name}` }).click();
  }

  /** Has the card show another device of theirs. */
  async turnsTo(label) {
    await this.card.locator('.devices').getByRole('button', { name: new RegExp(`^${label}`) }).click();
  }

  async removesDevice(label) {
    await this.card.getByRole('button', { name: `Remove the ${label} of ${this.name}` }).click();
  }

  async leaves() {
    await this.card.getByRole('button', { name: `Remove ${this.name}` }).click();
  }

  /** Here, invisible, dropped, lost or refused. */
  async isShownAs(state) {
    await this.visitor.waitsFor(
      `${this.name} ${state}`,
      ([name, wanted]) => document.querySelector(`.card[data-person="${name}"]`)?.dataset.state === wanted,
      [this.name, state],
    );
  }

  /** Sees exactly these words beside the other's name, one for each of their sessions in any order. */
  async sees(other, ...words) {
    await this.visitor.waitsFor(
      `${this.name} seeing ${other} as ${JSON.stringify(words)}`,
      ([name, whom, wanted]) => {
        const row = document.querySelector(`.card[data-person="${name}"] .sees li[data-person="${whom}"]`);
        const seen = [...(row?.querySelectorAll('.presence') ?? [])].map((presence) => presence.textContent);
        return JSON.stringify(seen.sort()) === wanted;
      },
      [this.name, other, JSON.stringify(words.sort())],
    );
  }

  /** All there is to learn about another from this card. */
  async looksAt(other) {
    return this.card.locator(`.sees li[data-person="${other}"]`).evaluate((row) => row.outerHTML);
  }

  async isTold(problem) {
    await this.visitor.waitsFor(
      `${this.name} being told ${problem}`,
      ([name, wanted]) => document.querySelector(`.card[data-person="${name}"] .problem`)?.textContent.includes(wanted),
      [this.name, problem],
    );
  }
}
