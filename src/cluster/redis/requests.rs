//! Questions and changes that somebody waits for.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use redis::{Cmd, Value};
use uuid::Uuid;

use super::reader::{parse, read_users, slot};
use super::script::Call;
use super::shard::Shard;
use crate::cluster::event::order as order_message;
use crate::cluster::keys::Keys;
use crate::cluster::node::NodeInfo;
use crate::cluster::{BackplaneError, CallWindow, List, Overflow, Seen, Sighting};
use crate::presence::elsewhere::Remote;
use crate::presence::id::UserId;
use crate::presence::quota::{Quota, QuotaExceeded};
use crate::presence::status::StatusText;

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

fn list_key(shard: &Shard, owner: UserId, list: List) -> String {
    let name = match list {
        List::Follows => "s:follows",
        List::Friends => "s:friends",
        List::Blocked => "s:blocked",
    };
    shard.keys.of_user(owner, name)
}

/// A member of a list: sixteen bytes, since there are very many.
fn user(bytes: &[u8]) -> Option<UserId> {
    Uuid::from_slice(bytes).ok().map(UserId::from_uuid)
}

/// Adds to a list.
pub async fn list_add(
    shard: Arc<Shard>,
    (owner, list): (UserId, List),
    users: Vec<UserId>,
    quota: Quota,
    overflow: Overflow,
) -> Result<std::result::Result<Vec<UserId>, QuotaExceeded>> {
    let asked = users.len();
    let limit = quota.limit();
    let drops = match overflow {
        Overflow::Refuse => "",
        Overflow::DropEarliest => "1",
    };
    let limit_text = limit.to_string();
    let mut arguments = vec![limit_text.as_bytes(), drops.as_bytes()];
    arguments.extend(users.iter().map(|user| &user.uuid_bytes()[..]));
    let call = Call::script(&shard.scripts.list_add, &[list_key(&shard, owner, list)], &arguments);
    let answer: Vec<Value> = parse(shard.pool.call(slot(&shard, owner), &call).await?)?;
    let mut fields = answer.into_iter();
    let refused: u8 = parse(fields.next().unwrap_or_default())?;
    let texts: Vec<Vec<u8>> = fields.map(parse).collect::<Result<_>>()?;
    if refused == 0 {
        return Ok(Ok(texts.iter().filter_map(|text| user(text)).collect()));
    }
    let held = texts.first().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(limit);
    Ok(Err(QuotaExceeded { limit, held, asked }))
}

/// Removes from a list.
pub async fn list_remove(shard: Arc<Shard>, owner: UserId, list: List, users: Vec<UserId>) -> Result<Vec<UserId>> {
    let remove = |user: &UserId| {
        let mut command = redis::cmd("ZREM");
        command.arg(list_key(&shard, owner, list)).arg(&user.uuid_bytes()[..]);
        (slot(&shard, owner), Call::plain(command))
    };
    let calls: Vec<_> = users.iter().map(remove).collect();
    let mut removed = Vec::new();
    for (user, answer) in users.iter().zip(shard.pool.call_all(&calls).await) {
        if parse::<u64>(answer?)? > 0 {
            removed.push(*user);
        }
    }
    Ok(removed)
}

/// A list, the earliest first.
pub async fn list(shard: Arc<Shard>, owner: UserId, list: List) -> Result<Vec<UserId>> {
    let mut command = redis::cmd("ZRANGE");
    command.arg(list_key(&shard, owner, list)).arg(0).arg(-1);
    let members: Vec<Vec<u8>> = parse(shard.pool.call(slot(&shard, owner), &Call::plain(command)).await?)?;
    Ok(members.iter().filter_map(|member| user(member)).collect())
}

/// Has a list forgotten later, or not.
pub async fn list_expire(shard: Arc<Shard>, owner: UserId, list: List, after: Option<Duration>) -> Result<()> {
    let key = list_key(&shard, owner, list);
    let mut command = Cmd::new();
    match after {
        Some(after) => command.arg("PEXPIRE").arg(key).arg(after.as_millis().to_string()),
        None => command.arg("PERSIST").arg(key),
    };
    shard.pool.call(slot(&shard, owner), &Call::plain(command)).await.map(drop)
}

/// Takes sightings in.
pub async fn saw(shard: Arc<Shard>, sightings: Vec<(UserId, Sighting)>, remember: Duration) -> Result<()> {
    let remember = remember.as_secs().max(1).to_string();
    let call = |(user, Sighting { forget, seen }): &(UserId, Sighting)| {
        let flag = |set: bool| if set { "1" } else { "" };
        let state = seen.state.as_ref().map_or("", |state| state.as_str());
        let (active, online) = (seen.active.to_string(), seen.online.to_string());
        let arguments = [flag(*forget), &active, &online, flag(seen.state.is_some()), state, &remember];
        let call = Call::script(&shard.scripts.seen, &[shard.keys.of_user(*user, "t")], &arguments.map(str::as_bytes));
        (slot(&shard, *user), call)
    };
    let calls: Vec<_> = sightings.iter().map(call).collect();
    shard.pool.call_all(&calls).await.into_iter().try_for_each(|answer| answer.map(drop))
}

/// When users were seen.
pub async fn seen(shard: Arc<Shard>, users: Vec<UserId>) -> Result<HashMap<UserId, Seen>> {
    let call = |user: &UserId| {
        let mut command = redis::cmd("HMGET");
        command.arg(shard.keys.of_user(*user, "t")).arg(&["a", "o", "s"]);
        (slot(&shard, *user), Call::plain(command))
    };
    let calls: Vec<_> = users.iter().map(call).collect();
    let mut found = HashMap::new();
    for (user, answer) in users.iter().zip(shard.pool.call_all(&calls).await) {
        let (active, online, state): (Option<u64>, Option<u64>, Option<String>) = parse(answer?)?;
        if let (Some(active), Some(online)) = (active, online) {
            let state = state.and_then(|text| StatusText::new(&text).ok());
            found.insert(*user, Seen { active, online, state });
        }
    }
    Ok(found)
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
