// The page: connects the people to the parts that draw them. Start reading here. The model, top down, is in people.js,
// user.js, device.js and dialects.js; card.js, graph.js and frames.js draw it.

import { Card } from './card.js';
import { DeliveryTimes } from './delivery-times.js';
import { sentences } from './describe.js';
import { DIALECTS } from './dialects.js';
import { write } from './element.js';
import { Frames } from './frames.js';
import { Graph } from './graph.js';
import { recallServerKey, rememberServerKey } from './memory.js';
import { People } from './people.js';
import { wireTheme } from './theme.js';

const ADDRESS = location.origin;
/** Announcements are collected for this long and read out together, in milliseconds. */
const ANNOUNCE_AFTER = 400;
/** Maximum number of sentences in one announcement; older ones are left out. */
const MAX_SENTENCES = 4;

const people = new People(ADDRESS);
const graph = new Graph(byId('graph'));
const frames = new Frames(byId('frames'));
const deliveryTimes = new DeliveryTimes();
/** @type {Map<import('./user.js').User, Card>} */
const cards = new Map();
/** Sentences that wait for the next announcement. @type {Set<string>} */
const pendingSentences = new Set();
let drawScheduled = false;

wireTheme(byId('theme'));
wireAddPanel();
wireKeyDialog();
people.addEventListener('change', scheduleDraw);
people.addEventListener('frame', ({ detail }) => showFrame(detail));
people.addEventListener('presence', ({ detail }) => showPresence(detail));
people.addEventListener('refused', askForKey);
people.start();

/** @param {import('./nakama.js').Frame & {user: any, device: any}} frame */
function showFrame(frame) {
  frames.add(frame, nameOf);
  if (frame.direction === 'out' && (frame.envelope.status_update || frame.envelope.rpc)) {
    deliveryTimes.sent(frame.user.userId, frame.at);
    graph.ripple(frame.user);
  }
}

function showPresence({ user, device, joins, leaves, at }) {
  for (const id of new Set([...joins, ...leaves].map((presence) => presence.user_id))) {
    const subject = people.withId(id);
    if (!subject || subject === user) continue;
    deliveryTimes.arrived(id, user.name, at);
    graph.light(subject, user);
  }
  if (device === user.device) announce(user, joins, leaves);
}

/** Announces what a user sees of others: each sentence once, although several users see it, and only the latest few. */
function announce(user, joins, leaves) {
  const ofOthers = (presences) => presences.filter((presence) => presence.user_id !== user.userId);
  const added = sentences({ joins: ofOthers(joins), leaves: ofOthers(leaves) }, nameOf);
  if (added.length > 0 && pendingSentences.size === 0) setTimeout(readOut, ANNOUNCE_AFTER);
  for (const sentence of added) pendingSentences.add(sentence);
}

function readOut() {
  byId('announcements').textContent = [...pendingSentences].slice(-MAX_SENTENCES).join('. ');
  pendingSentences.clear();
}

function scheduleDraw() {
  if (drawScheduled) return;
  drawScheduled = true;
  requestAnimationFrame(() => {
    drawScheduled = false;
    draw();
  });
}

function draw() {
  for (const [user, card] of cards) {
    if (people.users.includes(user)) continue;
    if (card.element.contains(document.activeElement)) byId('new-name').focus();
    card.element.remove();
    cards.delete(user);
  }
  for (const user of people.users) {
    if (!cards.has(user)) {
      cards.set(user, new Card(user, people));
      byId('add-panel').before(cards.get(user).element);
    }
    cards.get(user).update(deliveryTimes);
  }
  graph.update(people);
  frames.update(people);
  drawServer();
}

function drawServer() {
  const connections = people.users.flatMap((user) => user.devices).map((device) => device.connection);
  const open = connections.filter((connection) => connection === 'open').length;
  const unreachable = open === 0 && connections.includes('lost');
  byId('server').dataset.state = unreachable ? 'unreachable' : open ? 'connected' : 'none';
  write(byId('server-state'), unreachable ? 'does not answer' : `${open} ${open === 1 ? 'connection' : 'connections'}`);
}

/** Connects the panel that adds a person or starts over. */
function wireAddPanel() {
  byId('address').textContent = location.host;
  byId('new-dialect').append(...Object.entries(DIALECTS).map(([name, { label }]) => new Option(label, name)));
  byId('add').addEventListener('submit', (event) => {
    event.preventDefault();
    const input = byId('new-name');
    const problem = people.add(input.value, byId('new-dialect').value);
    byId('add-problem').textContent = problem ?? '';
    if (!problem) input.value = '';
  });
  byId('start-over').addEventListener('click', () => people.startOver());
}

function wireKeyDialog() {
  byId('key-form').addEventListener('submit', () => {
    rememberServerKey(byId('server-key').value);
    people.reconnect();
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
  return people.withId(userId)?.name;
}

/** @param {string} id @returns {any} */
function byId(id) {
  return document.getElementById(id);
}
