// Redis as operators run it: one server, several, a Cluster, a master with a replica and a sentinel. Each server is a process
// with its own folder, and is ended by its process id.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { eventually, within } from '../../sdk/harness/wait.mjs';
import { freePort } from './ports.mjs';

const START_DEADLINE = 20_000;

const running = new Set();
process.on('exit', () => {
  for (const redis of running) redis.abandon();
});

/** One server. */
export class Redis {
  #child;
  #arguments;
  #folder = mkdtempSync(join(tmpdir(), 'hereabouts-redis-'));
  #log = '';
  #exited;

  /**
   * @param {import('node:test').TestContext | undefined} t stops it; without it, `stop` does
   * @param {...string} settings as on its command line
   */
  static async start(t, ...settings) {
    const redis = new Redis(await freePort(), settings);
    t?.after(() => redis.stop());
    await redis.starts();
    return redis;
  }

  /** Starts a sentinel that watches `redis` under the name `main` and promotes another server after `downAfter` ms without it. */
  static async sentinel(t, redis, downAfter = 1000) {
    const sentinel = new Redis(await freePort(), ['--sentinel']);
    sentinel.#settingsFile = [
      `sentinel monitor main 127.0.0.1 ${redis.port} 1`,
      `sentinel down-after-milliseconds main ${downAfter}`,
      'sentinel failover-timeout main 5000',
    ].join('\n');
    t?.after(() => sentinel.stop());
    await sentinel.starts('+monitor master main');
    return sentinel;
  }

  #settingsFile;

  constructor(port, settings) {
    this.port = port;
    this.#arguments = settings;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  log() {
    return this.#log;
  }

  /** Starts the process, for the first time or after a `kill`. Its data is kept, unless `isEmpty`. */
  async starts(ready = 'Ready to accept connections', { isEmpty = false } = {}) {
    if (isEmpty) {
      rmSync(this.#folder, { recursive: true, force: true });
      this.#folder = mkdtempSync(join(tmpdir(), 'hereabouts-redis-'));
    }
    const file = [];
    if (this.#settingsFile) {
      file.push(join(this.#folder, 'redis.conf'));
      writeFileSync(file[0], this.#settingsFile);
    }
    this.#log = '';
    const fixed = this.#settingsFile ? [] : ['--save', '', '--appendonly', 'yes', '--enable-debug-command', 'yes'];
    const child = spawn('redis-server', [...file, '--port', String(this.port), '--dir', this.#folder, '--bind', '127.0.0.1', ...fixed, ...this.#arguments], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(this);
    this.#exited = once(child, 'close').then(() => running.delete(this));
    const error = (what) => new Error(`redis-server ${what}; it wrote:\n${this.#log}`);
    const started = new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          this.#log += text;
          if (this.#log.includes(ready)) resolve();
        });
      }
      child.once('error', reject);
      this.#exited.then(() => reject(error('exited')));
    });
    await within(START_DEADLINE, started, () => error('does not start'));
  }

  /** Kills the process, as on a lost machine. Its data is on disk. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Stops it in order, with its data on disk, and starts it again. */
  async restarts({ isEmpty = false } = {}) {
    this.#child.kill('SIGTERM');
    await this.#exited;
    await this.starts(undefined, { isEmpty });
  }

  suspend() {
    this.#child.kill('SIGSTOP');
  }

  resume() {
    this.#child.kill('SIGCONT');
  }

  /** Sends a command by Redis's own client and returns the reply as text. @param {...string} words */
  async command(...words) {
    const { stdout } = await promisify(execFile)('redis-cli', ['-p', String(this.port), ...words], { timeout: START_DEADLINE });
    return stdout.trimEnd();
  }

  /** Ends it and removes its data. */
  async stop() {
    this.abandon();
    await this.#exited;
  }

  abandon() {
    this.#child?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The number of hash slots of a Redis Cluster. */
const SLOTS = 16_384;

/**
 * Starts a Cluster of masters with equal shares of the slots, and returns them with its address.
 * @param {import('node:test').TestContext} [t]
 */
export async function startRedisCluster(t, count = 3) {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '6000'];
  const masters = await Promise.all(Array.from({ length: count }, () => Redis.start(t, ...settings)));
  const [first, ...others] = masters;
  await Promise.all(masters.map((master, at) => master.command('CLUSTER', 'ADDSLOTSRANGE', String(share(at, count)), String(share(at + 1, count) - 1))));
  for (const [at, master] of masters.entries()) await master.command('CLUSTER', 'SET-CONFIG-EPOCH', String(at + 1));
  for (const other of others) await first.command('CLUSTER', 'MEET', '127.0.0.1', String(other.port));
  for (const master of masters) {
    const isComplete = (info) => info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}`);
    await eventually(() => master.command('CLUSTER', 'INFO'), isComplete, 'a complete cluster');
  }
  return { masters, url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}` };
}

const share = (at, count) => Math.floor((SLOTS * at) / count);

/** Moves slots with their keys from one master to another, as operators do. */
export async function reshard(from, to, slots) {
  const [source, target] = await Promise.all([from, to].map((master) => master.command('CLUSTER', 'MYID')));
  const options = ['--cluster-from', source, '--cluster-to', target, '--cluster-slots', String(slots), '--cluster-yes'];
  await promisify(execFile)('redis-cli', ['--cluster', 'reshard', `127.0.0.1:${from.port}`, ...options], { timeout: 60_000 });
}

/** Starts a master, a replica in step with it, and a sentinel, and returns them with their address. `downAfter` as in `Redis.sentinel`. */
export async function startSentinel(t, downAfter) {
  const master = await Redis.start(t);
  const replica = await Redis.start(t, '--replicaof', '127.0.0.1', String(master.port));
  await eventually(() => replica.command('INFO', 'replication'), (info) => info.includes('master_link_status:up'), 'a replica in step');
  const sentinel = await Redis.sentinel(t, master, downAfter);
  await eventually(() => sentinel.command('SENTINEL', 'REPLICAS', 'main'), (reply) => reply.includes(String(replica.port)), 'a known replica');
  return { master, replica, sentinel, url: `redis+sentinel://127.0.0.1:${sentinel.port}/main` };
}
