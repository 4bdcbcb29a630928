// The README's conversations, as a reader would paste them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { startServer } from './harness/server.mjs';

let server, samples;
before(async () => {
  server = await startServer();
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  samples = Array.from(readme.matchAll(/```js\n([\s\S]*?)```/g), ([, sample]) => sample);
});
after(() => server?.stop());

/** Runs a sample beside the modules that it imports; only the port is another. Returns what it prints. */
async function run(name, sample) {
  assert.ok(sample.includes('7350'), 'the sample names the default port');
  const folder = new URL('out/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const file = new URL(`${name}.mjs`, folder);
  await writeFile(file, sample.replaceAll('7350', server.port));
  return (await promisify(execFile)(process.execPath, [fileURLToPath(file)])).stdout;
}

test('the first conversation of the README', async () => {
  const stdout = await run('hello', samples[0]);
  assert.match(stdout, /alice follows bob: \{\n\s+presences: \[/);
  assert.match(stdout, /alice hears .*"status":"Hello everyone!"/);
});

test("the README's conversation of Centrifugo clients", async () => {
  const stdout = await run('hello-centrifugo', samples[1]);
  assert.match(stdout, /bob is \{/);
  assert.match(stdout, /bob became \{[^}]*state: 'dnd'/);
});
