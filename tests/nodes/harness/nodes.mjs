// Several nodes of the built server over one Redis.

import { randomUUID } from 'node:crypto';

import { IM } from '../../sdk/harness/im-people.mjs';
import { startServer } from '../../sdk/harness/server.mjs';
import { DEADLINE } from '../../sdk/harness/wait.mjs';
import { Gate } from './gate.mjs';
import { freePort } from './ports.mjs';

/** The key of the server API. */
export const API_KEY = 'a key of these tests';

const running = new Set();
process.on('exit', () => {
  // A process that stands still would outlive us.
  for (const node of running) node.abandon();
});

/** One node: a process that may end and begin again, under one name and address. */
export class Node {
  /** No client is to be sent here. */ isOut = true;
  #log = '';

  constructor(name, port, env) {
    Object.assign(this, { name, host: '127.0.0.1', port, env });
    this.address = `${this.host}:${port}`;
    this.url = `http://${this.address}`;
  }

  get pid() {
    return this.server.pid;
  }

  /** Everything that it has written, in all its lives. */
  log() {
    return this.#log + (this.server?.log() ?? '');
  }

  async starts() {
    this.server = await startServer({ env: this.env, address: this.address });
    running.add(this);
    this.isOut = false;
  }

  /** As a machine that is lost. */
  async kill() {
    await this.#ends('SIGKILL');
  }

  /** In good order. */
  async drains() {
    await this.#ends('SIGTERM');
  }

  freeze() {
    this.isOut = true;
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw() {
    process.kill(this.pid, 'SIGCONT');
    this.isOut = false;
  }

  /** Calls a method of the server API: its `result`. */
  async asks(method, params = {}) {
    const { error, result } = await this.asked(method, params);
    if (error) throw new Error(`${this.name} answers ${method} with ${JSON.stringify(error)}`);
    return result;
  }

  /** Likewise, with the error too. */
  async asked(method, params = {}) {
    const headers = { 'X-API-Key': API_KEY, 'Content-Type': 'application/json' };
    const response = await fetch(`${this.url}/api/${method}`, { method: 'POST', headers, body: JSON.stringify(params), signal: AbortSignal.timeout(DEADLINE) });
    return response.json();
  }

  /** The sum of a metric's samples whose line has all these words. */
  async metric(name, ...words) {
    const text = await (await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(DEADLINE) })).text();
    const samples = text.split('\n').filter((line) => line.startsWith(name) && words.every((word) => line.includes(word)));
    return samples.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  abandon() {
    running.delete(this);
    this.server?.abandon();
  }

  async #ends(signal) {
    this.isOut = true;
    const { server } = this;
    const exit = await server.stop(signal);
    running.delete(this);
    this.#log += server.log();
    this.server = undefined;
    return exit;
  }
}

/** The settings of every node; names and places besides. */
const SETTINGS = {
  ...IM,
  HEREABOUTS_HTTP_API__KEY: API_KEY,
  HEREABOUTS_STORE__KIND: 'memory',
  HEREABOUTS_SERVER__WORKERS: '1',
  HEREABOUTS_ENGINE__SHARDS: '1',
  HEREABOUTS_CLUSTER__BUCKETS: '32',
};

/**
 * Starts nodes over a Redis, and a gate to each, which others take over.
 * @param {import('node:test').TestContext | undefined} t ends them; without one, `stop` does
 * @param {string} redis its address, or several with blanks between
 * @param {{count?: number, env?: Record<string, string>}} [options]
 */
export async function startNodes(t, redis, { count = 3, env = {} } = {}) {
  const prefix = `t${randomUUID().slice(0, 8)}`;
  const settings = { ...SETTINGS, HEREABOUTS_CLUSTER__REDIS: redis, HEREABOUTS_CLUSTER__PREFIX: prefix, ...env };
  const nodes = [];
  for (let at = 0; at < count; at += 1) {
    const name = `n${at + 1}`;
    nodes.push(new Node(name, await freePort(), { ...settings, HEREABOUTS_CLUSTER__NODE: name }));
  }
  const gates = [];
  const stop = async () => {
    await Promise.all(gates.map((gate) => gate.close()));
    const left = nodes.filter(({ server }) => server);
    // A node that stands still takes no other signal.
    for (const node of left) process.kill(node.pid, 'SIGCONT');
    await Promise.all(left.map((node) => node.kill()));
    const panicked = nodes.find((node) => node.log().includes('panicked at'));
    if (panicked) throw new Error(`${panicked.name} panicked:\n${panicked.log()}`);
  };
  t?.after(stop);
  await Promise.all(nodes.map((node) => node.starts()));
  for (const [at] of nodes.entries()) gates.push(await Gate.open([...nodes.slice(at), ...nodes.slice(0, at)]));
  return { nodes, gates, stop, prefix };
}
