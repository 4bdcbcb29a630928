//! An HTTP client that writes what it is told, as slowly as it is told, and reads what comes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::PATIENCE;

/// `Authorization` of the development server key.
pub const SERVER_KEY: &str = "Authorization: Basic ZGVmYXVsdGtleTo=\r\n";

pub struct RawHttp {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What a request was answered with.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

impl RawHttp {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    /// Makes the kernel hold only a few bytes that are not read.
    pub fn reads_little(self) -> Self {
        socket2::SockRef::from(&self.stream).set_recv_buffer_size(4096).unwrap();
        self
    }

    pub async fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a head with these further headers, each with its line end.
    pub async fn sends_head(&mut self, line: &str, headers: &str) {
        self.sends(format!("{line} HTTP/1.1\r\nHost: here\r\n{headers}\r\n")).await;
    }

    /// Sends the same again and again until the server ends the connection.
    pub async fn sends_to_the_end(&mut self, bytes: &[u8]) {
        let sending = async { while self.stream.write_all(bytes).await.is_ok() {} };
        timeout(PATIENCE, sending).await.expect("the server reads on");
    }

    /// The next answer; none when the connection ends before.
    pub async fn hears(&mut self) -> Option<RawAnswer> {
        timeout(PATIENCE, self.answer()).await.expect("no answer and no end")
    }

    /// Whether the connection ends without a further byte.
    pub async fn ends(&mut self) -> bool {
        assert!(self.buffer.is_empty(), "{}", String::from_utf8_lossy(&self.buffer));
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.expect("it goes on");
        matches!(read, Ok(0) | Err(_))
    }

    /// Everything that comes until the connection ends.
    pub async fn hears_to_the_end(&mut self) -> Vec<u8> {
        let reading = async { while matches!(self.stream.read_buf(&mut self.buffer).await, Ok(count) if count > 0) {} };
        timeout(PATIENCE, reading).await.expect("it goes on");
        std::mem::take(&mut self.buffer)
    }

    async fn answer(&mut self) -> Option<RawAnswer> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_lowercase();
        self.buffer.drain(..end + 4);
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap_or("0").parse().unwrap();
        while self.buffer.len() < length {
            self.more().await?;
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(RawAnswer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    async fn more(&mut self) -> Option<()> {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(count) if count > 0).then_some(())
    }
}
