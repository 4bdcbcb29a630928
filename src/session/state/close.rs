//! The end of a session: who closes the connection and why, the exchange of close frames, and how long that may take.

use super::SessionState;
use crate::presence::time::Timestamp;
use crate::session::action::Action;
use crate::session::protocol::{CloseFrame, CloseReason};

/// How far the end of the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The session takes commands.
    Open,
    /// The session has sent its close frame and waits for the client's until this time.
    Closing(Timestamp),
    /// The connection has ended.
    Stopped,
}

/// How a session ends. Decides whether its user's presence lingers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The connection was lost: neither side closed it.
    Lost,
    /// The client did not answer pings.
    PingTimeout,
    /// One side closed the connection.
    Closed,
    /// The server stops.
    Drained,
}

impl SessionState {
    /// Closes the connection for this reason. Does nothing if the session is closing already.
    pub fn close_because(&mut self, reason: CloseReason, now: Timestamp) -> Vec<Action> {
        let is_open = self.phase == Phase::Open;
        self.refusals.extend(reason.refusal_reason().filter(|_| is_open));
        let message = self.protocol.closing_message(reason).filter(|_| is_open);
        let close = self.close(self.protocol.close_frame(reason), SessionEnd::of(reason), now);
        message.map(|message| Action::Send(vec![message])).into_iter().chain(close).collect()
    }

    pub(super) fn close(&mut self, close_frame: CloseFrame, end: SessionEnd, now: Timestamp) -> Vec<Action> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        self.end = end;
        self.phase = Phase::Closing(now + self.close_timeout);
        self.backlog.clear();
        vec![Action::Close(close_frame)]
    }

    /// Handles the client's close frame. The session echoes the first one; the answer to its own close frame ends it.
    pub fn client_closed(&mut self, code: Option<u16>, now: Timestamp) -> Vec<Action> {
        let mut actions = match code {
            Some(code) => self.close(CloseFrame { code, reason: "".into() }, SessionEnd::Closed, now),
            None => self.close(CloseFrame::new(1000, ""), SessionEnd::Closed, now),
        };
        actions.extend(self.stop());
        actions
    }

    /// Ends the session: the connection has ended, or has to end.
    pub fn stop(&mut self) -> Vec<Action> {
        self.phase = Phase::Stopped;
        vec![Action::Stop]
    }

    /// Returns whether the session has not begun to close.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Returns how the session ends if it ends now.
    pub fn end(&self) -> SessionEnd {
        self.end
    }
}

impl SessionEnd {
    /// Returns how a session ends that the server closes for this reason.
    fn of(reason: CloseReason) -> Self {
        match reason {
            CloseReason::PingTimeout => Self::PingTimeout,
            CloseReason::Drain => Self::Drained,
            CloseReason::Disconnected
            | CloseReason::MessageTooLarge
            | CloseReason::ProtocolError
            | CloseReason::InvalidUtf8
            | CloseReason::HandshakeTimeout
            | CloseReason::BadRequest
            | CloseReason::InvalidToken
            | CloseReason::TokenExpired
            | CloseReason::NotPermitted
            | CloseReason::TooManyConnections
            | CloseReason::LoggedOut
            | CloseReason::Busy => Self::Closed,
        }
    }
}
