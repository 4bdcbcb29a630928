//! The bounded queue to one client. The engine sends into it, the session drains it.
//!
//! User actors send from their own threads through an [`Address`]; the session holds the [`OutboxReceiver`]. The first
//! sender after the session has gone to rest wakes it, so at most one wake is pending. Past its bound (bytes) the outbox
//! queues nothing more: it folds changes into one diff per followed user. Memory is therefore bounded by what the session
//! follows, the latest state is never lost, and a slow client ends at the latest state. Replies to the client's own
//! commands are never folded. They need no bound of their own: the session does not read from a client that does not read
//! (its actor is not polled).
//!
//! The outbox also keeps the order: a snapshot precedes the diffs that follow it, and an acknowledgement precedes the
//! change that it caused.
//!
//! * [`sender`]: the engine's side; [`ticket`]: a user actor's duty to answer a command;
//! * [`receiver`]: the session's side; [`pending_reply`]: the one command that waits for user actors; [`batch`]: replies
//!   that leave as one;
//! * [`shared`]: the lock that both sides share; [`state`]: what is under it; [`writer`]: the delivery of one change, to the
//!   queue or to the socket; [`queue`] and [`fold`]: the frames and the folded changes that wait; [`publications`]: what
//!   only clients that receive whole presences have; [`alias`]: the client's own name for a user;
//! * [`socket_writer`]: which of the two writers may write to the client's socket; [`socket`]: that socket;
//! * [`frame`]: one WebSocket frame; [`codec`]: what a dialect encodes for the outbox; [`notification`]: one diff, encoded
//!   once per encoding; [`delivery`]: how a diff is delivered, and the result; [`connection`]: what the two sides say about
//!   the connection.

mod alias;
mod batch;
mod codec;
mod connection;
mod delivery;
mod fold;
mod frame;
mod notification;
mod pending_reply;
mod publications;
mod queue;
mod receiver;
mod sender;
mod shared;
mod socket;
mod socket_writer;
mod state;
#[cfg(test)]
mod tests;
mod ticket;
mod writer;

pub use alias::ClientAlias;
pub use codec::{Codec, Encoding, Frames, Publisher, RequestTag};
pub use connection::{CloseRequest, Opening, VisibleConnection};
pub use delivery::{Delivery, DeliveryCounts, DeliveryMode};
pub use frame::Frame;
pub use notification::Notification;
pub use pending_reply::SnapshotReply;
pub use receiver::{Drained, OutboxReceiver};
pub use sender::Address;
pub use socket::DirectSocket;
pub use ticket::Ticket;
