// Several nodes of the built server on one Redis.

import { randomUUID } from 'node:crypto';

import { startServer } from '../../sdk/harness/server.mjs';
import { TENCENT_SETTINGS } from '../../sdk/harness/tencent.mjs';
import { DEADLINE } from '../../sdk/harness/wait.mjs';
import { LoadBalancer } from './load-balancer.mjs';
import { freePort } from './ports.mjs';

/** The key of the server API. */
export const API_KEY = 'a key of these tests';

const running = new Set();
process.on('exit', () => {
  // A suspended process would outlive this one.
  for (const node of running) node.abandon();
});

/** One node: a process that may exit and start again with the same name and address. */
export class Node {
  /** Whether load balancers must not route clients here. */ isUnavailable = true;
  #log = '';

  constructor(name, port, env) {
    Object.assign(this, { name, host: '127.0.0.1', port, env });
    this.address = `${this.host}:${port}`;
    this.url = `http://${this.address}`;
  }

  get pid() {
    return this.server.pid;
  }

  /** Returns the output of all its processes. */
  log() {
    return this.#log + (this.server?.log() ?? '');
  }

  async starts() {
    this.server = await startServer({ env: this.env, address: this.address });
    running.add(this);
    this.isUnavailable = false;
  }

  /** Ends at once, as on a lost machine. */
  async kill() {
    await this.#ends('SIGKILL');
  }

  /** Stops in order. */
  async drains() {
    await this.#ends('SIGTERM');
  }

  suspend() {
    this.isUnavailable = true;
    process.kill(this.pid, 'SIGSTOP');
  }

  resume() {
    process.kill(this.pid, 'SIGCONT');
    this.isUnavailable = false;
  }

  /** Calls a method of the server API and returns its `result`. */
  async call(method, params = {}) {
    const { error, result } = await this.request(method, params);
    if (error) throw new Error(`${this.name} answers ${method} with ${JSON.stringify(error)}`);
    return result;
  }

  /** Calls a method of the server API and returns the whole reply. */
  async request(method, params = {}) {
    const headers = { 'X-API-Key': API_KEY, 'Content-Type': 'application/json' };
    const response = await fetch(`${this.url}/api/${method}`, { method: 'POST', headers, body: JSON.stringify(params), signal: AbortSignal.timeout(DEADLINE) });
    return response.json();
  }

  /** Returns the sum of a metric's samples that contain all these words. */
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
    this.isUnavailable = true;
    const { server } = this;
    const exit = await server.stop(signal);
    running.delete(this);
    this.#log += server.log();
    this.server = undefined;
    return exit;
  }
}

/** The settings of every node, without its name and addresses. */
const SETTINGS = {
  ...TENCENT_SETTINGS,
  HEREABOUTS_HTTP_API__KEY: API_KEY,
  HEREABOUTS_STORE__KIND: 'memory',
  HEREABOUTS_SERVER__WORKERS: '1',
  HEREABOUTS_ENGINE__SHARDS: '1',
  HEREABOUTS_CLUSTER__BUCKETS: '32',
};

/**
 * Starts nodes on a Redis, and for each node a load balancer that prefers it.
 * @param {import('node:test').TestContext | undefined} t stops them; without it, `stop` does
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
  const balancers = [];
  const stop = async () => {
    await Promise.all(balancers.map((balancer) => balancer.close()));
    const started = nodes.filter(({ server }) => server);
    // A suspended node handles no other signal.
    for (const node of started) process.kill(node.pid, 'SIGCONT');
    await Promise.all(started.map((node) => node.kill()));
    const panicked = nodes.find((node) => node.log().includes('panicked at'));
    if (panicked) throw new Error(`${panicked.name} panicked:\n${panicked.log()}`);
  };
  t?.after(stop);
  await Promise.all(nodes.map((node) => node.starts()));
  for (const [at] of nodes.entries()) balancers.push(await LoadBalancer.open([...nodes.slice(at), ...nodes.slice(0, at)]));
  return { nodes, balancers, stop, prefix };
}
