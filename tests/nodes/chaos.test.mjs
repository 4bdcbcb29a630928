// A short run of random failures. `chaos.mjs` runs longer ones.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { chaos, plan } from './harness/chaos.mjs';

test('every follower sees the truth after twenty seconds of failures, and no wrong update before', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`node tests/nodes/chaos.mjs --seconds 20 --seed ${seed}`);
  const { faults } = await chaos({ seconds: 20, seed, count: 18, say: (text) => t.diagnostic(text) });
  assert.deepEqual(faults, []);
});

test('the same seed gives the same failures', () => {
  assert.deepEqual(plan(7, 300), plan(7, 300));
  assert.notDeepEqual(plan(7, 300), plan(8, 300));
  const kinds = new Set(plan(7, 300).map(({ kind }) => kind));
  assert.equal(kinds.size, 7, [...kinds].join(', '));
});
