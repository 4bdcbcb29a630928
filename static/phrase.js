// Frames in words. Names come from the page when it knows the user, else from the frame itself.

/** @typedef {import('./nakama.js').Presence} Presence */
/** @typedef {(userId: string) => string | undefined} NameOf */

/**
 * What a frame says, as the rest of a sentence about whoever sent or got it.
 * @param {'out' | 'in'} direction @param {any} envelope @param {NameOf} nameOf @returns {string}
 */
export function phrase(direction, envelope, nameOf) {
  return direction === 'out' ? asking(envelope, nameOf) : hearing(envelope, nameOf);
}

/** A keep-alive, which says nothing about anybody. @param {any} envelope */
export function isKeepAlive(envelope) {
  return 'ping' in envelope || 'pong' in envelope || 'presence_stats' in envelope || Object.keys(envelope).length === 0;
}

/**
 * An event as one sentence per user and session.
 * @param {{joins?: Presence[], leaves?: Presence[]}} event @param {NameOf} nameOf @returns {string[]}
 */
export function sentences({ joins = [], leaves = [] }, nameOf) {
  const before = new Map(leaves.map((presence) => [presence.session_id, presence]));
  const after = new Set(joins.map((presence) => presence.session_id));
  const arrivals = joins.map((presence) => {
    const who = nameOf(presence.user_id) ?? presence.username;
    const old = before.get(presence.session_id);
    if (old) return `${who}: ${quote(old.status)} → ${quote(presence.status)}`;
    return presence.status ? `${who} is here: ${quote(presence.status)}` : `${who} is here`;
  });
  const departures = leaves
    .filter((presence) => !after.has(presence.session_id))
    .map((presence) => `${nameOf(presence.user_id) ?? presence.username} is gone`);
  return [...arrivals, ...departures];
}

/** @param {string} status */
export function quote(status) {
  return status ? `“${status}”` : '“”';
}

/** Milliseconds, as precise as is of use. @param {number} ms */
export function duration(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

/** `a`, `a and b`, `a, b and c`. @param {string[]} items */
export function list(items) {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

function asking(envelope, nameOf) {
  if (isKeepAlive(envelope)) return 'ping' in envelope || 'presence_stats' in envelope ? 'ping' : 'pong';
  if (envelope.connect || envelope.login) return 'let me in';
  if (envelope.subscribe) return `follow ${names([channelUser(envelope.subscribe)], nameOf)}`;
  if (envelope.unsubscribe) return `unfollow ${names([channelUser(envelope.unsubscribe)], nameOf)}`;
  if (envelope.rpc) return `show ${quote(envelope.rpc.data.state)}`;
  if (envelope.status_follow) return `follow ${names(envelope.status_follow.user_ids, nameOf)}`;
  if (envelope.status_unfollow) return `unfollow ${names(envelope.status_unfollow.user_ids, nameOf)}`;
  if (envelope.status_update) {
    const { status } = envelope.status_update;
    return status === undefined ? 'appear offline' : `show ${quote(status)}`;
  }
  return Object.keys(envelope).join(', ');
}

function hearing(envelope, nameOf) {
  if (isKeepAlive(envelope)) return 'pong' in envelope || 'presence_stats' in envelope ? 'pong' : 'ping';
  if (envelope.error) return `refused: ${envelope.error.message}`;
  if (envelope.status_presence_event) return sentences(envelope.status_presence_event, nameOf).join(' · ') || 'nothing changed';
  if (envelope.status) return snapshot(envelope.status.presences ?? [], nameOf);
  if (envelope.push?.pub) return whole(channelUser(envelope.push), envelope.push.pub.data, nameOf);
  if (envelope.subscribe?.data) return whole(envelope.subscribe.data.user, envelope.subscribe.data, nameOf);
  if (envelope.connect) return 'come in';
  const other = Object.keys(envelope).filter((key) => !['cid', 'id', 'rpc', 'unsubscribe'].includes(key));
  return other.join(', ') || 'done';
}

function snapshot(presences, nameOf) {
  if (presences.length === 0) return 'none of them is here';
  return presences.map((presence) => `${nameOf(presence.user_id) ?? presence.username} shows ${quote(presence.status)}`).join(' · ');
}

/** What a user shows on all their devices. */
function whole(userId, { statuses }, nameOf) {
  const who = nameOf(userId) ?? userId.slice(0, 8);
  return statuses.length ? `${who} shows ${list(statuses.map(quote))}` : `${who} is not here`;
}

function channelUser({ channel }) {
  return channel.slice(channel.indexOf(':') + 1);
}

function names(userIds, nameOf) {
  return list(userIds.map((id) => nameOf(id) ?? id.slice(0, 8)));
}
