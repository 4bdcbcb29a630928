//! The sub-commands and what is refused.

use crate::binary::{Server, run};

fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn the_default_configuration_is_printed_and_usable() {
    let output = run(&["default-config"], &[]);
    assert!(output.status.success());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, output.stdout).unwrap();
    let checked = run(&["check-config", "--config", file.to_str().unwrap()], &[]);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_bad_configuration_ends_with_two_and_one_line() {
    let line = refused(&["check-config"], &[("HEREABOUTS_LIMITS__FOLLOWS_PER_SESSION", "lots")]);
    assert!(line.contains("limits.follows_per_session = \"lots\"") && line.contains("a whole number from 1"), "{line}");
    let line = refused(&["serve"], &[("HEREABOUTS_SERVER__PORT", "7350")]);
    assert!(line.contains("unknown field `port`"), "{line}");
    let line = refused(&["--address", "here"], &[]);
    assert!(line.contains("server.address = \"here\""), "{line}");
    let line = refused(&["--config", "nowhere.toml"], &[]);
    assert!(line.contains("nowhere.toml"), "{line}");
}

#[test]
fn development_keys_serve_on_loopback_only() {
    let line = refused(&["--address", "0.0.0.0:0"], &[]);
    assert!(line.contains("nakama.server_key") && line.contains("loopback"), "{line}");
}

#[test]
fn a_token_is_three_parts_and_a_bad_name_is_refused() {
    assert_eq!(Server::token("alice").split('.').count(), 3);
    let line = refused(&["token", "--user", "alice", "--username", "tab\there"], &[]);
    assert!(line.contains("control characters"), "{line}");
}

#[test]
fn a_server_stops_in_good_order_and_its_store_is_free_again() {
    for _ in 0..2 {
        let server = Server::start(&[]);
        assert_eq!(server.stop(), (Some(0), vec![]));
    }
}

#[test]
fn a_file_of_centrifugo_is_turned_into_one_that_is_usable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("centrifugo.json");
    let text = r#"{"http_api": {"key": "k"}, "user_status": {"expire_interval": "24h"}, "engine": {"type": "redis"}}"#;
    std::fs::write(&file, text).unwrap();
    let output = run(&["import-config", file.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{output:?}");
    let own = folder.path().join("own.toml");
    std::fs::write(&own, &output.stdout).unwrap();
    assert!(run(&["check-config", "--config", own.to_str().unwrap()], &[]).status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("[http_api]\nkey = \"k\"\n") && text.contains("#   engine.type: "), "{text}");
    let line = refused(&["import-config", "nowhere.json"], &[]);
    assert!(line.contains("nowhere.json"), "{line}");
    let line = refused(&["import-config", "centrifugo.ini"], &[]);
    assert!(line.contains("centrifugo.ini") && line.contains(".yaml"), "{line}");
    std::fs::write(&file, "{").unwrap();
    let line = refused(&["import-config", file.to_str().unwrap()], &[]);
    assert!(line.contains("centrifugo.json"), "{line}");
}

#[test]
fn a_user_sig_is_printed_where_there_is_a_secret() {
    let output = run(&["user-sig", "alice", "--expire", "1h"], &[]);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("eJ"), "zlib in base64");
    let line = refused(&["user-sig", "alice"], &[("HEREABOUTS_TENCENT__SECRET_KEY", "")]);
    assert!(line.contains("tencent.secret_key"), "{line}");
    let line = refused(&["user-sig", &"x".repeat(33)], &[]);
    assert!(line.contains("1 to 32 printable ASCII"), "{line}");
}
