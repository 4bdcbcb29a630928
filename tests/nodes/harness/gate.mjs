// What stands before the nodes, as a load balancer does: one address that lasts, and lines from it to a node that takes
// them. Each gate has a node that it prefers; while that one is away, the others take its clients.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class Gate {
  #server = createServer((line) => this.#passes(line));
  #nodes;
  /** Lines of clients, each with its own to a node. @type {Map<import('node:net').Socket, {node: object, far: import('node:net').Socket}>} */ #lines = new Map();

  /**
   * @param {{host: string, port: number, isOut: boolean}[]} nodes the preferred one first; those that are out get no
   *   lines
   */
  static async open(nodes) {
    const gate = new Gate();
    gate.#nodes = nodes;
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    gate.host = '127.0.0.1';
    gate.port = gate.#server.address().port;
    gate.address = `${gate.host}:${gate.port}`;
    gate.url = `http://${gate.address}`;
    return gate;
  }

  /** Lines that go to this node, or all. */
  count(node) {
    return [...this.#lines.values()].filter((line) => !node || line.node === node).length;
  }

  /** Sends new lines to these nodes, the first of them that takes them. @param {...object} nodes */
  turnsTo(...nodes) {
    this.#nodes = nodes;
  }

  /** Loses every line without a word to either end, as a router that restarts does. */
  cuts() {
    for (const [near, { far }] of this.#lines) {
      near.destroy();
      far.destroy();
    }
  }

  log() {
    return this.#nodes.map((node) => node.log()).join('\n');
  }

  async close() {
    this.cuts();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #passes(near) {
    near.on('error', () => {});
    near.pause();
    for (const node of this.#nodes) {
      if (node.isOut) continue;
      const far = connect({ host: node.host, port: node.port, noDelay: true, allowHalfOpen: true });
      const taken = await new Promise((resolve) => {
        far.once('connect', () => resolve(true));
        far.once('error', () => resolve(false));
      });
      far.on('error', () => {});
      if (!taken) continue;
      if (near.destroyed) return far.destroy();
      this.#lines.set(near, { node, far });
      near.setNoDelay(true);
      near.pipe(far).pipe(near);
      near.once('close', () => {
        this.#lines.delete(near);
        far.destroy();
      });
      far.once('close', () => near.destroy());
      return;
    }
    near.destroy();
  }
}
