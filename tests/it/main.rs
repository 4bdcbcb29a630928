//! The whole server but for its listener, spoken to over real sockets: one binary, one file a subject.

mod conversation;
mod crowd;
mod durability;
mod handshake;
mod operation;
mod trouble;
mod world;
