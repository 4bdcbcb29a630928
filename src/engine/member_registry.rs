//! Where a shard's supervisor keeps the accounts that are logged in: their devices, whom they follow, how often they call.
//!
//! All devices of an account follow the same users. Every follow and unfollow on their behalf starts from here, so that
//! what two devices ask for at once happens in one order.
//!
//! A device is at the desk from before its login is written down. So however its session ends, and whenever, the desk
//! hears of it, and the last device's end is written down under the last login.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use crate::config::TencentConfig;
use crate::outbox::Address;
use crate::presence::calls::{Call, Calls, TooOften};
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::MemberRecord;
use crate::presence::time::Timestamp;
use crate::store::relations::RelationStore;

/// What all desks need.
#[derive(Clone)]
pub struct MemberLimits {
    /// Remembers what an account was told last.
    pub relations: Arc<dyn RelationStore>,
    /// Calls of each kind in any `window`.
    pub calls: usize,
    /// See `calls`.
    pub window: Duration,
    /// How long subscriptions outlive the last device.
    pub lifetime: Duration,
}

impl MemberLimits {
    /// As configured.
    pub fn new(relations: Arc<dyn RelationStore>, config: &TencentConfig) -> Self {
        Self { relations, calls: config.calls, window: config.calls_window.0, lifetime: config.subscription_ttl.0 }
    }
}

/// The accounts of one shard. An account is known while a device is logged in or a call of it counts.
#[derive(Default)]
pub struct MemberRegistry {
    members: HashMap<UserId, Box<Member>>,
    /// Accounts without devices, and when their last call counts no longer.
    leaving: VecDeque<(Timestamp, UserId)>,
}

/// One account.
struct Member {
    calls: Calls,
    devices: Vec<Device>,
    /// Whom the devices follow.
    lists: Lists,
    /// The last login that is known of and has not ended; 0: none.
    login: u64,
}

/// A device at the desk.
struct Device {
    address: Address,
    /// It follows what the account follows: its login is through.
    is_in: bool,
    /// [`Lists::befriended`] when its login began.
    befriended: u64,
}

/// Whom an account follows, as the desk knows it. Gone with the last device.
#[derive(Default)]
struct Lists {
    /// [`MemberRecord::revision`] of the subscriptions.
    revision: u64,
    subscriptions: Vec<MemberName>,
    /// Counts how often word of other friends came: what a device read before is older.
    befriended: u64,
    friends: Vec<MemberName>,
}

/// How an account's follows change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// All devices of the account that follow.
    pub devices: Vec<Address>,
    /// To be followed from here on.
    pub added: Vec<MemberName>,
    /// To be followed no longer.
    pub removed: Vec<UserId>,
}

/// The last device of an account that went.
#[derive(Debug, PartialEq, Eq)]
pub struct Last {
    /// The login that ends.
    pub login: u64,
    /// Whom the account subscribes to.
    pub subscriptions: Vec<UserId>,
    /// Whom it followed besides.
    pub others: Vec<UserId>,
}

/// What a device follows that is in from here on.
#[derive(Debug, PartialEq, Eq)]
pub struct Entrance {
    /// What it changes for the other devices.
    pub others: Turn,
    /// Whom it follows besides those that it asked for: others subscribed to them meanwhile.
    pub missing: Vec<MemberName>,
}

impl Lists {
    fn names(&self) -> impl Iterator<Item = &MemberName> {
        self.subscriptions.iter().chain(&self.friends)
    }

    fn users(&self) -> HashSet<UserId> {
        self.names().map(MemberName::user).collect()
    }

    /// Those on the lists, each once, who are not among these.
    fn without(&self, mut others: HashSet<UserId>) -> Vec<MemberName> {
        self.names().filter(|name| others.insert(name.user())).cloned().collect()
    }

    fn take(&mut self, standing: &MemberRecord) {
        self.revision = standing.revision;
        self.subscriptions = standing.subscriptions.as_slice().iter().map(|one| one.name.clone()).collect();
    }
}

impl Member {
    /// Changes the lists, and says what that changes for the devices.
    fn turn(&mut self, change: impl FnOnce(&mut Lists)) -> Turn {
        let before = self.lists.users();
        change(&mut self.lists);
        let after = self.lists.users();
        Turn {
            removed: before.iter().filter(|user| !after.contains(*user)).copied().collect(),
            added: self.lists.without(before),
            devices: self.devices.iter().filter(|device| device.is_in).map(|device| device.address.clone()).collect(),
        }
    }

    fn place(&self, device: &Address) -> Option<usize> {
        self.devices.iter().position(|known| known.address == *device)
    }
}

