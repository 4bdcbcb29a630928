//! Reads the layers (defaults, file, environment, command line) into a [`Config`] and checks it as a whole.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat};

use super::{ClientAddressSource, Config, DEFAULT_FILE};

/// The file that is read when no file is named, if it exists.
const DEFAULT_PATH: &str = "hereabouts.toml";

/// The public development keys: (setting, value).
const DEVELOPMENT_KEYS: [(&str, &str); 5] = [
    ("nakama.server_key", "defaultkey"),
    ("nakama.encryption_key", "defaultencryptionkey"),
    ("nakama.refresh_encryption_key", "defaultrefreshencryptionkey"),
    ("centrifugo.client.token.hmac_secret_key", "secret"),
    ("tencent.secret_key", "development-secret"),
];

/// Settings of the command line.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The configuration file, which must exist.
    pub file: Option<PathBuf>,
    /// `server.address`.
    pub address: Option<String>,
}

/// Why a configuration is not usable: one line with the key, the value and the allowed values.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidConfig(String);

impl InvalidConfig {
    pub(super) fn new(error: &dyn std::fmt::Display) -> Self {
        Self(one_line(error))
    }
}

/// Reads all layers. `environment` is that of the process or of a test. Only variables `HEREABOUTS_…` are read.
pub fn load(overrides: &Overrides, environment: HashMap<String, String>) -> Result<Config, InvalidConfig> {
    let path = overrides.file.as_deref();
    let file = File::from(path.unwrap_or(Path::new(DEFAULT_PATH))).format(FileFormat::Toml).required(path.is_some());
    // A key is a text also when it looks like a number: 007 is not 7.
    let (keys, others) = environment.into_iter().partition(|(name, _)| name.ends_with("KEY"));
    let variables =
        |source| Environment::with_prefix("HEREABOUTS").prefix_separator("_").separator("__").source(source);
    let layers = config::Config::builder()
        .add_source(File::from_str(DEFAULT_FILE, FileFormat::Toml))
        .add_source(file)
        .add_source(variables(Some(others)).try_parsing(true))
        .add_source(variables(Some(keys)))
        .set_override_option("server.address", overrides.address.clone())
        .and_then(|builder| builder.build())
        .map_err(|error| InvalidConfig::new(&error))?;
    let config = read(layers)?;
    check(&config)?;
    Ok(config)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors, most of which cannot happen here")]
pub(super) fn read(layers: config::Config) -> Result<Config, InvalidConfig> {
    serde_path_to_error::deserialize(layers.clone()).map_err(|error| {
        let key = error.path().to_string();
        let value = match layers.get_string(&key) {
            Ok(value) if !is_secret(&key) => format!(" = {value:?}"),
            Ok(_) | Err(_) => String::new(),
        };
        let reason = match error.into_inner() {
            // The library's reason contains a part of the key. The path above is the whole key.
            config::ConfigError::At { error, origin: Some(origin), .. } => format!("{error} (in {origin})"),
            config::ConfigError::At { error, origin: None, .. } => error.to_string(),
            error => error.to_string(),
        };
        let reason = one_line(&reason);
        InvalidConfig(format!("{key}{value}: {reason}"))
    })
}

/// Returns whether the value of a setting must not be shown.
fn is_secret(key: &str) -> bool {
    key.ends_with("_key") || key.ends_with(".key") || key.starts_with("cluster.redis")
}

pub(super) fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Checks the rules that involve more than one key.
fn check(config: &Config) -> Result<(), InvalidConfig> {
    let refuse = |line: String| Err(InvalidConfig(line));
    let session = &config.session;
    if session.pong_timeout <= session.ping_interval {
        return refuse(format!(
            "session.pong_timeout = {:?}: expected more than session.ping_interval = {:?}",
            session.pong_timeout, session.ping_interval
        ));
    }
    let server = &config.server;
    if server.max_body_memory < server.max_body_bytes * 2 {
        return refuse(format!(
            "server.max_body_memory = {}: expected at least twice server.max_body_bytes = {}",
            server.max_body_memory, server.max_body_bytes
        ));
    }
    let cluster = &config.cluster;
    if cluster.lease_ttl.0 < cluster.heartbeat.0 * 3 {
        return refuse(format!(
            "cluster.lease_ttl = {:?}: expected at least three times cluster.heartbeat = {:?}",
            cluster.lease_ttl, cluster.heartbeat
        ));
    }
    let nakama = &config.nakama;
    if nakama.encryption_key.matches(nakama.refresh_encryption_key.expose()) {
        return refuse(
            "nakama.refresh_encryption_key (value not shown): expected another key than nakama.encryption_key".into(),
        );
    }
    let client = &config.centrifugo.client;
    if client.ping_interval <= client.pong_timeout {
        return refuse(format!(
            "centrifugo.client.pong_timeout = {:?}: expected less than centrifugo.client.ping_interval = {:?}",
            client.pong_timeout, client.ping_interval
        ));
    }
    let grpc = &config.grpc_api;
    if grpc.enabled && grpc.key.is_none() && !grpc.address.ip().is_loopback() {
        return refuse(format!(
            "grpc_api.key = \"\": on grpc_api.address = {} expected a key (or a loopback address)",
            grpc.address
        ));
    }
    check_proxies(config)?;
    check_keys(config.server.address, config)
}

/// Refuses development keys on addresses other than loopback.
fn check_keys(address: SocketAddr, config: &Config) -> Result<(), InvalidConfig> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    match config.used_development_keys().next() {
        None => Ok(()),
        Some((name, development)) => Err(InvalidConfig(format!(
            "{name} = \"{development}\": this development key is public; on server.address = {address} expected a key of \
             your own (or a loopback address)"
        ))),
    }
}

