//! The stored form of most records, on disk and in Redis: version, CRC-32 of the rest, JSON.
//!
//! A record has its own checksum because the embedded database treats a damaged journal as one that was cut off.

use serde::Serialize;
use serde::de::DeserializeOwned;

const VERSION: u8 = 1;

/// Encodes the content of a record.
pub fn encode(content: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(content).expect("stored types always serialize");
    let mut record = vec![VERSION];
    record.extend(crc32fast::hash(&json).to_be_bytes());
    record.extend(json);
    record
}

/// Decodes the content of a record. `None` means that the record is damaged.
pub fn decode<T: DeserializeOwned>(record: &[u8]) -> Option<T> {
    let (&[version, a, b, c, d], json) = record.split_first_chunk()?;
    if version != VERSION || crc32fast::hash(json).to_be_bytes() != [a, b, c, d] {
        return None;
    }
    serde_json::from_slice(json).ok()
}
