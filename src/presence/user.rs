//! The state machine of one user: aggregates the statuses of its connections and keeps the addresses of its followers.
//!
//! The rules for connections without a socket on this node are in `remote`.

mod remote;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::hash::Hash;

use super::dialect::Dialect;
use super::diff::{Diff, OwnStatus, Presence, Snapshot};
use super::followers::Followers;
use super::general_status::{Exit, GeneralStatus};
use super::id::{ConnectionId, UserId, Username};
use super::last_seen::{Activity, LastSeen};
use super::linger::{Detached, Linger};
use super::remote::Remote;
use super::status::{StatusText, Version};
use super::time::Timestamp;

/// One connection of a user on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection<F> {
    /// Its id.
    pub id: ConnectionId,
    /// The username that it was opened with.
    pub username: Option<Username>,
    /// `None` means connected but invisible. The empty text means visible without a text.
    pub status: Option<StatusText>,
    /// When it set this status.
    pub since: Timestamp,
    /// The dialect of its client.
    pub dialect: Dialect,
    /// The address of its client, which also follows its own user (Nakama's self-follow).
    pub address: F,
}

/// An event in the life of a user.
#[derive(Clone, Debug)]
pub enum Event<F> {
    /// A connection opened. A known id replaces the connection.
    Connected(Connection<F>),
    /// A connection set or cleared its status.
    StatusSet {
        /// The connection. An unknown one changes nothing.
        connection: ConnectionId,
        /// Its new status.
        status: Option<StatusText>,
    },
    /// A connection ended.
    Disconnected {
        /// The connection. An unknown one changes nothing.
        connection: ConnectionId,
        /// How it ended.
        exit: Exit,
        /// How long a visible presence lingers. `None` means not at all.
        linger: Option<Linger>,
    },
    /// The deadline of a lingering presence may have passed.
    LingerExpired,
    /// All presences that linger here must end now.
    LingerCancelled,
    /// The other nodes report a new state of the user.
    RemoteChanged {
        /// What they report.
        remote: Remote,
        /// The connections of this node that show the custom status.
        devices: Vec<ConnectionId>,
    },
    /// The user set or cleared its custom status.
    CustomStatusSet {
        /// The connections that show it. Unknown ones change nothing.
        connections: Vec<ConnectionId>,
        /// `None` clears it.
        text: Option<StatusText>,
    },
    /// The user was active.
    Active {
        /// The time of day.
        at: Timestamp,
        /// The connection that reports it, or `None` for the server API.
        by: Option<ConnectionId>,
        /// The state text that came with it. The connection shows it. An empty text is shown but not kept.
        state: Option<StatusText>,
    },
    /// The last-seen record was read from the store. Followers are not told: a new follower gets it with its snapshot.
    LastSeenRead(LastSeen),
    /// The last-seen record was deleted.
    LastSeenDeleted,
    /// A client follows the user.
    Followed(F),
    /// A client stops following the user.
    Unfollowed(F),
}

/// The effects of an event, to be carried out in this order: answer with the snapshot, tell the followers, retire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// The answer to [`Event::Followed`].
    pub snapshot: Option<Followed>,
    /// The change to send to every follower. It is empty if only [`LastSeen`] changed, which concerns clients that get whole
    /// presences.
    pub notify: Option<Diff>,
    /// The user has no connection and no follower left, so that its actor may retire.
    pub retire: bool,
}

/// The answer to a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The state of the user.
    pub snapshot: Snapshot,
    /// The client already followed the user: it also gets the changes before the answer.
    pub again: bool,
}

/// One user. `F` is the address of a follower: opaque here, only compared and copied.
#[derive(Debug)]
pub struct UserPresence<F> {
    user: UserId,
    version: Version,
    /// Few, so that a linear search is the fastest. The one that changed last is at the end.
    connections: Vec<Connection<F>>,
    /// The addresses that get changes, the user's own connections among them.
    followers: Followers<F>,
    /// What belongs to the user and to no connection.
    own: OwnStatus,
    /// When it was last online and active, and its last state text.
    last_seen: LastSeen,
    /// Connections without a socket on this node. `None` on a node that runs alone, until a connection lingers.
    detached: Option<Box<Detached>>,
}

impl<F: Clone + Eq + Hash> UserPresence<F> {
    /// Creates a user without connections or followers.
    pub fn new(user: UserId) -> Self {
        Self {
            user,
            version: Version::default(),
            connections: Vec::new(),
            followers: Followers::default(),
            own: OwnStatus::default(),
            last_seen: LastSeen::default(),
            detached: None,
        }
    }

