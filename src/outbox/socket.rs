//! The client's socket, as the outbox writes to it.

use std::io;
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::socket_writer::DirectSend;

/// The outbox's handle of a client's socket. Not `Clone`, and it sends only through a
/// [`DirectWrite`](super::socket_writer::DirectWrite): nobody else can write past the session.
#[derive(Debug)]
pub struct DirectSocket(Arc<TcpStream>);

impl DirectSocket {
    /// Makes the handle of a socket that the session reads from and writes to.
    pub fn new(socket: Arc<TcpStream>) -> Self {
        Self(socket)
    }
}

impl DirectSend for DirectSocket {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(&*self.0).send(bytes)
    }
}
