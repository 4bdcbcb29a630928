// Free ports of loopback, below the range that the kernel uses for outgoing connections, so that a free port stays free.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** The offset of the cluster bus's port of a Redis server. */
const BUS = 10_000;
const FIRST = 12_000;
const COUNT = 9_000;

const given = new Set();

/** Returns a port that is free, as is that of its cluster bus. */
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
