//! What a session's rules have its actor do.

use bytestring::ByteString;

use super::member::MemberAction;
use super::protocol::CloseFrame;
use crate::outbox::{ClientAlias, Frames, RequestTag};
use crate::presence::id::{UserId, Username};
use crate::presence::status::StatusText;

/// What the session's actor has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send these frames after what waits already.
    Send(Frames),
    /// Likewise; they say that something was refused.
    Refuse(Frames),
    /// Look these usernames up and come back with [`State::resolved`](super::state::State::resolved).
    Resolve(Vec<Username>),
    /// Have the outbox wait for these users' snapshots, then follow them.
    Follow {
        /// The request's number.
        id: u32,
        /// To be echoed.
        tag: RequestTag,
        /// Each once.
        users: Vec<UserId>,
    },
    /// Have the outbox wait for this user's snapshot, then follow it under this name.
    Subscribe {
        /// The request's number.
        id: u32,
        /// To be echoed.
        tag: RequestTag,
        /// Whom.
        user: UserId,
        /// What the client calls it.
        alias: ClientAlias,
    },
    /// Make the connection part of a user and come back with [`State::attached`](super::state::State::attached).
    Attach(Arrival),
    /// What is to be done for an account.
    Member(MemberAction),
    /// Have the next that many answers go out as one.
    BatchReplies(usize),
    /// Have the outbox wait for the own user's acknowledgement and send `done`, then mark the user active.
    MarkActive {
        /// The request's number.
        id: u32,
        /// What the user says of itself; the connection shows it.
        state: Option<StatusText>,
        /// What to answer.
        done: Frames,
    },
    /// Ask for this user's visible connections and come back with [`State::shown`](super::state::State::shown).
    ListConnections(UserId),
    /// Have the outbox wait for these users' acknowledgements and send `done`, then unfollow them.
    Unfollow {
        /// The request's number.
        id: u32,
        /// Each once.
        users: Vec<UserId>,
        /// The answer.
        done: Frames,
    },
    /// Have the outbox wait for the own user and send `done`, then set the status.
    SetStatus {
        /// The request's number.
        id: u32,
        /// What to show.
        status: Option<StatusText>,
        /// The answer.
        done: Frames,
    },
    /// Ask these users again under the same request.
    AskAgain {
        /// The request's number.
        id: u32,
        /// What to ask.
        ask: Ask,
    },
    /// Answer the request that waits with these frames.
    GiveUp(Frames),
    /// Have these users tell no more; nobody waits for it.
    Leave(Vec<UserId>),
    /// Ping the client.
    Ping,
    /// Send what waits, then the close frame, and end the hold on the user.
    Close(CloseFrame),
    /// End the connection without another word.
    Stop,
}

/// Who arrived on a connection that was nobody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// None: nobody in particular.
    pub user: Option<UserId>,
    /// What others see.
    pub username: Option<Username>,
    /// What the connection shows from the start; `None` is invisible.
    pub status: Option<StatusText>,
    /// What others may know of the connection: JSON.
    pub info: Option<ByteString>,
    /// How many connections the user may have, this one included.
    pub most: usize,
}

/// What a request asks of user actors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Their snapshots.
    Follow(Vec<UserId>),
    /// A snapshot with what is written down of the user.
    Subscribe(UserId),
    /// Snapshots of those whom an account lists.
    Listed(Vec<UserId>),
    /// To be told no more.
    Unfollow(Vec<UserId>),
    /// To show a status.
    SetStatus(Option<StatusText>),
    /// To show a text on all devices of the account.
    SetCustomStatus(Option<StatusText>),
    /// To be active, and what the user says of itself with it.
    MarkActive(Option<StatusText>),
}
