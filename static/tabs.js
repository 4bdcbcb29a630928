// A person's devices as a row of buttons: each turns the card to its device; the last two add a device
// and take the chosen one away.

import { button, keepOnly, span, write } from './element.js';
import { DEVICE_LABELS } from './person.js';
import { duration } from './phrase.js';

/** @typedef {import('./person.js').Person} Person */
/** @typedef {import('./device.js').Device} Device */

/** Draws the devices of one person. */
export class Tabs {
  /** @type {Map<Device, HTMLButtonElement>} */ #tabs = new Map();
  #element; #person; #turn; #add; #remove;

  /** @param {HTMLElement} element @param {Person} person @param {() => void} turned called when the card has another device to show */
  constructor(element, person, turned) {
    this.#element = element;
    this.#person = person;
    this.#turn = (device) => {
      if (device) person.device = device;
      turned();
    };
    this.#add = this.#plus();
    this.#remove = this.#minus();
    element.append(this.#add, this.#remove);
  }

  /** Draws the devices as they are. */
  update() {
    const { devices, device: chosen, name } = this.#person;
    keepOnly(this.#tabs, new Set(devices));
    for (const device of devices) {
      if (!this.#tabs.has(device)) this.#tabs.set(device, this.#tab(device));
      const tab = this.#tabs.get(device);
      const rtt = device.rtt === undefined ? undefined : duration(device.rtt);
      tab.dataset.state = device.state;
      tab.setAttribute('aria-pressed', String(device === chosen));
      tab.title = rtt ? `${rtt} to the server and back` : 'No line';
      write(tab.querySelector('.rtt'), rtt ?? '–');
    }
    this.#add.hidden = devices.length === DEVICE_LABELS.length;
    this.#remove.hidden = devices.length === 1;
    entitle(this.#remove, `Remove the ${chosen.label} of ${name}`);
  }

  #tab(device) {
    const tab = button('device', '', () => this.#turn(device));
    tab.append(span('', device.label), ' ', span('rtt', ''));
    this.#element.insertBefore(tab, this.#add);
    return tab;
  }

  #plus() {
    const add = button('device add', '+', () => {
      this.#person.addDevice();
      this.#turn();
    });
    entitle(add, `Add a device for ${this.#person.name}`);
    return add;
  }

  #minus() {
    return button('device add', '−', () => {
      this.#person.removeDevice(this.#person.device);
      this.#turn();
      this.#add.focus();
    });
  }
}

function entitle(element, label) {
  element.setAttribute('aria-label', label);
  element.title = label;
}