    /// Recreates a user after the loss of its actor, from the last published snapshot and the state of its connections. The effects
    /// tell followers the difference, if there is one.
    pub fn recover(
        published: Snapshot,
        followers: Vec<F>,
        connections: Vec<Connection<F>>,
        remote: Option<Remote>,
        now: Timestamp,
    ) -> (Self, Effects) {
        let mut user = Self::new(published.user);
        user.version = published.version;
        user.last_seen = published.last_seen;
        user.own = published.own;
        user.followers.extend(followers);
        user.followers.extend(connections.iter().map(|connection| connection.address.clone()));
        user.connections = connections;
        user.detached = remote.map(|remote| Box::new(Detached::from(remote)));
        let diff = Diff::between(published.user, user.version.next(now), &published.presences, &user.presences());
        let effects = user.effects(diff);
        (user, effects)
    }

    /// Handles one event at time `now`.
    pub fn handle(&mut self, event: Event<F>, now: Timestamp) -> Effects {
        match event {
            Event::Connected(connection) => self.connect(connection, now),
            Event::StatusSet { connection, status } => self.set_status(connection, status, now),
            Event::Disconnected { connection, exit, linger } => self.disconnect(connection, exit, linger, now),
            Event::LingerExpired => self.expire(Some(now), now),
            Event::LingerCancelled => self.expire(None, now),
            Event::RemoteChanged { remote, devices } => self.set_remote(remote, &devices, now),
            Event::CustomStatusSet { connections, text } => self.set_custom_status(&connections, text, now),
            Event::Active { at, by, state } => self.mark_active(at, by, state, now),
            Event::LastSeenRead(record) => {
                self.last_seen.remember(record);
                self.no_effects()
            }
            Event::LastSeenDeleted => self.set_last_seen(LastSeen::default(), now),
            Event::Followed(follower) => self.follow(follower),
            Event::Unfollowed(follower) => {
                self.followers.remove(&follower);
                self.no_effects()
            }
        }
    }

    fn connect(&mut self, mut connection: Connection<F>, now: Timestamp) -> Effects {
        self.followers.insert(connection.address.clone());
        connection.since = self.after_known_changes(now);
        let index = self.find(connection.id);
        let before = index.and_then(|index| self.presence_of(&self.connections[index]));
        match index {
            Some(index) => self.connections[index] = connection,
            None => self.connections.push(connection),
        }
        let index = index.unwrap_or(self.connections.len() - 1);
        self.appear(index, before, now)
    }

    fn set_status(&mut self, id: ConnectionId, status: Option<StatusText>, now: Timestamp) -> Effects {
        let Some(index) = self.find(id) else { return self.no_effects() };
        let mut connection = self.connections.remove(index);
        let before = self.presence_of(&connection);
        connection.status = status;
        connection.since = self.after_known_changes(now);
        self.connections.push(connection);
        self.appear(self.connections.len() - 1, before, now)
    }

    /// Returns the effects of a connection that showed `before`, or took over one that did.
    fn appear(&mut self, index: usize, before: Option<Presence>, now: Timestamp) -> Effects {
        let predecessor = if before.is_none() { self.take_over(index) } else { None };
        let after = self.presence_of(&self.connections[index]);
        if predecessor.is_some() && predecessor == after {
            return self.no_effects();
        }
        self.change(before.or(predecessor), after, Exit::Lost, now)
    }

    /// Sets the custom status as one change of all these connections.
    fn set_custom_status(&mut self, ids: &[ConnectionId], text: Option<StatusText>, now: Timestamp) -> Effects {
        let mut joins = Vec::new();
        let mut leaves = Vec::new();
        let since = self.after_known_changes(now);
        // Sorted by id, because the other nodes use this order for changes of the same time.
        let ids: BTreeSet<ConnectionId> = ids.iter().copied().collect();
        for id in ids {
            let Some(index) = self.find(id) else { continue };
            let mut connection = self.connections.remove(index);
            leaves.extend(self.presence_of(&connection));
            connection.status = Some(text.clone().unwrap_or_else(StatusText::empty));
            connection.since = since;
            joins.extend(self.presence_of(&connection));
            self.connections.push(connection);
        }
        if self.is_visible() {
            self.own.custom = text;
            if let Some(detached) = &mut self.detached {
                detached.custom_since = since;
            }
        }
        self.effects(Diff { user: self.user, version: self.version.next(now), joins, leaves })
    }

    fn disconnect(&mut self, id: ConnectionId, exit: Exit, linger: Option<Linger>, now: Timestamp) -> Effects {
        let Some(index) = self.find(id) else { return self.no_effects() };
        if self.detached.is_some() || linger.is_some() {
            return self.end_connection(index, exit, linger, now);
        }
        let connection = self.connections.remove(index);
        self.followers.remove(&connection.address);
        self.change(self.presence_of(&connection), None, exit, now)
    }

    /// Records an activity as one change, with or without a text.
    fn mark_active(
        &mut self,
        at: Timestamp,
        by: Option<ConnectionId>,
        state: Option<StatusText>,
        now: Timestamp,
    ) -> Effects {
        let mut last_seen = self.last_seen.clone();
        Activity::active(at, state.clone().filter(|text| !text.as_str().is_empty())).apply(&mut last_seen);
        match (by, state) {
            (Some(connection), Some(text)) if self.find(connection).is_some() => {
                self.last_seen = last_seen;
                self.set_status(connection, Some(text), now)
            }
            (Some(_) | None, _) => self.set_last_seen(last_seen, now),
        }
    }

