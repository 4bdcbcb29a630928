//! Questions and changes that somebody waits for.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use super::reader::{parse, read_users, slot};
use super::script::Call;
use super::shard::Shard;
use crate::cluster::event::order as order_message;
use crate::cluster::keys::Keys;
use crate::cluster::node::NodeInfo;
use crate::cluster::{BackplaneError, CallWindow};
use crate::presence::id::UserId;
use crate::presence::remote::Remote;

type Result<T> = std::result::Result<T, BackplaneError>;

/// What other nodes have of users.
pub async fn look(shard: Arc<Shard>, users: Vec<UserId>) -> Result<HashMap<UserId, Remote>> {
    let mut found = HashMap::new();
    for (user, stored) in users.iter().zip(read_users(&shard, &users).await) {
        let stored = stored?;
        if stored.version > 0 {
            found.insert(*user, shard.table.merge(&stored));
        }
    }
    Ok(found)
}

/// Tells every node.
pub async fn order(shard: Arc<Shard>, user: UserId, order: Vec<u8>) -> Result<()> {
    let mut command = redis::cmd("SPUBLISH");
    command.arg(shard.keys.channel(shard.keys.buckets().of(user))).arg(order_message(user, &order));
    shard.pool.call(slot(&shard, user), &Call::plain(command)).await.map(drop)
}

/// Takes a call; else how long until the next.
pub async fn take_call(
    shard: Arc<Shard>,
    user: UserId,
    window: CallWindow,
) -> Result<std::result::Result<(), Duration>> {
    let key = shard.keys.of_user(user, &format!("r:{}", window.name));
    let (limit, span) = (window.limit.max(1).to_string(), window.span.as_micros().to_string());
    let call = Call::script(&shard.scripts.window, &[key], &[limit.as_bytes(), span.as_bytes()]);
    let wait: u64 = parse(shard.pool.call(slot(&shard, user), &call).await?)?;
    Ok(if wait == 0 { Ok(()) } else { Err(Duration::from_micros(wait)) })
}

/// The nodes that have a lease.
pub async fn nodes(shard: Arc<Shard>) -> Result<Vec<NodeInfo>> {
    let mut command = redis::cmd("HGETALL");
    command.arg(shard.keys.nodes("meta"));
    let entries: Vec<(Vec<u8>, Vec<u8>)> = parse(shard.pool.call(Keys::nodes_slot(), &Call::plain(command)).await?)?;
    let mut leases = redis::cmd("ZRANGE");
    leases.arg(shard.keys.nodes("lease")).arg(0).arg(-1);
    let live: Vec<Vec<u8>> = parse(shard.pool.call(Keys::nodes_slot(), &Call::plain(leases)).await?)?;
    let is_live = |incarnation: &Vec<u8>| live.contains(incarnation);
    let living = entries.iter().filter(|(incarnation, _)| is_live(incarnation));
    Ok(living.filter_map(|(_, info)| serde_json::from_slice(info).ok()).collect())
}
