//! The messages of Nakama's envelope that this server does not serve: field number and name in JSON.
//!
//! The decoder recognises them, so that the reply is an error with their cid and the socket stays open. No client may send
//! those of [`Scope::ServerOnly`].

/// The kind of a message that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A client may send it to Nakama. A presence server does not serve it.
    NotServed(&'static str),
    /// Only a server sends it.
    ServerOnly,
}

/// Messages that clients send.
const NOT_SERVED: [(u32, &str); 24] = [
    (3, "channel_join"),
    (4, "channel_leave"),
    (7, "channel_message_send"),
    (8, "channel_message_update"),
    (9, "channel_message_remove"),
    (13, "match_create"),
    (15, "match_data_send"),
    (16, "match_join"),
    (17, "match_leave"),
    (19, "matchmaker_add"),
    (21, "matchmaker_remove"),
    (24, "rpc"),
    (35, "party_create"),
    (36, "party_join"),
    (37, "party_leave"),
    (38, "party_promote"),
    (40, "party_accept"),
    (41, "party_remove"),
    (42, "party_close"),
    (43, "party_join_request_list"),
    (45, "party_matchmaker_add"),
    (46, "party_matchmaker_remove"),
    (49, "party_data_send"),
    (51, "party_update"),
];

/// Messages that servers send.
const SERVER_ONLY: [(u32, &str); 21] = [
    (2, "channel"),
    (5, "channel_message"),
    (6, "channel_message_ack"),
    (10, "channel_presence_event"),
    (11, "error"),
    (12, "match"),
    (14, "match_data"),
    (18, "match_presence_event"),
    (20, "matchmaker_matched"),
    (22, "matchmaker_ticket"),
    (23, "notifications"),
    (25, "status"),
    (27, "status_presence_event"),
    (30, "stream_data"),
    (31, "stream_presence_event"),
    (34, "party"),
    (39, "party_leader"),
    (44, "party_join_request"),
    (47, "party_matchmaker_ticket"),
    (48, "party_data"),
    (50, "party_presence_event"),
];

impl Scope {
    /// Finds a message by its JSON name in snake_case.
    pub fn of_name(name: &str) -> Option<Self> {
        find(|&&(_, known)| known == name)
    }

    /// Finds a message by its field number.
    pub fn of_number(number: u32) -> Option<Self> {
        find(|&&(known, _)| known == number)
    }
}

fn find(is_it: impl Fn(&&(u32, &'static str)) -> bool) -> Option<Scope> {
    let not_served = NOT_SERVED.iter().find(&is_it).map(|&(_, name)| Scope::NotServed(name));
    not_served.or_else(|| SERVER_ONLY.iter().find(&is_it).map(|_| Scope::ServerOnly))
}
