//! A change of one user as followers see it, and how two changes fold into one.

use super::general_status::{Exit, GeneralStatus};
use super::id::{ConnectionId, UserId, Username};
use super::last_seen::LastSeen;
use super::status::{StatusText, Version};

/// One visible connection of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The connection that shows the status.
    pub connection: ConnectionId,
    /// The username that the connection was opened with. Nakama's tokens may lack it.
    pub username: Option<Username>,
    /// Its status text.
    pub status: StatusText,
}

/// A change of one user. Each connection that changed is in `leaves` with its status before, in `joins` with its status
/// after, or in both. An update is one diff with both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// The user that changed.
    pub user: UserId,
    /// The user's version after it.
    pub version: Version,
    /// Statuses after the change.
    pub joins: Vec<Presence>,
    /// Statuses before the change.
    pub leaves: Vec<Presence>,
}

impl Diff {
    /// Returns whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.leaves.is_empty()
    }

    /// Folds a later diff of the same user into this one, which then leads from the state before the first to the state
    /// after the last. A connection that came and went in between, or has its first status again, is not in it.
    ///
    /// Folding is associative. Folding all diffs of a user gives the change from its first state to its last.
    pub fn fold(&mut self, later: &Self) {
        debug_assert_eq!(self.user, later.user, "only diffs of one user fold");
        for leave in &later.leaves {
            match position(&self.joins, leave.connection) {
                // It came or changed within the fold: its status before the fold is in `leaves` already.
                Some(index) => {
                    self.joins.remove(index);
                }
                None => self.leaves.push(leave.clone()),
            }
        }
        self.joins.extend(later.joins.iter().cloned());
        self.version = later.version;
        self.drop_unchanged();
    }

    fn drop_unchanged(&mut self) {
        let leaves = &mut self.leaves;
        self.joins.retain(|join| match leaves.iter().position(|leave| leave == join) {
            Some(index) => {
                leaves.remove(index);
                false
            }
            None => true,
        });
    }

    /// Returns the change from one state of a user to another.
    pub fn between(user: UserId, version: Version, before: &[Presence], after: &[Presence]) -> Self {
        let missing_in = |state: &[Presence], presence: &&Presence| !state.contains(presence);
        Self {
            user,
            version,
            joins: after.iter().filter(|presence| missing_in(before, presence)).cloned().collect(),
            leaves: before.iter().filter(|presence| missing_in(after, presence)).cloned().collect(),
        }
    }
}

/// What belongs to the user and to no connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnStatus {
    /// How the user left last. `None` means that it was never visible, as far as is known.
    pub exit: Option<Exit>,
    /// The custom status of all its devices (Tencent Chat).
    pub custom: Option<StatusText>,
}

/// The state of a user at one version, as followers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The user.
    pub user: UserId,
    /// The version of the state.
    pub version: Version,
    /// Its visible connections. The one that changed last is at the end.
    pub presences: Vec<Presence>,
    /// When it was last online and active, and its last state text, as far as that is known.
    pub last_seen: LastSeen,
    /// What belongs to no connection.
    pub own: OwnStatus,
}

impl Snapshot {
    /// Returns the snapshot of an unknown user.
    pub fn nothing(user: UserId) -> Self {
        let (version, last_seen, own) = Default::default();
        Self { user, version, presences: Vec::new(), last_seen, own }
    }

    /// Returns the general status over all connections.
    pub fn general_status(&self) -> GeneralStatus {
        if self.presences.is_empty() { GeneralStatus::of_absent(self.own.exit) } else { GeneralStatus::Online }
    }

    /// Returns whether the user is online or has ever been.
    pub fn is_known(&self) -> bool {
        !self.presences.is_empty() || self.own.exit.is_some()
    }

    /// Returns the one text that stands for the user: its custom status, or the newest text of a connection, or empty text.
    pub fn text(&self) -> &str {
        let newest =
            || self.presences.iter().rev().map(|presence| presence.status.as_str()).find(|text| !text.is_empty());
        let own = self.own.custom.as_ref().map(StatusText::as_str).filter(|text| !text.is_empty());
        if self.presences.is_empty() { "" } else { own.or_else(newest).unwrap_or_default() }
    }

