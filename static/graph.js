// Who follows whom, drawn: a circle of people, an arrow from each follower to whom they follow. When an
// event arrives at a follower, a light runs back along the arrow it came by.

import { keepOnly, write } from './element.js';
import { list } from './phrase.js';

/** @typedef {import('./cast.js').Cast} Cast */
/** @typedef {import('./person.js').Person} Person */
/** @typedef {{x: number, y: number}} Point */

const SVG = 'http://www.w3.org/2000/svg';
const CENTRE = { x: 220, y: 166 };
const SPREAD = { x: 156, y: 100 };
const NODE = 27;
const RUN = { duration: 900, easing: 'cubic-bezier(.35, 0, .25, 1)' };
const WITHOUT_WORDS = { dropped: 'line dropped', lost: 'line lost', refused: 'not let in' };
const LONGEST_LABEL = 20;
const LONGEST_NAME = 13;
/** With more people than this they are drawn smaller, without what they say. */
const CROWD = 6;

/** Draws a cast into an SVG element and keeps the drawing up to date. */
export class Graph {
  #svg; #edgeLayer; #lightLayer; #nodeLayer;
  /** @type {Map<string, SVGPathElement>} */ #edges = new Map();
  /** @type {Map<string, SVGGElement>} */ #nodes = new Map();
  #size = 1;
  #still = matchMedia('(prefers-reduced-motion: reduce)');

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    this.#svg = svg;
    for (const ring of [0.5, 1, 1.4]) {
      svg.append(draw('ellipse', { class: 'orbit', cx: CENTRE.x, cy: CENTRE.y, rx: SPREAD.x * ring, ry: SPREAD.y * ring }));
    }
    [this.#edgeLayer, this.#lightLayer, this.#nodeLayer] = [0, 1, 2].map(() => svg.appendChild(draw('g', {})));
  }

  /** Draws the cast as it is. @param {Cast} cast */
  update(cast) {
    const places = circle(cast.people.length);
    this.#size = cast.people.length > CROWD ? 0.7 : 1;
    const placeOf = new Map(cast.people.map((person, index) => [person.name, places[index]]));
    this.#updateNodes(cast, placeOf);
    this.#updateEdges(cast, placeOf);
    this.#svg.setAttribute('aria-label', describe(cast));
  }

