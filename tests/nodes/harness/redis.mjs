// Redis as operators run it: one server, several, a Cluster, a master with a replica and its sentinel. Each server is a
// process of its own with a folder of its own, and is ended by its process id.

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
   * @param {import('node:test').TestContext | undefined} t ends it; without one, `stop` does
   * @param {...string} settings as on its command line
   */
  static async start(t, ...settings) {
    const redis = new Redis(await freePort(), settings);
    t?.after(() => redis.stop());
    await redis.starts();
    return redis;
  }

  /** A sentinel that watches `redis` under the name `main`, and gives another the lead after `patience` ms without it. */
  static async sentinel(t, redis, patience = 1000) {
    const sentinel = new Redis(await freePort(), ['--sentinel']);
    sentinel.#settingsFile = [
      `sentinel monitor main 127.0.0.1 ${redis.port} 1`,
      `sentinel down-after-milliseconds main ${patience}`,
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

  /** Starts the process, again after a `kill`: what it had written is there, unless `isEmpty`. */
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
    const complaint = (what) => new Error(`redis-server ${what}; it wrote:\n${this.#log}`);
    const started = new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          this.#log += text;
          if (this.#log.includes(ready)) resolve();
        });
      }
      child.once('error', reject);
      this.#exited.then(() => reject(complaint('ended')));
    });
    await within(START_DEADLINE, started, () => complaint('does not start'));
  }

  /** Kills the process as a lost machine would; what it had is on its disk. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Lets it shut down in good order, its data on disk, and starts it again. */
  async restarts({ isEmpty = false } = {}) {
    this.#child.kill('SIGTERM');
    await this.#exited;
    await this.starts(undefined, { isEmpty });
  }

  freeze() {
    this.#child.kill('SIGSTOP');
  }

  thaw() {
    this.#child.kill('SIGCONT');
  }

  /** One command, by Redis's own client: its answer as text. @param {...string} words */
  async command(...words) {
    const { stdout } = await promisify(execFile)('redis-cli', ['-p', String(this.port), ...words], { timeout: START_DEADLINE });
    return stdout.trimEnd();
  }

  /** Ends it and removes what it had. */
  async stop() {
    this.abandon();
    await this.#exited;
  }

  abandon() {
    this.#child?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Ends a slice of the slots for each server. */
const SLOTS = 16_384;

/**
 * A Cluster of masters, each with its share of the slots, and its address.
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
    const isWhole = (info) => info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}`);
    await eventually(() => master.command('CLUSTER', 'INFO'), isWhole, 'a whole cluster');
  }
  return { masters, url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}` };
}

const share = (at, count) => Math.floor((SLOTS * at) / count);

/** Moves some slots from one master to another, keys and all, as operators do. */
export async function reshard(from, to, slots) {
  const [source, target] = await Promise.all([from, to].map((master) => master.command('CLUSTER', 'MYID')));
  const options = ['--cluster-from', source, '--cluster-to', target, '--cluster-slots', String(slots), '--cluster-yes'];
  await promisify(execFile)('redis-cli', ['--cluster', 'reshard', `127.0.0.1:${from.port}`, ...options], { timeout: 60_000 });
}

/** A master, a replica that has all of it, the sentinel that watches them, and their address; `patience` as for `Redis.sentinel`. */
export async function startSentinel(t, patience) {
  const master = await Redis.start(t);
  const replica = await Redis.start(t, '--replicaof', '127.0.0.1', String(master.port));
  await eventually(() => replica.command('INFO', 'replication'), (info) => info.includes('master_link_status:up'), 'a replica in step');
  const sentinel = await Redis.sentinel(t, master, patience);
  await eventually(() => sentinel.command('SENTINEL', 'REPLICAS', 'main'), (answer) => answer.includes(String(replica.port)), 'a known replica');
  return { master, replica, sentinel, url: `redis+sentinel://127.0.0.1:${sentinel.port}/main` };
}
