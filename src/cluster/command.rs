//! What a node has to do about a user because another node says so. An order is not kept: who misses it hears
//! [`Listener::missed`](super::Listener::missed).

use prost::Message;
use uuid::Uuid;

use crate::presence::id::ConnectionId;
use crate::presence::roster::RosterKind;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// What is to be done, wherever something of the user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeCommand {
    /// Close one connection, or all.
    Close {
        /// Which one; none: all.
        connection: Option<ConnectionId>,
        /// But not these; at most [`NodeCommand::MAX_SPARED`] are sent.
        except: Vec<ConnectionId>,
        /// The close code, where the dialect has codes.
        code: u32,
        /// The reason, for people; at most [`NodeCommand::MAX_REASON_BYTES`] are sent.
        reason: String,
    },
    /// Tell followers that the user did something.
    Seen {
        /// What was known of when it was seen is gone first.
        forget: bool,
        /// The time of day; zero: it did nothing.
        active: Timestamp,
        /// What it said of itself.
        state: Option<StatusText>,
    },
    /// Read a list of the user's again.
    Roster(RosterKind),
    /// Read the account's subscriptions again.
    Listed {
        /// The revision that there is.
        revision: u64,
    },
}

#[derive(Clone, PartialEq, Message)]
struct Packed {
    #[prost(oneof = "PackedOrder", tags = "1, 2, 3, 4")]
    order: Option<PackedOrder>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum PackedOrder {
    #[prost(message, tag = "1")]
    Close(PackedClose),
    #[prost(message, tag = "2")]
    Seen(PackedSeen),
    /// 1: friends, 2: blocked.
    #[prost(uint32, tag = "3")]
    Roster(u32),
    #[prost(uint64, tag = "4")]
    Listed(u64),
}

#[derive(Clone, PartialEq, Message)]
struct PackedClose {
    #[prost(bytes = "vec", tag = "1")]
    connection: Vec<u8>,
    #[prost(uint32, tag = "2")]
    code: u32,
    #[prost(string, tag = "3")]
    reason: String,
    #[prost(bytes = "vec", repeated, tag = "4")]
    except: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct PackedSeen {
    #[prost(bool, tag = "1")]
    forget: bool,
    /// Seconds since the Unix epoch.
    #[prost(uint64, tag = "2")]
    active: u64,
    #[prost(string, optional, tag = "3")]
    state: Option<String>,
}

fn number(kind: RosterKind) -> u32 {
    match kind {
        RosterKind::Friends => 1,
        RosterKind::Blocked => 2,
    }
}

fn id(bytes: &[u8]) -> Option<ConnectionId> {
    Uuid::from_slice(bytes).ok().map(ConnectionId::from_uuid)
}

impl NodeCommand {
    /// The longest reason, bytes.
    pub const MAX_REASON_BYTES: usize = 256;

    /// The most connections that are spared.
    pub const MAX_SPARED: usize = 1000;

    /// Packs it.
    pub fn encode(&self) -> Vec<u8> {
        let order = match self {
            Self::Close { connection, except, code, reason } => {
                let ends = (0..=Self::MAX_REASON_BYTES.min(reason.len())).rev();
                let end = ends.into_iter().find(|&end| reason.is_char_boundary(end)).unwrap_or(0);
                let bytes = |id: &ConnectionId| id.uuid().as_bytes().to_vec();
                PackedOrder::Close(PackedClose {
                    connection: connection.as_ref().map_or_else(Vec::new, bytes),
                    code: *code,
                    reason: reason[..end].to_owned(),
                    except: except.iter().take(Self::MAX_SPARED).map(bytes).collect(),
                })
            }
            Self::Seen { forget, active, state } => PackedOrder::Seen(PackedSeen {
                forget: *forget,
                active: active.as_secs(),
                state: state.as_ref().map(|text| text.as_str().to_owned()),
            }),
            Self::Roster(kind) => PackedOrder::Roster(number(*kind)),
            Self::Listed { revision } => PackedOrder::Listed(*revision),
        };
        Packed { order: Some(order) }.encode_to_vec()
    }

    /// Unpacks it; none for what this version does not know.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Some(match Packed::decode(bytes).ok()?.order? {
            PackedOrder::Close(PackedClose { connection, code, reason, except }) => {
                let connection = if connection.is_empty() { None } else { Some(id(&connection)?) };
                let except: Option<_> = except.iter().take(Self::MAX_SPARED).map(|bytes| id(bytes)).collect();
                Self::Close { connection, except: except?, code, reason }
            }
            PackedOrder::Seen(PackedSeen { forget, active, state }) => Self::Seen {
                forget,
                active: Timestamp::from_secs(active),
                state: state.as_deref().map(StatusText::new).transpose().ok()?,
            },
            PackedOrder::Roster(kind) => Self::Roster(RosterKind::ALL.into_iter().find(|&one| number(one) == kind)?),
            PackedOrder::Listed(revision) => Self::Listed { revision },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_packed() {
        let connection = |number| ConnectionId::from_uuid(Uuid::from_u128(number));
        let except = vec![connection(6)];
        for order in [
            NodeCommand::Close { connection: None, except: Vec::new(), code: 0, reason: String::new() },
            NodeCommand::Close { connection: Some(connection(5)), except, code: 3005, reason: "bye".into() },
            NodeCommand::Seen { forget: true, active: Timestamp::default(), state: None },
            NodeCommand::Seen { forget: false, active: Timestamp::from_secs(7), state: StatusText::new("away").ok() },
            NodeCommand::Roster(RosterKind::Friends),
            NodeCommand::Roster(RosterKind::Blocked),
            NodeCommand::Listed { revision: 7 },
        ] {
            assert_eq!(NodeCommand::decode(&order.encode()), Some(order));
        }
    }

    #[test]
    fn a_reason_is_cut_between_letters_and_what_is_unknown_is_none() {
        let long = NodeCommand::Close { connection: None, except: Vec::new(), code: 1, reason: "é".repeat(500) };
        let Some(NodeCommand::Close { reason, .. }) = NodeCommand::decode(&long.encode()) else { panic!("unreadable") };
        assert_eq!(reason, "é".repeat(128));
        assert_eq!(NodeCommand::decode(b"\xff"), None);
        assert_eq!(NodeCommand::decode(b""), None, "of a later version");
        assert_eq!(NodeCommand::decode(&[0x18, 9]), None, "a list of a later version");
    }
}
