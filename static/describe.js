// Describes frames in words. Names come from the page when it knows the user, otherwise from the frame itself.

/** @typedef {import('./nakama.js').Presence} Presence */
/** @typedef {(userId: string) => string | undefined} NameOf */

/**
 * Describes a frame as a phrase that follows the name of the user who sent or received it.
 * @param {'out' | 'in'} direction @param {any} envelope @param {NameOf} nameOf @returns {string}
 */
export function describe(direction, envelope, nameOf) {
  return direction === 'out' ? describeRequest(envelope, nameOf) : describeResponse(envelope, nameOf);
}

/** Whether a frame is a keep-alive, which carries no status. @param {any} envelope */
export function isKeepAlive(envelope) {
  return 'ping' in envelope || 'pong' in envelope || 'presence_stats' in envelope || Object.keys(envelope).length === 0;
}

/**
 * Describes a presence event in one sentence per user and session.
 * @param {{joins?: Presence[], leaves?: Presence[]}} event @param {NameOf} nameOf @returns {string[]}
 */
export function sentences({ joins = [], leaves = [] }, nameOf) {
  const before = new Map(leaves.map((presence) => [presence.session_id, presence]));
  const after = new Set(joins.map((presence) => presence.session_id));
  const arrivals = joins.map((presence) => {
    const name = nameOf(presence.user_id) ?? presence.username;
    const old = before.get(presence.session_id);
    if (old) return `${name}: ${quote(old.status)} → ${quote(presence.status)}`;
    return presence.status ? `${name} is online: ${quote(presence.status)}` : `${name} is online`;
  });
  const departures = leaves
    .filter((presence) => !after.has(presence.session_id))
    .map((presence) => `${nameOf(presence.user_id) ?? presence.username} went offline`);
  return [...arrivals, ...departures];
}

/** @param {string} status */
export function quote(status) {
  return status ? `“${status}”` : '“”';
}

/** Formats milliseconds with a useful precision. @param {number} ms */
export function duration(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

/** Joins words: `a`, `a and b`, `a, b and c`. @param {string[]} items */
export function list(items) {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

function describeRequest(envelope, nameOf) {
  if (isKeepAlive(envelope)) return 'ping' in envelope || 'presence_stats' in envelope ? 'ping' : 'pong';
  if (envelope.connect || envelope.login) return 'log in';
  if (envelope.subscribe) return `follow ${names([userOfChannel(envelope.subscribe)], nameOf)}`;
  if (envelope.unsubscribe) return `unfollow ${names([userOfChannel(envelope.unsubscribe)], nameOf)}`;
  if (envelope.rpc) return `set status ${quote(envelope.rpc.data.state)}`;
  if (envelope.status_follow) return `follow ${names(envelope.status_follow.user_ids, nameOf)}`;
  if (envelope.status_unfollow) return `unfollow ${names(envelope.status_unfollow.user_ids, nameOf)}`;
  if (envelope.status_update) {
    const { status } = envelope.status_update;
    return status === undefined ? 'go invisible' : `set status ${quote(status)}`;
  }
  return Object.keys(envelope).join(', ');
}

function describeResponse(envelope, nameOf) {
  if (isKeepAlive(envelope)) return 'pong' in envelope || 'presence_stats' in envelope ? 'pong' : 'ping';
  if (envelope.error) return `refused: ${envelope.error.message}`;
  if (envelope.status_presence_event) return sentences(envelope.status_presence_event, nameOf).join(' · ') || 'nothing changed';
  if (envelope.status) return describeSnapshot(envelope.status.presences ?? [], nameOf);
  if (envelope.push?.pub) return describeUser(userOfChannel(envelope.push), envelope.push.pub.data, nameOf);
  if (envelope.subscribe?.data) return describeUser(envelope.subscribe.data.user, envelope.subscribe.data, nameOf);
  if (envelope.connect) return 'logged in';
  const other = Object.keys(envelope).filter((key) => !['cid', 'id', 'rpc', 'unsubscribe'].includes(key));
  return other.join(', ') || 'done';
}

function describeSnapshot(presences, nameOf) {
  if (presences.length === 0) return 'none of them is online';
  return presences.map((presence) => `${nameOf(presence.user_id) ?? presence.username} is online: ${quote(presence.status)}`).join(' · ');
}

/** Describes a Centrifugo publication: the statuses of all connections of one user. */
function describeUser(userId, { statuses }, nameOf) {
  const name = nameOf(userId) ?? userId.slice(0, 8);
  return statuses.length ? `${name} is online: ${list(statuses.map(quote))}` : `${name} is offline`;
}

function userOfChannel({ channel }) {
  return channel.slice(channel.indexOf(':') + 1);
}

function names(userIds, nameOf) {
  return list(userIds.map((id) => nameOf(id) ?? id.slice(0, 8)));
}