impl MemberRegistry {
    fn member(&mut self, member: UserId, rules: &MemberLimits) -> &mut Member {
        self.members.entry(member).or_insert_with(|| {
            Box::new(Member {
                calls: Calls::new(rules.calls, rules.window),
                devices: Vec::new(),
                lists: Lists::default(),
                login: 0,
            })
        })
    }

    /// Counts a call of an account, or refuses it.
    pub fn call(&mut self, member: UserId, call: Call, rules: &MemberLimits, now: Timestamp) -> Result<(), TooOften> {
        self.member(member, rules).calls.take(call, now)
    }

    /// A device begins to log in.
    pub fn arrive(&mut self, member: UserId, device: Address, rules: &MemberLimits) {
        let member = self.member(member, rules);
        let befriended = member.lists.befriended;
        member.devices.push(Device { address: device, is_in: false, befriended });
    }

    /// The login is written down under this number. Some: no device is left, so that it has ended already.
    pub fn arrived(&mut self, member: UserId, login: u64) -> Option<Last> {
        match self.members.get_mut(&member).filter(|member| !member.devices.is_empty()) {
            Some(member) => {
                member.login = member.login.max(login);
                None
            }
            None => Some(Last { login, subscriptions: Vec::new(), others: Vec::new() }),
        }
    }

    /// A device's login is through: it follows those whom it `asked` for by itself. None: it has left.
    pub fn enter(
        &mut self,
        member: UserId,
        device: &Address,
        standing: &MemberRecord,
        friends: Vec<MemberName>,
        asked: HashSet<UserId>,
    ) -> Option<Entrance> {
        let member = self.members.get_mut(&member)?;
        let place = member.place(device)?;
        let befriended = member.devices[place].befriended;
        let others = member.turn(|lists| {
            if standing.revision >= lists.revision {
                lists.take(standing);
            }
            if befriended == lists.befriended {
                lists.friends = friends;
            }
        });
        member.devices[place].is_in = true;
        Some(Entrance { others, missing: member.lists.without(asked) })
    }

    /// The account's subscriptions have changed. None: nobody is there, or a later change is known.
    pub fn relist(&mut self, member: UserId, standing: &MemberRecord) -> Option<Turn> {
        let member = self.members.get_mut(&member).filter(|member| !member.devices.is_empty())?;
        (standing.revision > member.lists.revision).then(|| member.turn(|lists| lists.take(standing)))
    }

    /// The account's friends have changed. None: nobody is there.
    pub fn befriend(&mut self, member: UserId, friends: Vec<MemberName>) -> Option<Turn> {
        let member = self.members.get_mut(&member).filter(|member| !member.devices.is_empty())?;
        member.lists.befriended += 1;
        Some(member.turn(|lists| lists.friends = friends))
    }

    /// The accounts that have devices here, or whether this one has, with the revision that is known of each.
    pub fn seated(&self, member: Option<UserId>) -> Vec<(UserId, u64)> {
        let seated = |user: UserId| {
            let known = self.members.get(&user).filter(|known| !known.devices.is_empty())?;
            Some((user, known.lists.revision))
        };
        match member {
            Some(member) => seated(member).into_iter().collect(),
            None => self.members.keys().copied().filter_map(seated).collect(),
        }
    }

    /// Whom an account's device follows.
    pub fn follows(&self, member: UserId) -> HashSet<UserId> {
        self.members.get(&member).map(|member| member.lists.users()).unwrap_or_default()
    }

    /// A device is gone. Some: it was the account's last, and its login is written down.
    pub fn leave(&mut self, member: UserId, device: &Address, rules: &MemberLimits, now: Timestamp) -> Option<Last> {
        self.forget(now);
        let known = self.members.get_mut(&member)?;
        known.devices.swap_remove(known.place(device)?);
        if !known.devices.is_empty() {
            return None;
        }
        self.leaving.push_back((now + rules.window, member));
        let lists = std::mem::take(&mut known.lists);
        let subscriptions: Vec<UserId> = lists.subscriptions.iter().map(MemberName::user).collect();
        let others = lists.users().into_iter().filter(|user| !subscriptions.contains(user)).collect();
        match std::mem::take(&mut known.login) {
            0 => None,
            login => Some(Last { login, subscriptions, others }),
        }
    }

    /// Forgets accounts without devices whose calls count no longer.
    fn forget(&mut self, now: Timestamp) {
        while let Some(&(until, member)) = self.leaving.front().filter(|(until, _)| *until <= now) {
            self.leaving.pop_front();
            debug_assert!(until <= now);
            let idle = |known: &mut Box<Member>| known.devices.is_empty() && known.calls.is_idle(now);
            if self.members.get_mut(&member).is_some_and(idle) {
                self.members.remove(&member);
            }
        }
    }
}
