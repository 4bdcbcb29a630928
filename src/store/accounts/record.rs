//! The stored form of an account: [checked JSON](crate::store::checked_json).

use super::Account;
use crate::presence::id::UserId;
use crate::store::{StoreError, checked_json};

/// Encodes an account.
pub fn encode(account: &Account) -> Vec<u8> {
    checked_json::encode(account)
}

/// Decodes the account of a user.
pub fn decode(user: UserId, record: &[u8]) -> Result<Account, StoreError> {
    checked_json::decode(record).ok_or_else(|| StoreError::Damaged(format!("account {user}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::id::Username;
    use crate::presence::time::Timestamp;
    use crate::store::accounts::LoginKey;

    #[test]
    fn a_record_is_read_back_and_a_flipped_bit_is_detected() {
        let name = Username::new("alice").unwrap();
        let account =
            Account::new(name, LoginKey::Device("device-one".into()), None, Timestamp::from_secs(1_795_220_273));
        let record = encode(&account);
        assert_eq!(decode(account.id, &record), Ok(account.clone()));
        for position in 0..record.len() {
            let mut damaged = record.clone();
            damaged[position] ^= 1;
            assert!(matches!(decode(account.id, &damaged), Err(StoreError::Damaged(_))), "at {position}");
        }
        assert!(decode(account.id, &record[..3]).is_err());
    }
}
