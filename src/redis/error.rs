//! Why a call to Redis failed, and why a server that needs Redis does not start.

use std::path::PathBuf;

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why a call to Redis failed. The caller may try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Redis is away, or its reply is late. The call may have been carried out.
    #[error("redis is away: {0}")]
    Unavailable(String),
    /// Redis has no memory left.
    #[error("redis is full: {0}")]
    Full(String),
    /// Redis refused the call, or replied in a form that this version does not know.
    #[error("redis refused: {0}")]
    Refused(String),
}

impl From<&RedisError> for CallError {
    fn from(error: &RedisError) -> Self {
        let text = error.to_string();
        match (error.kind(), error.code()) {
            (_, Some("OOM")) => Self::Full(text),
            (
                ErrorKind::Server(
                    ServerErrorKind::BusyLoading
                    | ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::NoPerm,
                ),
                _,
            )
            | (_, Some("NOAUTH" | "WRONGPASS" | "NOREPLICAS" | "MISCONF")) => Self::Unavailable(text),
            (ErrorKind::Server(_) | ErrorKind::Extension, _) => Self::Refused(text),
            _ => Self::Unavailable(text),
        }
    }
}

/// Why the server does not start on the configured Redis: one line for the operator. `redis` names the server.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the sentences say what the fields are")]
pub enum StartError {
    /// No server answers.
    #[error("redis {redis} cannot be reached: {text}")]
    Unreachable { redis: String, text: String },
    /// User or password is wrong.
    #[error("redis {redis} refuses the user or password: {text}")]
    Unauthorized { redis: String, text: String },
    /// Too old for sharded channels.
    #[error("redis {redis} has version {version}, expected 7.0 or newer")]
    TooOld { redis: String, version: String },
    /// It would evict presences when its memory is full.
    #[error("redis {redis} has maxmemory-policy {policy}, expected noeviction")]
    Evicts { redis: String, policy: String },
    /// It is a cluster, and the address does not say so.
    #[error("redis {redis} is part of a cluster, expected an address redis+cluster://…")]
    IsCluster { redis: String },
    /// The address says that it is a cluster, and it is none.
    #[error("redis {redis} is no cluster, expected an address redis://…")]
    NoCluster { redis: String },
    /// Other nodes divide users in another way.
    #[error("other nodes have \"{found}\", this one \"{layout}\"; if no other node runs, delete the key {key}")]
    OtherLayout { key: String, found: String, layout: String },
    /// The file of certificates cannot be read.
    #[error("cluster.tls_ca = {path:?}: {error}")]
    Certificates { path: PathBuf, error: std::io::Error },
    /// Any other failure of a call.
    #[error("redis {redis} cannot be used: {error}")]
    Unusable { redis: String, error: CallError },
    /// A thread cannot be started, or stopped at once.
    #[error("no thread for the backplane: {0}")]
    Thread(String),
}
