//! What goes over the wire: the handshake, frames (RFC 6455), and Nakama's messages as JSON, no more than is needed.

use memchr::memmem;
use serde::Serialize;

/// The id of the generator's user of this number.
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

/// A session token, as the server's own log-in would give.
pub fn token(user: u32, key: &[u8], now: u64) -> anyhow::Result<String> {
    let claims =
        Claims { tid: user_id(user), uid: user_id(user), usn: format!("user{user}"), exp: now + 24 * 3600, iat: now };
    let key = jsonwebtoken::EncodingKey::from_secret(key);
    Ok(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?)
}

/// The opening handshake. With `status` the user is visible from the start.
pub fn handshake(token: &str, status: bool) -> String {
    format!(
        "GET /ws?lang=en&status={status}&token={token} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// `{"status_update"}` of a status that needs no escapes.
pub fn update(status: &str) -> String {
    format!(r#"{{"cid":"1","status_update":{{"status":"{status}"}}}}"#)
}

/// `{"status_follow"}`.
pub fn follow(users: &[u32]) -> String {
    let ids: Vec<String> = users.iter().map(|&user| format!(r#""{}""#, user_id(user))).collect();
    format!(r#"{{"cid":"2","status_follow":{{"user_ids":[{}]}}}}"#, ids.join(","))
}

/// A client's frame, masked with zeros (section 5.3 asks for a mask, not for a good one).
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

/// The first frame in `bytes`: opcode, payload, and what it takes altogether. The server masks nothing and fragments
/// nothing.
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

/// One presence in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// Whose.
    pub user: u32,
    /// What it shows; none: it has gone.
    pub status: Option<&'a [u8]>,
    /// Told as a change, not as part of a follow's answer.
    pub change: bool,
}

/// Every presence that a message tells of. A user that both leaves and joins has changed its status: told once.
pub fn presences<'a>(message: &'a [u8], mut tell: impl FnMut(Said<'a>)) {
    let joins = memmem::find(message, br#""joins":["#);
    let leaves = memmem::find(message, br#""leaves":["#);
    if joins.is_none() && leaves.is_none() {
        each(message, |user, status| tell(Said { user, status: Some(status), change: false }));
        return;
    }
    let (joined, left) = match (joins, leaves) {
        (Some(joins), Some(leaves)) if joins < leaves => (&message[joins..leaves], &message[leaves..]),
        (Some(joins), Some(leaves)) => (&message[joins..], &message[leaves..joins]),
        (Some(joins), None) => (&message[joins..], &message[..0]),
        (None, Some(leaves)) => (&message[..0], &message[leaves..]),
        (None, None) => return,
    };
    let mut here = Vec::new();
    each(joined, |user, status| {
        here.push(user);
        tell(Said { user, status: Some(status), change: true });
    });
    each(left, |user, _| {
        if !here.contains(&user) {
            tell(Said { user, status: None, change: true });
        }
    });
}

fn each<'a>(mut text: &'a [u8], mut tell: impl FnMut(u32, &'a [u8])) {
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
        tell(user, status);
        text = &text[end..];
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
