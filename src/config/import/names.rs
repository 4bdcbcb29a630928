//! Names of settings in version 5 of Centrifugo, in version 6, and in hereabouts.

use serde_json::Value;

use crate::config::DEFAULT_FILE;

/// Names of version 5, and their names in version 6.
const MOVED: &[(&str, &str)] = &[
    ("address", "http_server.address"),
    ("port", "http_server.port"),
    ("internal_address", "http_server.internal_address"),
    ("internal_port", "http_server.internal_port"),
    ("name", "node.name"),
    ("engine", "engine.type"),
    ("allowed_origins", "client.allowed_origins"),
    ("allow_anonymous_connect_without_token", "client.allow_anonymous_connect_without_token"),
    ("disallow_anonymous_connection_tokens", "client.disallow_anonymous_connection_tokens"),
    ("ping_interval", "client.ping_interval"),
    ("pong_timeout", "client.pong_timeout"),
    ("grpc_api", "grpc_api.enabled"),
    ("health", "health.enabled"),
    ("prometheus", "prometheus.enabled"),
    ("swagger", "swagger.enabled"),
    ("admin", "admin.enabled"),
    ("shutdown_timeout", "shutdown.timeout"),
    ("global_presence_ttl", "engine.redis.presence_ttl"),
];

/// Prefixes of version 5, and their sections in version 6.
const SECTIONS: &[(&str, &str)] = &[
    ("token_", "client.token."),
    ("client_", "client."),
    ("api_", "http_api."),
    ("grpc_api_", "grpc_api."),
    ("websocket_", "websocket."),
    ("redis_", "engine.redis."),
    ("admin_", "admin."),
];

/// Names of version 6, and the different names of hereabouts.
const RENAMED: &[(&str, &str)] = &[
    ("client.presence_update_interval", "user_status.presence_update_interval"),
    ("shutdown.timeout", "server.drain_timeout"),
    ("prometheus.enabled", "operation.metrics"),
    ("swagger.enabled", "http_api.swagger"),
];

/// Prefixes of settings that hereabouts does not have, with the reason.
const ABSENT: &[(&str, &str)] = &[
    ("user_status.redis", "user statuses are stored in the server's own store"),
    ("user_status.use_redis", "user statuses are stored in the server's own store"),
    ("engine.", "the server stores everything itself"),
    ("redis", "the server stores everything itself"),
    ("health.", "/health is always served"),
    ("http_server.internal", "everything is served on one address"),
    ("http_api.insecure", "the server API is not served without a key"),
    ("admin.", "there is no admin page yet"),
];

/// Sections of version 6 that are under `centrifugo.` in hereabouts.
const DIALECT: [&str; 2] = ["client.", "websocket."];

/// Returns the name of version 6.
pub fn nested(key: &str) -> String {
    if let Some((_, nested)) = MOVED.iter().find(|(flat, _)| *flat == key) {
        return (*nested).to_owned();
    }
    let section = SECTIONS.iter().find_map(|(flat, nested)| Some((nested, key.strip_prefix(flat)?)));
    section.map_or_else(|| key.to_owned(), |(nested, rest)| format!("{nested}{rest}"))
}

/// Returns the name in hereabouts, or the reason why there is none.
pub fn ours(nested: &str) -> Result<String, &'static str> {
    if let Some((_, ours)) = RENAMED.iter().find(|(theirs, _)| *theirs == nested) {
        return Ok((*ours).to_owned());
    }
    if let Some((_, reason)) = ABSENT.iter().find(|(beginning, _)| nested.starts_with(beginning)) {
        return Err(reason);
    }
    let ours = if DIALECT.iter().any(|section| nested.starts_with(section)) {
        format!("centrifugo.{nested}")
    } else {
        nested.to_owned()
    };
    if default_of(&ours).is_some() { Ok(ours) } else { Err("this server has no such setting") }
}

/// Returns the default of a setting as `default.toml` writes it.
fn default_of(name: &str) -> Option<&'static str> {
    let (section, key) = name.rsplit_once('.')?;
    let heading = format!("[{section}]");
    let mut lines = DEFAULT_FILE.lines().skip_while(|line| *line != heading).skip(1);
    let mut own = lines.by_ref().take_while(|line| !line.starts_with('['));
    own.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))
}

/// Converts a duration with a fraction, like Go's `0.5m`, to milliseconds.
pub fn duration(target: &str, value: Value) -> Value {
    let is_duration = default_of(target).is_some_and(|text| humantime::parse_duration(text.trim_matches('"')).is_ok());
    match &value {
        Value::String(text) if is_duration && text.contains('.') => {
            go_millis(text).map_or(value, |millis| Value::String(format!("{millis}ms")))
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value
        }
    }
}

/// Parses a duration in Go's form, like `1h30.5m`, to milliseconds.
fn go_millis(text: &str) -> Option<u64> {
    let (mut rest, mut millis) = (text, 0.0);
    while !rest.is_empty() {
        let number = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let unit =
            rest[number..].find(|character: char| character.is_ascii_digit()).map_or(rest.len(), |unit| number + unit);
        let factor = match &rest[number..unit] {
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" => 1000.0,
            "ms" => 1.0,
            _ => return None,
        };
        millis += rest[..number].parse::<f64>().ok()? * factor;
        rest = &rest[unit..];
    }
    format!("{millis:.0}").parse().ok()
}
