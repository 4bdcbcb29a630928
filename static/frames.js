// The log of frames: newest first, in words, with the raw text a click away. It holds at most `MAX_FRAMES` rows and removes
// the oldest ones. The same bound holds for the rows that wait while the log is paused.

import { describe, isKeepAlive } from './describe.js';
import { fromTemplate, write } from './element.js';

/** @typedef {import('./device.js').Device} Device */
/** @typedef {import('./nakama.js').Frame} Frame */
/** @typedef {import('./people.js').People} People */
/** @typedef {import('./user.js').User} User */

export const MAX_FRAMES = 300;

/** The log of frames and its controls. */
export class Frames {
  /** @type {HTMLElement[]} */ #waiting = [];
  #paused = false;
  #list; #userFilter; #pings; #pause; #empty;

  /** @param {HTMLElement} pane */
  constructor(pane) {
    this.#list = pane.querySelector('ol');
    this.#userFilter = pane.querySelector('select');
    this.#pings = pane.querySelector('input[type=checkbox]');
    this.#pause = pane.querySelector('[data-action=pause]');
    this.#empty = pane.querySelector('.empty');
    this.#userFilter.addEventListener('change', () => this.#filter());
    this.#pings.addEventListener('change', () => this.#filter());
    this.#pause.addEventListener('click', () => this.#setPaused(!this.#paused));
    pane.querySelector('[data-action=clear]').addEventListener('click', () => this.#clear());
  }

  /** @param {Frame & {user: User, device: Device}} frame @param {(userId: string) => string | undefined} nameOf */
  add(frame, nameOf) {
    const row = this.#row(frame, nameOf);
    if (this.#paused) {
      this.#waiting = [row, ...this.#waiting].slice(0, MAX_FRAMES);
      this.#updateControls();
    } else {
      this.#insert(row);
      this.#bound();
    }
  }

  /** Updates the list of users to filter by. @param {People} people */
  update({ users }) {
    const selected = this.#userFilter.value;
    const names = users.map((user) => user.name);
    if (names.join('\n') === [...this.#userFilter.options].slice(1).map((option) => option.value).join('\n')) return;
    this.#userFilter.replaceChildren(new Option('Everybody', ''), ...names.map((name) => new Option(name, name)));
    this.#userFilter.value = names.includes(selected) ? selected : '';
    this.#filter();
  }

  /** Keeps the rows in order of time. Each connection reports by itself, so an older frame may arrive after a newer one. */
  #insert(row) {
    const next = [...this.#list.children].find((other) => Number(other.dataset.at) <= Number(row.dataset.at));
    this.#list.insertBefore(row, next ?? null);
  }

  #row({ direction, text, envelope, at, user, device }, nameOf) {
    const row = fromTemplate('frame');
    row.dataset.at = at;
    row.dataset.direction = direction;
    row.dataset.user = user.name;
    row.dataset.kind = kind(envelope);
    row.style.setProperty('--hue', user.hue);
    const part = (name, content) => (row.querySelector(`.${name}`).textContent = content);
    part('direction', direction === 'out' ? '→' : '←');
    part('direction-words', direction === 'out' ? 'to the server' : 'from the server');
    part('user', user.devices.length > 1 ? `${user.name} ${device.label}` : user.name);
    part('description', describe(direction, envelope, nameOf));
    part('request-id', envelope.cid || envelope.id ? `#${envelope.cid ?? envelope.id}` : '');
    part('time', new Date(at).toTimeString().slice(0, 8));
    part('raw', text);
    row.hidden = !this.#matchesFilter(row);
    return row;
  }

  #matchesFilter({ dataset }) {
    if (dataset.kind === 'keep-alive' && !this.#pings.checked) return false;
    return !this.#userFilter.value || dataset.user === this.#userFilter.value;
  }

  #filter() {
    for (const row of [...this.#list.children, ...this.#waiting]) row.hidden = !this.#matchesFilter(row);
    this.#updateControls();
  }

  #setPaused(paused) {
    this.#paused = paused;
    for (const row of this.#waiting.toReversed()) this.#insert(row);
    this.#waiting = [];
    this.#bound();
    this.#updateControls();
  }

  #clear() {
    this.#waiting = [];
    this.#list.replaceChildren();
    this.#updateControls();
  }

  #bound() {
    while (this.#list.children.length > MAX_FRAMES) this.#list.lastElementChild.remove();
    this.#updateControls();
  }

  #updateControls() {
    const waiting = this.#waiting.filter((row) => !row.hidden).length;
    write(this.#pause, this.#paused ? `Resume${waiting ? ` (${waiting})` : ''}` : 'Pause');
    this.#pause.setAttribute('aria-pressed', String(this.#paused));
    this.#empty.hidden = [...this.#list.children].some((row) => !row.hidden);
  }
}

function kind(envelope) {
  if (isKeepAlive(envelope)) return 'keep-alive';
  if (envelope.error) return 'error';
  return envelope.status_presence_event || envelope.push ? 'event' : 'request';
}
