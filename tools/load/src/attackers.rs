//! Clients that send as much as the server takes, to hurt the others.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::ValueEnum;

use crate::clock;
use crate::wire;

/// The numbers of the attackers, far from those of the other users.
const FIRST: u32 = 2_000_000;

/// Frames that are written at once.
const BATCH: usize = 256;

/// Users in one follow.
const NAMES: usize = 3_500;
const IDS: usize = 1_500;

/// What attackers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Attack {
    /// Nothing: the quiet server, for comparison.
    Nothing,
    /// Ping frames, which need a pong each.
    Pings,
    /// Pong frames that nobody asked for.
    Pongs,
    /// Nakama's `ping` messages.
    Messages,
    /// Messages that are no JSON, over Tencent's protocol, which answers them.
    Malformed,
    /// Messages that are refused.
    Refused,
    /// Follows of unknown usernames.
    UnknownNames,
    /// Follows and unfollows of unknown user ids.
    UnknownIds,
}

impl Attack {
    /// Every attack, the quiet server first.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Returns the name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Pings => "ping frames",
            Self::Pongs => "pong frames",
            Self::Messages => "ping messages",
            Self::Malformed => "malformed messages",
            Self::Refused => "refused messages",
            Self::UnknownNames => "follows of 3,500 unknown names",
            Self::UnknownIds => "follows of 1,500 unknown ids",
        }
    }

    /// Returns the bytes that an attacker sends over and over again.
    fn bytes(self, attacker: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut text = |message: &str| wire::frame(1, message.as_bytes(), &mut bytes);
        match self {
            Self::Nothing => {}
            Self::Pings => (0..BATCH).for_each(|_| wire::frame(9, b"", &mut bytes)),
            Self::Pongs => (0..BATCH).for_each(|_| wire::frame(10, b"", &mut bytes)),
            Self::Messages => (0..BATCH).for_each(|_| text(r#"{"cid":"1","ping":{}}"#)),
            Self::Malformed => (0..BATCH).for_each(|_| text("{")),
            Self::Refused => (0..BATCH).for_each(|_| text(r#"{"cid":"1","rpc":{}}"#)),
            Self::UnknownNames => {
                let names: Vec<String> = (0..NAMES).map(|number| format!(r#""x{attacker}-{number}""#)).collect();
                text(&format!(r#"{{"cid":"1","status_follow":{{"usernames":[{}]}}}}"#, names.join(",")));
            }
            Self::UnknownIds => {
                // No other attacker and no other user has these.
                let id = |number| format!(r#""{:08x}-0000-4000-9000-{number:012x}""#, attacker);
                let ids: Vec<String> = (0..IDS).map(id).collect();
                for verb in ["follow", "unfollow"] {
                    text(&format!(r#"{{"cid":"1","status_{verb}":{{"user_ids":[{}]}}}}"#, ids.join(",")));
                }
            }
        }
        bytes
    }

    fn handshake(self, attacker: u32, key: &[u8]) -> anyhow::Result<String> {
        let nakama = wire::handshake(&wire::token(attacker, key, clock::unix_seconds())?, false);
        Ok(match self {
            Self::Malformed => {
                let (_, headers) = nakama.split_once("\r\n").unwrap_or_default();
                format!("GET /im HTTP/1.1\r\n{headers}")
            }
            Self::Nothing
            | Self::Pings
            | Self::Pongs
            | Self::Messages
            | Self::Refused
            | Self::UnknownNames
            | Self::UnknownIds => nakama,
        })
    }
}

/// Attackers on a thread of their own.
pub struct Attackers {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

/// One attacking connection.
struct Attacker {
    stream: TcpStream,
    bytes: Vec<u8>,
    /// Bytes of the current repetition that are written.
    written: usize,
    /// The server ended the connection.
    ended: bool,
}

impl Attackers {
    /// Connects this many attackers and lets them attack.
    pub fn start(attack: Attack, count: u32, address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let open = |number| Attacker::open(attack, FIRST + number, address, key.as_bytes());
        let mut attackers: Vec<Attacker> = (0..count).map(open).collect::<anyhow::Result<_>>()?;
        let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (flag, counter) = (over.clone(), sent.clone());
        let thread = std::thread::spawn(move || {
            let mut scratch = vec![0; 256 * 1024];
            while !flag.load(Ordering::Relaxed) {
                let before = counter.load(Ordering::Relaxed);
                let moved = attackers.iter_mut().map(|attacker| attacker.attack(&mut scratch)).sum::<u64>();
                counter.store(before + moved, Ordering::Relaxed);
                if moved == 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Ok(Self { over, sent, thread })
    }

    /// Stops the attackers and returns how many bytes the server and the kernels took from them.
    pub fn stop(self) -> anyhow::Result<u64> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread of the attackers panicked"))?;
        Ok(self.sent.load(Ordering::Relaxed))
    }
}

impl Attacker {
    fn open(attack: Attack, number: u32, address: SocketAddr, key: &[u8]) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(attack.handshake(number, key)?.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).context("an attacker was not let in")?;
            head.push(byte[0]);
        }
        ensure!(head.starts_with(b"HTTP/1.1 101"), "an attacker was refused: {}", String::from_utf8_lossy(&head));
        stream.set_nonblocking(true)?;
        Ok(Self { stream, bytes: attack.bytes(number), written: 0, ended: false })
    }

    /// Writes and reads once. Returns how many bytes were written.
    fn attack(&mut self, scratch: &mut [u8]) -> u64 {
        if self.ended || self.bytes.is_empty() {
            return 0;
        }
        match self.stream.read(scratch) {
            Ok(0) => self.ended = true,
            Err(error) if error.kind() != ErrorKind::WouldBlock => self.ended = true,
            Ok(_) | Err(_) => {}
        }
        match self.stream.write(&self.bytes[self.written..]) {
            Ok(count) => {
                self.written = (self.written + count) % self.bytes.len();
                count as u64
            }
            Err(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attack_fits_into_messages_that_a_server_accepts() {
        for &attack in Attack::all() {
            let bytes = attack.bytes(FIRST);
            let mut rest = &bytes[..];
            while let Some((_, payload, length)) = wire::parse_frame(rest) {
                assert!(payload.len() <= 65_536, "{attack:?}: {} bytes", payload.len());
                rest = &rest[length..];
            }
            assert!(rest.is_empty(), "{attack:?} sends half a frame");
        }
    }
}
