//! The map from slots to master servers, and its discovery.

use redis::{ErrorKind, RedisError, RedisResult, Value};

use super::connector::{Connector, Host};
use super::slots::{SLOTS, Slot};
use crate::config::{RedisKind, RedisLogin};

/// The master servers with their ranges of slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// First slot, last slot, master. Sorted.
    ranges: Vec<(u32, u32, Host)>,
}

impl Topology {
    fn single(host: Host) -> Self {
        Self { ranges: vec![(0, SLOTS - 1, host)] }
    }

    /// Returns the master of a slot, or `None` while a cluster is incomplete.
    pub fn host(&self, slot: Slot) -> Option<&Host> {
        let slot = u32::from(slot);
        self.ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot)).map(|(.., host)| host)
    }

    /// Returns every master once.
    pub fn masters(&self) -> Vec<Host> {
        let mut hosts: Vec<Host> = self.ranges.iter().map(|(.., host)| host.clone()).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

/// Asks the configured servers or sentinels for the masters. `known` are servers that answered before.
pub async fn discover(connector: &Connector, known: &[Host]) -> RedisResult<Topology> {
    let address = connector.address();
    match &address.kind {
        RedisKind::Standalone => Ok(Topology::single(address.hosts[0].clone())),
        RedisKind::Sentinel { master, login } => ask_sentinels(connector, master, login).await,
        RedisKind::Cluster => ask_cluster(connector, known).await,
    }
}

async fn ask_sentinels(connector: &Connector, master: &str, login: &RedisLogin) -> RedisResult<Topology> {
    let mut failure = RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no sentinel knows this master"));
    for host in &connector.address().hosts {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
        let asked = async { command.query_async::<Option<Host>>(&mut connector.to_sentinel(host, login).await?).await };
        match asked.await {
            Ok(Some(found)) => return Ok(Topology::single(found)),
            Ok(None) => {}
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn ask_cluster(connector: &Connector, known: &[Host]) -> RedisResult<Topology> {
    let mut failure = RedisError::from((ErrorKind::ClusterConnectionNotFound, "no server of the cluster answers"));
    for host in known.iter().chain(&connector.address().hosts) {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let asked = async { command.query_async::<Value>(&mut connector.for_commands(host).await?).await };
        match asked.await.and_then(|reply| read_slots(&reply, host)) {
            Ok(topology) => return Ok(topology),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Reads the reply to `CLUSTER SLOTS`: ranges, each with its master first. An empty name means the server that was
/// asked.
fn read_slots(reply: &Value, asked: &Host) -> RedisResult<Topology> {
    let unreadable = || RedisError::from((ErrorKind::Parse, "cluster slots cannot be read"));
    let Value::Array(items) = reply else { return Err(unreadable()) };
    let mut ranges = Vec::new();
    for item in items {
        let Value::Array(fields) = item else { return Err(unreadable()) };
        let (Some(Value::Int(first)), Some(Value::Int(last)), Some(Value::Array(master))) =
            (fields.first(), fields.get(1), fields.get(2))
        else {
            return Err(unreadable());
        };
        let name = match master.first() {
            Some(Value::BulkString(name)) if !name.is_empty() => String::from_utf8_lossy(name).into_owned(),
            Some(_) | None => asked.0.clone(),
        };
        let Some(Value::Int(port)) = master.get(1) else { return Err(unreadable()) };
        let number = |number: i64| u32::try_from(number).map_err(|_| unreadable());
        let port = u16::try_from(*port).map_err(|_| unreadable())?;
        ranges.push((number(*first)?, number(*last)?, (name, port)));
    }
    ranges.sort();
    if ranges.is_empty() {
        return Err(RedisError::from((ErrorKind::ClusterConnectionNotFound, "the cluster has no slots")));
    }
    Ok(Topology { ranges })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: i64, last: i64, name: &str, port: i64) -> Value {
        let server = |name: &str, port| Value::Array(vec![Value::BulkString(name.into()), Value::Int(port)]);
        Value::Array(vec![Value::Int(first), Value::Int(last), server(name, port), server("replica", 1)])
    }

    #[test]
    fn slots_are_read_and_a_missing_slot_has_no_host() {
        let reply = Value::Array(vec![range(8192, 16_383, "b", 2), range(0, 8000, "", 7)]);
        let topology = read_slots(&reply, &("asked".into(), 1)).unwrap();
        assert_eq!(topology.host(0), Some(&("asked".into(), 7)));
        assert_eq!(topology.host(16_383), Some(&("b".into(), 2)));
        assert_eq!(topology.host(8100), None);
        assert_eq!(topology.masters(), [("asked".into(), 7), ("b".into(), 2)]);
        for wrong in [Value::Nil, Value::Array(vec![]), Value::Array(vec![Value::Int(1)])] {
            assert!(read_slots(&wrong, &("asked".into(), 1)).is_err(), "{wrong:?}");
        }
    }
}