    /// Applies a diff to the connections. A diff does not contain the last-seen record.
    pub fn apply(&mut self, diff: &Diff) {
        self.presences.retain(|presence| position(&diff.leaves, presence.connection).is_none());
        for join in &diff.joins {
            match position(&self.presences, join.connection) {
                Some(index) => self.presences[index] = join.clone(),
                None => self.presences.push(join.clone()),
            }
        }
        self.version = diff.version;
    }
}

fn position(presences: &[Presence], connection: ConnectionId) -> Option<usize> {
    presences.iter().position(|presence| presence.connection == connection)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::presence::time::Timestamp;

    fn presence(connection: u128, status: &str) -> Presence {
        Presence {
            connection: ConnectionId::from_uuid(Uuid::from_u128(connection)),
            username: None,
            status: StatusText::new(status).unwrap(),
        }
    }

    /// A walk through random states of a user with three connections, as the diffs between neighbours.
    fn diffs(states: &[Vec<Option<u8>>]) -> Vec<Diff> {
        let states: Vec<Vec<Presence>> = states.iter().map(|state| presences(state)).collect();
        let mut version = Version::default();
        states
            .windows(2)
            .map(|pair| {
                version = version.next(Timestamp::default());
                Diff::between(UserId::from_name("bob"), version, &pair[0], &pair[1])
            })
            .collect()
    }

    fn presences(state: &[Option<u8>]) -> Vec<Presence> {
        let visible = state.iter().enumerate().filter_map(|(connection, status)| Some((connection, (*status)?)));
        visible.map(|(connection, status)| presence(connection as u128, &status.to_string())).collect()
    }

    fn folded(diffs: &[Diff]) -> Diff {
        let mut all = diffs[0].clone();
        diffs[1..].iter().for_each(|diff| all.fold(diff));
        sorted(all)
    }

    fn sorted(mut diff: Diff) -> Diff {
        diff.joins.sort_by_key(|join| join.connection);
        diff.leaves.sort_by_key(|leave| leave.connection);
        diff
    }

    fn walk() -> impl Strategy<Value = Vec<Vec<Option<u8>>>> {
        let status = prop::option::of(0..3_u8);
        prop::collection::vec(prop::collection::vec(status, 3), 3..12)
    }

    proptest! {
        #[test]
        fn folding_all_diffs_gives_the_change_from_first_to_last_state(states in walk()) {
            let all = folded(&diffs(&states));
            let (first, last) = (presences(&states[0]), presences(&states[states.len() - 1]));
            prop_assert_eq!(sorted(Diff::between(all.user, all.version, &first, &last)), all);
        }

        #[test]
        fn folding_is_associative(states in walk(), cut in 1..100_usize) {
            let diffs = diffs(&states);
            let cut = 1 + cut % (diffs.len() - 1);
            let (left, right) = diffs.split_at(cut);
            let (mut halves, right) = (folded(left), folded(right));
            halves.fold(&right);
            prop_assert_eq!(sorted(halves), folded(&diffs));
        }

        #[test]
        fn a_snapshot_with_the_diffs_applied_is_the_last_state(states in walk()) {
            let user = UserId::from_name("bob");
            let mut snapshot = Snapshot { user, version: Version::default(), presences: presences(&states[0]), last_seen: LastSeen::default(), own: OwnStatus::default() };
            diffs(&states).iter().for_each(|diff| snapshot.apply(diff));
            snapshot.presences.sort_by_key(|presence| presence.connection);
            prop_assert_eq!(snapshot.presences, presences(&states[states.len() - 1]));
        }
    }

    #[test]
    fn the_same_status_again_is_a_diff_and_folds_to_nothing() {
        let (user, version) = (UserId::from_name("bob"), Version::default());
        let again = Diff { user, version, joins: vec![presence(1, "hi")], leaves: vec![presence(1, "hi")] };
        let mut all = again.clone();
        all.fold(&again);
        assert!(all.is_empty());
    }
}
