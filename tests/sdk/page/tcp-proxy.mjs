// A TCP proxy between browsers and a server. A test can stop it, and connect it to another server.

import { connect, createServer } from 'node:net';
import { once } from 'node:events';

/** Forwards bytes from a port of its own. */
export class TcpProxy {
  #server = createServer((socket) => this.#forward(socket));
  #sockets = new Set();
  #target;

  /** @param {string} url of the server */
  static async to(url) {
    const proxy = new TcpProxy();
    await proxy.connectTo(url);
    return proxy;
  }

  /** Starts to forward to a server. The proxy keeps the port that it had. @param {string} url */
  async connectTo(url) {
    this.#target = new URL(url);
    this.#server.listen(this.port ?? 0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.port}/`;
  }

  /** Breaks all connections and refuses new ones. */
  async stop() {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #forward(near) {
    const far = connect(Number(this.#target.port), this.#target.hostname);
    for (const [socket, other] of [[near, far], [far, near]]) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}
