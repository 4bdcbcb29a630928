//! The whole server but for its listener, spoken to over real sockets: one binary, one file a subject.

mod binary;
mod command_line;
mod conversation;
mod crowd;

mod handshake;
mod operation;
mod raw;
mod trouble;
mod world;
