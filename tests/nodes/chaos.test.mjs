// A little chaos; `chaos.mjs` has more of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { chaos, plan } from './harness/chaos.mjs';

test('half a minute of trouble ends at the truth, and nobody was told anything wrong', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`node tests/nodes/chaos.mjs --seconds 20 --seed ${seed}`);
  const { faults } = await chaos({ seconds: 20, seed, count: 18, say: (text) => t.diagnostic(text) });
  assert.deepEqual(faults, []);
});

test('the same seed is the same trouble', () => {
  assert.deepEqual(plan(7, 300), plan(7, 300));
  assert.notDeepEqual(plan(7, 300), plan(8, 300));
  const kinds = new Set(plan(7, 300).map(({ kind }) => kind));
  assert.equal(kinds.size, 7, [...kinds].join(', '));
});
