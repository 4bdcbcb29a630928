//! Names that only one account may have: usernames and logins.
//!
//! A name is in another slot than the account, so that the two cannot be written together. First the name is *claimed*: the
//! claim names the account and the deadline for the account's record. Then the record is written, before the deadline. A
//! name belongs to an account if both the claim and the record say so. A claim without a record belongs to a write in
//! progress, and another account that wants the name waits a little. A claim that is [`MAX_CLOCK_SKEW`] past its deadline
//! without a record was left by a node that ended in between (or lost its Redis): another account takes it over. No claim
//! is ever confirmed or repaired.

use std::time::Duration;

use super::{Account, LoginKey};
use crate::presence::id::{UserId, Username};
use crate::redis::call::{RedisCall, parse_reply};
use crate::store::StoreError;
use crate::store::redis::records::Records;

/// Milliseconds from the claim to the deadline of the account's record.
const CLAIM_TTL: u64 = 5000;

/// Maximum difference between the clocks of two Redis, milliseconds.
const MAX_CLOCK_SKEW: u64 = 5000;

/// The pauses while another account's claim to the same name is in progress, milliseconds.
const PAUSES: [u64; 8] = [0, 5, 10, 20, 40, 80, 160, 320];

/// A name that only one account may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UniqueName {
    /// A login.
    Login(LoginKey),
    /// A username.
    Username(Username),
}

impl UniqueName {
    /// Returns a letter for the kind, then the text.
    fn text(&self) -> String {
        match self {
            Self::Login(key) => key.tagged(),
            Self::Username(name) => format!("u{}", name.as_str()),
        }
    }

    /// Returns whether the account's record has this name.
    pub fn is_of(&self, account: &Account) -> bool {
        match self {
            Self::Login(key) => account.login_keys().contains(key),
            Self::Username(name) => account.username == *name,
        }
    }

    /// Returns the error for another account that wants the name.
    fn taken(&self) -> StoreError {
        match self {
            Self::Login(_) => StoreError::LoginTaken,
            Self::Username(_) => StoreError::UsernameTaken,
        }
    }
}

/// A claim to a name.
#[derive(Clone, Debug)]
pub struct Claim {
    name: UniqueName,
    /// The value in Redis.
    text: String,
    /// Deadline for the account's record, ms since the Unix epoch.
    pub deadline: u64,
}

/// The result of an attempt to claim a name.
enum ClaimResult {
    Claimed(Claim),
    /// Another value is there (`None` means no value), at this time of Redis.
    Occupied(Option<String>, u64),
}

impl Records {
    /// Reads the users of the claims to these names, in the order of the request. The accounts' records decide whether the
    /// names are theirs.
    pub async fn claimants(&self, names: &[UniqueName]) -> Result<Vec<Option<UserId>>, StoreError> {
        let call = |name: &UniqueName| {
            let (bucket, key) = self.storage.keys().name(&name.text());
            let mut command = redis::cmd("GET");
            command.arg(key);
            (bucket, RedisCall::plain(command))
        };
        let answers = self.storage.call_all(names.iter().map(call).collect()).await;
        let claimant = |answer| {
            let text: Option<String> = parse_reply(answer)?;
            text.map(|text| read(&text).map(|(user, _)| user)).transpose()
        };
        answers.into_iter().map(|answer| answer.map_err(StoreError::from).and_then(claimant)).collect()
    }

