// Runs random failures on three nodes, for five minutes or as long as given:
//
//   node tests/nodes/chaos.mjs --seconds 300 --seed 42
//
// Without a seed it chooses one and prints it. The exit code is not 0 if the history has a fault. `HEREABOUTS_BINARY` is the
// server; the default is `target/release/hereabouts`.

import { parseArgs } from 'node:util';

import { chaos } from './harness/chaos.mjs';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '300' }, seed: { type: 'string' }, clients: { type: 'string', default: '24' } } });
const [seconds, seed, count] = [values.seconds, values.seed ?? Math.floor(Math.random() * 2 ** 31), values.clients].map(Number);
if (![seconds, seed, count].every((number) => Number.isInteger(number) && number >= 0)) {
  console.error('usage: node tests/nodes/chaos.mjs [--seconds N] [--seed N] [--clients N]');
  process.exit(2);
}
console.log(`--seconds ${seconds} --seed ${seed} --clients ${count}`);
const { faults, ...figures } = await chaos({ seconds, seed, count, say: console.log });
for (const fault of faults) console.error(fault);
console.log(faults.length ? `${faults.length} faults` : 'no faults', figures);
process.exit(faults.length ? 1 : 0);
