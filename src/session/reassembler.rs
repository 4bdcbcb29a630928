//! Puts the fragments of a WebSocket message together, never holding more than the largest message allowed.

use actix_http::ws::Item;
use actix_web::web::{Bytes, BytesMut};

/// Why fragments make no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReassemblyError {
    /// Together they are larger than allowed.
    TooLarge,
    /// They come in an order that RFC 6455 section 5.4 does not allow.
    OutOfOrder,
}

/// A whole message of several fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WholeMessage {
    /// It began as text; not checked to be UTF-8.
    Text(Bytes),
    /// It began as binary.
    Binary(Bytes),
}

/// The message under way.
#[derive(Debug)]
pub struct Reassembler {
    limit: usize,
    parts: Option<Parts>,
}

#[derive(Debug)]
struct Parts {
    text: bool,
    bytes: BytesMut,
}

impl Reassembler {
    /// Takes messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, parts: None }
    }

    /// A message that is not fragmented may not come between fragments.
    pub fn whole(&self, length: usize) -> Result<(), ReassemblyError> {
        if self.parts.is_some() {
            return Err(ReassemblyError::OutOfOrder);
        }
        if length > self.limit { Err(ReassemblyError::TooLarge) } else { Ok(()) }
    }

    /// Takes a fragment; the last one completes the message.
    pub fn take(&mut self, item: Item) -> Result<Option<WholeMessage>, ReassemblyError> {
        match item {
            Item::FirstText(bytes) => self.begin(true, &bytes),
            Item::FirstBinary(bytes) => self.begin(false, &bytes),
            Item::Continue(bytes) => self.extend(&bytes).map(|()| None),
            Item::Last(bytes) => {
                self.extend(&bytes)?;
                let Parts { text, bytes } = self.parts.take().ok_or(ReassemblyError::OutOfOrder)?;
                let bytes = bytes.freeze();
                Ok(Some(if text { WholeMessage::Text(bytes) } else { WholeMessage::Binary(bytes) }))
            }
        }
    }

    fn begin(&mut self, text: bool, bytes: &[u8]) -> Result<Option<WholeMessage>, ReassemblyError> {
        self.whole(bytes.len())?;
        self.parts = Some(Parts { text, bytes: BytesMut::from(bytes) });
        Ok(None)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), ReassemblyError> {
        let parts = self.parts.as_mut().ok_or(ReassemblyError::OutOfOrder)?;
        if parts.bytes.len() + bytes.len() > self.limit {
            return Err(ReassemblyError::TooLarge);
        }
        parts.bytes.extend_from_slice(bytes);
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
        assert_eq!(reassembler.take(Item::FirstText(bytes("abc"))), Ok(None));
        assert_eq!(reassembler.take(Item::Continue(bytes("def"))), Ok(None));
        assert_eq!(reassembler.take(Item::Last(bytes("ghi"))), Ok(Some(WholeMessage::Text(bytes("abcdefghi")))));
        assert_eq!(reassembler.take(Item::FirstBinary(bytes("x"))), Ok(None));
        assert_eq!(reassembler.take(Item::Last(bytes(""))), Ok(Some(WholeMessage::Binary(bytes("x")))));
    }

    #[test]
    fn the_limit_is_for_all_fragments_together() {
        let mut reassembler = Reassembler::new(5);
        assert_eq!(reassembler.take(Item::FirstText(bytes("abc"))), Ok(None));
        assert_eq!(reassembler.take(Item::Last(bytes("def"))), Err(ReassemblyError::TooLarge));
        assert_eq!(Reassembler::new(5).take(Item::FirstText(bytes("abcdef"))), Err(ReassemblyError::TooLarge));
        assert_eq!(Reassembler::new(5).whole(6), Err(ReassemblyError::TooLarge));
        assert_eq!(Reassembler::new(5).whole(5), Ok(()));
    }

    #[test]
    fn fragments_come_in_order() {
        let mut reassembler = Reassembler::new(9);
        assert_eq!(reassembler.take(Item::Continue(bytes("a"))), Err(ReassemblyError::OutOfOrder));
        assert_eq!(reassembler.take(Item::Last(bytes("a"))), Err(ReassemblyError::OutOfOrder));
        assert_eq!(reassembler.take(Item::FirstText(bytes("a"))), Ok(None));
        assert_eq!(reassembler.whole(1), Err(ReassemblyError::OutOfOrder));
        assert_eq!(reassembler.take(Item::FirstBinary(bytes("a"))), Err(ReassemblyError::OutOfOrder));
    }
}
