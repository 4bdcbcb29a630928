//! Very many WebSocket clients on one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::wire;

/// Source addresses over which the connections are spread: each has some 28,000 ports.
const SOURCES: u32 = 16;

/// A connection is under way (Linux).
const EINPROGRESS: i32 = 115;

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// What a client hears.
pub enum Heard<'a> {
    /// The handshake has been granted.
    Opened,
    /// A message.
    Message(&'a [u8]),
    /// The connection has ended, whoever ended it.
    Closed,
}

/// The clients, numbered in the order they were opened.
pub struct Crowd {
    poll: Poll,
    events: Events,
    members: Vec<Member>,
    /// Clients whose input was left lying and is to be looked at.
    resumed: Vec<usize>,
    buffer: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Shaking,
    Open,
    Closed,
}

struct Member {
    stream: TcpStream,
    phase: Phase,
    /// Reads nothing.
    paused: bool,
    /// The start of a frame whose end has not come.
    partial: Vec<u8>,
    /// What the kernel has not taken yet.
    unsent: Vec<u8>,
}

impl Crowd {
    /// Nobody yet.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            members: Vec::new(),
            resumed: Vec::new(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
        })
    }

    /// Opens one more connection to this address, which begins with this handshake; its number.
    pub fn open(&mut self, address: SocketAddr, handshake: &str) -> anyhow::Result<usize> {
        let number = self.members.len();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if address.ip() == Ipv4Addr::LOCALHOST {
            let source = 0x7f00_0001 + u32::try_from(number)? % SOURCES;
            socket.set_reuse_address(true)?;
            socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::from(source), 0))))?;
        }
        match socket.connect(&SockAddr::from(address)) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        let unsent = handshake.as_bytes().to_vec();
        self.members.push(Member { stream, phase: Phase::Connecting, paused: false, partial: Vec::new(), unsent });
        Ok(number)
    }

    /// How many were opened, those that have ended included.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Sends a text message.
    pub fn say(&mut self, client: usize, text: &str) {
        let member = &mut self.members[client];
        wire::frame(1, text.as_bytes(), &mut member.unsent);
        member.flush();
    }

    /// Closes without a word, as a process that ends does.
    pub fn vanish(&mut self, client: usize) {
        let member = &mut self.members[client];
        member.phase = Phase::Closed;
        // Not open any more: nothing to shut.
        let _closed = member.stream.shutdown(std::net::Shutdown::Both);
        let _unknown = self.poll.registry().deregister(&mut member.stream);
    }

    /// Stops reading.
    pub fn pause(&mut self, client: usize) {
        self.members[client].paused = true;
    }

    /// Reads again.
    pub fn resume(&mut self, client: usize) {
        self.members[client].paused = false;
        self.resumed.push(client);
    }

    /// Waits at most `patience` for something to happen and hands out what was heard.
    pub fn turn(&mut self, patience: Duration, mut hear: impl FnMut(usize, Heard<'_>)) -> anyhow::Result<()> {
        let patience = if self.resumed.is_empty() { patience } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        for client in self.resumed.drain(..) {
            self.members[client].read(&mut self.buffer, &mut |heard| hear(client, heard));
        }
        for event in &self.events {
            let client = event.token().0;
            let member = &mut self.members[client];
            if event.is_writable() || event.is_error() {
                member.writable();
            }
            if (event.is_readable() || event.is_error()) && !member.paused {
                member.read(&mut self.buffer, &mut |heard| hear(client, heard));
            }
        }
        Ok(())
    }
}

impl Member {
    fn writable(&mut self) {
        if self.phase == Phase::Connecting && matches!(self.stream.take_error(), Ok(None)) {
            self.phase = Phase::Shaking;
        }
        self.flush();
    }

    fn flush(&mut self) {
        if self.phase == Phase::Connecting {
            return;
        }
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Would block, or is broken: then reading says so.
                Err(_) => return,
            }
        }
        // Ten thousand clients that said something once need no buffer each.
        self.unsent = Vec::new();
    }

    fn read(&mut self, buffer: &mut [u8], hear: &mut dyn FnMut(Heard<'_>)) {
        while matches!(self.phase, Phase::Connecting | Phase::Shaking | Phase::Open) {
            match self.stream.read(buffer) {
                Ok(0) => self.end(hear),
                Ok(count) => {
                    self.take(&buffer[..count], hear);
                    // Less than there is room for: nothing is left, and the next arrival is told.
                    if count < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock || error.kind() == ErrorKind::NotConnected => {
                    return;
                }
                Err(_) => self.end(hear),
            }
        }
    }

    fn end(&mut self, hear: &mut dyn FnMut(Heard<'_>)) {
        self.phase = Phase::Closed;
        hear(Heard::Closed);
    }

    fn take(&mut self, bytes: &[u8], hear: &mut dyn FnMut(Heard<'_>)) {
        if self.partial.is_empty() {
            let used = self.parse(bytes, hear);
            self.partial.extend_from_slice(&bytes[used..]);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            let used = self.parse(&whole, hear);
            self.partial.extend_from_slice(&whole[used..]);
        }
    }

    /// Hands out whole messages; how many bytes they took.
    fn parse(&mut self, bytes: &[u8], hear: &mut dyn FnMut(Heard<'_>)) -> usize {
        let mut used = 0;
        if self.phase == Phase::Shaking {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                self.end(hear);
                return bytes.len();
            }
            self.phase = Phase::Open;
            used = end + 4;
            hear(Heard::Opened);
        }
        while self.phase == Phase::Open
            && let Some((opcode, payload, taken)) = wire::parse_frame(&bytes[used..])
        {
            used += taken;
            match opcode {
                1 | 2 => hear(Heard::Message(payload)),
                8 => self.end(hear),
                9 => {
                    wire::frame(10, payload, &mut self.unsent);
                    self.flush();
                }
                _ => {}
            }
        }
        used
    }
}
