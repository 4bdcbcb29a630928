// One person's card. What it says of others is only what the server told the device in turn; what it
// says of the person is what the server accepted.

import { button, fromTemplate, keepOnly, span, write } from './element.js';
import { duration, list } from './phrase.js';
import { Tabs } from './tabs.js';

/** @typedef {import('./cast.js').Cast} Cast */
/** @typedef {import('./person.js').Person} Person */
/** @typedef {import('./reach.js').Reach} Reach */

const QUICK = ['available', 'in a meeting', 'coffee', 'away'];

/** What each state is called, and what the button for the line then does. */
const STATES = {
  here: { words: 'here', action: 'Drop the line' },
  invisible: { words: 'invisible', action: 'Drop the line' },
  connecting: { words: 'connecting', action: 'Drop the line' },
  dropped: { words: 'line dropped', action: 'Come back' },
  lost: { words: 'line lost', action: 'Try at once' },
  refused: { words: 'not let in', action: 'Try again' },
};

/** States in which a status waits to be shown. */
const KEEPING = ['invisible', 'dropped', 'lost'];

/** Draws a person and obeys the controls. */
export class Card {
  /** The card's element. @type {HTMLElement} */ element;
  #person; #cast; #tabs;
  /** @type {Map<Person, HTMLElement>} */ #rows = new Map();

  /** @param {Person} person @param {Cast} cast */
  constructor(person, cast) {
    this.#person = person;
    this.#cast = cast;
    this.element = fromTemplate('card');
    this.element.style.setProperty('--hue', person.hue);
    this.element.dataset.person = person.name;
    this.#part('h3').textContent = person.name;
    this.#part('.world').textContent = person.world.label;
    this.#part('[role=switch]').hidden = !person.world.canHide;
    this.#part('.avatar').textContent = [...person.name][0].toUpperCase();
    this.#name('[data-do=remove]', `Remove ${person.name}`);
    this.#name('.status input', `Status of ${person.name}`);
    this.#name('.quick', `Quick statuses for ${person.name}`);
    this.#name('.devices', `Devices of ${person.name}`);
    this.#part('.reach').title = `From the latest change of ${person.name} leaving this page to its arrival at the last follower`;
    this.#name('.sees', `What ${person.name} sees`);
    this.#part('.status input').value = person.device.status;
    this.#tabs = new Tabs(this.#part('.devices'), person, () => this.#turn());
    this.#part('.quick').append(...QUICK.map((text) => this.#quick(text)));
    this.#wire();
  }

  /** Draws the person as they are. @param {Reach} reach */
  update(reach) {
    const { device, userId } = this.#person;
    const { words, action } = STATES[device.state];
    const shows = this.#shows();
    this.element.dataset.state = device.state;
    this.#write('.state', words);
    this.#write('.shows', shows);
    this.#part('.shows').title = shows;
    this.#part('[role=switch]').setAttribute('aria-checked', String(device.invisible));
    this.#write('[data-do=line]', action);
    this.#write('.problem', this.#problem());
    this.#write('.reach', reached(reach.of(userId)));
    for (const chip of this.#part('.quick').children) chip.setAttribute('aria-pressed', String(chip.textContent === device.shown));
    this.#tabs.update();
    this.#updateRows();
  }

  #wire() {
    const on = (selector, type, listener) => this.#part(selector).addEventListener(type, listener);
    on('.status', 'submit', (event) => {
      event.preventDefault();
      this.#say(this.#part('.status input').value.trim());
    });
    on('[role=switch]', 'click', () => this.#person.device.setInvisible(!this.#person.device.invisible));
    on('[data-do=line]', 'click', () => {
      const { device } = this.#person;
      if (['here', 'invisible', 'connecting'].includes(device.state)) device.drop();
      else device.connect();
    });
    on('[data-do=remove]', 'click', () => this.#cast.remove(this.#person));
  }

  #say(text) {
    this.#part('.status input').value = text;
    this.#person.device.setStatus(text);
  }

  #quick(text) {
    return button('chip', text, () => this.#say(text));
  }

  #problem() {
    const { state, problem, retryIn } = this.#person.device;
    if (state === 'lost') return `${sentence(problem)} Trying again in ${duration(retryIn)}.`;
    return problem ? sentence(problem) : '';
  }

  /** The status others see, or the one kept for when they can. */
  #shows() {
    const { state, shown, status } = this.#person.device;
    if (state === 'here') return shown ? `“${shown}”` : '';
    return status && KEEPING.includes(state) ? `· keeps “${status}”` : '';
  }

  /** The card is about another device of theirs. */
  #turn() {
    this.#part('.status input').value = this.#person.device.status;
    this.#cast.dispatchEvent(new Event('change'));
  }

  #updateRows() {
    const others = this.#cast.people.filter((other) => other !== this.#person);
    keepOnly(this.#rows, new Set(others));
    for (const other of others) {
      if (!this.#rows.has(other)) this.#rows.set(other, this.#part('.sees').appendChild(this.#row(other)));
      this.#updateRow(this.#rows.get(other), other);
    }
    this.#part('.alone').hidden = others.length > 0;
  }

  #row(other) {
    const row = fromTemplate('sight');
    const box = row.querySelector('input');
    row.style.setProperty('--hue', other.hue);
    row.dataset.person = other.name;
    row.querySelector('.other').textContent = other.name;
    box.setAttribute('aria-label', `${this.#person.name} follows ${other.name}`);
    box.addEventListener('change', () => (box.checked ? this.#person.follow(other) : this.#person.unfollow(other)));
    return row;
  }

  #updateRow(row, other) {
    const { device, follows } = this.#person;
    const sessions = [...(device.seen.get(other.userId)?.values() ?? [])];
    const followed = follows.has(other.name);
    row.querySelector('input').checked = followed;
    row.dataset.sight = !followed ? 'none' : device.line !== 'open' ? 'unknown' : sessions.length ? 'here' : 'gone';
    const words = {
      none: ['not followed'],
      unknown: ['cannot tell without a line'],
      gone: ['not here'],
      here: sessions.map(({ status }) => status || 'here'),
    }[row.dataset.sight];
    const seen = row.querySelector('.seen');
    if (seen.textContent === words.join('')) return;
    seen.replaceChildren(...words.map((text) => span('presence', text)));
    seen.title = words.join(' · ');
    if (device.line === 'open' && followed) flash(row);
  }

  #name(selector, label) {
    this.#part(selector).setAttribute('aria-label', label);
  }

  #write(selector, text) {
    write(this.#part(selector), text);
  }

  /** @returns {any} */
  #part(selector) {
    return this.element.querySelector(selector);
  }
}

function flash(row) {
  row.animate([{ backgroundColor: 'var(--flash)' }, { backgroundColor: 'transparent' }], 1600);
}

/** @param {import('./reach.js').Reached | undefined} latest */
function reached(latest) {
  if (!latest) return '';
  const { to, ms } = latest;
  return `${duration(ms)} to ${to.length > 3 ? `${to.length} people` : list(to)}`;
}

function sentence(text = 'The line was lost.') {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}
