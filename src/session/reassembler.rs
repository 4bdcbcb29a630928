//! Reassembly of fragmented WebSocket messages, within the maximum message size.
//!
//! The frames come from [`input`](super::input).

use actix_http::ws::Item;
use actix_web::web::{Bytes, BytesMut};

/// Why fragments do not form a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReassemblyError {
    /// Together they exceed the maximum size.
    TooLarge,
    /// Their order violates RFC 6455 section 5.4.
    OutOfOrder,
}

/// A whole message, reassembled or unfragmented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WholeMessage {
    /// A text message. Not checked to be UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
}

/// Joins the fragments of one message at a time.
#[derive(Debug)]
pub struct Reassembler {
    /// Maximum message size in bytes.
    limit: usize,
    /// The incomplete message.
    partial: Option<PartialMessage>,
}

#[derive(Debug)]
struct PartialMessage {
    /// Makes the whole message of the bytes: [`WholeMessage::Text`] or [`WholeMessage::Binary`].
    complete: fn(Bytes) -> WholeMessage,
    bytes: BytesMut,
}

impl Reassembler {
    /// Accepts messages of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, partial: None }
    }

    /// Checks that an unfragmented message of this length may come now: not between fragments.
    pub fn check_unfragmented(&self, length: usize) -> Result<(), ReassemblyError> {
        if self.partial.is_some() {
            return Err(ReassemblyError::OutOfOrder);
        }
        if length > self.limit { Err(ReassemblyError::TooLarge) } else { Ok(()) }
    }

    /// Adds a fragment. Returns the message when its last fragment comes.
    pub fn add(&mut self, item: Item) -> Result<Option<WholeMessage>, ReassemblyError> {
        match item {
            Item::FirstText(bytes) => self.begin(WholeMessage::Text, &bytes),
            Item::FirstBinary(bytes) => self.begin(WholeMessage::Binary, &bytes),
            Item::Continue(bytes) => self.extend(&bytes).map(|()| None),
            Item::Last(bytes) => {
                self.extend(&bytes)?;
                let PartialMessage { complete, bytes } = self.partial.take().ok_or(ReassemblyError::OutOfOrder)?;
                Ok(Some(complete(bytes.freeze())))
            }
        }
    }

    fn begin(
        &mut self,
        complete: fn(Bytes) -> WholeMessage,
        bytes: &[u8],
    ) -> Result<Option<WholeMessage>, ReassemblyError> {
        self.check_unfragmented(bytes.len())?;
        self.partial = Some(PartialMessage { complete, bytes: BytesMut::from(bytes) });
        Ok(None)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), ReassemblyError> {
        let partial = self.partial.as_mut().ok_or(ReassemblyError::OutOfOrder)?;
        if partial.bytes.len() + bytes.len() > self.limit {
            return Err(ReassemblyError::TooLarge);
        }
        partial.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn fragments_become_one_message() {
        let mut reassembler = Reassembler::new(9);
        assert_eq!(reassembler.add(Item::FirstText(bytes("abc"))), Ok(None));
        assert_eq!(reassembler.add(Item::Continue(bytes("def"))), Ok(None));
        assert_eq!(reassembler.add(Item::Last(bytes("ghi"))), Ok(Some(WholeMessage::Text(bytes("abcdefghi")))));
        assert_eq!(reassembler.add(Item::FirstBinary(bytes("x"))), Ok(None));
        assert_eq!(reassembler.add(Item::Last(bytes(""))), Ok(Some(WholeMessage::Binary(bytes("x")))));
    }

    #[test]
    fn the_limit_applies_to_all_fragments_together() {
        let mut reassembler = Reassembler::new(5);
        assert_eq!(reassembler.add(Item::FirstText(bytes("abc"))), Ok(None));
        assert_eq!(reassembler.add(Item::Last(bytes("def"))), Err(ReassemblyError::TooLarge));
        assert_eq!(Reassembler::new(5).add(Item::FirstText(bytes("abcdef"))), Err(ReassemblyError::TooLarge));
        assert_eq!(Reassembler::new(5).check_unfragmented(6), Err(ReassemblyError::TooLarge));
        assert_eq!(Reassembler::new(5).check_unfragmented(5), Ok(()));
    }

    #[test]
    fn fragments_out_of_order_are_refused() {
        let mut reassembler = Reassembler::new(9);
        assert_eq!(reassembler.add(Item::Continue(bytes("a"))), Err(ReassemblyError::OutOfOrder));
        assert_eq!(reassembler.add(Item::Last(bytes("a"))), Err(ReassemblyError::OutOfOrder));
        assert_eq!(reassembler.add(Item::FirstText(bytes("a"))), Ok(None));
        assert_eq!(reassembler.check_unfragmented(1), Err(ReassemblyError::OutOfOrder));
        assert_eq!(reassembler.add(Item::FirstBinary(bytes("a"))), Err(ReassemblyError::OutOfOrder));
    }
}
