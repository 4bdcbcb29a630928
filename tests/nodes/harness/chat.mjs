// People of the `im` dialect without a browser: `static/chat.js` in Node.

import Chat from '../../../static/chat.js';
import { SDK_APP_ID, userSigOf } from '../../sdk/harness/im-people.mjs';
import '../../sdk/harness/nakama.mjs';
import { DEADLINE, Inbox, within } from '../../sdk/harness/wait.mjs';

export const { ONLINE, OFFLINE, UNLOGINED } = { ONLINE: 1, OFFLINE: 2, UNLOGINED: 3 };

/** Somebody logged in at a node, on one device. */
export class Chatter {
  #news = new Inbox();

  /** @param {import('node:test').TestContext} t logs out @param {{address: string, log: () => string}} node */
  static async enters(t, node, userID) {
    const chatter = new Chatter(t, node, userID);
    await chatter.call('login', { userID, userSig: userSigOf(userID) });
    return chatter;
  }

  constructor(t, node, userID) {
    Object.assign(this, { node, userID });
    const chatter = this;
    class Socket extends globalThis.WebSocket {
      constructor(address) {
        super(address);
        chatter.socket = this;
      }
    }
    this.chat = Chat.create({ SDKAppID: SDK_APP_ID, proxyServer: `ws://${node.address}/im` }, { WebSocket: Socket });
    this.chat.on(Chat.EVENT.USER_STATUS_UPDATED, ({ data }) => data.forEach((status) => this.#news.put(status)));
    t.after(() => this.chat.destroy());
  }

  /** Calls a method of the SDK: its data. @param {string} method @param {object} [options] */
  async call(method, options) {
    return (await within(DEADLINE, this.chat[method](options), () => new Error(`${method} gets no answer; the server's last lines:\n${this.node.log().split('\n').slice(-20).join('\n')}`))).data;
  }

  /** Subscribes: `[statusType, customStatus]` of each. @param {...string} users */
  async subscribes(...users) {
    const { successUserList } = await this.call('subscribeUserStatus', { userIDList: users });
    return users.map((user) => shown(successUserList.find(({ userID }) => userID === user)));
  }

  /** Asks: `[statusType, customStatus]` of each. @param {...string} users */
  async asks(...users) {
    const { successUserList } = await this.call('getUserStatus', { userIDList: users });
    return users.map((user) => shown(successUserList.find(({ userID }) => userID === user)));
  }

  /** What is told next of a user: `[statusType, customStatus]`. */
  async sees(user) {
    return shown(await this.#news.take(({ userID }) => userID === user, () => new Error(`${this.userID} is told nothing of ${user}; so far: ${JSON.stringify(this.#news.all)}`)));
  }

  /** Loses the line, and does not come back. */
  breaksOff() {
    // The SDK opens another line only while it has a user.
    const { socket } = this;
    globalThis.setImmediate(() => this.chat.destroy());
    socket.terminate();
  }
}

const shown = (status) => status && [status.statusType, status.customStatus];
