//! What is refused at the start, and how.

use hereabouts::cluster::redis::StartError;

use super::server::{RedisServer, free_port};
use super::world::{config, config_with, start_node};

async fn refusal(redis: &str) -> StartError {
    match start_node(&config(redis), "one").await {
        Ok(_) => panic!("{redis} should be refused"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn nobody_there() {
    let port = free_port();
    let error = refusal(&format!("redis://127.0.0.1:{port}")).await;
    assert!(matches!(&error, StartError::Unreachable { redis, .. } if redis.contains(&port.to_string())), "{error}");
}

#[tokio::test]
async fn a_wrong_password_or_none() {
    let server = RedisServer::with(&["--requirepass", "right"]);
    for login in [":wrong@", "somebody:right@", ""] {
        let error = refusal(&format!("redis://{login}127.0.0.1:{}", server.port)).await;
        assert!(matches!(error, StartError::Unauthorized { .. }), "{login}: {error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
    assert!(start_node(&config(&server.url()), "one").await.is_ok());
}

#[tokio::test]
async fn a_user_of_an_access_list() {
    let server = RedisServer::start();
    let () = server.command(&["ACL", "SETUSER", "presence", "on", ">p@ss", "~hereabouts:*", "&hereabouts:*", "+@all"]);
    let url = format!("redis://presence:p%40ss@127.0.0.1:{}", server.port);
    assert!(start_node(&config(&url), "one").await.is_ok());
}

#[tokio::test]
async fn one_that_throws_keys_away() {
    let server = RedisServer::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let error = refusal(&server.url()).await;
    assert!(matches!(&error, StartError::Evicts { policy, .. } if policy == "allkeys-lru"), "{error}");
    let server = RedisServer::with(&["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]);
    assert!(start_node(&config(&server.url()), "one").await.is_ok());
}

#[tokio::test]
async fn a_cluster_that_is_not_called_one_and_the_other_way_round() {
    let server = RedisServer::start();
    let error = refusal(&format!("redis+cluster://127.0.0.1:{}", server.port)).await;
    assert!(matches!(error, StartError::NoCluster { .. } | StartError::Unreachable { .. }), "{error}");
    let server = RedisServer::with(&["--cluster-enabled", "yes"]);
    let error = refusal(&server.url()).await;
    assert!(matches!(error, StartError::IsCluster { .. }), "{error}");
}

#[tokio::test]
async fn another_division_of_users() {
    let server = RedisServer::start();
    let (_node, _) = start_node(&config(&server.url()), "one").await.unwrap();
    let other = config_with(&[("REDIS", &server.url()), ("BUCKETS", "1024")]);
    let Err(error) = start_node(&other, "two").await else { panic!("users would be looked for elsewhere") };
    assert!(matches!(error, StartError::OtherLayout { .. }) && error.to_string().contains("buckets=32"), "{error}");
    let elsewhere = config_with(&[("REDIS", &server.url()), ("BUCKETS", "1024"), ("PREFIX", "another")]);
    assert!(start_node(&elsewhere, "two").await.is_ok());
}

#[tokio::test]
async fn a_database_of_its_own() {
    let server = RedisServer::start();
    let (_node, _) = start_node(&config(&format!("{}/3", server.url())), "one").await.unwrap();
    let keys: String = server.command(&["INFO", "keyspace"]);
    assert!(keys.contains("db3:") && !keys.contains("db0:"), "{keys}");
}
