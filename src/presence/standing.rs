//! What lasts of an account beyond its connections: whether it is logged in, and whom it subscribes to.

use std::time::Duration;

use super::account::AccountName;
use super::general::{Exit, GeneralStatus};
use super::id::UserId;
use super::subscriptions::{Subscriptions, Told};
use super::time::Timestamp;

/// Where an account is, as far as its logins tell. Times of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attendance {
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

impl Attendance {
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
pub struct Standing {
    /// Where it is.
    pub attendance: Attendance,
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
pub struct Site {
    /// Its number; 0 where there is one only.
    pub node: u64,
    /// The numbers of all nodes that are alive; none: that is not known, so that all count.
    pub alive: Option<Vec<u64>>,
}

/// A change of a standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A login. Subscriptions are forgotten that were left alone for `lifetime`.
    Arrive {
        /// The time of day.
        now: Timestamp,
        /// How long subscriptions outlive the last connection.
        lifetime: Duration,
        /// Where.
        site: Site,
    },
    /// The end of the last connection on a node.
    Part {
        /// How it ended.
        exit: Exit,
        /// What the account was told last of those it subscribes to.
        told: Vec<(UserId, Told)>,
        /// [`Standing::logins`] at the last login there; after another it is not the end.
        login: u64,
        /// Where; while the account is in on another node it is not the end.
        site: Site,
        /// The time of day.
        now: Timestamp,
    },
    /// New subscriptions, in this order; see [`Subscriptions::add`].
    Subscribe {
        /// To whom.
        names: Vec<AccountName>,
        /// The most there may be.
        limit: usize,
    },
    /// The end of these subscriptions, or of all.
    Unsubscribe(Option<Vec<UserId>>),
}

impl Standing {
    /// Carries out a change; returns whom the account subscribes to no longer.
    pub fn change(&mut self, change: Change) -> Vec<UserId> {
        match change {
            Change::Arrive { now, lifetime, site } => {
                let dropped = self.expire(now, lifetime);
                if self.attendance == Attendance::In {
                    // It has been told more since that was noted.
                    self.subscriptions.forget_told();
                }
                self.attendance = Attendance::In;
                self.logins += 1;
                self.leave(&site);
                self.sites.push((site.node, self.logins));
                dropped
            }
            Change::Part { login, ref site, .. } if !self.ends(site.node, login) => Vec::new(),
            Change::Part { exit, told, now, login: _, site } => {
                self.leave(&site);
                if !self.sites.is_empty() {
                    return Vec::new();
                }
                self.attendance = match exit {
                    Exit::Lost => Attendance::Lost(now),
                    Exit::LoggedOut => Attendance::LoggedOut(now),
                };
                self.subscriptions.note(&told);
                Vec::new()
            }
            Change::Subscribe { names, limit } => {
                self.revision += 1;
                self.subscriptions.add(&names, limit)
            }
            Change::Unsubscribe(users) => {
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

    /// The account is not in on this node, nor on those that have died.
    fn leave(&mut self, site: &Site) {
        let is_alive = |node: u64| site.alive.as_ref().is_none_or(|alive| alive.contains(&node));
        self.sites.retain(|&(node, _)| node != site.node && is_alive(node));
    }

    /// Forgets the subscriptions of an account that has been away for `lifetime`.
    pub fn expire(&mut self, now: Timestamp, lifetime: Duration) -> Vec<UserId> {
        match self.attendance.away_since() {
            Some(since) if since + lifetime <= now => {
                self.revision += 1;
                self.subscriptions.remove(None)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The server starts: whoever was in has lost its connections, nobody saw when.
    pub fn interrupt(&mut self, now: Timestamp) {
        if self.attendance == Attendance::In {
            self.attendance = Attendance::Lost(now);
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

    fn subscribed(users: &[&str]) -> Standing {
        let mut standing = Standing::default();
        standing.change(Change::Arrive { now: at(0), lifetime: DAY, site: Site::default() });
        let names = users.iter().map(|name| AccountName::new(name).unwrap()).collect();
        standing.change(Change::Subscribe { names, limit: 200 });
        standing
    }

    fn part(exit: Exit) -> Change {
        Change::Part {
            exit,
            told: vec![(UserId::from_name("bob"), Told(7))],
            login: 1,
            site: Site::default(),
            now: at(0),
        }
    }

    #[test]
    fn a_lost_account_is_offline_and_one_that_logged_out_or_never_came_is_not_logged_in() {
        let mut standing = Standing::default();
        assert_eq!(standing.attendance.general_status(), GeneralStatus::Unlogined);
        standing.change(Change::Arrive { now: at(0), lifetime: DAY, site: Site::default() });
        assert_eq!(standing.attendance.general_status(), GeneralStatus::Offline, "after a crash");
        standing.change(part(Exit::LoggedOut));
        assert_eq!(standing.attendance.general_status(), GeneralStatus::Unlogined);
        standing.change(part(Exit::Lost));
        assert_eq!(standing.attendance.general_status(), GeneralStatus::Offline);
    }

    #[test]
    fn subscriptions_live_a_day_past_the_last_connection() {
        for exit in [Exit::Lost, Exit::LoggedOut] {
            let mut standing = subscribed(&["bob"]);
            standing.change(part(exit));
            let mut early = standing.clone();
            assert_eq!(
                early.change(Change::Arrive { now: at(24 * 3600 - 1), lifetime: DAY, site: Site::default() }),
                []
            );
            assert_eq!(early.subscriptions.as_slice()[0].told, Some(Told(7)));
            let late = standing.change(Change::Arrive { now: at(24 * 3600), lifetime: DAY, site: Site::default() });
            assert_eq!(late, [UserId::from_name("bob")]);
        }
    }

    #[test]
    fn an_end_that_is_heard_of_after_the_next_login_is_none() {
        let mut standing = subscribed(&["bob"]);
        standing.change(Change::Arrive { now: at(1), lifetime: DAY, site: Site::default() });
        standing.change(part(Exit::LoggedOut));
        assert_eq!(standing.attendance, Attendance::In);
    }

    #[test]
    fn a_crash_counts_from_the_next_start() {
        let mut standing = subscribed(&["bob"]);
        standing.interrupt(at(1000));
        assert_eq!(standing.attendance, Attendance::Lost(at(1000)));
        assert_eq!(standing.clone().expire(at(24 * 3600), DAY), []);
        assert_eq!(standing.expire(at(24 * 3600 + 1000), DAY).len(), 1);
        let mut away = subscribed(&[]);
        away.change(part(Exit::LoggedOut));
        away.interrupt(at(1000));
        assert_eq!(away.attendance, Attendance::LoggedOut(at(0)));
    }

    #[test]
    fn an_account_is_in_until_it_has_left_every_node_that_is_alive() {
        let site = |node, alive: &[u64]| Site { node, alive: Some(alive.to_vec()) };
        let arrive = |site| Change::Arrive { now: at(0), lifetime: DAY, site };
        let part = |login, site| Change::Part { exit: Exit::LoggedOut, told: Vec::new(), login, site, now: at(5) };
        let mut standing = Standing::default();
        standing.change(arrive(site(1, &[1, 2])));
        standing.change(arrive(site(2, &[1, 2])));
        standing.change(part(2, site(2, &[1, 2])));
        assert_eq!(standing.attendance, Attendance::In, "still on the first");
        standing.change(arrive(site(2, &[1, 2])));
        standing.change(part(3, site(2, &[2])));
        assert_eq!(standing.attendance, Attendance::LoggedOut(at(5)), "the first has died");
        standing.change(part(1, site(1, &[1, 2])));
        assert_eq!(standing.attendance, Attendance::LoggedOut(at(5)), "late word of a node that was taken for dead");
        standing.change(arrive(Site { node: 1, alive: None }));
        assert_eq!((standing.attendance, standing.logins), (Attendance::In, 4));
    }
}
