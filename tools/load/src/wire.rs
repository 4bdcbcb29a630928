//! The wire format: the handshake, frames (RFC 6455), and the few messages of Nakama (as JSON) that the scenarios need.

use memchr::memmem;
use serde::Serialize;

/// Returns the id of the user with this number.
pub fn user_id(user: u32) -> String {
    format!("00000000-0000-4000-8000-{user:012x}")
}

#[derive(Serialize)]
struct Claims {
    tid: String,
    uid: String,
    usn: String,
    exp: u64,
    iat: u64,
}

/// Signs a session token like the server's own login.
pub fn token(user: u32, key: &[u8], now: u64) -> anyhow::Result<String> {
    let claims =
        Claims { tid: user_id(user), uid: user_id(user), usn: format!("user{user}"), exp: now + 24 * 3600, iat: now };
    let key = jsonwebtoken::EncodingKey::from_secret(key);
    Ok(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?)
}

/// Returns the request of the opening handshake. With `status` the user is visible from the start.
pub fn handshake(token: &str, status: bool) -> String {
    format!(
        "GET /ws?lang=en&status={status}&token={token} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Returns `status_update`. The status must need no escapes.
pub fn update(status: &str) -> String {
    format!(r#"{{"cid":"1","status_update":{{"status":"{status}"}}}}"#)
}

/// Returns `status_follow`.
pub fn follow(users: &[u32]) -> String {
    let ids: Vec<String> = users.iter().map(|&user| format!(r#""{}""#, user_id(user))).collect();
    format!(r#"{{"cid":"2","status_follow":{{"user_ids":[{}]}}}}"#, ids.join(","))
}

/// Appends a client's frame, masked with zeros: section 5.3 of the RFC requires a mask, and zeros keep the payload.
pub fn frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match u16::try_from(payload.len()) {
        Ok(length @ 0..126) => out.push(0x80 | u8::try_from(length).unwrap_or(125)),
        Ok(length) => {
            out.push(0x80 | 126);
            out.extend(length.to_be_bytes());
        }
        Err(_) => {
            out.push(0x80 | 127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(payload);
}

/// Parses the first frame in `bytes`: opcode, payload, and length of the whole frame. `None` when it is not complete. The
/// payload stays masked; the server neither masks nor fragments.
pub fn parse_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (start, length) = match second & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let masked = if second & 0x80 == 0 { 0 } else { 4 };
    let start = start + masked;
    let payload = bytes.get(start..usize::checked_add(start, length)?)?;
    Some((first & 0x0f, payload, start + length))
}

/// One presence in a message of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenPresence<'a> {
    /// The user's number.
    pub user: u32,
    /// The user's status. `None` means that the user left.
    pub status: Option<&'a [u8]>,
    /// The presence is part of an event, not of the reply to a follow.
    pub change: bool,
}

/// Passes on every presence in a message. A user that leaves and joins has changed its status and is passed on once.
pub fn presences<'a>(message: &'a [u8], mut handle: impl FnMut(SeenPresence<'a>)) {
    let joins = memmem::find(message, br#""joins":["#);
    let leaves = memmem::find(message, br#""leaves":["#);
    if joins.is_none() && leaves.is_none() {
        each(message, |user, status| handle(SeenPresence { user, status: Some(status), change: false }));
        return;
    }
    let (joined, left) = match (joins, leaves) {
        (Some(joins), Some(leaves)) if joins < leaves => (&message[joins..leaves], &message[leaves..]),
        (Some(joins), Some(leaves)) => (&message[joins..], &message[leaves..joins]),
        (Some(joins), None) => (&message[joins..], &message[..0]),
        (None, Some(leaves)) => (&message[..0], &message[leaves..]),
        (None, None) => return,
    };
    let mut present = Vec::new();
    each(joined, |user, status| {
        present.push(user);
        handle(SeenPresence { user, status: Some(status), change: true });
    });
    each(left, |user, _| {
        if !present.contains(&user) {
            handle(SeenPresence { user, status: None, change: true });
        }
    });
}

fn each<'a>(mut text: &'a [u8], mut handle: impl FnMut(u32, &'a [u8])) {
    const USER: &[u8] = br#""user_id":""#;
    const STATUS: &[u8] = br#""status":""#;
    while let Some(at) = memmem::find(text, USER) {
        text = &text[at + USER.len()..];
        let Some(user) = text.get(24..36).and_then(hexadecimal) else { return };
        let end = memchr::memchr(b'}', text).unwrap_or(text.len());
        let status = memmem::find(&text[..end], STATUS).map_or(&text[..0], |at| {
            let status = &text[at + STATUS.len()..end];
            &status[..memchr::memchr(b'"', status).unwrap_or(status.len())]
        });
        handle(user, status);
        text = &text[end..];
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(user: u32, status: &str) -> String {
        let id = user_id(user);
        format!(r#"{{"user_id":"{id}","session_id":"{id}","username":"user{user}","status":"{status}"}}"#)
    }

    fn seen(message: &str) -> Vec<(u32, Option<String>, bool)> {
        let mut seen = Vec::new();
        presences(message.as_bytes(), |presence| {
            let status = presence.status.map(|status| String::from_utf8(status.to_vec()).unwrap());
            seen.push((presence.user, status, presence.change));
        });
        seen
    }

    #[test]
    fn frames_of_every_length_form_are_parsed() {
        for length in [0, 5, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = Vec::new();
            frame(1, &payload, &mut bytes);
            let (opcode, parsed, taken) = parse_frame(&bytes).unwrap();
            assert_eq!((opcode, parsed.len(), taken), (1, length, bytes.len()));
            assert_eq!(parse_frame(&bytes[..bytes.len() - 1]), None, "an incomplete frame of {length} bytes");
        }
    }

    #[test]
    fn a_reply_lists_presences_that_are_no_changes() {
        let reply = format!(r#"{{"cid":"2","status":{{"presences":[{},{}]}}}}"#, presence(1, "a"), presence(2, "b"));
        assert_eq!(seen(&reply), [(1, Some("a".to_owned()), false), (2, Some("b".to_owned()), false)]);
    }

    #[test]
    fn a_user_that_leaves_and_joins_is_one_change() {
        let (joined, left) = (presence(1, "new"), presence(1, "old"));
        for (first, second) in [(("joins", &joined), ("leaves", &left)), (("leaves", &left), ("joins", &joined))] {
            let event =
                format!(r#"{{"status_presence_event":{{"{}":[{}],"{}":[{}]}}}}"#, first.0, first.1, second.0, second.1);
            assert_eq!(seen(&event), [(1, Some("new".to_owned()), true)]);
        }
    }

    #[test]
    fn a_user_that_only_leaves_has_no_status() {
        let event = format!(r#"{{"status_presence_event":{{"leaves":[{}]}}}}"#, presence(7, "old"));
        assert_eq!(seen(&event), [(7, None, true)]);
    }
}
