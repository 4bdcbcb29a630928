//! The configuration: one small struct per concern. [`load()`] reads it; no other module sees the file or the environment.
//!
//! `default.toml` is both the documentation of every key and the lowest layer, so that the two cannot differ.

pub mod centrifugo;
mod cluster;
pub mod import;
mod load;
mod presence;
mod tencent;
pub mod value;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use centrifugo::CentrifugoConfig;
pub use cluster::{BucketCount, ClusterConfig, KeyPrefix, Login, RedisAddress, RedisKind};
pub use load::{InvalidConfig, Overrides, load};
pub use presence::{PresenceConfig, Span};
pub use tencent::{FollowConfig, FollowPolicy, Names, TencentConfig};
use value::{Pattern, Period, Secret, ranged, secret_or_none};
pub use webhook::{WebhookConfig, WebhookShape};

/// The commented file with every default.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The listener and the HTTP server.
    pub server: ServerConfig,
    /// Where accounts are kept.
    pub store: StoreConfig,
    /// The user actors.
    pub engine: EngineConfig,
    /// What every connection is held to.
    pub session: SessionConfig,
    /// Quotas and rates.
    pub limits: LimitsConfig,
    /// Keys and token lives of the Nakama dialect.
    pub nakama: NakamaConfig,
    /// The Centrifugo dialect.
    pub centrifugo: CentrifugoConfig,
    /// When users were last seen, and what they said of themselves.
    pub user_status: UserStatusConfig,
    /// The server API over HTTP.
    pub http_api: HttpApiConfig,
    /// The server API over gRPC.
    pub grpc_api: GrpcApiConfig,
    /// Tencent Chat's dialect.
    pub tencent: TencentConfig,
    /// How long users are shown on whose line broke.
    pub presence: PresenceConfig,
    /// Who may follow whom.
    pub follow: FollowConfig,
    /// Who is told of logins, logouts and losses.
    pub webhook: WebhookConfig,
    /// Several nodes on Redis.
    pub cluster: ClusterConfig,
    /// What is shown to operators and visitors.
    pub operation: OperationConfig,
}

/// The listener and the HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Worker threads; 0 is one per core.
    #[serde(deserialize_with = "ranged::<0, 1024, _, _>")]
    pub workers: usize,
    /// Open connections per worker.
    #[serde(deserialize_with = "ranged::<1, 10_000_000, _, _>")]
    pub max_connections: usize,
    /// Connections that the kernel holds until accepted.
    #[serde(deserialize_with = "ranged::<1, 65_535, _, _>")]
    pub backlog: u32,
    /// Largest HTTP request body, bytes.
    #[serde(deserialize_with = "ranged::<1024, 16_777_216, _, _>")]
    pub max_body_bytes: usize,
    /// Longest orderly stop.
    pub drain_timeout: Period,
}

/// The two stores there are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum StoreKind {
    /// Embedded, on disk.
    Disk,
    /// In memory: gone at exit.
    Memory,
}

impl TryFrom<String> for StoreKind {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "disk" => Ok(Self::Disk),
            "memory" => Ok(Self::Memory),
            _ => Err("expected \"disk\" or \"memory\""),
        }
    }
}

/// Where accounts are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// On disk or in memory.
    pub kind: StoreKind,
    /// Folder of the store on disk.
    pub path: PathBuf,
}

/// The user actors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Threads that own users; 0 is one per core.
    #[serde(deserialize_with = "ranged::<0, 1024, _, _>")]
    pub shards: usize,
    /// Users a shard holds at once.
    #[serde(deserialize_with = "ranged::<1, 1_000_000_000, _, _>")]
    pub max_users_per_shard: usize,
}

/// What every connection is held to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// Silence after which the server pings.
    pub ping_interval: Period,
    /// Silence after which the connection counts as lost.
    pub pong_timeout: Period,
    /// How long a peer may take no byte.
    pub stall_timeout: Period,
    /// How long a close waits for its answer.
    pub close_timeout: Period,
    /// Largest message from a client, bytes.
    #[serde(deserialize_with = "ranged::<1024, 1_048_576, _, _>")]
    pub max_message_bytes: usize,
    /// What may wait for a slow client before changes fold, bytes.
    #[serde(deserialize_with = "ranged::<0, 16_777_216, _, _>")]
    pub outbox_bytes: usize,
}

/// Quotas and rates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Users a session may follow at once.
    #[serde(deserialize_with = "ranged::<1, 1_000_000, _, _>")]
    pub follows_per_session: usize,
    /// Commands a session may send in any window; 0 is no limit.
    #[serde(deserialize_with = "ranged::<0, 10_000, _, _>")]
    pub commands: usize,
    /// The window of `commands`.
    pub commands_window: Period,
    /// Wrong passwords an account takes in any window.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub login_failures: usize,
    /// The window of `login_failures`.
    pub login_failures_window: Period,
}

/// Keys and token lives of the Nakama dialect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NakamaConfig {
    /// Key of the authentication calls.
    pub server_key: Secret,
    /// Signs session tokens.
    pub encryption_key: Secret,
    /// Signs refresh tokens.
    pub refresh_encryption_key: Secret,
    /// Life of a session token.
    pub token_expiry: Period,
    /// Life of a refresh token.
    pub refresh_token_expiry: Period,
}

/// When users were last seen, and what they said of themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserStatusConfig {
    /// Keep the records, and answer for them.
    pub enabled: bool,
    /// Life of a record after its last update.
    pub expire_interval: Period,
    /// How often a visible user is written down as online.
    pub presence_update_interval: Period,
    /// What a state has to look like.
    pub state_regex: Pattern,
    /// Users are not to update their status themselves.
    pub disable_for_client: bool,
}

/// How errors of the server API are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum ErrorMode {
    /// In the body of a successful answer.
    #[default]
    InBand,
    /// As the transport's own error: an HTTP status, a gRPC status.
    Transport,
}

impl TryFrom<String> for ErrorMode {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "" => Ok(Self::InBand),
            "transport" => Ok(Self::Transport),
            _ => Err("expected \"\" or \"transport\""),
        }
    }
}

/// The server API over HTTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpApiConfig {
    /// Key of the callers; none: nobody may call.
    #[serde(deserialize_with = "secret_or_none")]
    pub key: Option<Secret>,
    /// How errors are sent unless the caller asks for the other.
    pub error_mode: ErrorMode,
    /// Serve the page to browse and try the API.
    pub swagger: bool,
}

/// The server API over gRPC.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcApiConfig {
    /// Serve it.
    pub enabled: bool,
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Key of the callers; none: everybody may call, on loopback only.
    #[serde(deserialize_with = "secret_or_none")]
    pub key: Option<Secret>,
    /// How errors are sent unless the caller asks for the other.
    pub error_mode: ErrorMode,
    /// Describe the service to those who ask for it.
    pub reflection: bool,
    /// Largest message from a caller, bytes.
    #[serde(deserialize_with = "ranged::<1024, 16_777_216, _, _>")]
    pub max_receive_message_size: usize,
}

/// What is shown to operators and visitors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationConfig {
    /// Serve `/metrics`.
    pub metrics: bool,
    /// Serve the demo page.
    pub page: bool,
}
