//! Sessions: one for each client connection, between the client's socket and the user actors.
//!
//! The vocabulary, which the dialects translate to and from:
//! * [`command`]: commands and replies of all dialects; [`member`]: those of Tencent members;
//! * [`listing`]: replies to members that need snapshots;
//! * [`protocol`]: what a dialect implements, and the reasons to close a connection.
//!
//! The rules, which do no IO:
//! * [`state`]: the state machine, with one file per role (known user, in-band handshake, member); [`action`]: what it
//!   returns; [`tick_outcome`]: what is due at a deadline; [`work_units`]: what a message costs;
//! * [`handshake`]: authentication by the first message, with the tokens in [`authenticator`]; [`member_login`]: the login
//!   of a member; [`heartbeat`]: pings at fixed intervals.
//!
//! The work:
//! * [`actor`]: carries the actions out; [`open`]: starts it on an HTTP upgrade; [`services`]: what it uses;
//! * [`input`]: frames of the client, with the back-pressure of the [`input_gate`]; [`reassembler`]: fragmented messages;
//!   [`output`]: drains the outbox into the socket;
//! * [`deadline_timer`]: wakes sessions at their deadlines; [`pending_connections`]: connections without a user;
//! * [`connection_listener`]: learns of clients that connect and disconnect; [`peer`]: where a client comes from.
//!
//! Elsewhere: the bounded queue to a client is `crate::outbox`, user actors are `crate::engine`.

mod action;
mod actor;
pub mod authenticator;
pub mod command;
pub mod connection_listener;
mod deadline_timer;
mod handshake;
mod heartbeat;
mod http_handshake;
mod input;
mod input_gate;
pub mod listing;
pub mod member;
mod member_login;
mod open;
mod open_error;
mod output;
mod peer;
mod pending_connections;
pub mod protocol;
mod reassembler;
mod services;
mod state;
mod tick_outcome;
mod work_units;

pub use deadline_timer::DeadlineTimer;
pub use handshake::HandshakeRules;
pub use member_login::MemberRules;
pub use open::{open_in_band, open_known_user, open_member};
pub use open_error::OpenError;
pub use peer::Peer;
pub use pending_connections::{PendingConnections, PendingLimit};
pub use services::{ConnectionIds, Directory, LingerTimes, LookupFailed, Services};
