//! Authentication: tokens, their revocation, and passwords.
//!
//! [`token`] signs and reads the tokens of Nakama's clients, [`revocation`] has the rules of logouts;
//! `api::token_authority` puts both together. [`connection`] reads the connection tokens of Centrifugo's clients,
//! [`user_sig`] Tencent Chat's userSigs, [`password`] hashes passwords and counts wrong ones for each [`client_network`].

pub mod client_network;
pub mod connection;
mod numeric_date;
pub mod password;
pub mod revocation;
pub mod token;
pub mod user_sig;
