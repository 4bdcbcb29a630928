// Draws which user follows which: a circle of users, with an arrow from each follower to each followed user. When an event arrives
// at a follower, a light runs back along the arrow.

import { list } from './describe.js';
import { keepOnly, write } from './element.js';

/** @typedef {import('./people.js').People} People */
/** @typedef {import('./user.js').User} User */
/** @typedef {{x: number, y: number}} Point */

const SVG = 'http://www.w3.org/2000/svg';
const CENTRE = { x: 220, y: 166 };
const SPREAD = { x: 156, y: 100 };
const NODE_RADIUS = 27;
/** How a light runs along an arrow. */
const LIGHT = { duration: 900, easing: 'cubic-bezier(.35, 0, .25, 1)' };
const MAX_STATUS_LENGTH = 20;
const MAX_NAME_LENGTH = 13;
/** Above this number of users, all are drawn smaller and without their statuses. */
const MAX_LARGE_NODES = 6;

/** Draws the people into an SVG element and keeps the drawing up to date. */
export class Graph {
  #svg; #edgeLayer; #lightLayer; #nodeLayer;
  /** @type {Map<string, SVGPathElement>} */ #edges = new Map();
  /** @type {Map<string, SVGGElement>} */ #nodes = new Map();
  #scale = 1;
  #reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    this.#svg = svg;
    for (const ring of [0.5, 1, 1.4]) {
      svg.append(draw('ellipse', { class: 'orbit', cx: CENTRE.x, cy: CENTRE.y, rx: SPREAD.x * ring, ry: SPREAD.y * ring }));
    }
    [this.#edgeLayer, this.#lightLayer, this.#nodeLayer] = [0, 1, 2].map(() => svg.appendChild(draw('g', {})));
  }

  /** Draws the people in their current state. @param {People} people */
  update(people) {
    const positions = circle(people.users.length);
    this.#scale = people.users.length > MAX_LARGE_NODES ? 0.7 : 1;
    const positionOf = new Map(people.users.map((user, index) => [user.name, positions[index]]));
    this.#updateNodes(people, positionOf);
    this.#updateEdges(people, positionOf);
    this.#svg.setAttribute('aria-label', describeGraph(people));
  }

