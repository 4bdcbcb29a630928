//! The stored form of a user's revoked tokens: [checked JSON](crate::store::checked_json). Times in whole seconds.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::revocation::{Revocation, RevokedLogin, RevokedTokens, UserRevocations};
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;
use crate::store::{StoreError, checked_json};

/// The stored form of a record. The names of the fields are part of the format.
#[derive(Serialize, Deserialize)]
struct StoredRevocations {
    valid_from: u64,
    valid_from_until: u64,
    /// (id, time of the logout, end of the session tokens, end of the refresh tokens).
    logins: Vec<(Uuid, u64, u64, u64)>,
}

/// Encodes a record.
pub fn encode(record: &UserRevocations) -> Vec<u8> {
    let login = |login: &RevokedLogin| {
        (login.token_id, login.at.as_secs(), rounded_up(login.sessions_until), rounded_up(login.refreshes_until))
    };
    checked_json::encode(&StoredRevocations {
        valid_from: record.valid_from.as_secs(),
        valid_from_until: rounded_up(record.valid_from_until),
        logins: record.logins.iter().map(login).collect(),
    })
}

/// Decodes the record of a user.
pub fn decode(user: UserId, record: &[u8]) -> Result<UserRevocations, StoreError> {
    let stored: Option<StoredRevocations> = checked_json::decode(record);
    let stored = stored.ok_or_else(|| StoreError::Damaged(format!("the revoked tokens of {user}")))?;
    let login = |(token_id, at, sessions_until, refreshes_until)| RevokedLogin {
        token_id,
        at: Timestamp::from_secs(at),
        sessions_until: Timestamp::from_secs(sessions_until),
        refreshes_until: Timestamp::from_secs(refreshes_until),
    };
    Ok(UserRevocations {
        valid_from: Timestamp::from_secs(stored.valid_from),
        valid_from_until: Timestamp::from_secs(stored.valid_from_until),
        logins: stored.logins.into_iter().map(login).collect(),
    })
}

/// Returns the record after a logout. Nobody knows what a damaged record revoked: everything until now is revoked then.
pub fn after(user: UserId, record: Option<&[u8]>, revocation: &Revocation) -> UserRevocations {
    let held = record.map_or(Ok(UserRevocations::default()), |record| decode(user, record));
    let mut record = held.unwrap_or_else(|error| {
        log::error!("{error}; all older tokens of the user are revoked");
        let mut all = UserRevocations::default();
        all.apply(&Revocation { tokens: RevokedTokens::All, ..revocation.clone() });
        all
    });
    record.apply(revocation);
    record
}

/// Returns the seconds, rounded up, so that a record does not expire before its tokens.
fn rounded_up(time: Timestamp) -> u64 {
    time.as_micros().div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_a_flipped_bit_is_detected() {
        let at = |micros: u64| Timestamp::from_micros(1_795_220_273_000_000 + micros);
        let login = RevokedLogin {
            token_id: Uuid::from_u128(7),
            at: at(1_500_000),
            sessions_until: at(2_000_001),
            refreshes_until: Timestamp::default(),
        };
        let record = UserRevocations { valid_from: at(0), valid_from_until: at(5_000_000), logins: vec![login] };
        let user = UserId::from_name("alice");
        let json = r#"{"valid_from":1795220273,"valid_from_until":1795220278,"logins":[["00000000-0000-0000-0000-000000000007",1795220274,1795220276,0]]}"#;
        let stored = encode(&record);
        assert_eq!(std::str::from_utf8(&stored[5..]), Ok(json), "the bytes that every version reads");
        let read = decode(user, &stored).unwrap();
        let rounded = RevokedLogin { at: at(1_000_000), sessions_until: at(3_000_000), ..login };
        assert_eq!(read, UserRevocations { logins: vec![rounded], ..record });
        for position in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[position] ^= 1;
            assert!(matches!(decode(user, &damaged), Err(StoreError::Damaged(_))), "at {position}");
        }
    }
}
