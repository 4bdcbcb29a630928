//! Standings and lists as bytes: version, CRC-32 of the rest, JSON.
//!
//! The checksum is our own because the database reads a damaged journal as one that was cut off.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::presence::account::AccountName;
use crate::presence::id::UserId;
use crate::presence::roster::Roster;
use crate::presence::standing::{Attendance, Standing};
use crate::presence::subscriptions::{Subscription, Subscriptions, Told};
use crate::presence::time::Timestamp;
use crate::store::StoreError;

const VERSION: u8 = 1;

/// A standing as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    attendance: Where,
    subscriptions: Vec<(String, Option<u64>)>,
    revision: u64,
    logins: u64,
    #[serde(default)]
    sites: Vec<(u64, u64)>,
}

/// Whole seconds.
#[derive(Serialize, Deserialize)]
enum Where {
    Never,
    In,
    Lost(u64),
    LoggedOut(u64),
}

pub fn encode_standing(standing: &Standing) -> Vec<u8> {
    let attendance = match standing.attendance {
        Attendance::Never => Where::Never,
        Attendance::In => Where::In,
        Attendance::Lost(since) => Where::Lost(since.as_secs()),
        Attendance::LoggedOut(since) => Where::LoggedOut(since.as_secs()),
    };
    let subscriptions = standing.subscriptions.as_slice().iter();
    encode(&Written {
        attendance,
        subscriptions: subscriptions
            .map(|one| (one.name.as_str().into(), one.told.map(|Told(digest)| digest)))
            .collect(),
        revision: standing.revision,
        logins: standing.logins,
        sites: standing.sites.clone(),
    })
}

pub fn decode_standing(account: UserId, record: &[u8]) -> Result<Standing, StoreError> {
    let damaged = || StoreError::Damaged(format!("the standing of {account}"));
    let Written { attendance, subscriptions, revision, logins, sites } = decode(record).ok_or_else(damaged)?;
    let attendance = match attendance {
        Where::Never => Attendance::Never,
        Where::In => Attendance::In,
        Where::Lost(since) => Attendance::Lost(Timestamp::from_secs(since)),
        Where::LoggedOut(since) => Attendance::LoggedOut(Timestamp::from_secs(since)),
    };
    let subscriptions: Option<Vec<Subscription>> = subscriptions
        .into_iter()
        .map(|(name, told)| Some(Subscription { name: AccountName::new(&name).ok()?, told: told.map(Told) }))
        .collect();
    let subscriptions = Subscriptions::new(subscriptions.ok_or_else(damaged)?);
    Ok(Standing { attendance, subscriptions, revision, logins, sites })
}

pub fn encode_roster(roster: &Roster) -> Vec<u8> {
    encode(&roster.names().iter().map(AccountName::as_str).collect::<Vec<_>>())
}

pub fn decode_roster(owner: UserId, record: &[u8]) -> Result<Roster, StoreError> {
    let damaged = || StoreError::Damaged(format!("a list of {owner}"));
    let names: Vec<String> = decode(record).ok_or_else(damaged)?;
    let names: Result<Vec<AccountName>, _> = names.iter().map(|name| AccountName::new(name)).collect();
    names.map(Roster::new).map_err(|_| damaged())
}

fn encode(content: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(content).expect("these types always serialize");
    let mut record = vec![VERSION];
    record.extend(crc32fast::hash(&json).to_be_bytes());
    record.extend(json);
    record
}

fn decode<T: DeserializeOwned>(record: &[u8]) -> Option<T> {
    let (&[version, a, b, c, d], json) = record.split_first_chunk()?;
    if version != VERSION || crc32fast::hash(json).to_be_bytes() != [a, b, c, d] {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::new(text).unwrap()
    }

    #[test]
    fn records_are_read_back_and_one_flipped_bit_is_seen() {
        let user = UserId::from_name("alice");
        let subscription = |text, told| Subscription { name: name(text), told };
        let subscriptions = vec![subscription("bob", Some(Told(u64::MAX))), subscription("c \"d\\", None)];
        let since = Timestamp::from_secs(1_795_220_273);
        for attendance in [Attendance::Never, Attendance::In, Attendance::Lost(since), Attendance::LoggedOut(since)] {
            let subscriptions = Subscriptions::new(subscriptions.clone());
            let standing = Standing { attendance, subscriptions, revision: 3, logins: 4, sites: vec![(7, 4)] };
            let record = encode_standing(&standing);
            assert_eq!(decode_standing(user, &record), Ok(standing));
            for position in 0..record.len() {
                let mut damaged = record.clone();
                damaged[position] ^= 1;
                assert!(matches!(decode_standing(user, &damaged), Err(StoreError::Damaged(_))), "at {position}");
            }
        }
        let roster = Roster::new(vec![name("bob"), name("carol")]);
        assert_eq!(decode_roster(user, &encode_roster(&roster)), Ok(roster));
        assert!(decode_roster(user, &[]).is_err());
    }
}
