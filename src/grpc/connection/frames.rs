//! Reads the frame headers of an HTTP/2 stream of bytes (RFC 9113 section 4.1), and skips the payloads.

/// Length of a frame header, in bytes.
const HEADER: usize = 9;

/// Types of frames.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const GOAWAY: u8 = 7;
    pub const CONTINUATION: u8 = 9;
}

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Length of the payload, in bytes.
    pub length: u32,
    /// Type of the frame.
    pub kind: u8,
    flags: u8,
    /// The stream, or 0 for the connection.
    pub stream: u32,
}

impl FrameHeader {
    fn read(bytes: [u8; HEADER]) -> Self {
        let [high, middle, low, kind, flags, a, b, c, d] = bytes;
        Self {
            length: u32::from_be_bytes([0, high, middle, low]),
            kind,
            flags,
            stream: u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff,
        }
    }

    /// Returns whether the sender sends no more on the stream.
    pub fn ends_stream(self) -> bool {
        let ends = matches!(self.kind, kind::DATA | kind::HEADERS) && self.flags & END_STREAM != 0;
        ends || self.kind == kind::RST_STREAM
    }

    /// Returns whether further parts of the headers follow.
    pub fn continues_headers(self) -> bool {
        matches!(self.kind, kind::HEADERS | kind::CONTINUATION) && self.flags & END_HEADERS == 0
    }
}

/// Finds the frames in the bytes of one direction.
#[derive(Debug)]
pub struct FrameScanner {
    /// The part of a header that came.
    header: [u8; HEADER],
    /// Bytes of `header` that came.
    held: usize,
    /// Bytes to skip: the preface of the client or the rest of a payload.
    skip: usize,
}

impl FrameScanner {
    /// A scanner of bytes that begin with a preface of this length.
    pub fn new(preface: usize) -> Self {
        Self { header: [0; HEADER], held: 0, skip: preface }
    }

    /// Reads further bytes. Calls `found` with each header that is complete. Returns whether a frame ended.
    pub fn scan(&mut self, mut bytes: &[u8], mut found: impl FnMut(FrameHeader)) -> bool {
        let mut ended = false;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            ended |= skipped > 0 && self.skip == 0;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return ended;
            }
            let taken = (HEADER - self.held).min(bytes.len());
            self.header[self.held..self.held + taken].copy_from_slice(&bytes[..taken]);
            self.held += taken;
            bytes = &bytes[taken..];
            if self.held == HEADER {
                let header = FrameHeader::read(self.header);
                self.held = 0;
                self.skip = usize::try_from(header.length).unwrap_or(usize::MAX);
                ended |= self.skip == 0;
                found(header);
            }
        }
    }

    /// Returns whether the last frame is complete.
    pub fn is_between_frames(&self) -> bool {
        self.held == 0 && self.skip == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut bytes = b"PREFACE".to_vec();
        bytes.extend([0, 0, 3, kind::DATA, END_STREAM, 0x80, 0, 0, 5, 1, 2, 3]);
        bytes.extend([0, 0, 0, kind::SETTINGS, 1, 0, 0, 0, 0]);
        for size in 1..bytes.len() {
            let mut scanner = FrameScanner::new(7);
            let mut found = Vec::new();
            for (number, part) in bytes.chunks(size).enumerate() {
                scanner.scan(part, |header| found.push(header));
                let end = ((number + 1) * size).min(bytes.len());
                assert_eq!(scanner.is_between_frames(), [7, 19, 28].contains(&end), "{end}");
            }
            let [data, settings] = found[..] else { panic!("{found:?}") };
            assert_eq!((data.length, data.kind, data.stream, data.ends_stream()), (3, kind::DATA, 5, true));
            assert_eq!((settings.kind, settings.stream, settings.ends_stream()), (kind::SETTINGS, 0, false));
        }
    }

    #[test]
    fn a_reset_ends_a_stream_and_headers_may_continue() {
        let header = |kind, flags| FrameHeader { length: 0, kind, flags, stream: 1 };
        assert!(header(kind::RST_STREAM, 0).ends_stream());
        assert!(!header(kind::SETTINGS, 1).ends_stream(), "that is an acknowledgement");
        assert!(
            header(kind::HEADERS, 0).continues_headers() && !header(kind::HEADERS, END_HEADERS).continues_headers()
        );
        assert!(!header(kind::DATA, 0).continues_headers());
    }
}