    /// Claims a name for a user, even a name that the user already has.
    pub async fn claim(&self, name: &UniqueName, user: UserId) -> Result<Claim, StoreError> {
        let mut expected = None;
        for pause in PAUSES {
            let (found, now) = match self.try_claim(name, user, expected.take()).await? {
                ClaimResult::Claimed(claim) => return Ok(claim),
                // The claim that was to be taken over has been released.
                ClaimResult::Occupied(None, _) => continue,
                ClaimResult::Occupied(Some(found), now) => (found, now),
            };
            let (owner, deadline) = read(&found)?;
            // The user's own claim: of an earlier attempt, or to a name that it had before. A takeover in the meantime is noticed.
            if owner == user {
                expected = Some(found);
                continue;
            }
            // The record is read after the time: if it is not there by now, it will not be written after the deadline.
            if self.account(owner).await?.is_some_and(|account| name.is_of(&account)) {
                return Err(name.taken());
            }
            if now > deadline + MAX_CLOCK_SKEW {
                expected = Some(found);
                continue;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Err(StoreError::Unavailable("another claim to the same name does not come to an end".into()))
    }

    /// Releases claims as far as Redis can be reached. A claim that stays is taken over by the next account that wants it.
    pub async fn release(&self, claims: Vec<Claim>) {
        let call = |Claim { name, text, .. }: &Claim| {
            let (bucket, key) = self.storage.keys().name(&name.text());
            (bucket, RedisCall::script(&self.scripts.release, &[key], &[text.as_bytes()]))
        };
        for answer in self.storage.call_all(claims.iter().map(call).collect()).await {
            if let Err(error) = answer {
                log::debug!("a claim is not released: {error}");
            }
        }
    }

    /// Reads the claim to a name, if it is this user's.
    pub async fn claim_of(&self, name: UniqueName, user: UserId) -> Result<Option<Claim>, StoreError> {
        let (bucket, key) = self.storage.keys().name(&name.text());
        let mut command = redis::cmd("GET");
        command.arg(key);
        let text: Option<String> = parse_reply(self.storage.call(bucket, &RedisCall::plain(command)).await?)?;
        let Some(text) = text else { return Ok(None) };
        let (owner, deadline) = read(&text)?;
        Ok((owner == user).then_some(Claim { name, text, deadline }))
    }

    async fn try_claim(
        &self,
        name: &UniqueName,
        user: UserId,
        expected: Option<String>,
    ) -> Result<ClaimResult, StoreError> {
        let (bucket, key) = self.storage.keys().name(&name.text());
        let (expected, user) = (expected.unwrap_or_default(), user.uuid().simple().to_string());
        let span = CLAIM_TTL.to_string();
        let words = [expected.as_bytes(), user.as_bytes(), span.as_bytes()];
        let call = RedisCall::script(&self.scripts.claim, &[key], &words);
        let (claimed, text, time): (u8, String, u64) = parse_reply(self.storage.call(bucket, &call).await?)?;
        Ok(if claimed == 1 {
            ClaimResult::Claimed(Claim { name: name.clone(), text, deadline: time })
        } else {
            ClaimResult::Occupied((!text.is_empty()).then_some(text), time)
        })
    }
}

/// Reads a claim: the user and the deadline.
fn read(claim: &str) -> Result<(UserId, u64), StoreError> {
    let read = || {
        let (user, deadline) = claim.split_once(' ')?;
        Some((UserId::parse(user)?, deadline.parse().ok()?))
    };
    read().ok_or_else(|| StoreError::Damaged("the entry of a name".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_name_has_its_own_namespace() {
        let text = || "x".to_owned();
        let names = [
            UniqueName::Login(LoginKey::Custom(text())),
            UniqueName::Login(LoginKey::Device(text())),
            UniqueName::Login(LoginKey::Email(text())),
            UniqueName::Username(Username::new("x").unwrap()),
        ];
        assert_eq!(names.map(|name| name.text()), ["cx", "dx", "ex", "ux"]);
    }

    #[test]
    fn a_claim_is_read_and_anything_else_is_damaged() {
        let user = UserId::random();
        assert_eq!(read(&format!("{} 1795220273000", user.uuid().simple())), Ok((user, 1_795_220_273_000)));
        for wrong in ["", "x", "x 1", &user.to_string(), &format!("{user} soon")] {
            assert!(matches!(read(wrong), Err(StoreError::Damaged(_))), "{wrong}");
        }
    }
}
