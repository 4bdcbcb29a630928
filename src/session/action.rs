//! The actions that the rules of a session return, for its actor to carry out.
//!
//! The actions for Tencent members are in [`member`](super::member).

use bytestring::ByteString;

use super::member::MemberAction;
use super::protocol::CloseFrame;
use crate::outbox::{ClientAlias, Frames, RequestTag};
use crate::presence::id::{UserId, Username};
use crate::presence::status::StatusText;

/// One action of the session's actor. Actions are carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send these frames after everything that waits already.
    Send(Frames),
    /// Look these usernames up, then call
    /// [`SessionState::usernames_resolved`](super::state::SessionState::usernames_resolved).
    ResolveUsernames(Vec<Username>),
    /// Make the outbox wait for the snapshots of these users, then follow them.
    Follow {
        /// The request's number.
        id: u32,
        /// The client's tag, for the reply.
        tag: RequestTag,
        /// Each once.
        users: Vec<UserId>,
    },
    /// Make the outbox wait for the snapshot of this user, then follow the user under this name.
    Subscribe {
        /// The request's number.
        id: u32,
        /// The client's tag, for the reply.
        tag: RequestTag,
        /// The user to follow.
        user: UserId,
        /// The client's own name for the user.
        alias: ClientAlias,
    },
    /// Attach the connection to a user, then call [`SessionState::attached`](super::state::SessionState::attached).
    Attach(AttachRequest),
    /// An action for a Tencent member.
    Member(MemberAction),
    /// Batch the next replies, of this number, into one frame.
    BatchReplies(usize),
    /// Make the outbox wait for the session's own user before it sends `done`, then mark the user active.
    MarkActive {
        /// The request's number.
        id: u32,
        /// The state text given with the activity. The connection shows it.
        state: Option<StatusText>,
        /// The reply.
        done: Frames,
    },
    /// Read the visible connections of this user, then call
    /// [`SessionState::connections_listed`](super::state::SessionState::connections_listed).
    ListConnections(UserId),
    /// Make the outbox wait for these users before it sends `done`, then unfollow them.
    Unfollow {
        /// The request's number.
        id: u32,
        /// Each once.
        users: Vec<UserId>,
        /// The reply.
        done: Frames,
    },
    /// Make the outbox wait for the session's own user before it sends `done`, then set the status.
    SetStatus {
        /// The request's number.
        id: u32,
        /// The status to show.
        status: Option<StatusText>,
        /// The reply.
        done: Frames,
    },
    /// Ask user actors again under the same request number.
    Retry {
        /// The request's number.
        id: u32,
        /// The request.
        request: EngineRequest,
    },
    /// Answer the command in flight with these frames: it is refused.
    RefuseInFlight(Frames),
    /// Unfollow these users. No reply waits for it.
    UnfollowSilently(Vec<UserId>),
    /// Send a WebSocket ping.
    Ping,
    /// Send what waits, then this close frame, and release the user.
    Close(CloseFrame),
    /// End the connection without a close frame.
    Stop,
}

/// The user that an in-band handshake attaches a connection to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachRequest {
    /// `None` means an anonymous client.
    pub user: Option<UserId>,
    /// The name that others see.
    pub username: Option<Username>,
    /// The connection's first status. `None` means invisible.
    pub status: Option<StatusText>,
    /// What others may know about the connection: JSON.
    pub info: Option<ByteString>,
    /// Maximum number of connections of the user, including this one.
    pub max_connections: usize,
}

/// A request to user actors, which the session can repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineRequest {
    /// Follow these users.
    Follow(Vec<UserId>),
    /// Follow this user, with a snapshot that includes what the store knows about it.
    Subscribe(UserId),
    /// Follow these users, which a member's login or subscription lists.
    FollowListed(Vec<UserId>),
    /// Unfollow these users.
    Unfollow(Vec<UserId>),
    /// Set the connection's status.
    SetStatus(Option<StatusText>),
    /// Set the custom status, which all devices of the member show.
    SetCustomStatus(Option<StatusText>),
    /// Mark the user active, with the state text given with the activity.
    MarkActive(Option<StatusText>),
}
