//! A WebSocket client that costs next to nothing, for crowds, and that can stop reading.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct RawClient {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl RawClient {
    /// Opens `/ws` with this query.
    pub async fn connect(address: SocketAddr, query: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /ws?{query} HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut buffer = Vec::new();
        let end = loop {
            assert_ne!(stream.read_buf(&mut buffer).await.unwrap(), 0, "the handshake was not answered");
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
        };
        assert!(buffer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&buffer));
        buffer.drain(..end + 4);
        Self { stream, buffer }
    }

    /// Sends a text, masked with zeros.
    pub async fn says(&mut self, text: &Value) {
        let payload = text.to_string().into_bytes();
        let mut frame = vec![0x81];
        match u8::try_from(payload.len()) {
            Ok(short) if short < 126 => frame.push(0x80 | short),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Sends these bytes as they are.
    pub async fn sends(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Skips frames up to the close frame. `None` means that the connection ended without one.
    pub async fn hears_close(&mut self) -> Option<(u16, String)> {
        loop {
            while let Some((opcode, payload)) = self.take_frame() {
                if opcode == 8 {
                    let (code, reason) = payload.split_first_chunk().unwrap();
                    return Some((u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap()));
                }
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Everything until the connection ends, as opcodes.
    pub async fn hears_to_the_end(&mut self) -> Vec<u8> {
        let mut opcodes = Vec::new();
        loop {
            while let Some((opcode, _)) = self.take_frame() {
                opcodes.push(opcode);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return opcodes,
                Ok(_) => {}
            }
        }
    }

    /// The next frame: opcode and payload.
    pub async fn hears_frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some(frame) = self.take_frame() {
                return frame;
            }
            assert_ne!(self.stream.read_buf(&mut self.buffer).await.unwrap(), 0, "the connection ended");
        }
    }

    /// Whether nothing has arrived that was not heard.
    pub fn has_heard_all(&mut self) -> bool {
        matches!(self.stream.try_read_buf(&mut self.buffer), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
            && self.buffer.is_empty()
    }

    /// The next text; none when the connection has ended.
    pub async fn hears(&mut self) -> Option<Value> {
        loop {
            while let Some((opcode, payload)) = self.take_frame() {
                match opcode {
                    1 => return Some(serde_json::from_slice(&payload).unwrap()),
                    8 => return None,
                    _ => {}
                }
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&[first, second], rest) = self.buffer.split_first_chunk()?;
        let (start, length) = match second {
            126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).unwrap()),
            short => (2, usize::from(short)),
        };
        if self.buffer.len() < start + length {
            return None;
        }
        let payload = self.buffer[start..start + length].to_vec();
        self.buffer.drain(..start + length);
        Some((first & 0x0f, payload))
    }
}
