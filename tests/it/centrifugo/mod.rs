//! Centrifugo's clients (sections 1 and 2 of its protocol), and how they and Nakama's see each other.

pub mod client;
mod last_seen;
mod sdk;
mod socket;
mod status;
mod token;
