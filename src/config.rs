//! The configuration: one small struct for each concern. [`load()`] reads it. No other module reads the file or the
//! environment. [`import`] converts configuration files of Centrifugo.
//!
//! `config/default.toml` is both the documentation of every key and the lowest layer, so that the two cannot differ.

pub mod centrifugo;
mod client_address;
mod cluster;
mod exposure;
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
pub use client_address::{ClientAddressSource, TrustedProxies};
pub use cluster::{BucketCount, ClusterConfig, KeyPrefix, RedisAddress, RedisKind, RedisLogin};
pub use exposure::Exposure;
pub use load::{InvalidConfig, Overrides, load};
pub use presence::{LingerPeriod, PresenceConfig};
pub use tencent::{AdminNames, FollowConfig, FollowPolicy, TencentConfig};
use value::{Pattern, Period, Secret, ranged, secret_or_none};
pub use webhook::{WebhookConfig, WebhookShape};

/// The file with every key, its documentation and its default.
pub const DEFAULT_FILE: &str = include_str!("config/default.toml");

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The listener and the HTTP server.
    pub server: ServerConfig,
    /// Where data is stored.
    pub store: StoreConfig,
    /// The user actors.
    pub engine: EngineConfig,
    /// Timeouts and sizes of every connection.
    pub session: SessionConfig,
    /// Quotas and rate limits.
    pub limits: LimitsConfig,
    /// Keys and token lifetimes of the Nakama dialect.
    pub nakama: NakamaConfig,
    /// The Centrifugo dialect.
    pub centrifugo: CentrifugoConfig,
    /// Last-seen records: activity, last time online, state.
    pub user_status: UserStatusConfig,
    /// The server API over HTTP.
    pub http_api: HttpApiConfig,
    /// The server API over gRPC.
    pub grpc_api: GrpcApiConfig,
    /// The Tencent Chat dialect.
    pub tencent: TencentConfig,
    /// How long a presence lingers after a lost connection.
    pub presence: PresenceConfig,
    /// The follow policy.
    pub follow: FollowConfig,
    /// Receivers of logins, logouts and lost connections.
    pub webhook: WebhookConfig,
    /// Several nodes on Redis.
    pub cluster: ClusterConfig,
    /// Endpoints for operators and visitors.
    pub operation: OperationConfig,
    /// What log lines contain.
    pub log: LogConfig,
}

/// The listener and the HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port. Port 0 means a free one.
    pub address: SocketAddr,
    /// Worker threads. 0 means one for each core.
    #[serde(deserialize_with = "ranged::<0, 1024, _, _>")]
    pub workers: usize,
    /// Maximum number of open connections of a worker.
    #[serde(deserialize_with = "ranged::<1, 10_000_000, _, _>")]
    pub max_connections: usize,
    /// Maximum number of connections that wait in the kernel to be accepted.
    #[serde(deserialize_with = "ranged::<1, 65_535, _, _>")]
    pub backlog: u32,
    /// Maximum size of an HTTP request body, in bytes, also when it is inflated.
    #[serde(deserialize_with = "ranged::<1024, 16_777_216, _, _>")]
    pub max_body_bytes: usize,
    /// Maximum memory of all request bodies that are read at once, in bytes.
    #[serde(deserialize_with = "ranged::<1_048_576, 1_099_511_627_776, _, _>")]
    pub max_body_memory: usize,
    /// Maximum duration of a request, from its first byte to its last.
    pub request_timeout: Period,
    /// Maximum duration of the wait for the next request of a connection.
    pub keep_alive: Period,
    /// What tells the address of a client.
    pub client_address: ClientAddressSource,
    /// Networks of proxies that are trusted to tell it.
    pub trusted_proxies: TrustedProxies,
    /// Maximum duration of an orderly stop.
    pub drain_timeout: Period,
}

/// The two stores of a node without a cluster.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum StoreKind {
    /// An embedded store on disk.
    Disk,
    /// In memory. The data is lost at exit.
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

/// Where data is stored.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// The store: on disk or in memory.
    pub kind: StoreKind,
    /// Folder of the store on disk.
    pub path: PathBuf,
    /// Whether the server starts when the store on disk has lost records. An argument of one start, not a setting.
    #[serde(skip)]
    pub loss_policy: LossPolicy,
}

/// Whether a store that has lost records is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LossPolicy {
    /// Refuse, with what is lost.
    #[default]
    Refuse,
    /// Log what is lost, and go on.
    Accept,
}

/// The user actors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// Threads that run user actors. 0 means one for each core.
    #[serde(deserialize_with = "ranged::<0, 1024, _, _>")]
    pub shards: usize,
    /// Maximum number of users of a shard.
    #[serde(deserialize_with = "ranged::<1, 1_000_000_000, _, _>")]
    pub max_users_per_shard: usize,
}

