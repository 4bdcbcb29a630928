//! Requests that a caller waits for: queries, commands, rate limits, the list of nodes.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::instance::RedisInstance;
use super::reader::read_users;
use crate::cluster::CallWindow;
use crate::cluster::node::NodeInfo;
use crate::presence::id::UserId;
use crate::presence::remote::Remote;
use crate::redis::call::{RedisCall, parse_reply};
use crate::redis::error::CallError;
use crate::redis::keys::RedisKeys;

type Result<T> = std::result::Result<T, CallError>;

/// Reads the other nodes' connections of users.
pub async fn query(instance: Arc<RedisInstance>, users: Vec<UserId>) -> Result<HashMap<UserId, Remote>> {
    let mut found = HashMap::new();
    for (user, stored) in users.iter().zip(read_users(&instance, &users).await) {
        let stored = stored?;
        if stored.version > 0 {
            found.insert(*user, instance.view.merge(&stored));
        }
    }
    Ok(found)
}

/// Publishes a message on a user's bucket.
pub async fn publish(instance: Arc<RedisInstance>, user: UserId, message: Vec<u8>) -> Result<()> {
    let mut command = redis::cmd("SPUBLISH");
    command.arg(instance.keys.channel(instance.keys.buckets().of(user))).arg(message);
    instance.pool.call(instance.slot(user), &RedisCall::plain(command)).await.map(drop)
}

/// Takes a call of a window. The inner error is the time until the next call is allowed.
pub async fn take_call(
    instance: Arc<RedisInstance>,
    user: UserId,
    window: CallWindow,
) -> Result<std::result::Result<(), Duration>> {
    let key = instance.keys.of_user(user, &format!("r:{}", window.name));
    let (limit, span) = (window.limit.max(1).to_string(), window.span.as_micros().to_string());
    let call = RedisCall::script(&instance.scripts.window, &[key], &[limit.as_bytes(), span.as_bytes()]);
    let wait: u64 = parse_reply(instance.pool.call(instance.slot(user), &call).await?)?;
    Ok(if wait == 0 { Ok(()) } else { Err(Duration::from_micros(wait)) })
}

/// Reads the nodes with a lease.
pub async fn nodes(instance: Arc<RedisInstance>) -> Result<Vec<NodeInfo>> {
    let mut command = redis::cmd("HGETALL");
    command.arg(instance.keys.nodes("meta"));
    let entries: Vec<(Vec<u8>, Vec<u8>)> =
        parse_reply(instance.pool.call(RedisKeys::nodes_slot(), &RedisCall::plain(command)).await?)?;
    let mut leases = redis::cmd("ZRANGE");
    leases.arg(instance.keys.nodes("lease")).arg(0).arg(-1);
    let live: Vec<Vec<u8>> =
        parse_reply(instance.pool.call(RedisKeys::nodes_slot(), &RedisCall::plain(leases)).await?)?;
    let is_live = |incarnation: &Vec<u8>| live.contains(incarnation);
    let living = entries.iter().filter(|(incarnation, _)| is_live(incarnation));
    Ok(living.filter_map(|(_, info)| serde_json::from_slice(info).ok()).collect())
}