  /** Runs a light from a user to a follower, because an event about the user arrived there. @param {User} from @param {User} to */
  light(from, to) {
    const edge = this.#edges.get(edgeKey(to, from));
    if (!edge) return;
    edge.animate([{ stroke: hueColour(from), strokeWidth: 2.6 }, { stroke: hueColour(from), strokeWidth: 2.6, offset: 0.5 }, {}], 2400);
    if (this.#reducedMotion.matches) return;
    const light = draw('path', { class: 'light', d: edge.getAttribute('d'), pathLength: 1 });
    light.style.setProperty('--hue', from.hue);
    this.#lightLayer.append(light);
    light.animate([{ strokeDashoffset: -1 }, { strokeDashoffset: 0.3 }], LIGHT).finished.finally(() => light.remove());
    setTimeout(() => this.#ring(to, 'arrival'), LIGHT.duration * 0.75);
  }

  /** Draws a ripple around a user who has just sent a status. @param {User} user */
  ripple(user) {
    this.#ring(user, 'ripple');
  }

  #ring(user, kind) {
    const node = this.#nodes.get(user.name);
    if (!node || this.#reducedMotion.matches) return;
    const ring = draw('circle', { class: kind, r: NODE_RADIUS });
    node.querySelector('.body').prepend(ring);
    ring.animate([{ transform: 'scale(1)', opacity: 0.8 }, { transform: 'scale(1.7)', opacity: 0 }], 800).finished.finally(() => ring.remove());
  }

  #updateNodes(people, positionOf) {
    keepOnly(this.#nodes, new Set(positionOf.keys()));
    for (const user of people.users) {
      if (!this.#nodes.has(user.name)) this.#nodes.set(user.name, this.#nodeLayer.appendChild(node(user)));
      const group = this.#nodes.get(user.name);
      const { x, y } = positionOf.get(user.name);
      group.setAttribute('transform', `translate(${x} ${y})`);
      group.querySelector('.body').setAttribute('transform', `scale(${this.#scale})`);
      group.querySelector('.labels').setAttribute('transform', `translate(0 ${this.#labelAt(y)})`);
      group.dataset.state = user.state;
      write(group.querySelector('.status-text'), this.#scale < 1 ? '' : statusText(user));
      const satellites = user.devices.length > 1 ? user.devices : [];
      group.querySelector('.devices').replaceChildren(...satellites.map(satellite));
    }
  }

  /** Returns where a label stands: away from the middle, so that arrows do not cross it. */
  #labelAt(y) {
    const space = NODE_RADIUS * this.#scale;
    if (y > CENTRE.y - 1) return space + 20;
    return this.#scale < 1 ? -space - 9 : -space - 25;
  }

  #updateEdges(people, positionOf) {
    const wanted = new Map();
    for (const from of people.users) {
      for (const name of from.follows) {
        const to = people.named(name);
        if (to) wanted.set(edgeKey(from, to), { from, to });
      }
    }
    keepOnly(this.#edges, wanted);
    for (const [key, { from, to }] of wanted) {
      if (!this.#edges.has(key)) {
        this.#edges.set(key, this.#edgeLayer.appendChild(draw('path', { class: 'edge', 'marker-end': 'url(#arrow)' })));
      }
      const edge = this.#edges.get(key);
      edge.setAttribute('d', curve(positionOf.get(from.name), positionOf.get(to.name), NODE_RADIUS * this.#scale));
      edge.dataset.live = String(['online', 'invisible'].includes(from.state) && to.state === 'online');
    }
  }
}

/** Returns positions around the middle, the first one on top. @param {number} count @returns {Point[]} */
function circle(count) {
  if (count === 1) return [CENTRE];
  const first = count === 2 ? Math.PI : -Math.PI / 2;
  return Array.from({ length: count }, (_, index) => {
    const angle = first + (index * 2 * Math.PI) / count;
    return { x: CENTRE.x + SPREAD.x * Math.cos(angle), y: CENTRE.y + SPREAD.y * Math.sin(angle) };
  });
}

/** Returns a curve from rim to rim. It bends to its right, so that the arrow in the other direction is another curve. @param {Point} from @param {Point} to @param {number} radius of both */
function curve(from, to, radius) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  const bend = Math.min(26, length * 0.14);
  const turn = (2 * bend) / length;
  const start = rim(from, ux + uy * -turn, uy + ux * turn, radius + 5);
  const end = rim(to, -ux - uy * turn, -uy + ux * turn, radius + 9);
  const middle = { x: (from.x + to.x) / 2 - uy * bend, y: (from.y + to.y) / 2 + ux * bend };
  return `M${start.x} ${start.y}Q${middle.x} ${middle.y} ${end.x} ${end.y}`;
}

function rim({ x, y }, dx, dy, distance) {
  const length = Math.hypot(dx, dy);
  return { x: round(x + (dx / length) * distance), y: round(y + (dy / length) * distance) };
}

function node(user) {
  const group = draw('g', { class: 'node' });
  group.style.setProperty('--hue', user.hue);
  const labels = draw('g', { class: 'labels' });
  labels.append(draw('text', { class: 'name' }), draw('text', { class: 'status-text', y: 14 }));
  labels.firstChild.textContent = shorten(user.name, MAX_NAME_LENGTH);
  const body = draw('g', { class: 'body' });
  const initial = draw('text', { class: 'initial', y: 1 });
  initial.textContent = [...user.name][0].toUpperCase();
  body.append(draw('circle', { class: 'halo', r: NODE_RADIUS + 4 }), draw('circle', { class: 'face', r: NODE_RADIUS }), initial, draw('g', { class: 'devices' }));
  group.append(body, labels);
  return group;
}

/** Returns the dot of a device. A user with several devices has a dot for each. */
function satellite(device, index) {
  const angle = -Math.PI / 4 + index * 0.5;
  const distance = NODE_RADIUS + 4;
  const dot = draw('circle', { class: 'satellite', r: 4.5, cx: round(distance * Math.cos(angle)), cy: round(distance * Math.sin(angle)) });
  dot.dataset.state = device.state;
  return dot;
}

function statusText(user) {
  if (user.state === 'lost') return 'connection lost';
  if (user.state !== 'online') return user.state;
  return shorten(user.devices.find((device) => device.shown)?.shown ?? '');
}

function shorten(text, maxLength = MAX_STATUS_LENGTH) {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}

/** Describes the drawing in words. @param {People} people */
function describeGraph({ users }) {
  const sentences = users.map(({ name, follows }) => `${name} follows ${list([...follows]) || 'nobody'}.`);
  return `Followers. ${sentences.join(' ')}`;
}

function edgeKey(from, to) {
  return `${from.name}\n${to.name}`;
}

function hueColour({ hue }) {
  return `oklch(0.66 0.17 ${hue})`;
}

function round(number) {
  return Math.round(number * 10) / 10;
}

function draw(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
