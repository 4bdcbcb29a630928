//! Commands from one node to all nodes about a user, and their packed form. Commands are not stored: a node that may have
//! lost one learns it by [`Listener::missed`](super::Listener::missed).

use prost::Message;
use uuid::Uuid;

use crate::presence::id::ConnectionId;
use crate::presence::roster::RosterKind;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// A command to every node with connections, followers or subscriptions of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeCommand {
    /// Close one connection of the user, or all.
    Close {
        /// The connection, or `None` for all.
        connection: Option<ConnectionId>,
        /// Connections that stay open. At most [`NodeCommand::MAX_SPARED`] are sent.
        except: Vec<ConnectionId>,
        /// The close code, for dialects with codes.
        code: u32,
        /// The reason, for people. At most [`NodeCommand::MAX_REASON_BYTES`] are sent and read.
        reason: String,
    },
    /// Tell followers about an activity of the user.
    Activity {
        /// The earlier last-seen record is forgotten first.
        forget: bool,
        /// Time of the activity, time of day. Zero means no activity.
        active: Timestamp,
        /// The state text given with the activity.
        state: Option<StatusText>,
    },
    /// Read one of the user's lists again.
    Roster(RosterKind),
    /// Read the member's subscriptions again.
    Subscriptions {
        /// The revision that is stored.
        revision: u64,
    },
}

#[derive(Clone, PartialEq, Message)]
struct PackedNodeCommand {
    #[prost(oneof = "PackedCommand", tags = "1, 2, 3, 4")]
    command: Option<PackedCommand>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum PackedCommand {
    #[prost(message, tag = "1")]
    Close(PackedClose),
    #[prost(message, tag = "2")]
    Activity(PackedActivity),
    /// 1 means friends, 2 means blocked.
    #[prost(uint32, tag = "3")]
    Roster(u32),
    #[prost(uint64, tag = "4")]
    Subscriptions(u64),
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
struct PackedActivity {
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
    /// Maximum length of a reason, bytes.
    pub const MAX_REASON_BYTES: usize = 256;

    /// Maximum number of connections that stay open.
    pub const MAX_SPARED: usize = 1000;

    /// Cuts a reason that is too long, between characters.
    fn short_reason(reason: &str) -> &str {
        &reason[..reason.floor_char_boundary(Self::MAX_REASON_BYTES)]
    }

    /// Packs the command.
    pub fn encode(&self) -> Vec<u8> {
        let command = match self {
            Self::Close { connection, except, code, reason } => {
                let bytes = |id: &ConnectionId| id.uuid().as_bytes().to_vec();
                PackedCommand::Close(PackedClose {
                    connection: connection.as_ref().map_or_else(Vec::new, bytes),
                    code: *code,
                    reason: Self::short_reason(reason).to_owned(),
                    except: except.iter().take(Self::MAX_SPARED).map(bytes).collect(),
                })
            }
            Self::Activity { forget, active, state } => PackedCommand::Activity(PackedActivity {
                forget: *forget,
                active: active.as_secs(),
                state: state.as_ref().map(|text| text.as_str().to_owned()),
            }),
            Self::Roster(kind) => PackedCommand::Roster(number(*kind)),
            Self::Subscriptions { revision } => PackedCommand::Subscriptions(*revision),
        };
        PackedNodeCommand { command: Some(command) }.encode_to_vec()
    }

    /// Unpacks a command. `None` means that this version does not know it.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Some(match PackedNodeCommand::decode(bytes).ok()?.command? {
            PackedCommand::Close(PackedClose { connection, code, reason, except }) => {
                let connection = if connection.is_empty() { None } else { Some(id(&connection)?) };
                let except: Option<_> = except.iter().take(Self::MAX_SPARED).map(|bytes| id(bytes)).collect();
                Self::Close { connection, except: except?, code, reason: Self::short_reason(&reason).to_owned() }
            }
            PackedCommand::Activity(PackedActivity { forget, active, state }) => Self::Activity {
                forget,
                active: Timestamp::from_secs(active),
                state: state.as_deref().map(StatusText::new).transpose().ok()?,
            },
            PackedCommand::Roster(kind) => Self::Roster(RosterKind::ALL.into_iter().find(|&one| number(one) == kind)?),
            PackedCommand::Subscriptions(revision) => Self::Subscriptions { revision },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_it_was_packed() {
        let connection = |number| ConnectionId::from_uuid(Uuid::from_u128(number));
        let except = vec![connection(6)];
        for command in [
            NodeCommand::Close { connection: None, except: Vec::new(), code: 0, reason: String::new() },
            NodeCommand::Close { connection: Some(connection(5)), except, code: 3005, reason: "bye".into() },
            NodeCommand::Activity { forget: true, active: Timestamp::default(), state: None },
            NodeCommand::Activity {
                forget: false,
                active: Timestamp::from_secs(7),
                state: StatusText::new("away").ok(),
            },
            NodeCommand::Roster(RosterKind::Friends),
            NodeCommand::Roster(RosterKind::Blocked),
            NodeCommand::Subscriptions { revision: 7 },
        ] {
            assert_eq!(NodeCommand::decode(&command.encode()), Some(command));
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters_and_an_unknown_command_is_none() {
        let long = NodeCommand::Close { connection: None, except: Vec::new(), code: 1, reason: "é".repeat(500) };
        let Some(NodeCommand::Close { reason, .. }) = NodeCommand::decode(&long.encode()) else { panic!("unreadable") };
        assert_eq!(reason, "é".repeat(128));
        let close = PackedClose { reason: "é".repeat(500), ..PackedClose::default() };
        let packed = PackedNodeCommand { command: Some(PackedCommand::Close(close)) }.encode_to_vec();
        let Some(NodeCommand::Close { reason, .. }) = NodeCommand::decode(&packed) else { panic!("unreadable") };
        assert_eq!(reason, "é".repeat(128), "that another version sent whole");
        assert_eq!(NodeCommand::decode(b"\xff"), None);
        assert_eq!(NodeCommand::decode(b""), None, "of a later version");
        assert_eq!(NodeCommand::decode(&[0x18, 9]), None, "a list of a later version");
    }
}
