// Free ports of loopback, below those that the kernel gives to outgoing connections: what is free stays free.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** The bus of a Redis Cluster's server has the port this much above its own. */
const BUS = 10_000;
const FIRST = 12_000;
const COUNT = 9_000;

const given = new Set();

/** A port that nobody has, nor the one of its bus. */
export async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    given.add(port);
    if ((await isFree(port)) && (await isFree(port + BUS))) return port;
  }
}

async function isFree(port) {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
