//! Imports of Centrifugo's files.

use std::collections::HashMap;

use super::*;
use crate::config::{Config, Overrides, load};

const VERSION_6: &str = r#"{
  "client": {"token": {"hmac_secret_key": "s3cret \"quoted\""}, "presence_update_interval": "13.5s"},
  "http_api": {"key": "api key", "error_mode": "transport", "insecure": true},
  "user_status": {"enabled": true, "expire_interval": "720h", "redis": {"address": "localhost:6379"}},
  "http_server": {"port": 9000, "address": "127.0.0.1"},
  "channel": {"namespaces": [{"name": "status"}]},
  "shutdown": {"timeout": "1m"},
  "prometheus": {"enabled": false}
}"#;

const VERSION_5: &str = r#"
port: 9001
token_hmac_secret_key: s3cret
api_key: api key
user_status:
  enabled: true
  redis_address: localhost:6379
  expire_interval: 24h
client_presence_update_interval: 20s
client_user_connection_limit: 3
swagger: true
namespaces:
  - name: status
"#;

/// Returns the configuration that the server reads from the output.
fn loaded(imported: &Imported) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("imported.toml");
    std::fs::write(&file, imported.to_string()).unwrap();
    load(&Overrides { file: Some(file), address: Some("127.0.0.1:1".into()) }, HashMap::new()).unwrap()
}

fn left_out(imported: &Imported) -> Vec<&str> {
    imported.left_out.iter().map(|(key, _)| key.as_str()).filter(|key| !key.contains("token")).collect()
}

#[test]
fn a_file_of_version_6_becomes_sections_that_the_server_accepts() {
    let imported = import(VERSION_6, FileFormat::Json).unwrap();
    let config = loaded(&imported);
    assert!(config.http_api.key.as_ref().unwrap().matches(b"api key"));
    assert_eq!(config.http_api.error_mode, crate::config::ErrorMode::Transport);
    assert_eq!(config.user_status.expire_interval.0.as_secs(), 720 * 3600);
    assert_eq!(config.user_status.presence_update_interval.0.as_millis(), 13_500);
    assert_eq!(config.server.drain_timeout.0.as_secs(), 60);
    assert_eq!(config.operation.metrics, crate::config::Exposure::Never);
    let text = imported.to_string();
    assert!(text.contains("[server]\naddress = \"127.0.0.1:9000\"\ndrain_timeout = \"1m\"\n"), "{text}");
    assert!(text.contains("#   http_api.insecure: the server API is not served without a key\n"), "{text}");
    assert_eq!(left_out(&imported), ["channel.namespaces", "http_api.insecure", "user_status.redis.address"]);
}

#[test]
fn a_file_of_version_5_has_the_same_settings_with_flat_names() {
    let imported = import(VERSION_5, FileFormat::Yaml).unwrap();
    let config = loaded(&imported);
    assert!(config.http_api.key.as_ref().unwrap().matches(b"api key"));
    assert_eq!(config.user_status.expire_interval.0.as_secs(), 24 * 3600);
    assert_eq!(config.user_status.presence_update_interval.0.as_secs(), 20);
    assert_eq!(config.centrifugo.client.user_connection_limit, 3);
    assert!(imported.to_string().contains("address = \"0.0.0.0:9001\""), "{imported}");
    assert_eq!(left_out(&imported), ["namespaces", "user_status.redis_address"]);
}

#[test]
fn toml_is_read_and_a_bad_value_is_left_out_with_its_reason() {
    let text = "[user_status]\nexpire_interval = \"soon\"\nstate_regex = \"(\"\n[client]\nconcurrency = 8\n";
    let imported = import(text, FileFormat::Toml).unwrap();
    let reasons: BTreeMap<&str, &str> =
        imported.left_out.iter().map(|(key, reason)| (key.as_str(), reason.as_str())).collect();
    assert!(reasons["user_status.expire_interval"].contains("a duration"), "{reasons:?}");
    assert!(reasons["user_status.state_regex"].contains("unclosed group"), "{reasons:?}");
    assert_eq!(reasons["client.concurrency"], "this server has no such setting");
    let empty = import("{}", FileFormat::Json).unwrap().to_string();
    assert_eq!(empty, "# This server has no setting of the file.\n");
}

#[test]
fn the_error_of_a_malformed_file_is_one_line() {
    for (text, format) in
        [("{", FileFormat::Json), ("[1]", FileFormat::Json), ("a: [", FileFormat::Yaml), ("=", FileFormat::Toml)]
    {
        let error = import(text, format).expect_err(text).to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert!(format("centrifugo.ini").is_none() && format("centrifugo").is_none());
}

#[test]
fn a_name_cannot_end_the_comment_that_names_it() {
    let text = import(r#"{"a\n[server]\nworkers = 7\n": 1}"#, FileFormat::Json).unwrap().to_string();
    let stray = text.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(stray, None, "{text}");
}
