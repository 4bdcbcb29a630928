//! The floor: a bare server that shows what presence costs when the server only writes.
//!
//! One thread, no actors, no outbox, no bounds, no checks. It accepts every handshake, remembers the followers of every
//! user, and writes every change, encoded once, with one `write` per follower. It understands only the messages that
//! the generator sends.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::wire;

const LISTENER: Token = Token(usize::MAX);
const READY: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct Client {
    stream: TcpStream,
    id: String,
    status: String,
    /// The start of a frame that is not complete yet.
    partial: Vec<u8>,
    /// Output that the kernel has not accepted yet.
    unsent: Vec<u8>,
}

struct Floor {
    clients: Vec<Option<Client>>,
    followers: HashMap<String, Vec<usize>>,
    present: HashMap<String, usize>,
}

/// Serves until the process is killed.
pub fn serve() -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(socket.into());
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let mut floor = Floor { clients: Vec::new(), followers: HashMap::new(), present: HashMap::new() };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let token = Token(floor.clients.len());
                    poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                    floor.clients.push(Some(Client::new(stream)));
                }
                continue;
            }
            let number = event.token().0;
            if let Some(client) = floor.client(number).filter(|_| event.is_writable()) {
                client.flush();
            }
            floor.read(number, &mut buffer);
        }
    }
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        Self { stream, id: String::new(), status: String::new(), partial: Vec::new(), unsent: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.unsent.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) if written == bytes.len() => {}
                Ok(written) => self.unsent.extend_from_slice(&bytes[written..]),
                Err(_) => self.unsent.extend_from_slice(bytes),
            }
        } else {
            self.unsent.extend_from_slice(bytes);
            self.flush();
        }
    }

    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(_) => return,
            }
        }
    }
}

impl Floor {
    fn client(&mut self, number: usize) -> Option<&mut Client> {
        self.clients.get_mut(number)?.as_mut()
    }

    fn read(&mut self, number: usize, buffer: &mut [u8]) {
        loop {
            let Some(client) = self.client(number) else { return };
            match client.stream.read(buffer) {
                Ok(0) => {
                    self.clients[number] = None;
                }
                Ok(count) => {
                    client.partial.extend_from_slice(&buffer[..count]);
                    let taken = std::mem::take(&mut client.partial);
                    let used = self.parse(number, &taken);
                    if let Some(client) = self.client(number) {
                        client.partial.extend_from_slice(&taken[used..]);
                    }
                    if count < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.clients[number] = None;
                }
            }
        }
    }

    fn parse(&mut self, number: usize, bytes: &[u8]) -> usize {
        if bytes.starts_with(b"GET ") {
            let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            if let Some(client) = &mut self.clients[number] {
                client.id = subject(&bytes[..end]).unwrap_or_default();
                self.present.insert(client.id.clone(), number);
                client.write(READY);
            }
            return end + 4;
        }
        let mut used = 0;
        while let Some((opcode, payload, taken)) = wire::parse_frame(&bytes[used..]) {
            used += taken;
            if opcode == 1 {
                self.message(number, &String::from_utf8_lossy(payload));
            }
        }
        used
    }

    fn message(&mut self, number: usize, message: &str) {
        if message.contains("status_follow") {
            let mut presences = Vec::new();
            for id in message.split('"').filter(|part| part.len() == 36) {
                self.followers.entry(id.to_owned()).or_default().push(number);
                let followed = self.present.get(id).and_then(|&other| self.clients[other].as_ref());
                presences.extend(followed.filter(|other| !other.status.is_empty()).map(Client::presence));
            }
            self.reply(number, &format!(r#"{{"cid":"2","status":{{"presences":[{}]}}}}"#, presences.join(",")));
        } else if let Some((_, status)) = message.split_once(r#""status":""#) {
            let status = status.split('"').next().unwrap_or_default().to_owned();
            self.reply(number, r#"{"cid":"1"}"#);
            self.update(number, status);
        }
    }

    fn update(&mut self, number: usize, status: String) {
        let Some(client) = self.clients[number].as_mut() else { return };
        let left = if client.status.is_empty() { String::new() } else { client.presence() };
        client.status = status;
        let joined = client.presence();
        let event = format!(r#"{{"status_presence_event":{{"joins":[{joined}],"leaves":[{left}]}}}}"#);
        let mut encoded = Vec::new();
        server_frame(event.as_bytes(), &mut encoded);
        let id = client.id.clone();
        for follower in self.followers.get(&id).into_iter().flatten() {
            if let Some(follower) = &mut self.clients[*follower] {
                follower.write(&encoded);
            }
        }
    }

    fn reply(&mut self, number: usize, text: &str) {
        let mut encoded = Vec::new();
        server_frame(text.as_bytes(), &mut encoded);
        if let Some(client) = self.client(number) {
            client.write(&encoded);
        }
    }
}

impl Client {
    fn presence(&self) -> String {
        let Self { id, status, .. } = self;
        format!(r#"{{"user_id":"{id}","session_id":"{id}","username":"user","status":"{status}"}}"#)
    }
}

/// Reads the user id from the handshake's token, without a check.
fn subject(head: &[u8]) -> Option<String> {
    use base64::Engine as _;
    let head = std::str::from_utf8(head).ok()?;
    let payload = head.split_once("token=")?.1.split('.').nth(1)?;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    Some(claims.get("uid")?.as_str()?.to_owned())
}

/// Appends a text frame, unmasked as a server's frames are.
fn server_frame(payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x81);
    match u16::try_from(payload.len()) {
        Ok(length @ 0..126) => out.push(u8::try_from(length).unwrap_or(125)),
        Ok(length) => {
            out.push(126);
            out.extend(length.to_be_bytes());
        }
        Err(_) => {
            out.push(127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(payload);
}
