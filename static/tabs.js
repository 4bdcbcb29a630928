// A user's devices as a row of buttons. Each selects the device that the card shows; the last two add a device and remove
// the selected one.

import { duration } from './describe.js';
import { button, keepOnly, span, write } from './element.js';
import { DEVICE_LABELS } from './user.js';

/** @typedef {import('./device.js').Device} Device */
/** @typedef {import('./user.js').User} User */

/** Draws the devices of one user. */
export class Tabs {
  /** @type {Map<Device, HTMLButtonElement>} */ #tabs = new Map();
  #element; #user; #select; #add; #remove;

  /** @param {HTMLElement} element @param {User} user @param {() => void} selected called when the card has another device to show */
  constructor(element, user, selected) {
    this.#element = element;
    this.#user = user;
    this.#select = (device) => {
      if (device) user.device = device;
      selected();
    };
    this.#add = this.#addButton();
    this.#remove = this.#removeButton();
    element.append(this.#add, this.#remove);
  }

  /** Draws the devices in their current state. */
  update() {
    const { devices, device: selected, name } = this.#user;
    keepOnly(this.#tabs, new Set(devices));
    for (const device of devices) {
      if (!this.#tabs.has(device)) this.#tabs.set(device, this.#tab(device));
      const tab = this.#tabs.get(device);
      const rtt = device.rtt === undefined ? undefined : duration(device.rtt);
      tab.dataset.state = device.state;
      tab.setAttribute('aria-pressed', String(device === selected));
      tab.title = rtt ? `${rtt} to the server and back` : 'Not connected';
      write(tab.querySelector('.rtt'), rtt ?? '–');
    }
    this.#add.hidden = devices.length === DEVICE_LABELS.length;
    this.#remove.hidden = devices.length === 1;
    setLabel(this.#remove, `Remove the ${selected.label} of ${name}`);
  }

  #tab(device) {
    const tab = button('device', '', () => this.#select(device));
    tab.append(span('', device.label), ' ', span('rtt', ''));
    this.#element.insertBefore(tab, this.#add);
    return tab;
  }

  #addButton() {
    const add = button('device add', '+', () => {
      this.#user.addDevice();
      this.#select();
    });
    setLabel(add, `Add a device for ${this.#user.name}`);
    return add;
  }

  #removeButton() {
    return button('device add', '−', () => {
      this.#user.removeDevice(this.#user.device);
      this.#select();
      this.#add.focus();
    });
  }
}

function setLabel(element, label) {
  element.setAttribute('aria-label', label);
  element.title = label;
}
