//! What outlives a member's connections: its login state and its subscriptions.

use std::time::Duration;

use super::general_status::{Exit, GeneralStatus};
use super::id::UserId;
use super::member_name::MemberName;
use super::subscriptions::{DeliveredStatus, Subscriptions};
use super::time::Timestamp;

/// The login state of a member. Timestamps are times of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginState {
    /// The member never logged in.
    #[default]
    Never,
    /// The member logged in, and the end of the login is not known.
    In,
    /// Its last connection was lost at this time.
    Lost(Timestamp),
    /// Its last connection logged out at this time.
    LoggedOut(Timestamp),
}

impl LoginState {
    /// Returns the general status of the member while no connection is visible.
    pub fn general_status(self) -> GeneralStatus {
        match self {
            Self::In | Self::Lost(_) => GeneralStatus::Offline,
            Self::Never | Self::LoggedOut(_) => GeneralStatus::Unlogined,
        }
    }

    /// Returns when the member left.
    pub fn away_since(self) -> Option<Timestamp> {
        match self {
            Self::Never | Self::In => None,
            Self::Lost(since) | Self::LoggedOut(since) => Some(since),
        }
    }
}

/// The stored record of one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberRecord {
    /// Its login state.
    pub login_state: LoginState,
    /// Its subscriptions.
    pub subscriptions: Subscriptions,
    /// Grows with every change of the subscriptions, so that a receiver of two changes knows the later one.
    pub revision: u64,
    /// Number of logins.
    pub logins: u64,
    /// The nodes on which the member is logged in, each with its last login there.
    pub login_nodes: Vec<(u64, u64)>,
}

/// The node on which a change of a member happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeContext {
    /// Its number, or 0 for a node that runs alone.
    pub node: u64,
    /// The numbers of all live nodes. `None` means unknown: every node counts as live.
    pub alive: Option<Vec<u64>>,
}

/// A change of a member's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelationChange {
    /// A login. Deletes subscriptions if the member was away for `lifetime`.
    LogIn {
        /// The time of day.
        now: Timestamp,
        /// How long subscriptions outlive the last connection.
        lifetime: Duration,
        /// The node of the login.
        node_context: NodeContext,
        /// When the member was last visible, as far as that is known. If all its nodes died, no node recorded when it left.
        last_seen: Timestamp,
    },
    /// The end of the last connection on a node.
    LeaveNode {
        /// How it ended.
        exit: Exit,
        /// What the member received last of the users it subscribes to.
        delivered: Vec<(UserId, DeliveredStatus)>,
        /// [`MemberRecord::logins`] at the last login on the node. After a later login this change has no effect.
        login: u64,
        /// The node. While the member is logged in on another node this change has no effect.
        node_context: NodeContext,
        /// The time of day.
        now: Timestamp,
    },
    /// New subscriptions in this order; see [`Subscriptions::add`].
    Subscribe {
        /// The users.
        names: Vec<MemberName>,
        /// Maximum number of subscriptions.
        limit: usize,
    },
    /// The end of these subscriptions, or of all for `None`.
    Unsubscribe(Option<Vec<UserId>>),
}

impl MemberRecord {
    /// Applies a change. Returns the users that are no longer subscribed to.
    pub fn change(&mut self, change: RelationChange) -> Vec<UserId> {
        match change {
            RelationChange::LogIn { now, lifetime, node_context, last_seen } => {
                if self.login_state == LoginState::In
                    && self.is_deserted(&node_context)
                    && last_seen > Timestamp::default()
                {
                    self.login_state = LoginState::Lost(last_seen);
                    self.subscriptions.forget_delivered();
                }
                let dropped = self.expire(now, lifetime);
                if self.login_state == LoginState::In {
                    // The member has received more after this was recorded.
                    self.subscriptions.forget_delivered();
                }
                self.login_state = LoginState::In;
                self.logins += 1;
                self.leave(&node_context);
                self.login_nodes.push((node_context.node, self.logins));
                dropped
            }
            RelationChange::LeaveNode { login, ref node_context, .. } if !self.ends(node_context.node, login) => {
                Vec::new()
            }
            RelationChange::LeaveNode { exit, delivered, now, login: _, node_context } => {
                self.leave(&node_context);
                if !self.login_nodes.is_empty() {
                    return Vec::new();
                }
                self.login_state = match exit {
                    Exit::Lost => LoginState::Lost(now),
                    Exit::LoggedOut => LoginState::LoggedOut(now),
                };
                self.subscriptions.note(&delivered);
                Vec::new()
            }
            RelationChange::Subscribe { names, limit } => {
                self.revision += 1;
                self.subscriptions.add(&names, limit)
            }
            RelationChange::Unsubscribe(users) => {
                self.revision += 1;
                self.subscriptions.remove(users.as_deref())
            }
        }
    }

