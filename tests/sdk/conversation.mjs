// Two people and what each hears of the other: the heart of the feature, written once for every place where the SDK
// runs. It knows the SDK only as it is handed over, so that a browser can load it as it is.

/**
 * @param {{Client: any, makeAdapter: () => any, host: string, port: number, unique: string}} place
 * @returns {Promise<string[]>} what happened, in order
 */
export async function conversation({ Client, makeAdapter, host, port, unique }) {
  const client = new Client('defaultkey', host, String(port), false);
  const happened = [];

  async function enters(name) {
    const session = await client.authenticateCustom(`${name}-${unique}`, true, `${name} ${unique}`);
    const socket = client.createSocket(false, false, makeAdapter());
    const heard = [];
    let wake = () => {};
    socket.onstatuspresence = ({ joins, leaves }) => {
      const others = (list) => list.filter((presence) => presence.user_id !== session.user_id).map(({ status }) => status);
      if (others(joins).length + others(leaves).length > 0) heard.push({ joins: others(joins), leaves: others(leaves) });
      wake();
    };
    const closed = new Promise((resolve) => {
      socket.ondisconnect = (event) => 'code' in event && resolve(event);
    });
    await socket.connect(session, false);
    const hears = async () => {
      while (heard.length === 0) await new Promise((resolve) => (wake = resolve));
      const { joins, leaves } = heard.shift();
      happened.push(`${name} hears ${JSON.stringify(leaves)} become ${JSON.stringify(joins)}`);
    };
    return { session, socket, closed, hears };
  }

  const [alice, bob] = [await enters('alice'), await enters('bob')];
  const { presences } = await alice.socket.followUsers([bob.session.user_id]);
  happened.push(`alice finds ${JSON.stringify(presences.map(({ status }) => status))}`);

  await bob.socket.updateStatus('Hello everyone!');
  await alice.hears();
  await bob.socket.updateStatus('');
  await alice.hears();
  await bob.socket.updateStatus();
  await alice.hears();
  await bob.socket.updateStatus('back 🎮');
  await alice.hears();

  const found = await alice.socket.followUsers([bob.session.user_id]);
  happened.push(`alice finds ${JSON.stringify(found.presences.map(({ status }) => status))}`);
  await alice.socket.followUsers(['does_not_exist']).catch(({ message }) => happened.push(`alice is told: ${message}`));

  bob.socket.disconnect();
  await bob.closed;
  await alice.hears();

  const { user } = await client.getAccount(alice.session);
  happened.push(`alice is ${user.username.split(' ')[0]}, online: ${user.online ?? false}`);
  await client.sessionLogout(alice.session, alice.session.token, alice.session.refresh_token);
  const refused = await client.getAccount(alice.session).catch((response) => response.status);
  happened.push(`alice, logged out, gets ${refused}`);

  alice.socket.disconnect();
  await alice.closed;
  return happened;
}

/** What must happen everywhere. */
export const EXPECTED = [
  'alice finds []',
  'alice hears [] become ["Hello everyone!"]',
  'alice hears ["Hello everyone!"] become [""]',
  'alice hears [""] become []',
  'alice hears [] become ["back 🎮"]',
  'alice finds ["back 🎮"]',
  'alice is told: Invalid user identifier',
  'alice hears ["back 🎮"] become []',
  'alice is alice, online: false',
  'alice, logged out, gets 401',
];
