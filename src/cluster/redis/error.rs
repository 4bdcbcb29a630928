//! Why a server with several nodes does not start.

use std::path::PathBuf;

use crate::cluster::BackplaneError;

/// Why there is no backplane. One line for whoever starts the server; `redis` names the one that is meant.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say what the fields are")]
pub enum StartError {
    /// Nobody answers.
    #[error("redis {redis} cannot be reached: {text}")]
    Unreachable { redis: String, text: String },
    /// User or password is wrong.
    #[error("redis {redis} refuses the user or password: {text}")]
    Unauthorized { redis: String, text: String },
    /// Too old for sharded channels.
    #[error("redis {redis} has version {version}, expected 7.0 or newer")]
    TooOld { redis: String, version: String },
    /// It would throw presences away when its memory is full.
    #[error("redis {redis} has maxmemory-policy {policy}, expected noeviction")]
    Evicts { redis: String, policy: String },
    /// It is a cluster and was not called one.
    #[error("redis {redis} is part of a cluster, expected an address redis+cluster://…")]
    IsCluster { redis: String },
    /// It was called a cluster and is none.
    #[error("redis {redis} is no cluster, expected an address redis://…")]
    NoCluster { redis: String },
    /// Other nodes divide users otherwise.
    #[error("other nodes have \"{found}\", this one \"{layout}\"; if no other node runs, delete the key {key}")]
    OtherLayout { key: String, found: String, layout: String },
    /// The file of certificates cannot be read.
    #[error("cluster.tls_ca = {path:?}: {error}")]
    Certificates { path: PathBuf, error: std::io::Error },
    /// Something else.
    #[error("redis {redis} cannot be used: {error}")]
    Unusable { redis: String, error: BackplaneError },
    /// No thread.
    #[error("no thread for the backplane: {0}")]
    Thread(String),
}
