// The page: wires the cast to its drawings. Start reading here; cast.js, person.js, device.js and
// worlds.js are the model, top down; card.js, graph.js and frames.js draw it.

import { Card } from './card.js';
import { Cast } from './cast.js';
import { write } from './element.js';
import { Frames } from './frames.js';
import { Graph } from './graph.js';
import { recallServerKey, rememberServerKey } from './memory.js';
import { sentences } from './phrase.js';
import { Reach } from './reach.js';
import { wireTheme } from './theme.js';
import { WORLDS } from './worlds.js';

const ADDRESS = location.origin;

const cast = new Cast(ADDRESS);
const graph = new Graph(byId('graph'));
const frames = new Frames(byId('frames'));
const reach = new Reach();
/** @type {Map<import('./person.js').Person, Card>} */
const cards = new Map();
/** Sentences waiting to be read out. @type {Set<string>} */
const unsaid = new Set();
let drawing = false;

wireTheme(byId('theme'));
wireDoor();
wireKeyDialog();
cast.addEventListener('change', drawSoon);
cast.addEventListener('frame', ({ detail }) => showFrame(detail));
cast.addEventListener('presence', ({ detail }) => showPresence(detail));
cast.addEventListener('refused', askForKey);
cast.enter();

/** @param {import('./nakama.js').Frame & {person: any, device: any}} frame */
function showFrame(frame) {
  frames.add(frame, nameOf);
  if (frame.direction === 'out' && (frame.envelope.status_update || frame.envelope.rpc)) {
    reach.sent(frame.person.userId, frame.at);
    graph.speak(frame.person);
  }
}

function showPresence({ person, device, joins, leaves, at }) {
  for (const id of new Set([...joins, ...leaves].map((presence) => presence.user_id))) {
    const subject = cast.withId(id);
    if (!subject || subject === person) continue;
    reach.arrived(id, person.name, at);
    graph.light(subject, person);
  }
  if (device === person.device) announce(person, joins, leaves);
}

/** Says what people see, each thing once however many see it, and the latest few when much happens. */
function announce(person, joins, leaves) {
  const others = (presences) => presences.filter((presence) => presence.user_id !== person.userId);
  const news = sentences({ joins: others(joins), leaves: others(leaves) }, nameOf);
  if (news.length > 0 && unsaid.size === 0) setTimeout(sayIt, 400);
  for (const sentence of news) unsaid.add(sentence);
}

function sayIt() {
  byId('said').textContent = [...unsaid].slice(-4).join('. ');
  unsaid.clear();
}

function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  for (const [person, card] of cards) {
    if (cast.people.includes(person)) continue;
    if (card.element.contains(document.activeElement)) byId('new-name').focus();
    card.element.remove();
    cards.delete(person);
  }
  for (const person of cast.people) {
    if (!cards.has(person)) {
      cards.set(person, new Card(person, cast));
      byId('door').before(cards.get(person).element);
    }
    cards.get(person).update(reach);
  }
  graph.update(cast);
  frames.update(cast);
  drawServer();
}

function drawServer() {
  const lines = cast.people.flatMap((person) => person.devices).map((device) => device.line);
  const open = lines.filter((line) => line === 'open').length;
  const away = open === 0 && lines.includes('lost');
  byId('server').dataset.state = away ? 'away' : open ? 'here' : 'none';
  write(byId('server-words'), away ? 'does not answer' : `${open} ${open === 1 ? 'line' : 'lines'} open`);
}

/** Where people come in: adding one, or starting over. */
function wireDoor() {
  byId('address').textContent = location.host;
  byId('new-world').append(...Object.entries(WORLDS).map(([name, { label }]) => new Option(label, name)));
  byId('add').addEventListener('submit', (event) => {
    event.preventDefault();
    const input = byId('new-name');
    const problem = cast.add(input.value, byId('new-world').value);
    byId('add-problem').textContent = problem ?? '';
    if (!problem) input.value = '';
  });
  byId('start-over').addEventListener('click', () => cast.startOver());
}

function wireKeyDialog() {
  byId('key-form').addEventListener('submit', () => {
    rememberServerKey(byId('server-key').value);
    cast.reconnect();
  });
  byId('key-later').addEventListener('click', () => byId('key-dialog').close());
}

function askForKey({ detail: { device } }) {
  if (byId('key-dialog').open) return;
  byId('key-problem').textContent = device.problem;
  byId('server-key').value = recallServerKey();
  byId('key-dialog').showModal();
}

/** @param {string} userId */
function nameOf(userId) {
  return cast.withId(userId)?.name;
}

/** @param {string} id @returns {any} */
function byId(id) {
  return document.getElementById(id);
}
