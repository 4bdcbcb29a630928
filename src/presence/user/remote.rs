//! A user with connections whose lines are not here.

#[cfg(test)]
mod tests;

use std::hash::Hash;

use bytestring::ByteString;

use super::{Connection, Effects, UserPresence};
use crate::presence::diff::{Diff, OwnStatus, Presence};
use crate::presence::general_status::Exit;
use crate::presence::id::ConnectionId;
use crate::presence::remote::{CustomStatus, Linger, Remote, RemoteConnection};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

impl<F> Connection<F> {
    /// What is left of it when its line has ended.
    fn without_line(self, shown_as: Option<ConnectionId>, info: Option<ByteString>) -> RemoteConnection {
        let Self { id, username, status, since, dialect, address: _ } = self;
        RemoteConnection { id, shown_as, username, status, since, dialect: Some(dialect), info }
    }
}

impl<F: Clone + Eq + Hash> UserPresence<F> {
    /// The connections without a line here that are not shown by one with a line here.
    pub fn others(&self) -> impl Iterator<Item = &RemoteConnection> {
        let is_here = |id: ConnectionId| self.connections.iter().any(|connection| connection.id == id);
        let others = self.elsewhere.iter().flat_map(|elsewhere| elsewhere.others());
        others.filter(move |connection| !is_here(connection.id) && !is_here(connection.shown()))
    }

    /// The same that linger neither here nor elsewhere.
    pub fn live_others(&self) -> impl Iterator<Item = &RemoteConnection> {
        let lingers = |id: ConnectionId| self.elsewhere.as_ref().is_some_and(|elsewhere| elsewhere.lingers(id));
        self.others().filter(move |connection| !lingers(connection.shown()))
    }

    /// The id that followers know a connection here by.
    pub fn shown(&self, id: ConnectionId) -> ConnectionId {
        self.elsewhere.as_ref().map_or(id, |elsewhere| elsewhere.shown(id))
    }

    /// Every visible connection and since when it shows what it shows, the one that changed last at the end: in the same
    /// order on every node.
    pub(super) fn stamped(&self) -> Vec<(Timestamp, Presence)> {
        let here =
            self.connections.iter().filter_map(|known| self.presence_of(known).map(|shown| (known.since, shown)));
        let others = self.others().filter_map(|known| known.presence().map(|shown| (known.since, shown)));
        let mut all: Vec<(Timestamp, Presence)> = here.chain(others).collect();
        all.sort_by_key(|(since, presence)| (*since, presence.connection));
        all
    }

    /// A moment after all that is known: the clocks of nodes differ.
    pub(super) fn later(&self, now: Timestamp) -> Timestamp {
        let Some(elsewhere) = &self.elsewhere else { return now };
        let known = self.others().map(|connection| connection.since).chain([elsewhere.custom_since]).max();
        known.map_or(now, |known| now.max(Timestamp::from_micros(known.as_micros().saturating_add(1))))
    }

    /// A connection that becomes visible takes the place of one of its dialect whose line broke; answers what that showed.
    pub(super) fn take_over(&mut self, index: usize) -> Option<Presence> {
        let elsewhere = self.elsewhere.as_mut()?;
        let (id, dialect) = (self.connections[index].id, self.connections[index].dialect);
        if self.connections[index].status.is_none() || elsewhere.place(id).is_some() {
            return None;
        }
        let predecessor = elsewhere.take_over(id, dialect)?;
        let shown = predecessor.presence();
        if shown == self.presence_of(&self.connections[index]) {
            self.connections[index].since = predecessor.since;
        }
        shown
    }

    /// A line ended. What it showed is shown on where it is to stay, or by whoever came back in its place.
    pub(super) fn end_line(&mut self, index: usize, exit: Exit, stay: Option<Linger>, now: Timestamp) -> Effects {
        let before = self.stamped();
        let connection = self.connections.remove(index);
        self.followers.remove(&connection.address);
        let elsewhere = self.elsewhere.get_or_insert_default();
        match stay.filter(|_| connection.status.is_some() && elsewhere.has_room()) {
            Some(stay) => {
                let place = elsewhere.place(connection.id);
                elsewhere.stay(connection.without_line(place, stay.info), now + stay.span);
            }
            None => elsewhere.release(connection.id),
        }
        self.moved(&before, exit, now)
    }