    /// Returns whether this was the last login on a node. If other nodes considered the node dead, it must be the last login
    /// of all.
    fn ends(&self, node: u64, login: u64) -> bool {
        let known = self.login_nodes.iter().find(|(known, _)| *known == node);
        known.map_or(self.logins, |(_, last)| *last) == login
    }

    /// Returns whether the member is logged in only on nodes that have died.
    fn is_deserted(&self, node_context: &NodeContext) -> bool {
        let is_alive = |node: u64| node_context.alive.as_ref().is_none_or(|alive| alive.contains(&node));
        !self.login_nodes.iter().any(|&(node, _)| node == node_context.node || is_alive(node))
    }

    /// Removes this node, and nodes that have died.
    fn leave(&mut self, node_context: &NodeContext) {
        let is_alive = |node: u64| node_context.alive.as_ref().is_none_or(|alive| alive.contains(&node));
        self.login_nodes.retain(|&(node, _)| node != node_context.node && is_alive(node));
    }

    /// Deletes the subscriptions if the member has been away for `lifetime`.
    pub fn expire(&mut self, now: Timestamp, lifetime: Duration) -> Vec<UserId> {
        match self.login_state.away_since() {
            Some(since) if since + lifetime <= now => {
                self.revision += 1;
                self.subscriptions.remove(None)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// Records that the server starts: a member that was logged in lost its connections at an unknown time.
    pub fn interrupt(&mut self, now: Timestamp) {
        if self.login_state == LoginState::In {
            self.login_state = LoginState::Lost(now);
            self.login_nodes.clear();
            self.subscriptions.forget_delivered();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_795_220_273 + secs)
    }

    fn subscribed(users: &[&str]) -> MemberRecord {
        let mut record = MemberRecord::default();
        record.change(RelationChange::LogIn {
            now: at(0),
            lifetime: DAY,
            node_context: NodeContext::default(),
            last_seen: Timestamp::default(),
        });
        let names = users.iter().map(|name| MemberName::new(name).unwrap()).collect();
        record.change(RelationChange::Subscribe { names, limit: 200 });
        record
    }

    fn part(exit: Exit) -> RelationChange {
        RelationChange::LeaveNode {
            exit,
            delivered: vec![(UserId::from_name("bob"), DeliveredStatus(7))],
            login: 1,
            node_context: NodeContext::default(),
            now: at(0),
        }
    }

    #[test]
    fn a_lost_member_is_offline_and_a_logged_out_or_unknown_one_is_unlogined() {
        let mut record = MemberRecord::default();
        assert_eq!(record.login_state.general_status(), GeneralStatus::Unlogined);
        record.change(RelationChange::LogIn {
            now: at(0),
            lifetime: DAY,
            node_context: NodeContext::default(),
            last_seen: Timestamp::default(),
        });
        assert_eq!(record.login_state.general_status(), GeneralStatus::Offline, "after a crash");
        record.change(part(Exit::LoggedOut));
        assert_eq!(record.login_state.general_status(), GeneralStatus::Unlogined);
        record.change(part(Exit::Lost));
        assert_eq!(record.login_state.general_status(), GeneralStatus::Offline);
    }

    #[test]
    fn subscriptions_live_a_day_past_the_last_connection() {
        for exit in [Exit::Lost, Exit::LoggedOut] {
            let mut record = subscribed(&["bob"]);
            record.change(part(exit));
            let mut early = record.clone();
            assert_eq!(
                early.change(RelationChange::LogIn {
                    now: at(24 * 3600 - 1),
                    lifetime: DAY,
                    node_context: NodeContext::default(),
                    last_seen: Timestamp::default()
                }),
                []
            );
            assert_eq!(early.subscriptions.as_slice()[0].delivered, Some(DeliveredStatus(7)));
            let late = record.change(RelationChange::LogIn {
                now: at(24 * 3600),
                lifetime: DAY,
                node_context: NodeContext::default(),
                last_seen: Timestamp::default(),
            });
            assert_eq!(late, [UserId::from_name("bob")]);
        }
    }

    #[test]
    fn the_end_of_an_earlier_login_has_no_effect() {
        let mut record = subscribed(&["bob"]);
        record.change(RelationChange::LogIn {
            now: at(1),
            lifetime: DAY,
            node_context: NodeContext::default(),
            last_seen: Timestamp::default(),
        });
        record.change(part(Exit::LoggedOut));
        assert_eq!(record.login_state, LoginState::In);
    }

    #[test]
    fn a_crash_counts_from_the_next_start() {
        let mut record = subscribed(&["bob"]);
        record.interrupt(at(1000));
        assert_eq!(record.login_state, LoginState::Lost(at(1000)));
        assert_eq!(record.clone().expire(at(24 * 3600), DAY), []);
        assert_eq!(record.expire(at(24 * 3600 + 1000), DAY).len(), 1);
        let mut away = subscribed(&[]);
        away.change(part(Exit::LoggedOut));
        away.interrupt(at(1000));
        assert_eq!(away.login_state, LoginState::LoggedOut(at(0)));
    }

    #[test]
    fn a_member_is_logged_in_until_it_left_every_live_node() {
        let node_context = |node, alive: &[u64]| NodeContext { node, alive: Some(alive.to_vec()) };
        let arrive = |node_context| RelationChange::LogIn { now: at(0), lifetime: DAY, node_context, last_seen: at(0) };
        let part = |login, node_context| RelationChange::LeaveNode {
            exit: Exit::LoggedOut,
            delivered: Vec::new(),
            login,
            node_context,
            now: at(5),
        };
        let mut record = MemberRecord::default();
        record.change(arrive(node_context(1, &[1, 2])));
        record.change(arrive(node_context(2, &[1, 2])));
        record.change(part(2, node_context(2, &[1, 2])));
        assert_eq!(record.login_state, LoginState::In, "still on the first");
        record.change(arrive(node_context(2, &[1, 2])));
        record.change(part(3, node_context(2, &[2])));
        assert_eq!(record.login_state, LoginState::LoggedOut(at(5)), "the first has died");
        record.change(part(1, node_context(1, &[1, 2])));
        assert_eq!(record.login_state, LoginState::LoggedOut(at(5)), "late word of a node that was taken for dead");
        record.change(arrive(NodeContext { node: 1, alive: None }));
        assert_eq!((record.login_state, record.logins), (LoginState::In, 4));
    }

    #[test]
    fn after_the_death_of_a_node_the_day_counts_from_the_last_seen_time() {
        let node_context = |node, alive: &[u64]| NodeContext { node, alive: Some(alive.to_vec()) };
        let arrive =
            |now, node_context, last_seen| RelationChange::LogIn { now, lifetime: DAY, node_context, last_seen };
        let mut record = MemberRecord::default();
        record.change(arrive(at(0), node_context(1, &[1, 2]), at(0)));
        record.change(RelationChange::Subscribe { names: vec![MemberName::new("bob").unwrap()], limit: 200 });
        let later = at(24 * 3600 + 50);
        assert_eq!(record.clone().change(arrive(later, node_context(2, &[1, 2]), at(50))), [], "it is still in");
        assert_eq!(record.clone().change(arrive(later, node_context(2, &[2]), at(51))), []);
        assert_eq!(record.change(arrive(later, node_context(2, &[2]), at(50))).len(), 1);
    }
}
