// A cable between browsers and a server, which a test can pull and plug into another server.

import { connect, createServer } from 'node:net';
import { once } from 'node:events';

/** Passes bytes on from a port of its own. */
export class Cable {
  #server = createServer((socket) => this.#join(socket));
  #sockets = new Set();
  #target;

  /** @param {string} url of the server at the other end */
  static async to(url) {
    const cable = new Cable();
    await cable.plugInto(url);
    return cable;
  }

  /** Plugs in; the near end keeps the port it had. @param {string} url */
  async plugInto(url) {
    this.#target = new URL(url);
    this.#server.listen(this.port ?? 0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.port}/`;
  }

  /** Everything breaks, and nobody answers. */
  async pull() {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(near) {
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
