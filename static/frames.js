// The frames as they pass: newest first, in words, with the raw text a click away. Bounded: the oldest
// rows go when there are more than `MOST_FRAMES`, also among those that wait while paused.

import { fromTemplate, write } from './element.js';
import { isKeepAlive, phrase } from './phrase.js';

/** @typedef {import('./cast.js').Cast} Cast */
/** @typedef {import('./nakama.js').Frame} Frame */
/** @typedef {import('./person.js').Person} Person */
/** @typedef {import('./device.js').Device} Device */

export const MOST_FRAMES = 300;

/** The log of frames and its controls. */
export class Frames {
  /** @type {HTMLElement[]} */ #waiting = [];
  #paused = false;
  #list; #person; #pings; #pause; #empty;

  /** @param {HTMLElement} pane */
  constructor(pane) {
    this.#list = pane.querySelector('ol');
    this.#person = pane.querySelector('select');
    this.#pings = pane.querySelector('input[type=checkbox]');
    this.#pause = pane.querySelector('[data-do=pause]');
    this.#empty = pane.querySelector('.empty');
    this.#person.addEventListener('change', () => this.#filter());
    this.#pings.addEventListener('change', () => this.#filter());
    this.#pause.addEventListener('click', () => this.#setPaused(!this.#paused));
    pane.querySelector('[data-do=clear]').addEventListener('click', () => this.#clear());
  }

  /** @param {Frame & {person: Person, device: Device}} frame @param {(userId: string) => string | undefined} nameOf */
  add(frame, nameOf) {
    const row = this.#row(frame, nameOf);
    if (this.#paused) {
      this.#waiting = [row, ...this.#waiting].slice(0, MOST_FRAMES);
      this.#label();
    } else {
      this.#insert(row);
      this.#bound();
    }
  }

  /** Keeps the choice of people up to date. @param {Cast} cast */
  update({ people }) {
    const chosen = this.#person.value;
    const names = people.map((person) => person.name);
    if (names.join('\n') === [...this.#person.options].slice(1).map((option) => option.value).join('\n')) return;
    this.#person.replaceChildren(new Option('Everybody', ''), ...names.map((name) => new Option(name, name)));
    this.#person.value = names.includes(chosen) ? chosen : '';
    this.#filter();
  }

  /** Each line reports on its own, so a frame may come a little after one that is younger. */
  #insert(row) {
    const next = [...this.#list.children].find((other) => Number(other.dataset.at) <= Number(row.dataset.at));
    this.#list.insertBefore(row, next ?? null);
  }

  #row({ direction, text, envelope, at, person, device }, nameOf) {
    const row = fromTemplate('frame');
    row.dataset.at = at;
    row.dataset.direction = direction;
    row.dataset.person = person.name;
    row.dataset.kind = kind(envelope);
    row.style.setProperty('--hue', person.hue);
    const part = (name, content) => (row.querySelector(`.${name}`).textContent = content);
    part('way', direction === 'out' ? '→' : '←');
    part('way-words', direction === 'out' ? 'to the server' : 'from the server');
    part('who', person.devices.length > 1 ? `${person.name} ${device.label}` : person.name);
    part('what', phrase(direction, envelope, nameOf));
    part('cid', envelope.cid || envelope.id ? `#${envelope.cid ?? envelope.id}` : '');
    part('time', new Date(at).toTimeString().slice(0, 8));
    part('raw', text);
    row.hidden = !this.#wants(row);
    return row;
  }

  #wants({ dataset }) {
    if (dataset.kind === 'keep-alive' && !this.#pings.checked) return false;
    return !this.#person.value || dataset.person === this.#person.value;
  }

  #filter() {
    for (const row of [...this.#list.children, ...this.#waiting]) row.hidden = !this.#wants(row);
    this.#label();
  }

  #setPaused(paused) {
    this.#paused = paused;
    for (const row of this.#waiting.toReversed()) this.#insert(row);
    this.#waiting = [];
    this.#bound();
    this.#label();
  }

  #clear() {
    this.#waiting = [];
    this.#list.replaceChildren();
    this.#label();
  }

  #bound() {
    while (this.#list.children.length > MOST_FRAMES) this.#list.lastElementChild.remove();
    this.#label();
  }

  #label() {
    const waiting = this.#waiting.filter((row) => !row.hidden).length;
    write(this.#pause, this.#paused ? `Go on${waiting ? ` (${waiting})` : ''}` : 'Pause');
    this.#pause.setAttribute('aria-pressed', String(this.#paused));
    this.#empty.hidden = [...this.#list.children].some((row) => !row.hidden);
  }
}

function kind(envelope) {
  if (isKeepAlive(envelope)) return 'keep-alive';
  if (envelope.error) return 'error';
  return envelope.status_presence_event || envelope.push ? 'event' : 'request';
}
