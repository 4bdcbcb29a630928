// A load balancer in front of the nodes: one permanent address, with connections to an available node. Each balancer
// prefers one node. While that one is unavailable, the others get its clients.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export class LoadBalancer {
  #server = createServer((near) => this.#forward(near));
  #nodes;
  /** Connections of clients, each with its connection to a node. @type {Map<import('node:net').Socket, {node: object, far: import('node:net').Socket}>} */ #connections = new Map();

  /**
   * @param {{host: string, port: number, isUnavailable: boolean}[]} nodes the preferred one first; unavailable ones get no
   *   connections
   */
  static async open(nodes) {
    const balancer = new LoadBalancer();
    balancer.#nodes = nodes;
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    balancer.host = '127.0.0.1';
    balancer.port = balancer.#server.address().port;
    balancer.address = `${balancer.host}:${balancer.port}`;
    balancer.url = `http://${balancer.address}`;
    return balancer;
  }

  /** Returns the number of connections to this node, or to all nodes. */
  count(node) {
    return [...this.#connections.values()].filter((connection) => !node || connection.node === node).length;
  }

  /** Routes new connections to the first of these nodes that accepts them. @param {...object} nodes */
  routesTo(...nodes) {
    this.#nodes = nodes;
  }

  /** Drops every connection without a close frame to either end, as a router does that restarts. */
  dropsConnections() {
    for (const [near, { far }] of this.#connections) {
      near.destroy();
      far.destroy();
    }
  }

  log() {
    return this.#nodes.map((node) => node.log()).join('\n');
  }

  async close() {
    this.dropsConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #forward(near) {
    near.on('error', () => {});
    near.pause();
    for (const node of this.#nodes) {
      if (node.isUnavailable) continue;
      const far = connect({ host: node.host, port: node.port, noDelay: true, allowHalfOpen: true });
      const accepted = await new Promise((resolve) => {
        far.once('connect', () => resolve(true));
        far.once('error', () => resolve(false));
      });
      far.on('error', () => {});
      if (!accepted) continue;
      if (near.destroyed) return far.destroy();
      this.#connections.set(near, { node, far });
      near.setNoDelay(true);
      near.pipe(far).pipe(near);
      near.once('close', () => {
        this.#connections.delete(near);
        far.destroy();
      });
      far.once('close', () => near.destroy());
      return;
    }
    near.destroy();
  }
}
