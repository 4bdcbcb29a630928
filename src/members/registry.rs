//! The logged-in members of one shard: their devices, the users that they follow, and how often they call.
//!
//! All devices of a member follow the same users. The registry decides every follow and unfollow for them, so what two
//! devices ask for at once happens in one order. It does no IO: the [shard](super::shard) carries its decisions out.
//!
//! A device is registered before its login is written to the store. So the registry sees the end of every session,
//! however early it comes, and the end of the last device is written under the number of the last login.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use crate::config::TencentConfig;
use crate::outbox::Address;
use crate::presence::calls::{Call, Calls, TooOften};
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::MemberRecord;
use crate::presence::time::Timestamp;

/// The limits of every member.
#[derive(Clone, Copy, Debug)]
pub struct MemberLimits {
    /// Maximum number of calls of each kind in any `window`.
    pub calls: usize,
    /// The span in which `calls` are counted.
    pub window: Duration,
    /// How long subscriptions outlive the last device.
    pub lifetime: Duration,
}

impl MemberLimits {
    /// Reads the limits from the configuration.
    pub fn new(config: &TencentConfig) -> Self {
        Self { calls: config.calls, window: config.calls_window.0, lifetime: config.subscription_ttl.0 }
    }
}

/// The members of one shard. It holds a member while a device is registered or one of its calls still counts.
pub struct MemberRegistry {
    limits: MemberLimits,
    members: HashMap<UserId, Box<RegisteredMember>>,
    /// Members without devices, with the time when their last call stops counting.
    without_devices: VecDeque<(Timestamp, UserId)>,
}

/// One member.
struct RegisteredMember {
    calls: Calls,
    devices: Vec<RegisteredDevice>,
    followed: FollowedUsers,
    /// The number of the last login that is written and has not ended; 0 means there is none.
    login: u64,
}

/// One device of a member.
struct RegisteredDevice {
    address: Address,
    /// The login is complete and the device follows what the member follows.
    is_active: bool,
    /// [`FollowedUsers::friends_changes`] when the login began.
    friends_changes: u64,
}

/// The users that a member's devices follow. Cleared with the last device.
#[derive(Default)]
struct FollowedUsers {
    /// [`MemberRecord::revision`] of the subscriptions.
    revision: u64,
    subscriptions: Vec<MemberName>,
    /// Counts the changes of the friends, because a list that a device read earlier is older than a change.
    friends_changes: u64,
    friends: Vec<MemberName>,
}

/// A change of the users that a member's devices follow.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FollowChange {
    /// The active devices of the member.
    pub devices: Vec<Address>,
    /// Users that the devices now follow.
    pub added: Vec<MemberName>,
    /// Users that the devices no longer follow.
    pub removed: Vec<UserId>,
}

/// A login that has lost its last device.
#[derive(Debug, PartialEq, Eq)]
pub struct EndedLogin {
    /// The number of the login.
    pub login: u64,
    /// The users that the member subscribes to.
    pub subscriptions: Vec<UserId>,
    /// The other users that the member followed.
    pub others: Vec<UserId>,
}

/// What an activated device and the other devices of its member have to follow.
#[derive(Debug, PartialEq, Eq)]
pub struct Activation {
    /// The change for the other devices.
    pub others: FollowChange,
    /// Users that the device did not request, because another device subscribed to them meanwhile.
    pub missing: Vec<MemberName>,
}

impl FollowedUsers {
    fn names(&self) -> impl Iterator<Item = &MemberName> {
        self.subscriptions.iter().chain(&self.friends)
    }

    fn users(&self) -> HashSet<UserId> {
        self.names().map(MemberName::user).collect()
    }

    /// Returns the followed users that are not in `others`, each once.
    fn without(&self, mut others: HashSet<UserId>) -> Vec<MemberName> {
        self.names().filter(|name| others.insert(name.user())).cloned().collect()
    }

    fn set_subscriptions(&mut self, record: &MemberRecord) {
        self.revision = record.revision;
        self.subscriptions = record.subscriptions.as_slice().iter().map(|one| one.name.clone()).collect();
    }
}

impl RegisteredMember {
    /// Changes the followed users and returns the change for the devices.
    fn change(&mut self, change: impl FnOnce(&mut FollowedUsers)) -> FollowChange {
        let before = self.followed.users();
        change(&mut self.followed);
        let after = self.followed.users();
        FollowChange {
            removed: before.iter().filter(|user| !after.contains(*user)).copied().collect(),
            added: self.followed.without(before),
            devices: self.devices.iter().filter(|device| device.is_active).map(|one| one.address.clone()).collect(),
        }
    }

    fn position(&self, device: &Address) -> Option<usize> {
        self.devices.iter().position(|known| known.address == *device)
    }
}

impl MemberRegistry {
    /// An empty registry.
    pub fn new(limits: MemberLimits) -> Self {
        Self { limits, members: HashMap::new(), without_devices: VecDeque::new() }
    }

    /// The limits of every member.
    pub fn limits(&self) -> MemberLimits {
        self.limits
    }

