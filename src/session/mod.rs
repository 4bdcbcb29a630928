//! One client's connection: bridges its commands to user actors and its outbox to the socket.
//!
//! * [`command`]: what a client can ask and be answered, whatever the dialect; * [`protocol`]: what a dialect has to
//!   provide; * [`state`]: the rules of a session, pure; * [`actor`]: carries them out on a WebSocket; * [`gate`]: holds
//!   the client's input back while a command is under way; * [`assembly`]: puts fragmented messages together.

mod actor;
mod assembly;
pub mod command;
mod gate;
mod open;
pub mod protocol;
mod state;

pub use open::{ConnectionIds, Directory, LookupFailed, OpenError, Services, open};
