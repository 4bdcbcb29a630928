// Two people and what one sees of the other, written once for Node and for browsers. It gets the SDK as an argument, so that
// a browser can load this file unchanged.

/**
 * @param {{Client: any, makeAdapter: () => any, host: string, port: number, unique: string}} place
 * @returns {Promise<string[]>} the events, in order
 */
export async function conversation({ Client, makeAdapter, host, port, unique }) {
  const client = new Client('defaultkey', host, String(port), false);
  const events = [];

  async function connects(name) {
    const session = await client.authenticateCustom(`${name}-${unique}`, true, `${name} ${unique}`);
    const socket = client.createSocket(false, false, makeAdapter());
    const seen = [];
    let wake = () => {};
    socket.onstatuspresence = ({ joins, leaves }) => {
      const others = (list) => list.filter((presence) => presence.user_id !== session.user_id).map(({ status }) => status);
      if (others(joins).length + others(leaves).length > 0) seen.push({ joins: others(joins), leaves: others(leaves) });
      wake();
    };
    const closed = new Promise((resolve) => {
      socket.ondisconnect = (event) => 'code' in event && resolve(event);
    });
    await socket.connect(session, false);
    const sees = async () => {
      while (seen.length === 0) await new Promise((resolve) => (wake = resolve));
      const { joins, leaves } = seen.shift();
      events.push(`${name} sees ${JSON.stringify(leaves)} become ${JSON.stringify(joins)}`);
    };
    return { session, socket, closed, sees };
  }

  const [alice, bob] = [await connects('alice'), await connects('bob')];
  const { presences } = await alice.socket.followUsers([bob.session.user_id]);
  events.push(`alice finds ${JSON.stringify(presences.map(({ status }) => status))}`);

  await bob.socket.updateStatus('Hello everyone!');
  await alice.sees();
  await bob.socket.updateStatus('');
  await alice.sees();
  await bob.socket.updateStatus();
  await alice.sees();
  await bob.socket.updateStatus('back 🎮');
  await alice.sees();

  const found = await alice.socket.followUsers([bob.session.user_id]);
  events.push(`alice finds ${JSON.stringify(found.presences.map(({ status }) => status))}`);
  await alice.socket.followUsers(['does_not_exist']).catch(({ message }) => events.push(`alice gets the error ${message}`));

  bob.socket.disconnect();
  await bob.closed;
  await alice.sees();

  const { user } = await client.getAccount(alice.session);
  events.push(`alice is ${user.username.split(' ')[0]}, online: ${user.online ?? false}`);
  await client.sessionLogout(alice.session, alice.session.token, alice.session.refresh_token);
  const refused = await client.getAccount(alice.session).catch((response) => response.status);
  events.push(`alice, logged out, gets ${refused}`);

  alice.socket.disconnect();
  await alice.closed;
  return events;
}

/** The events that are expected. */
export const EXPECTED = [
  'alice finds []',
  'alice sees [] become ["Hello everyone!"]',
  'alice sees ["Hello everyone!"] become [""]',
  'alice sees [""] become []',
  'alice sees [] become ["back 🎮"]',
  'alice finds ["back 🎮"]',
  'alice gets the error Invalid user identifier',
  'alice sees ["back 🎮"] become []',
  'alice is alice, online: false',
  'alice, logged out, gets 401',
];
