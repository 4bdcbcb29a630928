// The checker of histories: what it must find, and what it must let pass.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { History } from './harness/history.mjs';

const BOUND = { bound: 15_000 };

/** A history in time that a test makes pass, and a follower in it. */
function scene() {
  let now = 0;
  const history = new History(() => now);
  const line = history.line('alice');
  const pass = (ms) => (now += ms);
  return { history, line, pass, faults: () => history.faults(BOUND).map((fault) => fault.split('\n')[0].replace(/#\d+/, '')) };
}

describe('a history is well', () => {
  test('when everything is told in order', () => {
    const { history, line, pass, faults } = scene();
    line.snapshot('bob', []);
    pass(1000);
    history.shows('bob', 1);
    pass(20);
    line.told('bob', [1]);
    history.shows('bob', 2);
    history.shows('bob', 3);
    pass(20);
    line.told('bob', [3]);
    history.goes('bob', 'logout');
    pass(20);
    line.told('bob', []);
    pass(60_000);
    assert.deepEqual(faults(), []);
  });

  test('when news come late because everything stood still', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.glances(history.now());
    history.goes('bob', 'line lost');
    pass(16_000);
    history.glances(history.now());
    pass(20);
    line.told('bob', []);
    assert.deepEqual(faults(), []);
    assert.equal(history.stoodStill(0, 20_000), 16_000);
  });

  test('when a lost line stands beside the one that took its place, for a while', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.goes('bob', 'its node was killed');
    pass(1000);
    history.shows('bob', 2);
    line.told('bob', [1, 2]);
    pass(11_000);
    line.told('bob', [2]);
    assert.deepEqual(faults(), []);
  });

  test('when a new connection goes before the lost one is known to be lost', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.goes('bob', 'its node froze');
    pass(1000);
    history.shows('bob', 2);
    line.told('bob', [1, 2]);
    pass(1000);
    history.goes('bob', 'line lost');
    line.told('bob', [1]);
    pass(1000);
    line.told('bob', []);
    assert.deepEqual(faults(), []);
  });

  test('when a number that is in doubt comes late', () => {
    const { history, line, pass, faults } = scene();
    for (const number of [1, 2]) history.shows('bob', number);
    line.snapshot('bob', [1]);
    history.doubts('bob', 2);
    history.goes('bob', 'its node froze');
    history.shows('bob', 3);
    pass(1000);
    for (const numbers of [[1, 2], [1, 3], [2, 3], [3]]) line.told('bob', numbers);
    assert.deepEqual(faults(), []);
  });

  test('when an absence is told just after its end', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.goes('bob', 'line lost');
    pass(60);
    history.shows('bob', 2);
    pass(10);
    line.told('bob', []);
    line.told('bob', [2]);
    assert.deepEqual(faults(), []);
  });

  test('when another connection is told as the one before', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.goes('bob', 'line lost');
    pass(60);
    history.shows('bob', 1);
    pass(10);
    line.told('bob', [1]);
    assert.deepEqual(faults(), []);
  });

  test('when something else is told beside the same', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1], 'away');
    pass(10);
    line.told('bob', [1], 'busy');
    assert.deepEqual(faults(), []);
  });

  test('when a connection shows nothing known', () => {
    const { history, line, pass, faults } = scene();
    line.snapshot('bob', []);
    history.shows('bob');
    pass(10);
    line.told('bob', [null]);
    line.told('bob', [7]);
    assert.deepEqual(faults(), []);
  });

  test('when a new line begins where it is', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    line.lost();
    history.goes('bob', 'logout');
    pass(60_000);
    history.line('alice').snapshot('bob', []);
    assert.deepEqual(faults(), []);
  });

  test('when an absence is told late because news are held up', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    const over = history.trouble('redis stalls', 5000, { delays: true });
    history.goes('bob', 'line lost');
    pass(60);
    history.shows('bob', 2);
    pass(5000);
    over();
    line.told('bob', []);
    line.told('bob', [2]);
    assert.deepEqual(faults(), []);
  });

  test('when a trouble holds news up and makes users go', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    const over = history.trouble('redis is away', 5000, { excused: ['bob'], from: 8000 });
    history.shows('bob', 2);
    pass(10_000);
    line.told('bob', []);
    pass(30_000);
    over();
    pass(3000);
    line.told('bob', [2]);
    assert.deepEqual(faults(), []);
  });
});

