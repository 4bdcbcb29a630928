//! Names that one account has at most: usernames and what accounts log in with.
//!
//! A name lies in another slot than the account, so the two are not written together. First the name is *claimed*: it says
//! whose it is to be, and until when that account's record may be written. Then the record is written, not later than
//! that. A name belongs to an account where both say so; the claim alone is somebody on the way, and who wants the name
//! too waits a little. A claim that is [`SKEW`] past its time without the record was left by a node that ended in between
//! (or lost its Redis): it is taken over. No claim is ever confirmed or repaired.

use std::time::Duration;

use super::records::Records;
use crate::presence::id::{UserId, Username};
use crate::redis::call::Call;
use crate::redis::call::parse_reply;
use crate::store::StoreError;
use crate::store::account::{Account, LoginKey};

/// Milliseconds from the claim in which the account's record has to be written.
const TIME_TO_WRITE: u64 = 5000;

/// Milliseconds by which the clocks of two Redis may differ.
const SKEW: u64 = 5000;

/// The pauses of who waits for somebody who claims the same name, milliseconds.
const PAUSES: [u64; 8] = [0, 5, 10, 20, 40, 80, 160, 320];

/// A name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// Of a login.
    Login(LoginKey),
    /// What others call the account.
    Username(Username),
}

impl Name {
    /// A letter for its kind, then its text.
    fn text(&self) -> String {
        match self {
            Self::Login(key) => key.tagged(),
            Self::Username(name) => format!("u{}", name.as_str()),
        }
    }

    /// Whether the account says so too.
    pub fn is_of(&self, account: &Account) -> bool {
        match self {
            Self::Login(key) => account.login_keys().contains(key),
            Self::Username(name) => account.username == *name,
        }
    }

    /// What to tell who wants it too.
    fn taken(&self) -> StoreError {
        match self {
            Self::Login(_) => StoreError::LoginTaken,
            Self::Username(_) => StoreError::UsernameTaken,
        }
    }
}

/// A name that was claimed.
#[derive(Clone, Debug)]
pub struct Claim {
    name: Name,
    /// As it stands in Redis.
    text: String,
    /// The record may be written until then, ms since the Unix epoch.
    pub deadline: u64,
}

/// What claiming came to.
enum Claimed {
    Yes(Claim),
    /// There is something else (none: nothing), at this time.
    No(Option<String>, u64),
}

impl Records {
    /// To whom names belong by what stands there, in the order asked; the accounts may say otherwise.
    pub async fn claimants(&self, names: &[Name]) -> Result<Vec<Option<UserId>>, StoreError> {
        let call = |name: &Name| {
            let (bucket, key) = self.storage.keys().name(&name.text());
            let mut command = redis::cmd("GET");
            command.arg(key);
            (bucket, Call::plain(command))
        };
        let answers = self.storage.call_all(names.iter().map(call).collect()).await;
        let claimant = |answer| {
            let text: Option<String> = parse_reply(answer)?;
            text.map(|text| read(&text).map(|(user, _)| user)).transpose()
        };
        answers.into_iter().map(|answer| answer.map_err(StoreError::from).and_then(claimant)).collect()
    }

    /// Claims a name for a user, also one that it has.
    pub async fn claim(&self, name: &Name, user: UserId) -> Result<Claim, StoreError> {
        let mut thought = None;
        for pause in PAUSES {
            let (found, now) = match self.try_claim(name, user, thought.take()).await? {
                Claimed::Yes(claim) => return Ok(claim),
                // What was to be taken over has been given up.
                Claimed::No(None, _) => continue,
                Claimed::No(Some(found), now) => (found, now),
            };
            let (owner, deadline) = read(&found)?;
            // Its own: of an earlier try, or a name that it had before. Whoever takes it over meanwhile is noticed.
            if owner == user {
                thought = Some(found);
                continue;
            }
            // After the time was read: what is not there by now comes no more once the claim's time is over.
            if self.account(owner).await?.is_some_and(|account| name.is_of(&account)) {
                return Err(name.taken());
            }
            if now > deadline + SKEW {
                thought = Some(found);
                continue;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Err(StoreError::Unavailable("somebody who wants the same name does not come to an end".into()))
    }

    /// Gives claims up, as far as Redis can be reached. Those that stay are taken over by who wants them.
    pub async fn release(&self, claims: Vec<Claim>) {
        let call = |Claim { name, text, .. }: &Claim| {
            let (bucket, key) = self.storage.keys().name(&name.text());
            (bucket, Call::script(&self.scripts.release, &[key], &[text.as_bytes()]))
        };
        for answer in self.storage.call_all(claims.iter().map(call).collect()).await {
            if let Err(error) = answer {
                log::debug!("a name is not given up: {error}");
            }
        }
    }

    /// The claim that stands of a name, if it is this user's.
    pub async fn claim_of(&self, name: Name, user: UserId) -> Result<Option<Claim>, StoreError> {
        let (bucket, key) = self.storage.keys().name(&name.text());
        let mut command = redis::cmd("GET");
        command.arg(key);
        let text: Option<String> = parse_reply(self.storage.call(bucket, &Call::plain(command)).await?)?;
        let Some(text) = text else { return Ok(None) };
        let (owner, deadline) = read(&text)?;
        Ok((owner == user).then_some(Claim { name, text, deadline }))
    }

    async fn try_claim(&self, name: &Name, user: UserId, thought: Option<String>) -> Result<Claimed, StoreError> {
        let (bucket, key) = self.storage.keys().name(&name.text());
        let (thought, user) = (thought.unwrap_or_default(), user.uuid().simple().to_string());
        let span = TIME_TO_WRITE.to_string();
        let words = [thought.as_bytes(), user.as_bytes(), span.as_bytes()];
        let call = Call::script(&self.scripts.claim, &[key], &words);
        let (claimed, text, time): (u8, String, u64) = parse_reply(self.storage.call(bucket, &call).await?)?;
        Ok(if claimed == 1 {
            Claimed::Yes(Claim { name: name.clone(), text, deadline: time })
        } else {
            Claimed::No((!text.is_empty()).then_some(text), time)
        })
    }
}

/// Whose a claim is, and until when.
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
    fn kinds_of_names_are_apart() {
        let text = || "x".to_owned();
        let names = [
            Name::Login(LoginKey::Custom(text())),
            Name::Login(LoginKey::Device(text())),
            Name::Login(LoginKey::Email(text())),
            Name::Username(Username::new("x").unwrap()),
        ];
        assert_eq!(names.map(|name| name.text()), ["cx", "dx", "ex", "ux"]);
    }

    #[test]
    fn a_claim_is_read_and_another_thing_is_damage() {
        let user = UserId::random();
        assert_eq!(read(&format!("{} 1795220273000", user.uuid().simple())), Ok((user, 1_795_220_273_000)));
        for wrong in ["", "x", "x 1", &user.to_string(), &format!("{user} soon")] {
            assert!(matches!(read(wrong), Err(StoreError::Damaged(_))), "{wrong}");
        }
    }
}
