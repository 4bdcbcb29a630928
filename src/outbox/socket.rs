//! The connection itself, for what need not wait until its session has its turn.

use std::io;
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::TcpStream;

/// A client's socket. Its session writes and reads it; the outbox sends by it while the session rests.
#[derive(Clone, Debug)]
pub struct Socket(Arc<TcpStream>);

impl Socket {
    /// The line of this socket.
    pub fn new(socket: Arc<TcpStream>) -> Self {
        Self(socket)
    }

    /// Sends what fits; fails where nothing does. Never waits.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(&*self.0).send(bytes)
    }
}
