//! The form of a last-seen record on disk: version, CRC-32 of the rest, two times in seconds, the state.
//!
//! The record has its own checksum because the database treats a damaged journal as one that was cut off.

use crate::presence::id::UserId;
use crate::presence::last_seen::LastSeen;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::store::StoreError;

/// Version of a record without a state.
const PLAIN: u8 = 1;

/// Version of a record with a state, which may be empty.
const WITH_STATE: u8 = 2;

/// Encodes a record.
pub fn encode(record: &LastSeen) -> Vec<u8> {
    let state = record.state.as_ref().map(StatusText::as_str);
    let mut bytes = Vec::with_capacity(21 + state.map_or(0, str::len));
    bytes.push(if state.is_some() { WITH_STATE } else { PLAIN });
    bytes.extend([0; 4]);
    bytes.extend(record.active.as_secs().to_be_bytes());
    bytes.extend(record.online.as_secs().to_be_bytes());
    bytes.extend(state.unwrap_or_default().as_bytes());
    let checksum = checksum(bytes[0], &bytes[5..]);
    bytes[1..5].copy_from_slice(&checksum);
    bytes
}

/// Decodes the record of a user.
pub fn decode(user: UserId, record: &[u8]) -> Result<LastSeen, StoreError> {
    read(record).ok_or_else(|| StoreError::Damaged(format!("user status {user}")))
}

fn read(record: &[u8]) -> Option<LastSeen> {
    let (&[version, a, b, c, d], rest) = record.split_first_chunk()?;
    if checksum(version, rest) != [a, b, c, d] {
        return None;
    }
    let (active, rest) = rest.split_first_chunk()?;
    let (online, text) = rest.split_first_chunk()?;
    let state = match version {
        PLAIN if text.is_empty() => None,
        WITH_STATE => Some(StatusText::new(std::str::from_utf8(text).ok()?).ok()?),
        _ => return None,
    };
    let time = |bytes: &[u8; 8]| Timestamp::from_secs(u64::from_be_bytes(*bytes));
    Some(LastSeen { active: time(active), online: time(online), state })
}

fn checksum(version: u8, rest: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[version]);
    hasher.update(rest);
    hasher.finalize().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_a_flipped_bit_is_detected() {
        let user = UserId::random();
        let times = |state| LastSeen {
            active: Timestamp::from_secs(1_795_220_273),
            online: Timestamp::from_secs(1_795_220_300),
            state,
        };
        for state in [None, Some(StatusText::empty()), Some(StatusText::new("dnd").unwrap())] {
            let record = encode(&times(state.clone()));
            assert_eq!(decode(user, &record), Ok(times(state)));
            for position in 0..record.len() {
                let mut damaged = record.clone();
                damaged[position] ^= 1;
                assert!(decode(user, &damaged).is_err(), "at {position}");
            }
            for length in 0..record.len() {
                assert!(decode(user, &record[..length]).is_err(), "cut at {length}");
            }
        }
    }
}