describe('a history has a fault', () => {
  test('when a view goes backwards', () => {
    const { history, line, pass, faults } = scene();
    for (const number of [1, 2]) history.shows('bob', number);
    line.snapshot('bob', [2]);
    pass(10);
    line.told('bob', [1]);
    line.told('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: goes backwards from 2 to 1']);
  });

  test('when it goes backwards over an absence', () => {
    const { history, line, pass, faults } = scene();
    for (const number of [1, 2]) history.shows('bob', number);
    line.snapshot('bob', [2]);
    history.goes('bob', 'logout');
    pass(10);
    line.told('bob', []);
    history.shows('bob', 3);
    line.told('bob', [1]);
    line.told('bob', [3]);
    assert.deepEqual(faults(), ['alice of bob: goes backwards from 2 to 1']);
  });

  test('when one of two connections goes backwards', () => {
    const { history, line, pass, faults } = scene();
    for (const number of [1, 2]) history.shows('bob', number);
    line.snapshot('bob', [2]);
    history.goes('bob', 'its node was killed');
    for (const number of [3, 4]) history.shows('bob', number);
    pass(10);
    line.told('bob', [2, 4]);
    line.told('bob', [2, 3]);
    line.told('bob', [4]);
    assert.deepEqual(faults(), ['alice of bob: goes backwards from 4 to 3']);
  });

  test('when the same is told twice', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.goes('bob', 'logout');
    pass(10);
    line.told('bob', []);
    pass(10);
    line.told('bob', []);
    assert.deepEqual(faults(), ['alice of bob: is told the same twice at 0.020 s: []']);
  });

  test('when somebody there is told twice', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', []);
    for (let time = 0; time < 2; time += 1) {
      pass(10);
      line.told('bob', [1]);
    }
    assert.deepEqual(faults(), ['alice of bob: is told the same twice at 0.020 s: [1]']);
  });

  test('when somebody goes without a cause', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    pass(500);
    line.told('bob', []);
    line.told('bob', [1]);
    assert.deepEqual(faults(), ['alice of bob: goes without a cause at 0.500 s']);
  });

  test('when somebody goes who was back long ago', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.trouble('a node is dead', 5000);
    history.goes('bob', 'its node was killed');
    pass(1000);
    history.shows('bob', 2);
    pass(9000);
    line.told('bob', []);
    line.told('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: goes without a cause at 10.000 s']);
  });

  test('when somebody goes who lingers still', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.goes('bob', 'line lost', 10_000);
    pass(9000);
    line.told('bob', []);
    assert.deepEqual(faults(), ['alice of bob: goes without a cause at 9.000 s']);
  });

  test('when somebody goes in a trouble that does not explain it', () => {
    const { history, line, pass, faults } = scene();
    for (const user of ['bob', 'cleo']) history.shows(user, 1);
    for (const user of ['bob', 'cleo']) line.snapshot(user, [1]);
    history.trouble('a node froze', 5000, { excused: ['bob'], from: 8000 });
    pass(7000);
    line.told('bob', []);
    pass(2000);
    line.told('cleo', []);
    for (const user of ['bob', 'cleo']) line.told(user, [1]);
    assert.deepEqual(faults(), ['alice of bob: goes without a cause at 7.000 s', 'alice of cleo: goes without a cause at 9.000 s']);
  });

  test('when news come late, though nothing stood still for long', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.shows('bob', 2);
    history.glances(history.now());
    pass(1000);
    history.glances(history.now());
    for (let glance = 0; glance < 181; glance += 1) {
      pass(100);
      history.glances(history.now());
    }
    line.told('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 19.100 s, which was so until 0.000 s']);
  });

  test('when a ghost stays past the bound', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.goes('bob', 'its node was killed');
    pass(15_500);
    line.told('bob', []);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 15.500 s, which was so until 0.000 s']);
  });

  test('when a ghost stays beside the one who is there', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.goes('bob', 'its node was killed');
    history.shows('bob', 2);
    line.told('bob', [1, 2]);
    pass(15_500);
    line.told('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 15.500 s, which was so until 0.000 s']);
  });

  test('when a status comes too late', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    pass(1000);
    history.shows('bob', 2);
    pass(15_500);
    line.told('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 16.500 s, which was so until 1.000 s']);
  });

  test('when somebody who came is seen too late', () => {
    const { history, line, pass, faults } = scene();
    line.snapshot('bob', []);
    pass(1000);
    history.shows('bob', 1);
    pass(15_500);
    line.told('bob', [1]);
    assert.deepEqual(faults(), ['alice of bob: sees [] from 0.000 s to 16.500 s, which was so until 1.000 s']);
  });

  test('when something is seen that was never so', () => {
    const { history, line, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [9]);
    line.told('bob', [1]);
    assert.deepEqual(faults(), ['alice of bob: sees [9] from 0.000 s to 0.000 s, which was never so']);
  });

  test('when the end is another than what is so', () => {
    const { history, line, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    history.shows('bob', 2);
    assert.deepEqual(faults(), ['alice of bob: ends otherwise']);
  });

  test('when a trouble is over and still nothing is told', () => {
    const { history, line, pass, faults } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', [1]);
    const over = history.trouble('redis is away', 5000);
    history.shows('bob', 2);
    pass(10_000);
    over();
    pass(20_500);
    line.told('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 30.500 s, which was so until 0.000 s']);
  });
});

describe('waiting for the truth', () => {
  test('ends when the last view is right, and at once if all are', async () => {
    const { history, line } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', []);
    const settled = history.settles(1000);
    line.told('bob', [1]);
    await settled;
    await history.settles(1000);
  });

  test('fails with what differs', async () => {
    const { history, line } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', []);
    await assert.rejects(history.settles(10), /alice#\d+ of bob: ends otherwise/);
  });

  test('does not wait for a line that is lost', async () => {
    const { history, line } = scene();
    history.shows('bob', 1);
    line.snapshot('bob', []);
    line.lost();
    await history.settles(1000);
  });
});
