// Where the samples of one page run: a server, a folder, a shell.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { startServer, temporaryFolder } from '../harness/server.mjs';
import { comparable, valuesOf } from './pages.mjs';

export const PYTHON = process.env.PYTHON ?? 'python3';

const run = promisify(execFile);
const HERE = fileURLToPath(new URL('.', import.meta.url));
const BINARY = resolve(HERE, '..', process.env.HEREABOUTS_BINARY ?? '../../target/release/hereabouts');
/** Milliseconds that one sample may take. */
const LIMIT = 60_000;

/** Commands that build, install or test: this test stands at the end of them. */
const NOT_RUN = /^(?:git clone|cd |cargo |npm |node |tests\/run|UPDATE_DOCS=1 cargo )/;
/** A line that starts a server, perhaps with settings. */
const STARTS = /^((?:HEREABOUTS_\w+=\S+ +)*)(?:hereabouts|cargo run --release) *(?:#.*)?$/;

/** The server and the folder of one page's samples. */
export class Stage {
  #server;
  #output;
  folder = temporaryFolder();
  #last = [];

  /** A running server, with these settings if it has to be started. */
  async server(env) {
    if (env) await this.stop();
    this.#server ??= await startServer({ env });
    return this.#server;
  }

  async stop() {
    await this.#server?.stop();
    this.#server = undefined;
  }

  /** Runs after each sample: stops what it began, and the server after the last. */
  async leave(isLast) {
    for (const end of this.#last.splice(0)) await end();
    if (isLast) await this.stop();
  }

  /** Calls this at the end of the sample. */
  atEnd(end) {
    this.#last.push(end);
  }

  /** A code with the port of the page's server in place of the default. */
  async placed(code) {
    return code.includes('7350') ? code.replaceAll('7350', (await this.server()).port) : code;
  }

  /** The commands before this sample printed it. */
  async hasPrinted({ code }) {
    assert.notEqual(this.#output, undefined, 'the commands above failed');
    assert.deepEqual(comparable(valuesOf(this.#output)), comparable(valuesOf(await this.placed(code))));
  }

  /** Runs JavaScript or Python beside the modules that it imports. */
  async executes({ name, language, code }) {
    const folder = join(HERE, '../out');
    await mkdir(folder, { recursive: true });
    const file = join(folder, `${name.replaceAll(/\W+/g, '-')}.${language === 'js' ? 'mjs' : 'py'}`);
    await writeFile(file, await this.placed(code));
    return run(language === 'js' ? process.execPath : PYTHON, [file], { timeout: LIMIT });
  }

  /** Runs commands in a shell in which `hereabouts` is the binary. */
  async runsInShell({ code }) {
    this.#output = undefined;
    const commands = code.replaceAll('\\\n', ' ').split('\n').filter((line) => STARTS.test(line) || (line && !NOT_RUN.test(line)));
    const starts = commands.map((line) => STARTS.exec(line)).filter(Boolean);
    for (const [, settings] of starts) {
      await this.server(Object.fromEntries(settings.trim().split(/ +/).filter(Boolean).map((setting) => setting.split('='))));
    }
    const rest = commands.filter((line) => !STARTS.test(line)).join('\n');
    if (!rest) return;
    await symlink(BINARY, join(this.folder, 'hereabouts')).catch(() => access(join(this.folder, 'hereabouts')));
    await writeFile(join(this.folder, '.curlrc'), 'silent\nshow-error\nfail\nwrite-out = "\\n"\n');
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HEREABOUTS_'));
    const env = { ...Object.fromEntries(inherited), CURL_HOME: this.folder, PATH: `${this.folder}${delimiter}${process.env.PATH}` };
    const script = `set -euo pipefail\n${await this.placed(rest)}`;
    this.#output = (await run('bash', ['-c', script], { cwd: this.folder, env, timeout: LIMIT })).stdout;
  }
}