  /** An event about one person arrived at another: it ran from the one to the other. @param {Person} from @param {Person} to */
  light(from, to) {
    const edge = this.#edges.get(edgeKey(to, from));
    if (!edge) return;
    edge.animate([{ stroke: hueColour(from), strokeWidth: 2.6 }, { stroke: hueColour(from), strokeWidth: 2.6, offset: 0.5 }, {}], 2400);
    if (this.#still.matches) return;
    const light = draw('path', { class: 'light', d: edge.getAttribute('d'), pathLength: 1 });
    light.style.setProperty('--hue', from.hue);
    this.#lightLayer.append(light);
    light.animate([{ strokeDashoffset: -1 }, { strokeDashoffset: 0.3 }], RUN).finished.finally(() => light.remove());
    setTimeout(() => this.#ripple(to, 'arrival'), RUN.duration * 0.75);
  }

  /** A person said something to the server. @param {Person} person */
  speak(person) {
    this.#ripple(person, 'ripple');
  }

  #ripple(person, kind) {
    const node = this.#nodes.get(person.name);
    if (!node || this.#still.matches) return;
    const ring = draw('circle', { class: kind, r: NODE });
    node.querySelector('.body').prepend(ring);
    ring.animate([{ transform: 'scale(1)', opacity: 0.8 }, { transform: 'scale(1.7)', opacity: 0 }], 800).finished.finally(() => ring.remove());
  }

  #updateNodes(cast, placeOf) {
    keepOnly(this.#nodes, new Set(placeOf.keys()));
    for (const person of cast.people) {
      if (!this.#nodes.has(person.name)) this.#nodes.set(person.name, this.#nodeLayer.appendChild(node(person)));
      const group = this.#nodes.get(person.name);
      const { x, y } = placeOf.get(person.name);
      group.setAttribute('transform', `translate(${x} ${y})`);
      group.querySelector('.body').setAttribute('transform', `scale(${this.#size})`);
      group.querySelector('.labels').setAttribute('transform', `translate(0 ${this.#labelAt(y)})`);
      group.dataset.state = person.state;
      write(group.querySelector('.says'), this.#size < 1 ? '' : says(person));
      const satellites = person.devices.length > 1 ? person.devices : [];
      group.querySelector('.devices').replaceChildren(...satellites.map(satellite));
    }
  }

  /** Away from the middle, so that arrows do not run through it. */
  #labelAt(y) {
    const space = NODE * this.#size;
    if (y > CENTRE.y - 1) return space + 17;
    return this.#size < 1 ? -space - 9 : -space - 23;
  }

  #updateEdges(cast, placeOf) {
    const wanted = new Map();
    for (const from of cast.people) {
      for (const name of from.follows) {
        const to = cast.named(name);
        if (to) wanted.set(edgeKey(from, to), { from, to });
      }
    }
    keepOnly(this.#edges, wanted);
    for (const [key, { from, to }] of wanted) {
      if (!this.#edges.has(key)) {
        this.#edges.set(key, this.#edgeLayer.appendChild(draw('path', { class: 'edge', 'marker-end': 'url(#arrow)' })));
      }
      const edge = this.#edges.get(key);
      edge.setAttribute('d', curve(placeOf.get(from.name), placeOf.get(to.name), NODE * this.#size));
      edge.dataset.live = String(['here', 'invisible'].includes(from.state) && to.state === 'here');
    }
  }
}

/** Places around the middle, the first on top. @param {number} count @returns {Point[]} */
function circle(count) {
  if (count === 1) return [CENTRE];
  const first = count === 2 ? Math.PI : -Math.PI / 2;
  return Array.from({ length: count }, (_, index) => {
    const angle = first + (index * 2 * Math.PI) / count;
    return { x: CENTRE.x + SPREAD.x * Math.cos(angle), y: CENTRE.y + SPREAD.y * Math.sin(angle) };
  });
}

/** From rim to rim, bent to its right so that the way back is another curve. @param {Point} from @param {Point} to @param {number} radius of both */
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

function node(person) {
  const group = draw('g', { class: 'node' });
  group.style.setProperty('--hue', person.hue);
  const labels = draw('g', { class: 'labels' });
  labels.append(draw('text', { class: 'name' }), draw('text', { class: 'says', y: 14 }));
  labels.firstChild.textContent = shorten(person.name, LONGEST_NAME);
  const body = draw('g', { class: 'body' });
  const initial = draw('text', { class: 'initial', y: 1 });
  initial.textContent = [...person.name][0].toUpperCase();
  body.append(draw('circle', { class: 'halo', r: NODE + 4 }), draw('circle', { class: 'face', r: NODE }), initial, draw('g', { class: 'devices' }));
  group.append(body, labels);
  return group;
}

/** A second device and any further one stand beside their person. */
function satellite(device, index) {
  const angle = -Math.PI / 4 + index * 0.5;
  const distance = NODE + 4;
  const dot = draw('circle', { class: 'satellite', r: 4.5, cx: round(distance * Math.cos(angle)), cy: round(distance * Math.sin(angle)) });
  dot.dataset.state = device.state;
  return dot;
}

function says(person) {
  if (person.state !== 'here') return WITHOUT_WORDS[person.state] ?? person.state;
  return shorten(person.devices.find((device) => device.shown)?.shown ?? '');
}

function shorten(text, longest = LONGEST_LABEL) {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}

/** The drawing in words. @param {Cast} cast */
function describe({ people }) {
  const lines = people.map(({ name, follows }) => `${name} follows ${list([...follows]) || 'nobody'}.`);
  return `Who follows whom. ${lines.join(' ')}`;
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
