//! Tens of thousands of WebSocket clients on one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::wire;

/// Number of source addresses that the connections use: each has some 28,000 ports.
const SOURCES: u32 = 16;

/// Error number of a connect that is in progress (Linux).
const EINPROGRESS: i32 = 115;

/// Maximum bytes per read.
const BUFFER: usize = 256 * 1024;

/// What happens to a client.
pub enum ClientEvent<'a> {
    /// The server accepted the handshake.
    Opened,
    /// The server sent a message.
    Message(&'a [u8]),
    /// The connection ended without a call of [`Clients::disconnect`].
    Closed,
}

/// The clients, with numbers in the order in which they were opened.
pub struct Clients {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    /// Clients that read again after a pause: input may wait without a new event.
    resumed: Vec<usize>,
    buffer: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Handshake,
    Open,
    Closed,
}

struct Connection {
    stream: TcpStream,
    phase: Phase,
    /// The client does not read.
    paused: bool,
    /// The start of a frame that is not complete yet.
    partial: Vec<u8>,
    /// Output that the kernel has not accepted yet.
    unsent: Vec<u8>,
}

impl Clients {
    /// Starts without clients.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            connections: Vec::new(),
            resumed: Vec::new(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
        })
    }

    /// Opens a connection to `address` with this handshake and returns the client's number.
    pub fn open(&mut self, address: SocketAddr, handshake: &str) -> anyhow::Result<usize> {
        let number = self.connections.len();
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
        self.connections.push(Connection {
            stream,
            phase: Phase::Connecting,
            paused: false,
            partial: Vec::new(),
            unsent,
        });
        Ok(number)
    }

    /// Returns how many clients were opened, including those that have ended.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Sends a text message.
    pub fn send(&mut self, client: usize, text: &str) {
        let connection = &mut self.connections[client];
        wire::frame(1, text.as_bytes(), &mut connection.unsent);
        connection.flush();
    }

    /// Closes the connection without a close frame, like a process that ends.
    pub fn disconnect(&mut self, client: usize) {
        let connection = &mut self.connections[client];
        connection.phase = Phase::Closed;
        // Both fail for a connection that has ended already.
        let _closed = connection.stream.shutdown(std::net::Shutdown::Both);
        let _unknown = self.poll.registry().deregister(&mut connection.stream);
    }

    /// Pauses a client's reads.
    pub fn pause(&mut self, client: usize) {
        self.connections[client].paused = true;
    }

    /// Resumes a client's reads.
    pub fn resume(&mut self, client: usize) {
        self.connections[client].paused = false;
        self.resumed.push(client);
    }

    /// Waits at most `timeout` for events and passes them on.
    pub fn poll(&mut self, timeout: Duration, mut handle: impl FnMut(usize, ClientEvent<'_>)) -> anyhow::Result<()> {
        let timeout = if self.resumed.is_empty() { timeout } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        for client in self.resumed.drain(..) {
            self.connections[client].read(&mut self.buffer, &mut |event| handle(client, event));
        }
        for event in &self.events {
            let client = event.token().0;
            let connection = &mut self.connections[client];
            if event.is_writable() || event.is_error() {
                connection.writable();
            }
            if (event.is_readable() || event.is_error()) && !connection.paused {
                connection.read(&mut self.buffer, &mut |event| handle(client, event));
            }
        }
        Ok(())
    }
}

impl Connection {
    fn writable(&mut self) {
        if self.phase == Phase::Connecting && matches!(self.stream.take_error(), Ok(None)) {
            self.phase = Phase::Handshake;
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
                // The socket is full, or it is broken and the next read reports that.
                Err(_) => return,
            }
        }
        // Ten thousand clients that sent something once need no buffer each.
        self.unsent = Vec::new();
    }

    fn read(&mut self, buffer: &mut [u8], handle: &mut dyn FnMut(ClientEvent<'_>)) {
        while matches!(self.phase, Phase::Connecting | Phase::Handshake | Phase::Open) {
            match self.stream.read(buffer) {
                Ok(0) => self.end(handle),
                Ok(count) => {
                    self.take(&buffer[..count], handle);
                    // A short read leaves nothing behind, and new input causes a new event.
                    if count < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock || error.kind() == ErrorKind::NotConnected => {
                    return;
                }
                Err(_) => self.end(handle),
            }
        }
    }

    fn end(&mut self, handle: &mut dyn FnMut(ClientEvent<'_>)) {
        self.phase = Phase::Closed;
        handle(ClientEvent::Closed);
    }

    fn take(&mut self, bytes: &[u8], handle: &mut dyn FnMut(ClientEvent<'_>)) {
        if self.partial.is_empty() {
            let used = self.parse(bytes, handle);
            self.partial.extend_from_slice(&bytes[used..]);
        } else {
            let mut input = std::mem::take(&mut self.partial);
            input.extend_from_slice(bytes);
            let used = self.parse(&input, handle);
            self.partial.extend_from_slice(&input[used..]);
        }
    }

    /// Passes on complete messages and returns how many bytes they took.
    fn parse(&mut self, bytes: &[u8], handle: &mut dyn FnMut(ClientEvent<'_>)) -> usize {
        let mut used = 0;
        if self.phase == Phase::Handshake {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                self.end(handle);
                return bytes.len();
            }
            self.phase = Phase::Open;
            used = end + 4;
            handle(ClientEvent::Opened);
        }
        while self.phase == Phase::Open
            && let Some((opcode, payload, taken)) = wire::parse_frame(&bytes[used..])
        {
            used += taken;
            match opcode {
                1 | 2 => handle(ClientEvent::Message(payload)),
                8 => self.end(handle),
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