/// Refuses a source of addresses that nobody is trusted to be.
fn check_proxies(config: &Config) -> Result<(), InvalidConfig> {
    if config.server.client_address != ClientAddressSource::Peer && config.server.trusted_proxies.is_empty() {
        return Err(InvalidConfig(
            "server.trusted_proxies = []: expected the proxies that tell the addresses of clients (or \
             server.client_address = \"peer\")"
                .to_owned(),
        ));
    }
    Ok(())
}

impl Config {
    /// Returns the settings that have a public development key, each with the key.
    pub fn used_development_keys(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let nakama = &self.nakama;
        let hmac = self.centrifugo.client.token.hmac_secret_key.as_ref();
        let nakama = [&nakama.server_key, &nakama.encryption_key, &nakama.refresh_encryption_key].map(Some);
        let keys = nakama.into_iter().chain([hmac, self.tencent.secret_key.as_ref()]);
        keys.zip(DEVELOPMENT_KEYS)
            .filter(|(key, (_, development))| key.is_some_and(|key| key.matches(development.as_bytes())))
            .map(|(_, setting)| setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FollowPolicy;

    fn load_with(variables: &[(&str, &str)]) -> Result<Config, InvalidConfig> {
        let environment = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        load(&Overrides::default(), environment)
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        load_with(variables).expect_err("this configuration should be refused").to_string()
    }

    #[test]
    fn the_default_file_is_a_complete_configuration() {
        let config = load_with(&[]).unwrap();
        assert_eq!(config.server.address.to_string(), "127.0.0.1:7350");
        assert_eq!(config.limits.follows_per_session, 4096);
        assert_eq!(config.nakama.token_expiry.0.as_secs(), 3600);
    }

    #[test]
    fn the_environment_overrides_the_file_and_a_flag_overrides_both() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("some.toml");
        std::fs::write(&file, "[server]\nworkers = 3\nbacklog = 7\n").unwrap();
        let overrides = Overrides { file: Some(file), address: Some("127.0.0.1:1".into()) };
        let environment = HashMap::from([
            ("HEREABOUTS_SERVER__WORKERS".to_owned(), "5".to_owned()),
            ("HEREABOUTS_SERVER__ADDRESS".to_owned(), "127.0.0.1:2".to_owned()),
        ]);
        let server = load(&overrides, environment).unwrap().server;
        assert_eq!((server.workers, server.backlog, server.address.port()), (5, 7, 1));
    }

    #[test]
    fn an_error_is_one_line_with_key_value_and_allowed_values() {
        let line = refusal(&[("HEREABOUTS_SERVER__WORKERS", "5000")]);
        assert!(line.starts_with("server.workers = "), "{line}");
        assert!(line.contains("5000") && line.contains("a whole number from 0 to 1024"), "{line}");
        let line = refusal(&[("HEREABOUTS_SERVER__WORKERS", "many")]);
        assert!(line.contains("server.workers") && line.contains("many"), "{line}");
        let line = refusal(&[("HEREABOUTS_SESSION__STALL_TIMEOUT", "soon")]);
        assert!(
            line.contains("session.stall_timeout") && line.contains("soon") && line.contains("a duration"),
            "{line}"
        );
        let line = refusal(&[("HEREABOUTS_SERVER__ADRESS", "127.0.0.1:2")]);
        assert!(line.contains("server") && line.contains("adress") && line.contains("`address`"), "{line}");
        let line = refusal(&[("HEREABOUTS_STORE__KIND", "tape")]);
        assert!(line.contains("store.kind") && line.contains("tape") && line.contains("disk"), "{line}");
        let line = refusal(&[("HEREABOUTS_SERVER__ADDRESS", "here")]);
        assert!(line.contains("server.address") && line.contains("here") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn a_named_file_must_exist() {
        let overrides = Overrides { file: Some("/nowhere/at-all.toml".into()), address: None };
        let line = load(&overrides, HashMap::new()).expect_err("no such file").to_string();
        assert!(line.contains("/nowhere/at-all.toml"), "{line}");
    }

    #[test]
    fn development_keys_are_refused_beyond_loopback() {
        let line = refusal(&[("HEREABOUTS_SERVER__ADDRESS", "0.0.0.0:7350")]);
        assert!(line.starts_with("nakama.server_key"), "{line}");
        let own = [
            ("HEREABOUTS_SERVER__ADDRESS", "0.0.0.0:7350"),
            ("HEREABOUTS_NAKAMA__SERVER_KEY", "12345"),
            ("HEREABOUTS_NAKAMA__ENCRYPTION_KEY", "one of my own"),
            ("HEREABOUTS_NAKAMA__REFRESH_ENCRYPTION_KEY", "another of my own"),
            ("HEREABOUTS_CENTRIFUGO__CLIENT__TOKEN__HMAC_SECRET_KEY", "a third of my own"),
            ("HEREABOUTS_TENCENT__SECRET_KEY", "a secret of my own"),
        ];
        assert!(load_with(&own).is_ok());
        let mut without = own;
        without[4].1 = "";
        assert!(load_with(&without).is_ok(), "a key may be left out");
        for skipped in 1..own.len() {
            let mut variables = own.to_vec();
            let (name, _) = variables.remove(skipped);
            let line = refusal(&variables);
            assert!(line.contains("development key is public"), "without {name}: {line}");
        }
    }

    #[test]
    fn keys_that_must_differ_differ_and_are_not_shown() {
        let line = refusal(&[("HEREABOUTS_NAKAMA__REFRESH_ENCRYPTION_KEY", "defaultencryptionkey")]);
        assert!(line.contains("nakama.refresh_encryption_key") && !line.contains("defaultencryptionkey"), "{line}");
        assert!(!format!("{:?}", load_with(&[]).unwrap()).contains("default"), "a key is printed");
    }

    #[test]
    fn origins_are_read_from_a_list_and_from_the_environment() {
        let variable = "HEREABOUTS_CENTRIFUGO__CLIENT__ALLOWED_ORIGINS";
        let allows = |value: &str, origin: &str| {
            load_with(&[(variable, value)]).unwrap().centrifugo.client.allowed_origins.allow(origin)
        };
        assert!(!load_with(&[]).unwrap().centrifugo.client.allowed_origins.allow("http://here"));
        assert!(allows("http://a http://b:80", "http://b:80") && !allows("http://a http://b:80", "http://c"));
        let line = refusal(&[("HEREABOUTS_CENTRIFUGO__CLIENT__PONG_TIMEOUT", "25s")]);
        assert!(line.starts_with("centrifugo.client.pong_timeout"), "{line}");
    }

    #[test]
    fn grpc_needs_a_key_beyond_loopback() {
        let open = [("HEREABOUTS_GRPC_API__ENABLED", "true"), ("HEREABOUTS_GRPC_API__ADDRESS", "0.0.0.0:10000")];
        let line = refusal(&open);
        assert!(line.starts_with("grpc_api.key") && line.contains("0.0.0.0:10000"), "{line}");
        assert!(load_with(&open[1..]).is_ok(), "it is off");
        assert!(load_with(&open[..1]).is_ok(), "it is on loopback");
        assert!(load_with(&[open[0], open[1], ("HEREABOUTS_GRPC_API__KEY", "k")]).is_ok());
    }

    #[test]
    fn a_key_from_the_environment_is_used_as_written() {
        for key in ["007", "1e5", "true", "0x10", " x "] {
            let config = load_with(&[("HEREABOUTS_HTTP_API__KEY", key)]).unwrap();
            assert!(config.http_api.key.unwrap().matches(key.as_bytes()), "{key}");
        }
        assert!(load_with(&[("HEREABOUTS_HTTP_API__KEY", "")]).unwrap().http_api.key.is_none());
    }

    #[test]
    fn a_key_that_is_too_long_is_not_shown() {
        let line = refusal(&[("HEREABOUTS_HTTP_API__KEY", &"s3cret".repeat(200))]);
        assert!(line.starts_with("http_api.key") && !line.contains("s3cret"), "{line}");
    }

    #[test]
    fn a_pattern_matches_anywhere_and_an_empty_one_everything() {
        let pattern = |text: &str| load_with(&[("HEREABOUTS_USER_STATUS__STATE_REGEX", text)]);
        let allows = |text: &str, state: &str| pattern(text).unwrap().user_status.state_regex.allows(state);
        assert!(allows("", "anything") && allows("w", "away") && allows("^(away|dnd)$", "dnd"));
        assert!(!allows("^(away|dnd)$", "dnd!") && !allows(r"^\p{Lu}", "étage") && allows(r"^\p{Lu}", "Étage"));
        let line = pattern("(").unwrap_err().to_string();
        assert!(line.starts_with("user_status.state_regex = \"(\""), "{line}");
    }

    #[test]
    fn without_a_secret_the_tencent_dialect_is_off() {
        let tencent =
            load_with(&[("HEREABOUTS_TENCENT__SECRET_KEY", ""), ("HEREABOUTS_TENCENT__ADMINS", "root second")])
                .unwrap()
                .tencent;
        assert!(tencent.secret_key.is_none());
        assert!(
            tencent.admins.contains("root")
                && tencent.admins.contains("second")
                && !tencent.admins.contains("administrator")
        );
        assert_eq!(load_with(&[]).unwrap().follow.policy, FollowPolicy::Anyone);
        let line = refusal(&[("HEREABOUTS_FOLLOW__POLICY", "nobody")]);
        assert!(line.contains("follow.policy") && line.contains("friends"), "{line}");
    }

    #[test]
    fn addresses_of_redis_come_from_a_list_or_a_text_and_are_not_shown() {
        let config = load_with(&[("HEREABOUTS_CLUSTER__REDIS", "redis://a redis://:pa55@b:1/2")]).unwrap();
        assert_eq!(config.cluster.redis.len(), 2);
        assert!(!format!("{config:?}").contains("pa55"), "a password is printed");
        assert!(!load_with(&[]).unwrap().cluster.is_enabled(), "off without an address");
        for (text, reason) in [("redis://a http://:pa55@b", "address 2"), ("redis://a redis://a:6379", "there already")]
        {
            let line = refusal(&[("HEREABOUTS_CLUSTER__REDIS", text)]);
            assert!(line.starts_with("cluster.redis") && line.contains(reason) && !line.contains("pa55"), "{line}");
        }
        let line = refusal(&[("HEREABOUTS_CLUSTER__REDIS", "7")]);
        assert!(line.starts_with("cluster.redis") && line.contains("a list of addresses"), "{line}");
    }

    #[test]
    fn a_lease_is_longer_than_a_lost_heartbeat() {
        let line = refusal(&[("HEREABOUTS_CLUSTER__LEASE_TTL", "5s")]);
        assert!(line.starts_with("cluster.lease_ttl"), "{line}");
    }

    #[test]
    fn the_pong_timeout_is_longer_than_the_ping_interval() {
        let line = refusal(&[("HEREABOUTS_SESSION__PONG_TIMEOUT", "10s")]);
        assert!(line.starts_with("session.pong_timeout"), "{line}");
    }
}
