//! One client's connection: bridges its commands to user actors and its outbox to the socket.
//!
//! * [`command`]: what a client can ask and be answered, whatever the dialect; [`protocol`]: what a dialect provides;
//! * [`state`]: the rules of a session, pure; [`action`]: what comes out of them;
//! * [`actor`]: carries them out; [`open()`]: starts it on an HTTP upgrade; [`services`]: what it needs;
//! * [`entrance`]: lets a client in that says who it is by its first message, [`authenticator`] by its token; [`pulse`]: pings
//!   by the clock; [`lobby`]: the connections that are nobody's yet;
//! * [`account`]: the API of Tencent Chat's user status, for the dialect that has accounts;
//! * [`porter`]: who is told of clients that come and go;
//! * [`input`]: what the client sends, held back by the [`gate`] while a command is under way; [`assembly`]: joins
//!   fragmented messages; [`output`]: what goes to the client; [`rounds`]: the deadlines of all sessions.

pub mod account;
mod action;
mod actor;
mod assembly;
pub mod authenticator;
pub mod command;
mod entrance;
mod gate;
mod input;
mod lobby;
mod open;
mod output;
pub mod porter;
pub mod protocol;
mod pulse;
mod rounds;
mod services;
mod state;

pub use entrance::EntranceRules;
pub use lobby::Lobby;
pub use open::{OpenError, admit, admit_accounts, open};
pub use rounds::Rounds;
pub use services::{ConnectionIds, Directory, Linger, LookupFailed, Services};
