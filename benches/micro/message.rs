//! Messages of clients, encoded by hand: no dialect decodes its own output here.

use divan::Bencher;
use hereabouts::session::protocol::{Decoded, Incoming, Protocol};

/// A message of a client.
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Message {
    fn incoming(&self) -> Incoming<'_> {
        match self {
            Self::Text(text) => Incoming::Text(text),
            Self::Binary(bytes) => Incoming::Binary(bytes),
        }
    }
}

/// Measures the decoding of a message that contains a request.
pub fn decode(bencher: Bencher, protocol: &'static dyn Protocol, message: &Message) {
    let decoded = protocol.decode(message.incoming());
    assert!(matches!(decoded, Decoded::Command(_)), "a benchmark of refusals: {decoded:?}");
    bencher.bench(|| protocol.decode(divan::black_box(message.incoming())));
}

/// Encodes a protobuf message as the field with this number.
pub fn nested(number: u32, message: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    prost::encoding::bytes::encode(number, &message.to_vec(), &mut field);
    field
}