    /// Replaces the last-seen record. Only a difference is published: on the wire a time has whole seconds.
    fn set_last_seen(&mut self, last_seen: LastSeen, now: Timestamp) -> Effects {
        if self.last_seen == last_seen {
            return self.no_effects();
        }
        self.last_seen = last_seen;
        self.version = self.version.next(now);
        let diff = Diff { user: self.user, version: self.version, joins: Vec::new(), leaves: Vec::new() };
        Effects { snapshot: None, notify: Some(diff), retire: self.is_idle() }
    }

    fn follow(&mut self, follower: F) -> Effects {
        let again = !self.followers.insert(follower);
        let snapshot = self.snapshot();
        Effects { snapshot: Some(Followed { snapshot, again }), notify: None, retire: false }
    }

    /// Returns the effects of one connection's change. Setting the same status again is a change, as in Nakama.
    fn change(&mut self, before: Option<Presence>, after: Option<Presence>, exit: Exit, now: Timestamp) -> Effects {
        if before.is_some() && !self.is_visible() {
            self.own = OwnStatus { exit: Some(exit), custom: None };
        }
        self.effects(Diff {
            user: self.user,
            version: self.version.next(now),
            joins: after.into_iter().collect(),
            leaves: before.into_iter().collect(),
        })
    }

    fn effects(&mut self, diff: Diff) -> Effects {
        if diff.is_empty() {
            return self.no_effects();
        }
        self.version = diff.version;
        Effects { snapshot: None, notify: Some(diff), retire: self.is_idle() }
    }

    fn no_effects(&self) -> Effects {
        Effects { snapshot: None, notify: None, retire: self.is_idle() }
    }

    fn find(&self, id: ConnectionId) -> Option<usize> {
        self.connections.iter().position(|connection| connection.id == id)
    }

    fn presence_of(&self, connection: &Connection<F>) -> Option<Presence> {
        let status = connection.status.clone()?;
        let shown = self.detached.as_ref().map_or(connection.id, |detached| detached.shown(connection.id));
        Some(Presence { connection: shown, username: connection.username.clone(), status })
    }

    fn presences(&self) -> Vec<Presence> {
        match &self.detached {
            None => self.connections.iter().filter_map(|connection| self.presence_of(connection)).collect(),
            Some(_) => self.timed_presences().into_iter().map(|(_, presence)| presence).collect(),
        }
    }

    /// Records that the user is visible at this time of day.
    pub fn mark_online(&mut self, at: Timestamp) {
        Activity::online(at).apply(&mut self.last_seen);
    }

    /// Returns whether at least one connection is visible, on any node.
    pub fn is_visible(&self) -> bool {
        self.is_visible_here() || self.detached().any(|connection| connection.status.is_some())
    }

    /// Returns whether at least one connection of this node is visible.
    pub fn is_visible_here(&self) -> bool {
        self.connections.iter().any(|connection| connection.status.is_some())
    }

    /// Sets how the user left, as the store knows it, unless this actor has seen it leave.
    pub fn set_exit(&mut self, exit: Exit) {
        self.own.exit.get_or_insert(exit);
    }

    /// Removes a follower without an event. Returns whether it was one.
    pub fn remove_follower(&mut self, follower: &F) -> bool {
        self.followers.remove(follower)
    }

    /// Adds a follower without a snapshot.
    pub fn add_follower(&mut self, follower: F) {
        self.followers.insert(follower);
    }

    /// Returns the user's id.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Returns the state that followers see.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            user: self.user,
            version: self.version,
            presences: self.presences(),
            last_seen: self.last_seen.clone(),
            own: self.own.clone(),
        }
    }

    /// Returns the visible connections of this node.
    pub fn visible(&self) -> impl Iterator<Item = &Connection<F>> {
        self.connections.iter().filter(|connection| connection.status.is_some())
    }

    /// Returns the general status. An invisible user has that of an absent one.
    pub fn general_status(&self) -> GeneralStatus {
        if self.is_visible() { GeneralStatus::Online } else { GeneralStatus::of_absent(self.own.exit) }
    }

    /// Returns whether the user has no connection and no follower on this node, and nothing lingers.
    pub fn is_idle(&self) -> bool {
        let nothing_lingers = self.detached.as_ref().is_none_or(|detached| detached.is_idle());
        self.connections.is_empty() && self.followers.is_empty() && nothing_lingers
    }

    /// Returns the followers.
    pub fn followers(&self) -> &Followers<F> {
        &self.followers
    }

    /// Returns the connections of this node, including invisible ones.
    pub fn connections(&self) -> &[Connection<F>] {
        &self.connections
    }

    /// Returns the addresses of the user's connections on this node.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = &F> {
        self.connections.iter().map(|connection| &connection.address)
    }
}
