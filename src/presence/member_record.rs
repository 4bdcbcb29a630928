//! What lasts of an account beyond its connections: whether it is logged in, and whom it subscribes to.

use std::time::Duration;

use super::general_status::{Exit, GeneralStatus};
use super::id::UserId;
use super::member_name::MemberName;
use super::subscriptions::{DeliveredStatus, Subscriptions};
use super::time::Timestamp;

/// Where an account is, as far as its logins tell. Times of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginState {
    /// It never logged in.
    #[default]
    Never,
    /// It has logged in and not been seen to go.
    In,
    /// Its last connection was lost then.
    Lost(Timestamp),
    /// Its last connection was logged out then.
    LoggedOut(Timestamp),
}

impl LoginState {
    /// The general status of such an account while nothing of it is visible.
    pub fn general_status(self) -> GeneralStatus {
        match self {
            Self::In | Self::Lost(_) => GeneralStatus::Offline,
            Self::Never | Self::LoggedOut(_) => GeneralStatus::Unlogined,
        }
    }

    /// Since when it is away.
    pub fn away_since(self) -> Option<Timestamp> {
        match self {
            Self::Never | Self::In => None,
            Self::Lost(since) | Self::LoggedOut(since) => Some(since),
        }
    }
}

/// What lasts of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberRecord {
    /// Where it is.
    pub login_states: LoginState,
    /// Whom it subscribes to.
    pub subscriptions: Subscriptions,
    /// Grows with every change of the subscriptions, so that who hears of two changes knows the later.
    pub revision: u64,
    /// Counts the logins.
    pub logins: u64,
    /// The nodes on which the account is logged in, each with the last login there.
    pub sites: Vec<(u64, u64)>,
}

/// The node on which something happens to an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeContext {
    /// Its number; 0 where there is one only.
    pub node: u64,
    /// The numbers of all nodes that are alive; none: that is not known, so that all count.
    pub alive: Option<Vec<u64>>,
}

/// A change of a standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelationChange {
    /// A login. Subscriptions are forgotten that were left alone for `lifetime`.
    Arrive {
        /// The time of day.
        now: Timestamp,
        /// How long subscriptions outlive the last connection.
        lifetime: Duration,
        /// Where.
        node_context: NodeContext,
        /// When the account was last visible, as far as that is known: of one whose nodes all died, nobody saw it go.
        last_seen: Timestamp,
    },
    /// The end of the last connection on a node.
    Part {
        /// How it ended.
        exit: Exit,
        /// What the account was told last of those it subscribes to.
        told: Vec<(UserId, DeliveredStatus)>,
        /// [`MemberRecord::logins`] at the last login there; after another it is not the end.
        login: u64,
        /// Where; while the account is in on another node it is not the end.
        node_context: NodeContext,
        /// The time of day.
        now: Timestamp,
    },
    /// New subscriptions, in this order; see [`Subscriptions::add`].
    Subscribe {
        /// To whom.
        names: Vec<MemberName>,
        /// The most there may be.
        limit: usize,
    },
    /// The end of these subscriptions, or of all.
    Unsubscribe(Option<Vec<UserId>>),
}