    /// Ends what is shown on for those whose time is over by `until`; none: for all.
    pub(super) fn lapse(&mut self, until: Option<Timestamp>, now: Timestamp) -> Effects {
        let before = self.stamped();
        let Some(elsewhere) = &mut self.elsewhere else { return self.quiet() };
        elsewhere.lapse(until);
        self.moved(&before, Exit::Lost, now)
    }

    /// The effects of a change from what was shown before; `exit` is how the user left, if it did.
    fn moved(&mut self, before: &[(Timestamp, Presence)], exit: Exit, now: Timestamp) -> Effects {
        let after = self.stamped();
        if after.is_empty() && !before.is_empty() {
            self.own = OwnStatus { exit: Some(exit), custom: None };
        }
        let missing_in = |state: &[(Timestamp, Presence)], one: &&(Timestamp, Presence)| !state.contains(one);
        let joins = after.iter().filter(|one| missing_in(before, one)).map(|(_, presence)| presence.clone());
        let leaves = before.iter().filter(|one| missing_in(&after, one)).map(|(_, presence)| presence.clone());
        let (joins, leaves) = (joins.collect(), leaves.collect());
        self.effects(Diff { user: self.user, version: self.version.next(now), joins, leaves })
    }

    /// Takes in what other nodes have in place of what they had.
    pub(super) fn take_remote(&mut self, remote: Remote, devices: &[ConnectionId], now: Timestamp) -> Effects {
        let before = self.stamped();
        let (custom, last_exit) = (remote.custom.clone(), remote.last_exit);
        self.elsewhere.get_or_insert_default().set_remote(remote);
        self.take_custom(custom, devices);
        if !self.is_visible() && self.own.exit.is_none() {
            self.own.exit = last_exit;
        }
        self.moved(&before, last_exit.unwrap_or(Exit::Lost), now)
    }

    /// The user may have given itself a text on another node.
    fn take_custom(&mut self, custom: CustomStatus, devices: &[ConnectionId]) {
        if !self.is_visible() {
            return;
        }
        let Some(elsewhere) = self.elsewhere.as_mut().filter(|known| known.custom_since < custom.since) else { return };
        elsewhere.custom_since = custom.since;
        let shown = custom.text.clone().unwrap_or_else(StatusText::empty);
        for device in self.connections.iter_mut().filter(|connection| devices.contains(&connection.id)) {
            device.status = Some(shown.clone());
            device.since = custom.since;
        }
        self.own.custom = custom.text;
    }

    /// What other nodes are to know of the connections here and of those whose lines broke here; `info` says what a
    /// connection said of itself.
    pub fn for_others(&self, info: impl Fn(&F) -> Option<ByteString>) -> Vec<RemoteConnection> {
        let here = self.connections.iter().map(|connection| RemoteConnection {
            id: connection.id,
            shown_as: self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.place(connection.id)),
            username: connection.username.clone(),
            status: connection.status.clone(),
            since: connection.since,
            dialect: Some(connection.dialect),
            info: info(&connection.address),
        });
        let left = self.elsewhere.iter().flat_map(|elsewhere| elsewhere.left()).cloned();
        here.chain(left).collect()
    }

    /// Those whose lines broke here.
    pub fn left(&self) -> Vec<ConnectionId> {
        self.elsewhere.iter().flat_map(|elsewhere| elsewhere.left()).map(|left| left.id).collect()
    }

    /// Those that linger on another node and are not to be shown any more.
    pub fn spent(&self) -> Vec<ConnectionId> {
        self.elsewhere.iter().flat_map(|elsewhere| elsewhere.spent()).collect()
    }

    /// The text that the user gave itself.
    pub fn custom(&self) -> CustomStatus {
        let since = self.elsewhere.as_ref().map_or_else(Timestamp::default, |elsewhere| elsewhere.custom_since);
        CustomStatus { text: self.own.custom.clone(), since }
    }

    /// When the first of those whose lines broke here is shown no longer, and the last.
    pub fn lapses(&self) -> Option<(Timestamp, Timestamp)> {
        let elsewhere = self.elsewhere.as_ref()?;
        Some((elsewhere.deadline()?, elsewhere.end()?))
    }
}