    fn member(&mut self, member: UserId) -> &mut RegisteredMember {
        let limits = self.limits;
        self.members.entry(member).or_insert_with(|| {
            Box::new(RegisteredMember {
                calls: Calls::new(limits.calls, limits.window),
                devices: Vec::new(),
                followed: FollowedUsers::default(),
                login: 0,
            })
        })
    }

    fn with_devices(&mut self, member: UserId) -> Option<&mut Box<RegisteredMember>> {
        self.members.get_mut(&member).filter(|member| !member.devices.is_empty())
    }

    /// Counts a call of a member, or refuses it.
    pub fn count_call(&mut self, member: UserId, call: Call, now: Timestamp) -> Result<(), TooOften> {
        self.member(member).calls.take(call, now)
    }

    /// Registers a device at the start of its login.
    pub fn register(&mut self, member: UserId, device: Address) {
        let member = self.member(member);
        let friends_changes = member.followed.friends_changes;
        member.devices.push(RegisteredDevice { address: device, is_active: false, friends_changes });
    }

    /// Notes the number of a login that has been written. Returns the ended login when no device is left.
    pub fn login_written(&mut self, member: UserId, login: u64) -> Option<EndedLogin> {
        match self.with_devices(member) {
            Some(member) => {
                member.login = member.login.max(login);
                None
            }
            None => Some(EndedLogin { login, subscriptions: Vec::new(), others: Vec::new() }),
        }
    }

    /// Activates a device after its login. It follows the `requested` users by itself. `None` means that the
    /// device has left.
    pub fn activate(
        &mut self,
        member: UserId,
        device: &Address,
        record: &MemberRecord,
        friends: Vec<MemberName>,
        requested: HashSet<UserId>,
    ) -> Option<Activation> {
        let member = self.members.get_mut(&member)?;
        let position = member.position(device)?;
        let friends_changes = member.devices[position].friends_changes;
        let others = member.change(|followed| {
            if record.revision >= followed.revision {
                followed.set_subscriptions(record);
            }
            if friends_changes == followed.friends_changes {
                followed.friends = friends;
            }
        });
        member.devices[position].is_active = true;
        Some(Activation { others, missing: member.followed.without(requested) })
    }

    /// Takes a member's changed subscriptions. `None` means that no device is here or a later change is known.
    pub fn set_subscriptions(&mut self, member: UserId, record: &MemberRecord) -> Option<FollowChange> {
        let member = self.with_devices(member)?;
        (record.revision > member.followed.revision)
            .then(|| member.change(|followed| followed.set_subscriptions(record)))
    }

    /// Takes a member's changed friends. `None` means that no device is here.
    pub fn set_friends(&mut self, member: UserId, friends: Vec<MemberName>) -> Option<FollowChange> {
        let member = self.with_devices(member)?;
        member.followed.friends_changes += 1;
        Some(member.change(|followed| followed.friends = friends))
    }

    /// Returns the members that have devices here, each with the revision of its subscriptions. With `member`, only
    /// that one.
    pub fn revisions(&self, member: Option<UserId>) -> Vec<(UserId, u64)> {
        let revision = |user: UserId| {
            let known = self.members.get(&user).filter(|known| !known.devices.is_empty())?;
            Some((user, known.followed.revision))
        };
        match member {
            Some(member) => revision(member).into_iter().collect(),
            None => self.members.keys().copied().filter_map(revision).collect(),
        }
    }

    /// Returns the users that a member's devices follow.
    pub fn followed(&self, member: UserId) -> HashSet<UserId> {
        self.members.get(&member).map(|member| member.followed.users()).unwrap_or_default()
    }

    /// Removes a device. Returns the ended login when it was the member's last device and its login is written.
    pub fn remove(&mut self, member: UserId, device: &Address, now: Timestamp) -> Option<EndedLogin> {
        self.forget_idle(now);
        let known = self.members.get_mut(&member)?;
        known.devices.swap_remove(known.position(device)?);
        if !known.devices.is_empty() {
            return None;
        }
        self.without_devices.push_back((now + self.limits.window, member));
        let followed = std::mem::take(&mut known.followed);
        let subscriptions: Vec<UserId> = followed.subscriptions.iter().map(MemberName::user).collect();
        let others = followed.users().into_iter().filter(|user| !subscriptions.contains(user)).collect();
        match std::mem::take(&mut known.login) {
            0 => None,
            login => Some(EndedLogin { login, subscriptions, others }),
        }
    }

    /// Forgets members without devices when their calls no longer count.
    fn forget_idle(&mut self, now: Timestamp) {
        while let Some(&(until, member)) = self.without_devices.front().filter(|(until, _)| *until <= now) {
            self.without_devices.pop_front();
            debug_assert!(until <= now);
            let is_idle = |known: &mut Box<RegisteredMember>| known.devices.is_empty() && known.calls.is_idle(now);
            if self.members.get_mut(&member).is_some_and(is_idle) {
                self.members.remove(&member);
            }
        }
    }
}
