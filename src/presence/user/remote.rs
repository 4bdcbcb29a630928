//! Rules for connections of the user that have no socket on this node: remote ones, and those that linger.

#[cfg(test)]
mod tests;

use std::hash::Hash;

use bytestring::ByteString;

use super::{Connection, Effects, UserPresence};
use crate::presence::diff::{Diff, OwnStatus, Presence};
use crate::presence::general_status::Exit;
use crate::presence::id::ConnectionId;
use crate::presence::linger::Linger;
use crate::presence::remote::{CustomStatus, Remote, RemoteConnection};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

impl<F> Connection<F> {
    /// Converts a connection that has lost its socket.
    fn into_detached(self, shown_as: Option<ConnectionId>, info: Option<ByteString>) -> RemoteConnection {
        let Self { id, username, status, since, dialect, address: _ } = self;
        RemoteConnection { id, shown_as, username, status, since, dialect: Some(dialect), info }
    }
}

impl<F: Clone + Eq + Hash> UserPresence<F> {
    /// Returns the connections without a socket on this node, except those that a connection of this node stands for.
    pub fn detached(&self) -> impl Iterator<Item = &RemoteConnection> {
        let is_here = |id: ConnectionId| self.connections.iter().any(|connection| connection.id == id);
        let connections = self.detached.iter().flat_map(|detached| detached.connections());
        connections.filter(move |connection| !is_here(connection.id) && !is_here(connection.shown()))
    }

    /// Returns the connections without a socket on this node that do not linger anywhere.
    pub fn live_detached(&self) -> impl Iterator<Item = &RemoteConnection> {
        let lingers = |id: ConnectionId| self.detached.as_ref().is_some_and(|detached| detached.lingers(id));
        self.detached().filter(move |connection| !lingers(connection.shown()))
    }

    /// Returns the id that followers see for a connection of this node.
    pub fn shown(&self, id: ConnectionId) -> ConnectionId {
        self.detached.as_ref().map_or(id, |detached| detached.shown(id))
    }

    /// Returns every visible connection with the time of its last change, the latest last. The order is the same on every
    /// node.
    pub(super) fn timed_presences(&self) -> Vec<(Timestamp, Presence)> {
        let here =
            self.connections.iter().filter_map(|known| self.presence_of(known).map(|shown| (known.since, shown)));
        let detached = self.detached().filter_map(|known| known.presence().map(|shown| (known.since, shown)));
        let mut all: Vec<(Timestamp, Presence)> = here.chain(detached).collect();
        all.sort_by_key(|(since, presence)| (*since, presence.connection));
        all
    }

    /// Returns `now`, or a moment after every known change, because the clocks of nodes differ.
    pub(super) fn after_known_changes(&self, now: Timestamp) -> Timestamp {
        let Some(detached) = &self.detached else { return now };
        let known = self.detached().map(|connection| connection.since).chain([detached.custom_since]).max();
        known.map_or(now, |known| now.max(Timestamp::from_micros(known.as_micros().saturating_add(1))))
    }

    /// Lets a connection that becomes visible take over a lingering one of its dialect. Returns what that one showed.
    pub(super) fn take_over(&mut self, index: usize) -> Option<Presence> {
        let detached = self.detached.as_mut()?;
        let Connection { id, dialect, ref status, .. } = self.connections[index];
        if status.is_none() || detached.taken_over(id).is_some() {
            return None;
        }
        let predecessor = detached.take_over(id, dialect)?;
        let shown = predecessor.presence();
        if shown == self.presence_of(&self.connections[index]) {
            self.connections[index].since = predecessor.since;
        }
        shown
    }

    /// Ends a connection. Its presence goes on where it lingers, or where the client has already returned.
    pub(super) fn end_connection(
        &mut self,
        index: usize,
        exit: Exit,
        linger: Option<Linger>,
        now: Timestamp,
    ) -> Effects {
        let before = self.timed_presences();
        let connection = self.connections.remove(index);
        self.followers.remove(&connection.address);
        let detached = self.detached.get_or_insert_default();
        match linger.filter(|_| connection.status.is_some() && detached.has_room()) {
            Some(linger) => {
                let shown_as = detached.taken_over(connection.id);
                detached.linger(connection.into_detached(shown_as, linger.info), now + linger.span);
            }
            None => detached.release(connection.id),
        }
        self.changed_from(&before, exit, now)
    }

