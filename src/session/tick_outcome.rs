//! What is due on a connection when its deadline comes.

use super::protocol::CloseReason;

/// What a session has to do at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickOutcome {
    /// Nothing. The dialect's own pings watch the connection.
    Nothing,
    /// Nothing, except what the keepalive decides: WebSocket pings watch the connection.
    CheckKeepalive,
    /// Send a ping of the dialect's own.
    Ping,
    /// Close the connection.
    Close(CloseReason),
}
