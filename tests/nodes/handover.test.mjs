// Nodes that stop in good order, and lines that break: who is back in time was never gone to anybody.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { centrifuge } from '../sdk/harness/centrifuge.mjs';
import { changed, joined, left, peopleIn } from '../sdk/harness/people.mjs';
import { eventually } from '../sdk/harness/wait.mjs';
import { Chatter, ONLINE } from './harness/chat.mjs';
import { gathers } from './harness/crowd.mjs';
import { Gate } from './harness/gate.mjs';
import { History } from './harness/history.mjs';
import { startNodes } from './harness/nodes.mjs';
import { Redis } from './harness/redis.mjs';
import { until } from './harness/until.mjs';

const SOON = 10_000;

/** How long the drain of a node lasts in these tests, in milliseconds. */
const DRAIN = 6000;

/** Waits until everybody has a line. */
function allAreBack(crowd) {
  const away = () => crowd.filter(({ isHere }) => !isHere);
  return until(() => away().length === 0, () => `all are back; away: ${away().map(({ name }) => name)}`);
}

describe('three nodes that restart one after another', { concurrency: true }, () => {
  test('are noticed by nobody', async (t) => {
    const redis = await Redis.start(t);
    const env = { HEREABOUTS_SERVER__DRAIN_TIMEOUT: `${DRAIN}ms` };
    const { nodes, gates } = await startNodes(t, redis.url, { env });
    const history = new History();
    const crowd = await gathers(t, { history, gates, count: 240, followed: 12, isHeld: true });
    await history.settles(SOON);
    const begin = history.now();
    for (const node of nodes) {
      await node.drains();
      await allAreBack(crowd);
      await node.starts();
    }
    await history.settles(SOON * 2);
    assert.deepEqual(history.faults({ bound: SOON }), []);
    assert.equal(history.departures(crowd.map(({ user }) => user)), 0);
    assert.deepEqual(history.tellings(begin), [], 'nothing is told to anybody');
    const moved = crowd.filter(({ arrivals }) => arrivals > 1).length;
    assert.ok(moved === crowd.length, `everybody was sent away at least once, but ${crowd.length - moved}`);
  });

  test('let nobody in any longer and send their clients away little by little', async (t) => {
    const redis = await Redis.start(t);
    const env = { HEREABOUTS_SERVER__DRAIN_TIMEOUT: `${DRAIN}ms` };
    const { nodes, gates } = await startNodes(t, redis.url, { count: 2, env });
    const history = new History();
    const crowd = await gathers(t, { history, gates: [gates[0]], count: 60, followed: 3, isHeld: true });
    const closed = [];
    for (const device of crowd) {
      const ends = device.ends.bind(device);
      device.ends = (code) => {
        closed.push({ at: history.now(), code, name: device.name });
        ends(code);
      };
    }
    assert.equal((await fetch(`${nodes[0].url}/ready`)).status, 200);
    const draining = nodes[0].drains();
    await until(() => closed.length > 0, () => 'the first is sent away');
    const ready = await fetch(`${nodes[0].url}/ready`).then(({ status }) => status, () => 'not there');
    assert.ok(ready === 503 || ready === 'not there', String(ready));
    await draining;
    const [begin, end] = [closed[0].at, closed.at(-1).at];
    const span = end - begin - history.stoodStill(begin, end);
    assert.ok(span > DRAIN / 4 && span < DRAIN * 1.5, `sent away within ${span} ms`);
    const codes = new Set(closed.filter(({ name }) => name.startsWith('centrifugo')).map(({ code }) => code));
    assert.deepEqual([...codes], [3001]);
    await allAreBack(crowd);
    await history.settles(SOON);
  });
});

/** Longer than anything that is told at once takes. */
const LINGER = 8000;

describe('with a linger, a user', { concurrency: true }, () => {
  /** Loses the line to the first node, and comes back to the second once that knows of the loss. */
  async function moves(bob, gate, [, second]) {
    const received = () => second.metric('hereabouts_cluster_received');
    const before = await received();
    bob.breaksOff();
    await bob.isDisconnected();
    await eventually(received, (events) => events > before, 'the second node has heard');
    gate.turnsTo(second);
    await bob.connects();
  }

  /** Two nodes, a gate to the first, and a follower at the second. */
  async function scene(t) {
    const redis = await Redis.start(t);
    const { nodes } = await startNodes(t, redis.url, { count: 2, env: { HEREABOUTS_PRESENCE__LINGER: `${LINGER}ms` } });
    const gate = await Gate.open(nodes);
    t.after(() => gate.close());
    const person = peopleIn(t, nodes[1], 'text');
    return { nodes, gate, person, alice: await person('alice') };
  }

  test('whose line broke and who is back on another node was never gone', async (t) => {
    const { nodes, gate, person, alice } = await scene(t);
    const bob = await person('bob', { at: gate });
    const amy = await Chatter.enters(t, nodes[1], 'amy');
    await alice.follows(bob);
    await bob.setsStatus('here');
    await alice.sees(joined('bob', 'here'));
    assert.deepEqual(await amy.subscribes(bob.userId), [[ONLINE, 'here']]);
    await moves(bob, gate, nodes);
    await bob.setsStatus('here');
    await alice.seesNothingElseOf(bob);
    const [status] = await amy.sees(bob.userId);
    assert.equal(status, ONLINE, 'only the change is told');
    await bob.disconnects();
    await alice.nextOf('bob');
  });

  test('who is back with another status has changed', async (t) => {
    const { nodes, gate, person, alice } = await scene(t);
    const bob = await person('bob', { at: gate });
    await alice.follows(bob);
    await bob.setsStatus('here');
    await alice.sees(joined('bob', 'here'));
    await moves(bob, gate, nodes);
    await bob.setsStatus('there');
    await alice.sees(changed('bob', 'here', 'there'));
    await bob.disconnects();
    await alice.sees(left('bob', 'there'));
  });

  test('who closes in good order or clears the status goes at once', async (t) => {
    const { nodes, person, alice } = await scene(t);
    const [bob, cleo] = [await person('bob', { at: nodes[0], shows: true }), await person('cleo', { at: nodes[0] })];
    const [dora, amy] = [centrifuge(t, nodes[0], 'json', { claims: { sub: 'dora' } }), await Chatter.enters(t, nodes[1], 'amy')];
    const eve = await Chatter.enters(t, nodes[0], 'eve');
    await dora.connects();
    await alice.follows(bob, cleo);
    await cleo.setsStatus('here');
    await alice.sees(joined('cleo', 'here'));
    await amy.subscribes('dora', 'eve');
    const history = new History();
    const begin = history.now();
    await bob.disconnects();
    await cleo.appearsOffline();
    dora.client.disconnect();
    await eve.call('logout');
    await Promise.all([alice.sees(left('bob')), alice.sees(left('cleo', 'here'))]);
    for (const user of ['dora', 'eve']) while ((await amy.sees(user))[0] === ONLINE);
    const end = history.now();
    const took = end - begin - history.stoodStill(begin, end);
    assert.ok(took < LINGER / 2, `told after ${took} ms`);
  });

  test('whose line broke and who does not come back goes when it is over', async (t) => {
    const { nodes, person, alice } = await scene(t);
    const bob = await person('bob', { at: nodes[0], shows: true });
    await alice.follows(bob).then((seen) => seen.length || alice.sees(joined('bob')));
    const begin = performance.now();
    bob.breaksOff();
    await alice.sees(left('bob'));
    const took = performance.now() - begin;
    assert.ok(took > LINGER - 500, `told after ${took} ms`);
  });
});