    /// Ends the lingering of connections with a deadline not after `until`, or of all for `None`.
    pub(super) fn expire(&mut self, until: Option<Timestamp>, now: Timestamp) -> Effects {
        let before = self.timed_presences();
        let Some(detached) = &mut self.detached else { return self.no_effects() };
        detached.expire(until);
        self.changed_from(&before, Exit::Lost, now)
    }

    /// Returns the effects of the change from `before`. `exit` says how the user left, if it did.
    fn changed_from(&mut self, before: &[(Timestamp, Presence)], exit: Exit, now: Timestamp) -> Effects {
        let after = self.timed_presences();
        if after.is_empty() && !before.is_empty() {
            self.own = OwnStatus { exit: Some(exit), custom: None };
        }
        let missing_in = |state: &[(Timestamp, Presence)], one: &&(Timestamp, Presence)| !state.contains(one);
        let joins = after.iter().filter(|one| missing_in(before, one)).map(|(_, presence)| presence.clone()).collect();
        let leaves =
            before.iter().filter(|one| missing_in(&after, one)).map(|(_, presence)| presence.clone()).collect();
        self.effects(Diff { user: self.user, version: self.version.next(now), joins, leaves })
    }

    /// Replaces what the other nodes report. `devices` are the connections of this node that show the custom status.
    pub(super) fn set_remote(&mut self, remote: Remote, devices: &[ConnectionId], now: Timestamp) -> Effects {
        let before = self.timed_presences();
        let custom = remote.custom.clone();
        let last_exit = remote.last_exit;
        self.detached.get_or_insert_default().set_remote(remote);
        self.adopt_custom_status(custom, devices);
        if !self.is_visible() && self.own.exit.is_none() {
            self.own.exit = last_exit;
        }
        self.changed_from(&before, last_exit.unwrap_or(Exit::Lost), now)
    }

    /// Adopts a custom status that another node reports, if it is newer.
    fn adopt_custom_status(&mut self, custom: CustomStatus, devices: &[ConnectionId]) {
        if !self.is_visible() {
            return;
        }
        let Some(detached) = self.detached.as_mut().filter(|known| known.custom_since < custom.since) else { return };
        detached.custom_since = custom.since;
        let shown = custom.text.clone().unwrap_or_else(StatusText::empty);
        for device in self.connections.iter_mut().filter(|connection| devices.contains(&connection.id)) {
            device.status = Some(shown.clone());
            device.since = custom.since;
        }
        self.own.custom = custom.text;
    }

    /// Returns what this node reports to the others: its connections, and those that linger here. `info` returns a client's
    /// description of itself.
    pub fn report(&self, info: impl Fn(&F) -> Option<ByteString>) -> Vec<RemoteConnection> {
        let here = self.connections.iter().map(|connection| RemoteConnection {
            id: connection.id,
            shown_as: self.detached.as_ref().and_then(|detached| detached.taken_over(connection.id)),
            username: connection.username.clone(),
            status: connection.status.clone(),
            since: connection.since,
            dialect: Some(connection.dialect),
            info: info(&connection.address),
        });
        let lingering = self.detached.iter().flat_map(|detached| detached.lingering()).cloned();
        here.chain(lingering).collect()
    }

    /// Returns the ids of the connections that linger on this node.
    pub fn lingering(&self) -> Vec<ConnectionId> {
        self.detached.iter().flat_map(|detached| detached.lingering()).map(|connection| connection.id).collect()
    }

    /// Returns the ids that linger on another node and must no longer be shown.
    pub fn superseded(&self) -> Vec<ConnectionId> {
        self.detached.iter().flat_map(|detached| detached.superseded()).collect()
    }

    /// Returns the custom status of the user.
    pub fn custom_status(&self) -> CustomStatus {
        let since = self.detached.as_ref().map_or_else(Timestamp::default, |detached| detached.custom_since);
        CustomStatus { text: self.own.custom.clone(), since }
    }

    /// Returns the earliest and the latest deadline of the connections that linger on this node.
    pub fn linger_deadlines(&self) -> Option<(Timestamp, Timestamp)> {
        let detached = self.detached.as_ref()?;
        Some((detached.first_deadline()?, detached.last_deadline()?))
    }
}
