//! The machine of one user: aggregates the statuses of its connections and keeps the addresses of its followers.

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
use super::remote::{Linger, Remote, Unattached};
use super::status::{StatusText, Version};
use super::time::Timestamp;

/// One connection of a user, as whoever holds it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection<F> {
    /// Which one.
    pub id: ConnectionId,
    /// The name it was opened with.
    pub username: Option<Username>,
    /// `None`: connected but invisible. The empty text: here, nothing to say.
    pub status: Option<StatusText>,
    /// Since when it shows that.
    pub since: Timestamp,
    /// The dialect of its client.
    pub dialect: Dialect,
    /// Where it is reached; also follows its own user (Nakama's self-follow).
    pub address: F,
}

/// What happens to a user.
#[derive(Clone, Debug)]
pub enum Event<F> {
    /// A connection opened. The same id again replaces what is known of it.
    Connected(Connection<F>),
    /// A connection set its status, or cleared it.
    StatusSet {
        /// The connection; an unknown one changes nothing.
        connection: ConnectionId,
        /// Its status from here on.
        status: Option<StatusText>,
    },
    /// A connection ended.
    Disconnected {
        /// The connection; an unknown one changes nothing.
        connection: ConnectionId,
        /// How it ended.
        exit: Exit,
        /// It is shown on for a while, if it is shown; none: it is not.
        stay: Option<Linger>,
    },
    /// The time of connections that are shown on is over, if it is.
    Lapsed,
    /// Connections that are shown on are to be gone.
    Dropped,
    /// This is what other nodes have of the user from here on.
    RemoteChanged {
        /// What they have.
        remote: Remote,
        /// Connections here that show the text which the user gave itself.
        devices: Vec<ConnectionId>,
    },
    /// The user gives itself a text, which these of its connections show from here on.
    CustomSet {
        /// Unknown ones change nothing.
        connections: Vec<ConnectionId>,
        /// None takes it back.
        text: Option<StatusText>,
    },
    /// The user did something.
    Acted {
        /// The time of day.
        at: Timestamp,
        /// The connection that says so; none: the server's own side does.
        by: Option<ConnectionId>,
        /// What the user says of itself with it. The connection shows it; an empty text is shown, but not kept.
        state: Option<StatusText>,
    },
    /// This was known of the user before. Nobody is told: a follower has it told with its snapshot.
    Remembered(LastSeen),
    /// What is known of when the user was seen is to be forgotten.
    Forgotten,
    /// Somebody wants to be told.
    Followed(F),
    /// Somebody no longer wants to be told.
    Unfollowed(F),
}

/// What has to be done after an event, in this order: answer with the snapshot, tell the followers, retire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// The state to answer a [`Event::Followed`] with.
    pub snapshot: Option<Followed>,
    /// The change to tell every follower; empty where only [`LastSeen`] changed, which concerns those who are told the whole.
    pub notify: Option<Diff>,
    /// Nothing is left to remember: no connection, no follower.
    pub retire: bool,
}

/// The answer to a follower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// What the user shows.
    pub snapshot: Snapshot,
    /// The follower was one before: it is told the changes besides.
    pub again: bool,
}

/// One user. `F` is the address of a follower: opaque here, compared and copied only.
#[derive(Debug)]
pub struct UserPresence<F> {
    user: UserId,
    version: Version,
    /// Few: a linear search is the fastest. The one that changed last is at the end.
    connections: Vec<Connection<F>>,
    /// The addresses to tell, the own connections' among them.
    followers: Followers<F>,
    /// What no connection shows by itself.
    own: OwnStatus,
    /// When it was last here and did something, and what it said of itself.
    last_seen: LastSeen,
    /// Connections without a line here; none where there are no other nodes and nobody's line broke.
    elsewhere: Option<Box<Unattached>>,
}

impl<F: Clone + Eq + Hash> UserPresence<F> {
    /// A user of whom nothing is known yet.
    pub fn new(user: UserId) -> Self {
        Self {
            user,
            version: Version::default(),
            connections: Vec::new(),
            followers: Followers::default(),
            own: OwnStatus::default(),
            last_seen: LastSeen::default(),
            elsewhere: None,
        }
    }