/// Timeouts and sizes of every connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// Silence of a client after which the server pings.
    pub ping_interval: Period,
    /// Silence of a client after which the connection is lost.
    pub pong_timeout: Period,
    /// How long a peer may accept no byte.
    pub stall_timeout: Period,
    /// How long the server waits for the client's close frame.
    pub close_timeout: Period,
    /// Maximum size of a message from a client, in bytes.
    #[serde(deserialize_with = "ranged::<1024, 1_048_576, _, _>")]
    pub max_message_bytes: usize,
    /// Bytes that may wait for a slow client before diffs are folded.
    #[serde(deserialize_with = "ranged::<0, 16_777_216, _, _>")]
    pub outbox_bytes: usize,
}

/// Quotas and rate limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Maximum number of users that a session follows.
    #[serde(deserialize_with = "ranged::<1, 1_000_000, _, _>")]
    pub follows_per_session: usize,
    /// Maximum number of commands of a session in a window. 0 means no limit.
    #[serde(deserialize_with = "ranged::<0, 10_000, _, _>")]
    pub commands: usize,
    /// Length of the window of `commands`.
    pub commands_window: Period,
    /// Units of work that a connection may cause per second. 0 means no limit.
    #[serde(deserialize_with = "ranged::<0, 100_000, _, _>")]
    pub work: u32,
    /// Units of work that an idle connection saves up.
    #[serde(deserialize_with = "ranged::<1, 1_000_000, _, _>")]
    pub work_burst: u32,
    /// Maximum number of connections of all clients that have not authenticated.
    #[serde(deserialize_with = "ranged::<1, 10_000_000, _, _>")]
    pub unauthenticated_connections: usize,
    /// Maximum number of connections of one address that have not authenticated.
    #[serde(deserialize_with = "ranged::<1, 10_000_000, _, _>")]
    pub unauthenticated_connections_per_address: usize,
    /// Maximum number of wrong passwords of an account from one client network in a window.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub login_failures: usize,
    /// Length of the window of `login_failures`.
    pub login_failures_window: Period,
}

/// Keys and token lifetimes of the Nakama dialect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NakamaConfig {
    /// Key that authentication calls need.
    pub server_key: Secret,
    /// Key that signs session tokens.
    pub encryption_key: Secret,
    /// Key that signs refresh tokens.
    pub refresh_encryption_key: Secret,
    /// Lifetime of a session token.
    pub token_expiry: Period,
    /// Lifetime of a refresh token.
    pub refresh_token_expiry: Period,
}

/// Last-seen records: activity, last time online, state.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserStatusConfig {
    /// Whether records are stored and can be read.
    pub enabled: bool,
    /// Lifetime of a record after its last update.
    pub expire_interval: Period,
    /// How often the record of a visible user is updated.
    pub presence_update_interval: Period,
    /// Pattern that a state must match.
    pub state_regex: Pattern,
    /// Whether clients may not update the status of their own user.
    pub disable_for_client: bool,
}

/// How errors of the server API are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum ErrorMode {
    /// In the body of a successful response.
    #[default]
    InBand,
    /// As the error of the transport: an HTTP status or a gRPC status.
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
    /// Key that callers need. `None` means that every call is refused.
    #[serde(deserialize_with = "secret_or_none")]
    pub key: Option<Secret>,
    /// How errors are sent unless the caller asks for the other mode.
    pub error_mode: ErrorMode,
    /// Where the description of the API and the page to browse and try it are served.
    pub swagger: Exposure,
}

/// The server API over gRPC.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcApiConfig {
    /// Whether gRPC is served.
    pub enabled: bool,
    /// Address and port. Port 0 means a free one.
    pub address: SocketAddr,
    /// Key that callers need. `None` means that every caller is admitted, which is allowed on loopback only.
    #[serde(deserialize_with = "secret_or_none")]
    pub key: Option<Secret>,
    /// How errors are sent unless the caller asks for the other mode.
    pub error_mode: ErrorMode,
    /// Whether reflection describes the service to callers.
    pub reflection: bool,
    /// Maximum size of a message from a caller, in bytes.
    #[serde(deserialize_with = "ranged::<1024, 16_777_216, _, _>")]
    pub max_receive_message_size: usize,
}

/// Endpoints for operators and visitors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationConfig {
    /// Where `/metrics` is served.
    pub metrics: Exposure,
    /// Whether the demo page is served.
    pub page: bool,
}

/// What log lines contain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Whether lines about refused clients name their addresses and user ids.
    pub addresses: bool,
}
