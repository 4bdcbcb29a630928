// The checker of histories: what it must find, and what it must accept.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { History } from './harness/history.mjs';

const BOUND = { bound: 15_000 };

/** Returns a history with a clock that the test advances, and a follower in it. */
function startHistory() {
  let now = 0;
  const history = new History(() => now);
  const follower = history.connection('alice');
  const advance = (ms) => (now += ms);
  return { history, follower, advance, faults: () => history.faults(BOUND).map((fault) => fault.split('\n')[0].replace(/#\d+/, '')) };
}

describe('a history has no fault', () => {
  test('when every update arrives in order', () => {
    const { history, follower, advance, faults } = startHistory();
    follower.snapshot('bob', []);
    advance(1000);
    history.recordStatus('bob', 1);
    advance(20);
    follower.update('bob', [1]);
    history.recordStatus('bob', 2);
    history.recordStatus('bob', 3);
    advance(20);
    follower.update('bob', [3]);
    history.recordAbsence('bob', 'logout');
    advance(20);
    follower.update('bob', []);
    advance(60_000);
    assert.deepEqual(faults(), []);
  });

  test('when an update is late because the machine was suspended', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.tick(history.now());
    history.recordAbsence('bob', 'connection lost');
    advance(16_000);
    history.tick(history.now());
    advance(20);
    follower.update('bob', []);
    assert.deepEqual(faults(), []);
    assert.equal(history.suspendedTime(0, 20_000), 16_000);
  });

  test('when a lost connection is shown together with the one that replaced it, for a while', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordAbsence('bob', 'its node was killed');
    advance(1000);
    history.recordStatus('bob', 2);
    follower.update('bob', [1, 2]);
    advance(11_000);
    follower.update('bob', [2]);
    assert.deepEqual(faults(), []);
  });

  test('when a new connection ends before the lost one is known to be lost', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordAbsence('bob', 'its node was suspended');
    advance(1000);
    history.recordStatus('bob', 2);
    follower.update('bob', [1, 2]);
    advance(1000);
    history.recordAbsence('bob', 'connection lost');
    follower.update('bob', [1]);
    advance(1000);
    follower.update('bob', []);
    assert.deepEqual(faults(), []);
  });

  test('when an uncertain number arrives late', () => {
    const { history, follower, advance, faults } = startHistory();
    for (const number of [1, 2]) history.recordStatus('bob', number);
    follower.snapshot('bob', [1]);
    history.recordUncertain('bob', 2);
    history.recordAbsence('bob', 'its node was suspended');
    history.recordStatus('bob', 3);
    advance(1000);
    for (const numbers of [[1, 2], [1, 3], [2, 3], [3]]) follower.update('bob', numbers);
    assert.deepEqual(faults(), []);
  });

  test('when an absence arrives just after its end', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordAbsence('bob', 'connection lost');
    advance(60);
    history.recordStatus('bob', 2);
    advance(10);
    follower.update('bob', []);
    follower.update('bob', [2]);
    assert.deepEqual(faults(), []);
  });

  test('when a new connection has the same status as the one before', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordAbsence('bob', 'connection lost');
    advance(60);
    history.recordStatus('bob', 1);
    advance(10);
    follower.update('bob', [1]);
    assert.deepEqual(faults(), []);
  });

  test('when only the details of an update change', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1], 'away');
    advance(10);
    follower.update('bob', [1], 'busy');
    assert.deepEqual(faults(), []);
  });

  test('when the status of a connection is unknown', () => {
    const { history, follower, advance, faults } = startHistory();
    follower.snapshot('bob', []);
    history.recordStatus('bob');
    advance(10);
    follower.update('bob', [null]);
    follower.update('bob', [7]);
    assert.deepEqual(faults(), []);
  });

  test('when a new connection of a follower starts at the truth', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    follower.close();
    history.recordAbsence('bob', 'logout');
    advance(60_000);
    history.connection('alice').snapshot('bob', []);
    assert.deepEqual(faults(), []);
  });

  test('when an absence arrives late because updates are delayed', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    const over = history.failure('redis is suspended', 5000, { delays: true });
    history.recordAbsence('bob', 'connection lost');
    advance(60);
    history.recordStatus('bob', 2);
    advance(5000);
    over();
    follower.update('bob', []);
    follower.update('bob', [2]);
    assert.deepEqual(faults(), []);
  });

  test('when a failure delays updates and makes users leave', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    const over = history.failure('redis is away', 5000, { excused: ['bob'], from: 8000 });
    history.recordStatus('bob', 2);
    advance(10_000);
    follower.update('bob', []);
    advance(30_000);
    over();
    advance(3000);
    follower.update('bob', [2]);
    assert.deepEqual(faults(), []);
  });
});

