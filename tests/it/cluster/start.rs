//! The refusals at the start, and their errors.

use std::path::Path;
use std::process::Command;

use hereabouts::presence::id::UserId;
use hereabouts::redis::error::StartError;

use super::server::{RedisServer, free_port};
use super::world::{config, config_with, start_node};

async fn refusal(redis: &str) -> StartError {
    match start_node(&config(redis), "one").await {
        Ok(_) => panic!("{redis} should be refused"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_missing_server_is_refused() {
    let port = free_port();
    let error = refusal(&format!("redis://127.0.0.1:{port}")).await;
    assert!(matches!(&error, StartError::Unreachable { redis, .. } if redis.contains(&port.to_string())), "{error}");
}

#[tokio::test]
async fn a_wrong_or_missing_password_is_refused() {
    let server = RedisServer::with(&["--requirepass", "right"]);
    for login in [":wrong@", "somebody:right@", ""] {
        let error = refusal(&format!("redis://{login}127.0.0.1:{}", server.port)).await;
        assert!(matches!(error, StartError::Unauthorized { .. }), "{login}: {error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
    assert!(start_node(&config(&server.url()), "one").await.is_ok());
}

#[tokio::test]
async fn a_user_of_an_access_list_is_accepted() {
    let server = RedisServer::start();
    let () = server.command(&["ACL", "SETUSER", "presence", "on", ">p@ss", "~hereabouts:*", "&hereabouts:*", "+@all"]);
    let url = format!("redis://presence:p%40ss@127.0.0.1:{}", server.port);
    assert!(start_node(&config(&url), "one").await.is_ok());
}

#[tokio::test]
async fn a_redis_with_eviction_is_refused() {
    let server = RedisServer::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let error = refusal(&server.url()).await;
    assert!(matches!(&error, StartError::Evicts { policy, .. } if policy == "allkeys-lru"), "{error}");
    let server = RedisServer::with(&["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]);
    assert!(start_node(&config(&server.url()), "one").await.is_ok());
}

#[tokio::test]
async fn a_cluster_under_the_wrong_kind_of_address_is_refused() {
    let server = RedisServer::start();
    let error = refusal(&format!("redis+cluster://127.0.0.1:{}", server.port)).await;
    assert!(matches!(error, StartError::NoCluster { .. } | StartError::Unreachable { .. }), "{error}");
    let server = RedisServer::with(&["--cluster-enabled", "yes"]);
    let error = refusal(&server.url()).await;
    assert!(matches!(error, StartError::IsCluster { .. }), "{error}");
}

#[tokio::test]
async fn another_number_of_buckets_is_refused() {
    let server = RedisServer::start();
    let (_node, _) = start_node(&config(&server.url()), "one").await.unwrap();
    let other = config_with(&[("REDIS", &server.url()), ("BUCKETS", "1024")]);
    let Err(error) = start_node(&other, "two").await else { panic!("users would be looked for elsewhere") };
    assert!(matches!(error, StartError::OtherLayout { .. }) && error.to_string().contains("buckets=32"), "{error}");
    let other_prefix = config_with(&[("REDIS", &server.url()), ("BUCKETS", "1024"), ("PREFIX", "another")]);
    assert!(start_node(&other_prefix, "two").await.is_ok());
}

#[tokio::test]
async fn a_database_of_its_own() {
    let server = RedisServer::start();
    let (_node, _) = start_node(&config(&format!("{}/3", server.url())), "one").await.unwrap();
    let keys: String = server.command(&["INFO", "keyspace"]);
    assert!(keys.contains("db3:") && !keys.contains("db0:"), "{keys}");
}

/// Makes an authority and a certificate of it for loopback, as PEM files: `ca.pem`, `key.pem`, `cert.pem`.
fn make_certificates(folder: &Path) {
    let openssl = |words: &str| {
        let output = Command::new("openssl").args(words.split_whitespace()).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority");
    openssl("req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=redis");
    openssl("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem");
}

#[tokio::test]
async fn an_encrypted_line() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let port = free_port();
    let files = [file("cert.pem"), file("key.pem"), file("ca.pem")];
    let _server = RedisServer::with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &files[0],
        "--tls-key-file",
        &files[1],
        "--tls-ca-cert-file",
        &files[2],
    ]);
    let url = format!("rediss://127.0.0.1:{port}");
    let trusting = config_with(&[("REDIS", &url), ("TLS_CA", &files[2])]);
    let (one, _) = start_node(&trusting, "one").await.unwrap();
    let (two, _) = start_node(&trusting, "two").await.unwrap();
    let alice = UserId::random();
    two.backplane.watch(alice);
    one.announces(alice, &["here"]);
    two.sees(alice, &["here"]).await;
    let error = refusal(&url).await;
    assert!(matches!(error, StartError::Unreachable { .. }), "the system does not trust it: {error}");
    let nowhere = config_with(&[("REDIS", &url), ("TLS_CA", "/nowhere.pem")]);
    let Err(error) = start_node(&nowhere, "three").await else { panic!("there is no such file") };
    assert!(matches!(error, StartError::Certificates { .. }), "{error}");
}
