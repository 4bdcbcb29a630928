//! Nakama's REST, row by row (section 1 of its protocol as this server keeps it): exact statuses, codes and sentences.
//! And the server API over HTTP, after Centrifugo's.

mod account;
mod authenticate;
mod online;
mod protocol;
mod server_api;
mod session;
mod user_status;
mod world;
