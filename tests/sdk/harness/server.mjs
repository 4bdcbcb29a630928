// The server under test: a process with its own port and folder.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { within } from './wait.mjs';

const BINARY = resolve(fileURLToPath(new URL('..', import.meta.url)), process.env.HEREABOUTS_BINARY ?? '../../target/release/hereabouts');
const START_DEADLINE = 20_000;
const STOP_DEADLINE = 20_000;
const READY = /listening on http:\/\/(127\.0\.0\.1):(\d+)/;

/** Servers that run. None outlives this process. */
const running = new Set();

process.on('exit', () => {
  for (const server of running) server.abandon();
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => process.exit(1));
}

/** Creates an empty folder which is removed when this process exits. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'hereabouts-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Returns this process's environment without the server's settings, and with `env`. */
function environment(env) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HEREABOUTS_'));
  return { ...Object.fromEntries(inherited), ...env };
}

/** Runs the binary in an empty folder until it exits, and returns its output. @param {string[]} args @param {Record<string, string>} env */
export async function runBinary(args, env) {
  const { stdout } = await promisify(execFile)(BINARY, args, { cwd: temporaryFolder(), env: environment(env) });
  return stdout;
}

/**
 * Starts a server and waits until it listens.
 * @param {{env?: Record<string, string>, dataDir?: string, address?: string}} [options] `env` as in `{HEREABOUTS_NAKAMA__TOKEN_EXPIRY: '1s'}`;
 *   with `dataDir` the accounts stay there after `stop`, for another server; `address` is a free port by default, and may be
 *   that of a server that has stopped
 */
export async function startServer({ env = {}, dataDir, address = '127.0.0.1:0' } = {}) {
  const server = new Server(env, dataDir, address);
  await server.listens();
  return server;
}

class Server {
  #child;
  #folder = mkdtempSync(join(tmpdir(), 'hereabouts-'));
  #log = '';
  #stopping = false;
  #logged;

  constructor(env, dataDir = join(this.#folder, 'data'), address) {
    // The working folder is empty, so that the server reads no configuration file of this machine.
    this.#child = spawn(BINARY, ['--address', address], {
      cwd: this.#folder,
      env: environment({ HEREABOUTS_STORE__PATH: dataDir, ...env }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#log += text;
        this.#logged?.();
      });
    }
    /** Resolves with `{code, signal}` when the process has exited. Never rejects. */
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#log += `${error.message}\n`;
        resolve({ code: null, signal: null });
      });
      this.#child.once('close', (code, signal) => resolve({ code, signal }));
    });
    this.exited.then(() => {
      running.delete(this);
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /** Returns the server's output so far. */
  log() {
    return this.#log;
  }

  /** Waits until the server has logged the address on which it listens. */
  async listens() {
    const ready = new Promise((resolve, reject) => {
      this.#logged = () => {
        const found = READY.exec(this.#log);
        if (found) resolve(found);
      };
      this.exited.then(({ code, signal }) => reject(this.#error(`exited (${signal ?? code}) before it listened`)));
    });
    const [, host, port] = await within(START_DEADLINE, ready, () => this.#error('does not listen')).catch((error) => {
      this.abandon();
      throw error;
    });
    this.host = host;
    this.port = Number(port);
    this.address = `${host}:${port}`;
    this.url = `http://${this.address}`;
  }

  /**
   * Stops the server by its process id and waits until it has exited. An orderly stop must end with code 0, and the server
   * must not have panicked.
   * @param {NodeJS.Signals} [signal]
   * @returns {Promise<{code: number | null, signal: string | null}>}
   */
  async stop(signal = 'SIGTERM') {
    if (!this.#stopping) {
      this.#stopping = true;
      if (!running.has(this)) throw this.#error('exited before it was stopped');
      this.#child.kill(signal);
    }
    const exit = await within(STOP_DEADLINE, this.exited, () => this.#error(`ignores ${signal}`)).catch(async (error) => {
      this.abandon();
      throw error;
    });
    if (signal === 'SIGTERM' && exit.code !== 0) throw this.#error(`stopped with ${exit.signal ?? `code ${exit.code}`}`);
    if (this.#log.includes('panicked at')) throw this.#error('panicked');
    return exit;
  }

  /** Kills the process without waiting for its end. */
  abandon() {
    this.#child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #error(what) {
    return new Error(`the server (${BINARY}) ${what}; it wrote:\n${this.#log || '(nothing)'}`);
  }
}