describe('a history has a fault', () => {
  test('when a view goes backwards', () => {
    const { history, follower, advance, faults } = startHistory();
    for (const number of [1, 2]) history.recordStatus('bob', number);
    follower.snapshot('bob', [2]);
    advance(10);
    follower.update('bob', [1]);
    follower.update('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: goes backwards from 2 to 1']);
  });

  test('when a view goes backwards over an absence', () => {
    const { history, follower, advance, faults } = startHistory();
    for (const number of [1, 2]) history.recordStatus('bob', number);
    follower.snapshot('bob', [2]);
    history.recordAbsence('bob', 'logout');
    advance(10);
    follower.update('bob', []);
    history.recordStatus('bob', 3);
    follower.update('bob', [1]);
    follower.update('bob', [3]);
    assert.deepEqual(faults(), ['alice of bob: goes backwards from 2 to 1']);
  });

  test('when one of two connections goes backwards', () => {
    const { history, follower, advance, faults } = startHistory();
    for (const number of [1, 2]) history.recordStatus('bob', number);
    follower.snapshot('bob', [2]);
    history.recordAbsence('bob', 'its node was killed');
    for (const number of [3, 4]) history.recordStatus('bob', number);
    advance(10);
    follower.update('bob', [2, 4]);
    follower.update('bob', [2, 3]);
    follower.update('bob', [4]);
    assert.deepEqual(faults(), ['alice of bob: goes backwards from 4 to 3']);
  });

  test('when the same absence arrives twice', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordAbsence('bob', 'logout');
    advance(10);
    follower.update('bob', []);
    advance(10);
    follower.update('bob', []);
    assert.deepEqual(faults(), ['alice of bob: gets the same update twice at 0.020 s: []']);
  });

  test('when the same status arrives twice', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', []);
    for (let time = 0; time < 2; time += 1) {
      advance(10);
      follower.update('bob', [1]);
    }
    assert.deepEqual(faults(), ['alice of bob: gets the same update twice at 0.020 s: [1]']);
  });

  test('when a user leaves without a cause', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    advance(500);
    follower.update('bob', []);
    follower.update('bob', [1]);
    assert.deepEqual(faults(), ['alice of bob: leaves without a cause at 0.500 s']);
  });

  test('when a user leaves although the user was back long before', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.failure('a node is dead', 5000);
    history.recordAbsence('bob', 'its node was killed');
    advance(1000);
    history.recordStatus('bob', 2);
    advance(9000);
    follower.update('bob', []);
    follower.update('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: leaves without a cause at 10.000 s']);
  });

  test('when a user leaves before the end of the linger', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordAbsence('bob', 'connection lost', 10_000);
    advance(9000);
    follower.update('bob', []);
    assert.deepEqual(faults(), ['alice of bob: leaves without a cause at 9.000 s']);
  });

  test('when a user leaves in a failure that does not explain it', () => {
    const { history, follower, advance, faults } = startHistory();
    for (const user of ['bob', 'cleo']) history.recordStatus(user, 1);
    for (const user of ['bob', 'cleo']) follower.snapshot(user, [1]);
    history.failure('a node was suspended', 5000, { excused: ['bob'], from: 8000 });
    advance(7000);
    follower.update('bob', []);
    advance(2000);
    follower.update('cleo', []);
    for (const user of ['bob', 'cleo']) follower.update(user, [1]);
    assert.deepEqual(faults(), ['alice of bob: leaves without a cause at 7.000 s', 'alice of cleo: leaves without a cause at 9.000 s']);
  });

  test('when an update is late although no suspension was long', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordStatus('bob', 2);
    history.tick(history.now());
    advance(1000);
    history.tick(history.now());
    for (let tick = 0; tick < 181; tick += 1) {
      advance(100);
      history.tick(history.now());
    }
    follower.update('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 19.100 s, which was true until 0.000 s']);
  });

  test('when a ghost stays longer than the bound', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordAbsence('bob', 'its node was killed');
    advance(15_500);
    follower.update('bob', []);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 15.500 s, which was true until 0.000 s']);
  });

  test('when a ghost stays together with the current connection', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordAbsence('bob', 'its node was killed');
    history.recordStatus('bob', 2);
    follower.update('bob', [1, 2]);
    advance(15_500);
    follower.update('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 15.500 s, which was true until 0.000 s']);
  });

  test('when a status arrives too late', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    advance(1000);
    history.recordStatus('bob', 2);
    advance(15_500);
    follower.update('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 16.500 s, which was true until 1.000 s']);
  });

  test('when a user who came is seen too late', () => {
    const { history, follower, advance, faults } = startHistory();
    follower.snapshot('bob', []);
    advance(1000);
    history.recordStatus('bob', 1);
    advance(15_500);
    follower.update('bob', [1]);
    assert.deepEqual(faults(), ['alice of bob: sees [] from 0.000 s to 16.500 s, which was true until 1.000 s']);
  });

  test('when a status is seen that was never true', () => {
    const { history, follower, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [9]);
    follower.update('bob', [1]);
    assert.deepEqual(faults(), ['alice of bob: sees [9] from 0.000 s to 0.000 s, which was never true']);
  });

  test('when a view differs from the truth at the end', () => {
    const { history, follower, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    history.recordStatus('bob', 2);
    assert.deepEqual(faults(), ['alice of bob: differs from the truth at the end']);
  });

  test('when a failure is over and the update still does not arrive', () => {
    const { history, follower, advance, faults } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', [1]);
    const over = history.failure('redis is away', 5000);
    history.recordStatus('bob', 2);
    advance(10_000);
    over();
    advance(20_500);
    follower.update('bob', [2]);
    assert.deepEqual(faults(), ['alice of bob: sees [1] from 0.000 s to 30.500 s, which was true until 0.000 s']);
  });
});

describe('a wait for the truth', () => {
  test('ends when the last view is correct, and at once if all are', async () => {
    const { history, follower } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', []);
    const converged = history.converges(1000);
    follower.update('bob', [1]);
    await converged;
    await history.converges(1000);
  });

  test('fails with the views that differ', async () => {
    const { history, follower } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', []);
    await assert.rejects(history.converges(10), /alice#\d+ of bob: differs from the truth at the end/);
  });

  test('does not include a lost connection', async () => {
    const { history, follower } = startHistory();
    history.recordStatus('bob', 1);
    follower.snapshot('bob', []);
    follower.close();
    await history.converges(1000);
  });
});
