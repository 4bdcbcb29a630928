//! One client's connection: bridges its commands to user actors and its outbox to the socket.
//!
//! * [`command`]: what a client can ask and be answered, whatever the dialect; [`protocol`]: what a dialect provides;
//! * [`state`]: the rules of a session, pure; [`action`]: what comes out of them;
//! * [`actor`]: carries them out on a WebSocket; [`open()`]: starts it on an HTTP upgrade; [`services`]: what it needs;
//! * [`gate`]: holds the client's input back while a command is under way; [`assembly`]: joins fragmented messages.

mod action;
mod actor;
mod assembly;
pub mod command;
mod gate;
mod open;
pub mod protocol;
mod services;
mod state;

pub use open::{OpenError, open};
pub use services::{ConnectionIds, Directory, LookupFailed, Services};
