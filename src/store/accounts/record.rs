//! The stored form of an account: version, CRC-32 of the rest, JSON.
//!
//! The record has its own checksum because the database treats a damaged journal as one that was cut off.

use super::Account;
use crate::presence::id::UserId;
use crate::store::StoreError;

const VERSION: u8 = 1;

/// Encodes an account.
pub fn encode(account: &Account) -> Vec<u8> {
    let json = serde_json::to_vec(account).expect("an account always serializes");
    let mut record = vec![VERSION];
    record.extend(crc32fast::hash(&json).to_be_bytes());
    record.extend(json);
    record
}

/// Decodes the account of a user.
pub fn decode(user: UserId, record: &[u8]) -> Result<Account, StoreError> {
    let damaged = || StoreError::Damaged(format!("account {user}"));
    let (&[version, a, b, c, d], json) = record.split_first_chunk().ok_or_else(damaged)?;
    if version != VERSION || crc32fast::hash(json).to_be_bytes() != [a, b, c, d] {
        return Err(damaged());
    }
    serde_json::from_slice(json).map_err(|_| damaged())
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
