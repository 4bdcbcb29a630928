//! One client's connection: bridges its commands to user actors and its outbox to the socket.
//!
//! * [`command`]: what a client can ask and be answered, whatever the dialect; [`protocol`]: what a dialect provides;
//! * [`state`]: the rules of a session, pure; [`action`]: what comes out of them;
//! * [`actor`]: carries them out; [`open`]: starts it on an HTTP upgrade; [`services`]: what it needs;
//! * [`handshake`]: lets a client in that says who it is by its first message, [`authenticator`] by its token; [`heartbeat`]: pings
//!   by the clock; [`pending_connections`]: the connections that are nobody's yet;
//! * [`account`]: the API of Tencent Chat's user status, for the dialect that has accounts;
//! * [`connection_listener`]: who is told of clients that come and go;
//! * [`input`]: what the client sends, held back by the [`input_gate`] while a command is under way; [`reassembler`]: joins
//!   fragmented messages; [`output`]: what goes to the client; [`deadline_timer`]: the deadlines of all sessions.

mod action;
mod actor;
pub mod authenticator;
pub mod command;
pub mod connection_listener;
mod deadline_timer;
mod handshake;
mod heartbeat;
mod input;
mod input_gate;
pub mod member;
mod open;
mod output;
mod pending_connections;
pub mod protocol;
mod reassembler;
mod services;
mod state;

pub use deadline_timer::DeadlineTimer;
pub use handshake::HandshakeRules;
pub use open::{OpenError, open_in_band, open_known_user, open_member};
pub use pending_connections::PendingConnections;
pub use services::{ConnectionIds, Directory, LingerTimes, LookupFailed, Services};