    /// A user whose actor was lost, from what its followers were told last and from what its connections say themselves.
    /// The effects tell the followers the difference, if there is one.
    pub fn recover(
        told: Snapshot,
        followers: Vec<F>,
        connections: Vec<Connection<F>>,
        remote: Option<Remote>,
        now: Timestamp,
    ) -> (Self, Effects) {
        let mut user = Self::new(told.user);
        user.version = told.version;
        user.last_seen = told.last_seen;
        user.own = told.own;
        user.followers.extend(followers);
        user.followers.extend(connections.iter().map(|connection| connection.address.clone()));
        user.connections = connections;
        user.elsewhere = remote.map(|remote| Box::new(Unattached::from(remote)));
        let diff = Diff::between(told.user, user.version.next(now), &told.presences, &user.presences());
        let effects = user.effects(diff);
        (user, effects)
    }

    /// Takes in one event.
    pub fn handle(&mut self, event: Event<F>, now: Timestamp) -> Effects {
        match event {
            Event::Connected(connection) => self.connect(connection, now),
            Event::StatusSet { connection, status } => self.set_status(connection, status, now),
            Event::Disconnected { connection, exit, stay } => self.disconnect(connection, exit, stay, now),
            Event::Lapsed => self.lapse(Some(now), now),
            Event::Dropped => self.lapse(None, now),
            Event::RemoteChanged { remote, devices } => self.take_remote(remote, &devices, now),
            Event::CustomSet { connections, text } => self.set_custom(&connections, text, now),
            Event::Acted { at, by, state } => self.acted(at, by, state, now),
            Event::Remembered(record) => {
                self.last_seen.remember(record);
                self.quiet()
            }
            Event::Forgotten => self.see(LastSeen::default(), now),
            Event::Followed(follower) => self.follow(follower),
            Event::Unfollowed(follower) => {
                self.followers.remove(&follower);
                self.quiet()
            }
        }
    }

    fn connect(&mut self, mut connection: Connection<F>, now: Timestamp) -> Effects {
        self.followers.insert(connection.address.clone());
        connection.since = self.later(now);
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
        let Some(index) = self.find(id) else { return self.quiet() };
        let mut connection = self.connections.remove(index);
        let before = self.presence_of(&connection);
        connection.status = status;
        connection.since = self.later(now);
        self.connections.push(connection);
        self.appear(self.connections.len() - 1, before, now)
    }

    /// The change of a connection that showed `before`, or took the place of one that did.
    fn appear(&mut self, index: usize, before: Option<Presence>, now: Timestamp) -> Effects {
        let predecessor = if before.is_none() { self.take_over(index) } else { None };
        let after = self.presence_of(&self.connections[index]);
        if predecessor.is_some() && predecessor == after {
            return self.quiet();
        }
        self.change(before.or(predecessor), after, Exit::Lost, now)
    }

