// The card of one user. What it shows of others is only what the server sent to the selected device. What it shows of the
// user is what the server accepted.

import { duration, list } from './describe.js';
import { button, fromTemplate, keepOnly, span, write } from './element.js';
import { Tabs } from './tabs.js';

/** @typedef {import('./delivery-times.js').DeliveryTimes} DeliveryTimes */
/** @typedef {import('./people.js').People} People */
/** @typedef {import('./user.js').User} User */

/** Statuses that one click sets. */
const QUICK_STATUSES = ['available', 'in a meeting', 'coffee', 'away'];

/** The label of each state, and what the button for the connection does in it. */
const STATES = {
  online: { label: 'online', action: 'Disconnect' },
  invisible: { label: 'invisible', action: 'Disconnect' },
  connecting: { label: 'connecting', action: 'Disconnect' },
  disconnected: { label: 'disconnected', action: 'Reconnect' },
  lost: { label: 'connection lost', action: 'Retry now' },
  refused: { label: 'refused', action: 'Try again' },
};

/** States in which a status is kept until others can see it. */
const KEEPING = ['invisible', 'disconnected', 'lost'];

/** Draws a user and carries out what the controls ask for. */
export class Card {
  /** The card's element. @type {HTMLElement} */ element;
  #user; #people; #tabs;
  /** @type {Map<User, HTMLElement>} */ #rows = new Map();

  /** @param {User} user @param {People} people */
  constructor(user, people) {
    this.#user = user;
    this.#people = people;
    this.element = fromTemplate('card');
    this.element.style.setProperty('--hue', user.hue);
    this.element.dataset.user = user.name;
    this.#part('h3').textContent = user.name;
    this.#part('.dialect').textContent = user.dialect.label;
    this.#part('[role=switch]').hidden = !user.dialect.canHide;
    this.#part('.avatar').textContent = [...user.name][0].toUpperCase();
    this.#setLabel('[data-action=remove]', `Remove ${user.name}`);
    this.#setLabel('.status input', `Status of ${user.name}`);
    this.#setLabel('.quick', `Quick statuses for ${user.name}`);
    this.#setLabel('.devices', `Devices of ${user.name}`);
    this.#part('.delivery').title = `Time from the sending of ${user.name}’s latest status to its arrival at the last follower`;
    this.#setLabel('.follows', `What ${user.name} sees`);
    this.#part('.status input').value = user.device.status;
    this.#tabs = new Tabs(this.#part('.devices'), user, () => this.#deviceSelected());
    this.#part('.quick').append(...QUICK_STATUSES.map((text) => this.#quickButton(text)));
    this.#connectControls();
  }

  /** Draws the user in the current state. @param {DeliveryTimes} deliveryTimes */
  update(deliveryTimes) {
    const { device, userId } = this.#user;
    const { label, action } = STATES[device.state];
    const statusText = this.#statusText();
    this.element.dataset.state = device.state;
    this.#write('.state', label);
    this.#write('.status-text', statusText);
    this.#part('.status-text').title = statusText;
    this.#part('[role=switch]').setAttribute('aria-checked', String(device.invisible));
    this.#write('[data-action=connection]', action);
    this.#write('.problem', this.#problem());
    this.#write('.delivery', describeDelivery(deliveryTimes.of(userId)));
    for (const chip of this.#part('.quick').children) chip.setAttribute('aria-pressed', String(chip.textContent === device.shown));
    this.#tabs.update();
    this.#updateRows();
  }

  #connectControls() {
    const on = (selector, type, listener) => this.#part(selector).addEventListener(type, listener);
    on('.status', 'submit', (event) => {
      event.preventDefault();
      this.#setStatus(this.#part('.status input').value.trim());
    });
    on('[role=switch]', 'click', () => this.#user.device.setInvisible(!this.#user.device.invisible));
    on('[data-action=connection]', 'click', () => {
      const { device } = this.#user;
      if (['online', 'invisible', 'connecting'].includes(device.state)) device.disconnect();
      else device.connect();
    });
    on('[data-action=remove]', 'click', () => this.#people.remove(this.#user));
  }

  #setStatus(text) {
    this.#part('.status input').value = text;
    this.#user.device.setStatus(text);
  }

  #quickButton(text) {
    return button('chip', text, () => this.#setStatus(text));
  }

  #problem() {
    const { state, problem, retryIn } = this.#user.device;
    if (state === 'lost') return `${sentence(problem)} Trying again in ${duration(retryIn)}.`;
    return problem ? sentence(problem) : '';
  }

  /** Returns the status that others see, or the one that is kept until they can. */
  #statusText() {
    const { state, shown, status } = this.#user.device;
    if (state === 'online') return shown ? `“${shown}”` : '';
    return status && KEEPING.includes(state) ? `· keeps “${status}”` : '';
  }

  /** Shows the device that was selected. */
  #deviceSelected() {
    this.#part('.status input').value = this.#user.device.status;
    this.#people.dispatchEvent(new Event('change'));
  }

  #updateRows() {
    const others = this.#people.users.filter((other) => other !== this.#user);
    keepOnly(this.#rows, new Set(others));
    for (const other of others) {
      if (!this.#rows.has(other)) this.#rows.set(other, this.#part('.follows').appendChild(this.#row(other)));
      this.#updateRow(this.#rows.get(other), other);
    }
    this.#part('.alone').hidden = others.length > 0;
  }

  #row(other) {
    const row = fromTemplate('followed-user');
    const box = row.querySelector('input');
    row.style.setProperty('--hue', other.hue);
    row.dataset.user = other.name;
    row.querySelector('.other').textContent = other.name;
    box.setAttribute('aria-label', `${this.#user.name} follows ${other.name}`);
    box.addEventListener('change', () => (box.checked ? this.#user.follow(other) : this.#user.unfollow(other)));
    return row;
  }

  #updateRow(row, other) {
    const { device, follows } = this.#user;
    const presences = [...(device.presences.get(other.userId)?.values() ?? [])];
    const followed = follows.has(other.name);
    row.querySelector('input').checked = followed;
    row.dataset.presence = !followed ? 'none' : device.connection !== 'open' ? 'unknown' : presences.length ? 'online' : 'offline';
    const words = {
      none: ['not followed'],
      unknown: ['unknown'],
      offline: ['offline'],
      online: presences.map(({ status }) => status || 'online'),
    }[row.dataset.presence];
    const shown = row.querySelector('.presences');
    if (shown.textContent === words.join('')) return;
    shown.replaceChildren(...words.map((text) => span('presence', text)));
    shown.title = words.join(' · ');
    if (device.connection === 'open' && followed) flash(row);
  }

  #setLabel(selector, label) {
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

/** @param {import('./delivery-times.js').Delivery | undefined} latest */
function describeDelivery(latest) {
  if (!latest) return '';
  const { to, ms } = latest;
  return `${duration(ms)} to ${to.length > 3 ? `${to.length} people` : list(to)}`;
}

function sentence(text = 'The connection was lost.') {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}