impl MemberRecord {
    /// Carries out a change; returns whom the account subscribes to no longer.
    pub fn change(&mut self, change: RelationChange) -> Vec<UserId> {
        match change {
            RelationChange::Arrive { now, lifetime, node_context, last_seen } => {
                if self.login_states == LoginState::In
                    && self.is_deserted(&node_context)
                    && last_seen > Timestamp::default()
                {
                    self.login_states = LoginState::Lost(last_seen);
                    self.subscriptions.forget_told();
                }
                let dropped = self.expire(now, lifetime);
                if self.login_states == LoginState::In {
                    // It has been told more since that was noted.
                    self.subscriptions.forget_told();
                }
                self.login_states = LoginState::In;
                self.logins += 1;
                self.leave(&node_context);
                self.sites.push((node_context.node, self.logins));
                dropped
            }
            RelationChange::Part { login, ref node_context, .. } if !self.ends(node_context.node, login) => Vec::new(),
            RelationChange::Part { exit, told, now, login: _, node_context } => {
                self.leave(&node_context);
                if !self.sites.is_empty() {
                    return Vec::new();
                }
                self.login_states = match exit {
                    Exit::Lost => LoginState::Lost(now),
                    Exit::LoggedOut => LoginState::LoggedOut(now),
                };
                self.subscriptions.note(&told);
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

    /// Whether this was the last login on a node. Where the others took the node for dead, it must be the last of all.
    fn ends(&self, node: u64, login: u64) -> bool {
        let known = self.sites.iter().find(|(known, _)| *known == node);
        known.map_or(self.logins, |(_, last)| *last) == login
    }

    /// Whether the account is in on nodes only that have died.
    fn is_deserted(&self, node_context: &NodeContext) -> bool {
        let is_alive = |node: u64| node_context.alive.as_ref().is_none_or(|alive| alive.contains(&node));
        !self.sites.iter().any(|&(node, _)| node == node_context.node || is_alive(node))
    }

    /// The account is not in on this node, nor on those that have died.
    fn leave(&mut self, node_context: &NodeContext) {
        let is_alive = |node: u64| node_context.alive.as_ref().is_none_or(|alive| alive.contains(&node));
        self.sites.retain(|&(node, _)| node != node_context.node && is_alive(node));
    }

    /// Forgets the subscriptions of an account that has been away for `lifetime`.
    pub fn expire(&mut self, now: Timestamp, lifetime: Duration) -> Vec<UserId> {
        match self.login_states.away_since() {
            Some(since) if since + lifetime <= now => {
                self.revision += 1;
                self.subscriptions.remove(None)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The server starts: whoever was in has lost its connections, nobody saw when.
    pub fn interrupt(&mut self, now: Timestamp) {
        if self.login_states == LoginState::In {
            self.login_states = LoginState::Lost(now);
            self.sites.clear();
            self.subscriptions.forget_told();
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
        let mut standing = MemberRecord::default();
        standing.change(RelationChange::Arrive {
            now: at(0),
            lifetime: DAY,
            node_context: NodeContext::default(),
            last_seen: Timestamp::default(),
        });
        let names = users.iter().map(|name| MemberName::new(name).unwrap()).collect();
        standing.change(RelationChange::Subscribe { names, limit: 200 });
        standing
    }

    fn part(exit: Exit) -> RelationChange {
        RelationChange::Part {
            exit,
            told: vec![(UserId::from_name("bob"), DeliveredStatus(7))],
            login: 1,
            node_context: NodeContext::default(),
            now: at(0),
        }
    }

    #[test]
    fn a_lost_account_is_offline_and_one_that_logged_out_or_never_came_is_not_logged_in() {
        let mut standing = MemberRecord::default();
        assert_eq!(standing.login_states.general_status(), GeneralStatus::Unlogined);
        standing.change(RelationChange::Arrive {
            now: at(0),
            lifetime: DAY,
            node_context: NodeContext::default(),
            last_seen: Timestamp::default(),
        });
        assert_eq!(standing.login_states.general_status(), GeneralStatus::Offline, "after a crash");
        standing.change(part(Exit::LoggedOut));
        assert_eq!(standing.login_states.general_status(), GeneralStatus::Unlogined);
        standing.change(part(Exit::Lost));
        assert_eq!(standing.login_states.general_status(), GeneralStatus::Offline);
    }

    #[test]
    fn subscriptions_live_a_day_past_the_last_connection() {
        for exit in [Exit::Lost, Exit::LoggedOut] {
            let mut standing = subscribed(&["bob"]);
            standing.change(part(exit));
            let mut early = standing.clone();
            assert_eq!(
                early.change(RelationChange::Arrive {
                    now: at(24 * 3600 - 1),
                    lifetime: DAY,
                    node_context: NodeContext::default(),
                    last_seen: Timestamp::default()
                }),
                []
            );
            assert_eq!(early.subscriptions.as_slice()[0].told, Some(DeliveredStatus(7)));
            let late = standing.change(RelationChange::Arrive {
                now: at(24 * 3600),
                lifetime: DAY,
                node_context: NodeContext::default(),
                last_seen: Timestamp::default(),
            });
            assert_eq!(late, [UserId::from_name("bob")]);
        }
    }

    #[test]
    fn an_end_that_is_heard_of_after_the_next_login_is_none() {
        let mut standing = subscribed(&["bob"]);
        standing.change(RelationChange::Arrive {
            now: at(1),
            lifetime: DAY,
            node_context: NodeContext::default(),
            last_seen: Timestamp::default(),
        });
        standing.change(part(Exit::LoggedOut));
        assert_eq!(standing.login_states, LoginState::In);
    }

    #[test]
    fn a_crash_counts_from_the_next_start() {
        let mut standing = subscribed(&["bob"]);
        standing.interrupt(at(1000));
        assert_eq!(standing.login_states, LoginState::Lost(at(1000)));
        assert_eq!(standing.clone().expire(at(24 * 3600), DAY), []);
        assert_eq!(standing.expire(at(24 * 3600 + 1000), DAY).len(), 1);
        let mut away = subscribed(&[]);
        away.change(part(Exit::LoggedOut));
        away.interrupt(at(1000));
        assert_eq!(away.login_states, LoginState::LoggedOut(at(0)));
    }

    #[test]
    fn an_account_is_in_until_it_has_left_every_node_that_is_alive() {
        let node_context = |node, alive: &[u64]| NodeContext { node, alive: Some(alive.to_vec()) };
        let arrive =
            |node_context| RelationChange::Arrive { now: at(0), lifetime: DAY, node_context, last_seen: at(0) };
        let part = |login, node_context| RelationChange::Part {
            exit: Exit::LoggedOut,
            told: Vec::new(),
            login,
            node_context,
            now: at(5),
        };
        let mut standing = MemberRecord::default();
        standing.change(arrive(node_context(1, &[1, 2])));
        standing.change(arrive(node_context(2, &[1, 2])));
        standing.change(part(2, node_context(2, &[1, 2])));
        assert_eq!(standing.login_states, LoginState::In, "still on the first");
        standing.change(arrive(node_context(2, &[1, 2])));
        standing.change(part(3, node_context(2, &[2])));
        assert_eq!(standing.login_states, LoginState::LoggedOut(at(5)), "the first has died");
        standing.change(part(1, node_context(1, &[1, 2])));
        assert_eq!(standing.login_states, LoginState::LoggedOut(at(5)), "late word of a node that was taken for dead");
        standing.change(arrive(NodeContext { node: 1, alive: None }));
        assert_eq!((standing.login_states, standing.logins), (LoginState::In, 4));
    }

    #[test]
    fn of_an_account_whose_node_died_the_day_counts_from_when_it_was_seen_last() {
        let node_context = |node, alive: &[u64]| NodeContext { node, alive: Some(alive.to_vec()) };
        let arrive =
            |now, node_context, last_seen| RelationChange::Arrive { now, lifetime: DAY, node_context, last_seen };
        let mut standing = MemberRecord::default();
        standing.change(arrive(at(0), node_context(1, &[1, 2]), at(0)));
        standing.change(RelationChange::Subscribe { names: vec![MemberName::new("bob").unwrap()], limit: 200 });
        let later = at(24 * 3600 + 50);
        assert_eq!(standing.clone().change(arrive(later, node_context(2, &[1, 2]), at(50))), [], "it is still in");
        assert_eq!(standing.clone().change(arrive(later, node_context(2, &[2]), at(51))), []);
        assert_eq!(standing.change(arrive(later, node_context(2, &[2]), at(50))).len(), 1);
    }
}