    /// Told as one change of all these connections.
    fn set_custom(&mut self, ids: &[ConnectionId], text: Option<StatusText>, now: Timestamp) -> Effects {
        let (mut joins, mut leaves) = (Vec::new(), Vec::new());
        let since = self.later(now);
        // What changed at once stands in the order of the ids, as other nodes have it.
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
            if let Some(elsewhere) = &mut self.elsewhere {
                elsewhere.custom_since = since;
            }
        }
        self.effects(Diff { user: self.user, version: self.version.next(now), joins, leaves })
    }

    fn disconnect(&mut self, id: ConnectionId, exit: Exit, stay: Option<Linger>, now: Timestamp) -> Effects {
        let Some(index) = self.find(id) else { return self.quiet() };
        if self.elsewhere.is_some() || stay.is_some() {
            return self.end_line(index, exit, stay, now);
        }
        let connection = self.connections.remove(index);
        self.followers.remove(&connection.address);
        self.change(self.presence_of(&connection), None, exit, now)
    }

    /// One change, whether a text comes with it or not.
    fn acted(&mut self, at: Timestamp, by: Option<ConnectionId>, state: Option<StatusText>, now: Timestamp) -> Effects {
        let mut last_seen = self.last_seen.clone();
        Activity::active(at, state.clone().filter(|text| !text.as_str().is_empty())).apply(&mut last_seen);
        match (by, state) {
            (Some(connection), Some(text)) if self.find(connection).is_some() => {
                self.last_seen = last_seen;
                self.set_status(connection, Some(text), now)
            }
            (Some(_) | None, _) => self.see(last_seen, now),
        }
    }

    /// Told only where it differs: on the wire a time has whole seconds.
    fn see(&mut self, last_seen: LastSeen, now: Timestamp) -> Effects {
        if self.last_seen == last_seen {
            return self.quiet();
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

    /// The effects of one connection's change. Setting the same status again is told like any other (Nakama does).
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
            return self.quiet();
        }
        self.version = diff.version;
        Effects { snapshot: None, notify: Some(diff), retire: self.is_idle() }
    }

    fn quiet(&self) -> Effects {
        Effects { snapshot: None, notify: None, retire: self.is_idle() }
    }

    fn find(&self, id: ConnectionId) -> Option<usize> {
        self.connections.iter().position(|connection| connection.id == id)
    }

    fn presence_of(&self, connection: &Connection<F>) -> Option<Presence> {
        let status = connection.status.clone()?;
        let shown = self.elsewhere.as_ref().map_or(connection.id, |elsewhere| elsewhere.shown(connection.id));
        Some(Presence { connection: shown, username: connection.username.clone(), status })
    }

    fn presences(&self) -> Vec<Presence> {
        match &self.elsewhere {
            None => self.connections.iter().filter_map(|connection| self.presence_of(connection)).collect(),
            Some(_) => self.stamped().into_iter().map(|(_, presence)| presence).collect(),
        }
    }

    /// Remembers that the user is visible at this time of day.
    pub fn saw(&mut self, at: Timestamp) {
        Activity::online(at).apply(&mut self.last_seen);
    }

    /// At least one connection is visible, wherever its line is.
    pub fn is_visible(&self) -> bool {
        self.is_visible_here() || self.others().any(|connection| connection.status.is_some())
    }

    /// At least one connection with a line here is visible.
    pub fn is_visible_here(&self) -> bool {
        self.connections.iter().any(|connection| connection.status.is_some())
    }

    /// Learns how the user left before anything was known of it here; what was seen since counts more.
    pub fn remember(&mut self, exit: Exit) {
        self.own.exit.get_or_insert(exit);
    }

    /// Stops telling an address, without an event; false: it was not told.
    pub fn exclude(&mut self, follower: &F) -> bool {
        self.followers.remove(follower)
    }

    /// Tells an address from here on, without a snapshot.
    pub fn include(&mut self, follower: F) {
        self.followers.insert(follower);
    }

    /// Whose presence this is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// What the user shows.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            user: self.user,
            version: self.version,
            presences: self.presences(),
            last_seen: self.last_seen.clone(),
            own: self.own.clone(),
        }
    }

    /// The connections here that others see.
    pub fn visible(&self) -> impl Iterator<Item = &Connection<F>> {
        self.connections.iter().filter(|connection| connection.status.is_some())
    }

    /// The status over all connections; an invisible user's is that of an absent one.
    pub fn general_status(&self) -> GeneralStatus {
        match self.own.exit {
            _ if self.is_visible() => GeneralStatus::Online,
            Some(Exit::Lost) => GeneralStatus::Offline,
            Some(Exit::LoggedOut) | None => GeneralStatus::Unlogined,
        }
    }

    /// Nobody is connected here and nobody follows.
    pub fn is_idle(&self) -> bool {
        let nobody_stays = self.elsewhere.as_ref().is_none_or(|elsewhere| elsewhere.is_idle());
        self.connections.is_empty() && self.followers.is_empty() && nobody_stays
    }

    /// Everybody who is told.
    pub fn followers(&self) -> &Followers<F> {
        &self.followers
    }

    /// The user's connections, the invisible ones among them.
    pub fn connections(&self) -> &[Connection<F>] {
        &self.connections
    }

    /// The addresses of the user's own connections.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = &F> {
        self.connections.iter().map(|connection| &connection.address)
    }
}
