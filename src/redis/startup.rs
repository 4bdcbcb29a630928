//! Checks one configured Redis before anything is written to it.

use redis::{RedisError, Value};

use super::call::RedisCall;
use super::connector::Host;
use super::error::StartError;
use super::keys::RedisKeys;
use super::pool::Pool;
use crate::config::RedisKind;

/// The oldest major version with sharded channels.
const MIN_MAJOR_VERSION: u32 = 7;

/// Checks every master, and that this node divides users as the other nodes do.
pub async fn check(pool: &Pool, keys: &RedisKeys, names: &[String]) -> Result<(), StartError> {
    let address = pool.connector().address();
    let unreachable = |error: &RedisError| unreachable(&address.name(), error);
    let topology = pool.topology().await.map_err(|error| unreachable(&error))?;
    for host in topology.masters() {
        check_server(pool, &host).await?;
    }
    check_layout(pool, keys, names).await
}

fn unreachable(redis: &str, error: &RedisError) -> StartError {
    let (redis, text) = (redis.to_owned(), error.to_string());
    if error.kind() == redis::ErrorKind::AuthenticationFailed || text.contains("WRONGPASS") || text.contains("NOAUTH") {
        return StartError::Unauthorized { redis, text };
    }
    StartError::Unreachable { redis, text }
}

async fn check_server(pool: &Pool, host: &Host) -> Result<(), StartError> {
    let redis = format!("{}:{}", host.0, host.1);
    let mut connection = pool.connection(host).await.map_err(|error| unreachable(&redis, &error))?;
    let info: String =
        redis::cmd("INFO").query_async(&mut connection).await.map_err(|error| unreachable(&redis, &error))?;
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim()
    };
    let version = field("redis_version");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < MIN_MAJOR_VERSION) {
        return Err(StartError::TooOld { redis, version: version.to_owned() });
    }
    let policy = field("maxmemory_policy");
    if field("maxmemory") != "0" && policy != "noeviction" {
        return Err(StartError::Evicts { redis, policy: policy.to_owned() });
    }
    let is_cluster = field("cluster_enabled") == "1";
    match (&pool.connector().address().kind, is_cluster) {
        (RedisKind::Standalone | RedisKind::Sentinel { .. }, true) => Err(StartError::IsCluster { redis }),
        (RedisKind::Cluster, false) => Err(StartError::NoCluster { redis }),
        (RedisKind::Standalone | RedisKind::Sentinel { .. } | RedisKind::Cluster, _) => Ok(()),
    }
}

/// Checks that the number of buckets and the names of all Redis are the same on every node. Otherwise nodes would look
/// for a user in different places.
async fn check_layout(pool: &Pool, keys: &RedisKeys, names: &[String]) -> Result<(), StartError> {
    // A single Redis has everything under any name.
    let mut names = if names.len() > 1 { names.to_vec() } else { Vec::new() };
    names.sort();
    let layout = format!("1 buckets={} redis={}", keys.buckets().count(), names.join(" "));
    let key = keys.nodes("layout");
    let mut set = redis::cmd("SET");
    set.arg(&key).arg(&layout).arg("NX").arg("GET");
    let failed = |error| StartError::Unusable { redis: pool.connector().address().name(), error };
    let found = pool.call(RedisKeys::nodes_slot(), &RedisCall::plain(set)).await.map_err(failed)?;
    if let Value::BulkString(found) = found
        && found != layout.as_bytes()
    {
        return Err(StartError::OtherLayout { key, found: String::from_utf8_lossy(&found).into_owned(), layout });
    }
    Ok(())
}
