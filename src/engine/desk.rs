//! Where a shard's supervisor keeps the accounts that are logged in: their devices, whom they follow, how often they call.
//!
//! All devices of an account follow the same users. Every follow and unfollow on their behalf starts from here, so that
//! what two devices ask for at once happens in one order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use crate::config::ImConfig;
use crate::outbox::Address;
use crate::presence::account::AccountName;
use crate::presence::calls::{Call, Calls, TooOften};
use crate::presence::id::UserId;
use crate::presence::standing::Standing;
use crate::presence::time::Timestamp;
use crate::store::ties::TieStore;

/// What all desks need.
#[derive(Clone)]
pub struct DeskRules {
    /// Remembers what an account was told last.
    pub ties: Arc<dyn TieStore>,
    /// Calls of each kind in any `window`.
    pub calls: usize,
    /// See `calls`.
    pub window: Duration,
}

impl DeskRules {
    /// As configured.
    pub fn new(ties: Arc<dyn TieStore>, config: &ImConfig) -> Self {
        Self { ties, calls: config.calls, window: config.calls_window.0 }
    }
}

/// The accounts of one shard. An account is known while a device is logged in or a call of it counts.
#[derive(Default)]
pub struct Desk {
    accounts: HashMap<UserId, Box<Account>>,
    /// Accounts without devices, and when their last call counts no longer.
    leaving: VecDeque<(Timestamp, UserId)>,
}

/// One account.
struct Account {
    calls: Calls,
    devices: Vec<Address>,
    /// The last login and the last list that is known of.
    logins: u64,
    revision: u64,
    subscriptions: Vec<AccountName>,
    friends: Vec<AccountName>,
}

/// How an account's follows change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// All devices of the account.
    pub devices: Vec<Address>,
    /// To be followed from here on.
    pub added: Vec<AccountName>,
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

impl Account {
    fn followed(&self) -> HashSet<UserId> {
        self.subscriptions.iter().chain(&self.friends).map(AccountName::user).collect()
    }

    /// Changes the lists, and says what that changes for the devices.
    fn turn(&mut self, change: impl FnOnce(&mut Self)) -> Turn {
        let before = self.followed();
        change(self);
        let after = self.followed();
        let mut seen = HashSet::new();
        let fresh = |name: &&AccountName| !before.contains(&name.user()) && seen.insert(name.user());
        Turn {
            added: self.subscriptions.iter().chain(&self.friends).filter(fresh).cloned().collect(),
            removed: before.into_iter().filter(|user| !after.contains(user)).collect(),
            devices: self.devices.clone(),
        }
    }

    fn take(&mut self, standing: &Standing) {
        self.revision = standing.revision;
        self.subscriptions = standing.subscriptions.as_slice().iter().map(|one| one.name.clone()).collect();
    }
}

impl Desk {
    fn account(&mut self, account: UserId, rules: &DeskRules) -> &mut Account {
        self.accounts.entry(account).or_insert_with(|| {
            Box::new(Account {
                calls: Calls::new(rules.calls, rules.window),
                devices: Vec::new(),
                logins: 0,
                revision: 0,
                subscriptions: Vec::new(),
                friends: Vec::new(),
            })
        })
    }

    /// Counts a call of an account, or refuses it.
    pub fn call(&mut self, account: UserId, call: Call, rules: &DeskRules, now: Timestamp) -> Result<(), TooOften> {
        self.account(account, rules).calls.take(call, now)
    }

    /// A device is logged in; it follows by itself, the others as the result says.
    pub fn enter(
        &mut self,
        account: UserId,
        device: Address,
        standing: &Standing,
        friends: Vec<AccountName>,
        rules: &DeskRules,
    ) -> Turn {
        let account = self.account(account, rules);
        account.logins = account.logins.max(standing.logins);
        let turn = account.turn(|account| {
            if standing.revision >= account.revision || account.devices.is_empty() {
                account.take(standing);
            }
            account.friends = friends;
        });
        account.devices.push(device);
        turn
    }

    /// The account's subscriptions have changed. None: nobody is logged in, or a later change is known.
    pub fn relist(&mut self, account: UserId, standing: &Standing) -> Option<Turn> {
        let account = self.accounts.get_mut(&account).filter(|account| !account.devices.is_empty())?;
        (standing.revision > account.revision).then(|| account.turn(|account| account.take(standing)))
    }

    /// The account's friends have changed. None: nobody is logged in.
    pub fn befriend(&mut self, account: UserId, friends: Vec<AccountName>) -> Option<Turn> {
        let account = self.accounts.get_mut(&account).filter(|account| !account.devices.is_empty())?;
        Some(account.turn(|account| account.friends = friends))
    }

    /// Whom an account's device follows.
    pub fn follows(&self, account: UserId) -> Vec<UserId> {
        self.accounts.get(&account).map_or_else(Vec::new, |account| account.followed().into_iter().collect())
    }

    /// A device is gone. Some: it was the account's last.
    pub fn leave(&mut self, account: UserId, device: &Address, rules: &DeskRules, now: Timestamp) -> Option<Last> {
        self.forget(now);
        let known = self.accounts.get_mut(&account)?;
        let place = known.devices.iter().position(|other| other == device)?;
        known.devices.swap_remove(place);
        if !known.devices.is_empty() {
            return None;
        }
        let subscriptions: Vec<UserId> = known.subscriptions.iter().map(AccountName::user).collect();
        let followed = known.followed();
        let others = followed.into_iter().filter(|user| !subscriptions.contains(user)).collect();
        let last = Last { login: known.logins, subscriptions, others };
        self.leaving.push_back((now + rules.window, account));
        Some(last)
    }

    /// Forgets accounts without devices whose calls count no longer.
    fn forget(&mut self, now: Timestamp) {
        while let Some(&(until, account)) = self.leaving.front().filter(|(until, _)| *until <= now) {
            self.leaving.pop_front();
            debug_assert!(until <= now);
            let idle = |known: &mut Box<Account>| known.devices.is_empty() && known.calls.is_idle(now);
            if self.accounts.get_mut(&account).is_some_and(idle) {
                self.accounts.remove(&account);
            }
        }
    }
}
