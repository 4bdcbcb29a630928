//! What only clients of publishing dialects have: names of their own for the users that they follow, and batches of replies.

use bytestring::ByteString;
use hashbrown::HashMap;

use super::alias::ClientAlias;
use super::batch::ReplyBatch;
use crate::presence::id::UserId;

/// The state of a client that receives whole presences.
#[derive(Default)]
pub(super) struct PublicationState {
    /// The users that the client receives publications of. Bounded by what the session follows.
    pub aliases: HashMap<UserId, ClientAlias>,
    /// The part of the client's token that other users may read: JSON.
    pub info: Option<ByteString>,
    /// Replies that leave as one.
    pub batch: Option<ReplyBatch>,
}
