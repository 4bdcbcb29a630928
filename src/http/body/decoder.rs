//! Undoes the `Content-Encoding` of a body, in steps that each take a bounded part of the memory.

use std::io::{self, Write};

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use flate2::write::{GzDecoder, ZlibDecoder};

use super::budget::BodyShare;
use super::error::BodyError;

/// Memory of a decoder: its window, its output of one step, its tables.
const INFLATE_BYTES: usize = 96 * 1024;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncoding {
    /// As it is.
    Identity,
    /// By gzip (RFC 1952).
    Gzip,
    /// By zlib (RFC 1950), which HTTP calls `deflate`.
    Deflate,
}

impl ContentEncoding {
    /// Reads the header. Returns `None` for an encoding that this server does not have, and for several.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_ENCODING);
        let Some(value) = values.next() else { return Some(Self::Identity) };
        if values.next().is_some() {
            return None;
        }
        let name = value.to_str().ok()?.trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    /// Returns the memory that its decoder takes, in bytes.
    pub fn decoder_bytes(self) -> usize {
        match self {
            Self::Identity => 0,
            Self::Gzip | Self::Deflate => INFLATE_BYTES,
        }
    }
}

/// Decodes a body that comes in chunks.
pub enum BodyDecoder {
    /// As it is.
    Identity(BoundedBuffer),
    /// By gzip.
    Gzip(GzDecoder<BoundedBuffer>),
    /// By zlib.
    Deflate(ZlibDecoder<BoundedBuffer>),
}

impl BodyDecoder {
    /// A decoder of a body that has at most `max` bytes when it is decoded.
    pub fn new(encoding: ContentEncoding, max: usize, share: BodyShare) -> Self {
        let buffer = BoundedBuffer { bytes: Vec::new(), max, share, refusal: None };
        match encoding {
            ContentEncoding::Identity => Self::Identity(buffer),
            ContentEncoding::Gzip => Self::Gzip(GzDecoder::new(buffer)),
            ContentEncoding::Deflate => Self::Deflate(ZlibDecoder::new(buffer)),
        }
    }

    /// Decodes the next chunk. Stops within 32 KiB past a bound.
    pub fn decode(&mut self, chunk: &[u8]) -> Result<(), BodyError> {
        let written = match self {
            Self::Identity(buffer) => buffer.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
            Self::Deflate(decoder) => decoder.write_all(chunk),
        };
        written.map_err(|_| self.refusal())
    }

    /// Returns the body. A body that ends within its encoding is corrupt.
    pub fn finish(mut self) -> Result<(Vec<u8>, BodyShare), BodyError> {
        let finished = match &mut self {
            Self::Identity(_) => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) => decoder.try_finish(),
        };
        finished.map_err(|_| self.refusal())?;
        let buffer = match self {
            Self::Identity(buffer) => Ok(buffer),
            Self::Gzip(decoder) => decoder.finish(),
            Self::Deflate(decoder) => decoder.finish(),
        };
        buffer.map(|buffer| (buffer.bytes, buffer.share)).map_err(|_| BodyError::Corrupt)
    }

    /// Returns why the buffer refused bytes. When it did not, the bytes are not what the encoding says.
    fn refusal(&self) -> BodyError {
        let buffer = match self {
            Self::Identity(buffer) => buffer,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Deflate(decoder) => decoder.get_ref(),
        };
        buffer.refusal.unwrap_or(BodyError::Corrupt)
    }
}

/// The decoded body. Refuses bytes past its bound.
pub struct BoundedBuffer {
    bytes: Vec<u8>,
    max: usize,
    share: BodyShare,
    /// Why bytes were refused.
    refusal: Option<BodyError>,
}

impl Write for BoundedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(refusal) = self.share.reserve(&mut self.bytes, bytes.len(), self.max) {
            self.refusal = Some(refusal);
            return Err(io::Error::other(refusal));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use futures_util::FutureExt as _;

    use super::super::budget::BodyBudget;
    use super::*;

    const MAX: usize = 256 * 1024;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(encoding: ContentEncoding, chunks: &[&[u8]], budget: usize) -> Result<Vec<u8>, BodyError> {
        let share = BodyBudget::new(budget).share(encoding.decoder_bytes()).now_or_never().unwrap();
        let mut decoder = BodyDecoder::new(encoding, MAX, share);
        for chunk in chunks {
            decoder.decode(chunk)?;
        }
        Ok(decoder.finish()?.0)
    }

    #[test]
    fn a_body_is_decoded_whatever_its_chunks_are() {
        let text = b"{\"id\":\"somebody\"}".repeat(100);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let encoded = [
            (ContentEncoding::Identity, text.clone()),
            (ContentEncoding::Gzip, gzip(&text)),
            (ContentEncoding::Deflate, zlib.finish().unwrap()),
        ];
        for (encoding, bytes) in encoded {
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(decode(encoding, &single, 1 << 20).unwrap(), text, "{encoding:?}");
            assert_eq!(decode(encoding, &[&bytes], 1 << 20).unwrap(), text, "{encoding:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_while_it_is_inflated() {
        let bomb = gzip(&vec![0; 4 << 20]);
        assert!(bomb.len() < MAX, "as sent it is small enough");
        let share = BodyBudget::new(1 << 20).share(INFLATE_BYTES).now_or_never().unwrap();
        let mut decoder = BodyDecoder::new(ContentEncoding::Gzip, MAX, share);
        assert_eq!(decoder.decode(&bomb), Err(BodyError::TooLarge));
        let BodyDecoder::Gzip(decoder) = &decoder else { unreachable!() };
        assert!(decoder.get_ref().bytes.capacity() <= MAX);
    }

    #[test]
    fn a_body_past_the_memory_of_all_is_refused_as_busy() {
        let budget = INFLATE_BYTES + 64 * 1024;
        assert_eq!(decode(ContentEncoding::Gzip, &[&gzip(&[0; 200 * 1024])], budget), Err(BodyError::Busy));
        assert!(decode(ContentEncoding::Gzip, &[&gzip(&[0; 60 * 1024])], budget).is_ok());
    }

    #[test]
    fn damaged_and_unfinished_bodies_are_corrupt() {
        let whole = gzip(b"{}");
        let corrupt = Err(BodyError::Corrupt);
        assert_eq!(decode(ContentEncoding::Gzip, &[&whole[..whole.len() - 1]], 1 << 20), corrupt);
        assert_eq!(decode(ContentEncoding::Gzip, &[b"{}"], 1 << 20), corrupt);
        assert_eq!(decode(ContentEncoding::Gzip, &[&whole, b"more"], 1 << 20), corrupt);
        assert_eq!(decode(ContentEncoding::Deflate, &[b"{}"], 1 << 20), corrupt);
        let mut wrong = whole;
        let checksum = wrong.len() - 8;
        wrong[checksum] ^= 1;
        assert_eq!(decode(ContentEncoding::Gzip, &[&wrong], 1 << 20), corrupt);
    }

    #[test]
    fn the_header_names_one_known_encoding() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, actix_web::http::header::HeaderValue::from_static(value));
            }
            ContentEncoding::of(&headers)
        };
        assert_eq!(of(&[]), Some(ContentEncoding::Identity));
        assert_eq!(of(&["Identity"]), Some(ContentEncoding::Identity));
        assert_eq!(of(&["GZIP"]), Some(ContentEncoding::Gzip));
        assert_eq!(of(&["deflate"]), Some(ContentEncoding::Deflate));
        for unknown in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"], &["gzip", "identity"]] {
            assert_eq!(of(unknown), None, "{unknown:?}");
        }
    }
}
