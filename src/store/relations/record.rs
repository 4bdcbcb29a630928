//! The stored form of member records and lists: [checked JSON](crate::store::checked_json).

use serde::{Deserialize, Serialize};

use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{LoginState, MemberRecord};
use crate::presence::roster::Roster;
use crate::presence::subscriptions::{DeliveredStatus, Subscription, Subscriptions};
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::checked_json::{decode, encode};

/// The stored form of a member record. The names of the fields and variants are part of the format.
#[derive(Serialize, Deserialize)]
struct StoredMember {
    #[serde(rename = "attendance")]
    login_state: StoredLoginState,
    subscriptions: Vec<(String, Option<u64>)>,
    revision: u64,
    logins: u64,
    #[serde(default, rename = "sites")]
    login_nodes: Vec<(u64, u64)>,
}

/// The stored form of a login state. Times in whole seconds.
#[derive(Serialize, Deserialize)]
enum StoredLoginState {
    Never,
    In,
    Lost(u64),
    LoggedOut(u64),
}

pub fn encode_member(member: &MemberRecord) -> Vec<u8> {
    let login_state = match member.login_state {
        LoginState::Never => StoredLoginState::Never,
        LoginState::In => StoredLoginState::In,
        LoginState::Lost(since) => StoredLoginState::Lost(since.as_secs()),
        LoginState::LoggedOut(since) => StoredLoginState::LoggedOut(since.as_secs()),
    };
    let subscriptions = member.subscriptions.as_slice().iter();
    encode(&StoredMember {
        login_state,
        subscriptions: subscriptions
            .map(|one| (one.name.as_str().into(), one.delivered.map(|DeliveredStatus(digest)| digest)))
            .collect(),
        revision: member.revision,
        logins: member.logins,
        login_nodes: member.login_nodes.clone(),
    })
}

pub fn decode_member(user: UserId, record: &[u8]) -> Result<MemberRecord, StoreError> {
    let damaged = || StoreError::Damaged(format!("the member record of {user}"));
    let StoredMember { login_state, subscriptions, revision, logins, login_nodes } =
        decode(record).ok_or_else(damaged)?;
    let login_state = match login_state {
        StoredLoginState::Never => LoginState::Never,
        StoredLoginState::In => LoginState::In,
        StoredLoginState::Lost(since) => LoginState::Lost(Timestamp::from_secs(since)),
        StoredLoginState::LoggedOut(since) => LoginState::LoggedOut(Timestamp::from_secs(since)),
    };
    let subscriptions: Option<Vec<Subscription>> = subscriptions
        .into_iter()
        .map(|(name, delivered)| {
            Some(Subscription { name: MemberName::new(&name).ok()?, delivered: delivered.map(DeliveredStatus) })
        })
        .collect();
    let subscriptions = Subscriptions::new(subscriptions.ok_or_else(damaged)?);
    Ok(MemberRecord { login_state, subscriptions, revision, logins, login_nodes })
}

pub fn encode_roster(roster: &Roster) -> Vec<u8> {
    encode(&roster.names().iter().map(MemberName::as_str).collect::<Vec<_>>())
}

pub fn decode_roster(owner: UserId, record: &[u8]) -> Result<Roster, StoreError> {
    let damaged = || StoreError::Damaged(format!("a list of {owner}"));
    let names: Vec<String> = decode(record).ok_or_else(damaged)?;
    let names: Result<Vec<MemberName>, _> = names.iter().map(|name| MemberName::new(name)).collect();
    names.map(Roster::new).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MemberName {
        MemberName::new(text).unwrap()
    }

    fn recorded(json: &[u8]) -> Vec<u8> {
        [&[1], crc32fast::hash(json).to_be_bytes().as_slice(), json].concat()
    }

    #[test]
    fn a_record_has_the_bytes_that_every_version_reads() {
        let subscriptions = Subscriptions::new(vec![
            Subscription { name: name("bob"), delivered: Some(DeliveredStatus(5)) },
            Subscription { name: name("carol"), delivered: None },
        ]);
        let login_state = LoginState::Lost(Timestamp::from_secs(1_795_220_273));
        let member = MemberRecord { login_state, subscriptions, revision: 3, logins: 4, login_nodes: vec![(7, 4)] };
        let json = r#"{"attendance":{"Lost":1795220273},"subscriptions":[["bob",5],["carol",null]],"revision":3,"logins":4,"sites":[[7,4]]}"#;
        let record = encode_member(&member);
        assert_eq!((record[0], std::str::from_utf8(&record[5..])), (1, Ok(json)));
        assert_eq!(&encode_roster(&Roster::new(vec![name("bob")]))[5..], br#"["bob"]"#);
    }

    #[test]
    fn records_are_read_back_and_a_flipped_bit_is_detected() {
        let user = UserId::from_name("alice");
        let subscription = |text, delivered| Subscription { name: name(text), delivered };
        let subscriptions = vec![subscription("bob", Some(DeliveredStatus(u64::MAX))), subscription("c \"d\\", None)];
        let since = Timestamp::from_secs(1_795_220_273);
        for login_state in [LoginState::Never, LoginState::In, LoginState::Lost(since), LoginState::LoggedOut(since)] {
            let subscriptions = Subscriptions::new(subscriptions.clone());
            let member = MemberRecord { login_state, subscriptions, revision: 3, logins: 4, login_nodes: vec![(7, 4)] };
            let record = encode_member(&member);
            assert_eq!(decode_member(user, &record), Ok(member));
            for position in 0..record.len() {
                let mut damaged = record.clone();
                damaged[position] ^= 1;
                assert!(matches!(decode_member(user, &damaged), Err(StoreError::Damaged(_))), "at {position}");
            }
        }
        let record =
            br#"{"attendance":{"Lost":7},"subscriptions":[["bob",9]],"revision":3,"logins":4,"sites":[[7,4]]}"#;
        assert!(
            encode_member(&decode_member(user, &recorded(record)).unwrap()).ends_with(record),
            "the format on disk"
        );
        let roster = Roster::new(vec![name("bob"), name("carol")]);
        assert_eq!(decode_roster(user, &encode_roster(&roster)), Ok(roster));
        assert!(decode_roster(user, &[]).is_err());
    }
}
