// The README's first conversation, as a reader would paste it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { startServer } from './harness/server.mjs';

test('the first conversation of the README', async (t) => {
  const server = await startServer();
  t.after(() => server.stop());
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, sample] = readme.match(/```js\n([\s\S]*?)```/);
  assert.ok(sample.includes('"7350"'), 'the sample names the default port');
  // Beside the modules that it imports; only the port is another.
  const folder = new URL('out/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const file = new URL('hello.mjs', folder);
  await writeFile(file, sample.replace('"7350"', `"${server.port}"`));
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(file)]);
  assert.match(stdout, /alice follows bob: \{\n\s+presences: \[/);
  assert.match(stdout, /alice hears .*"status":"Hello everyone!"/);
});
