//! Serves connections that are upgraded from HTTP to WebSocket.
//!
//! actix's HTTP dispatcher keeps 16 KiB of buffers for each connection, even for a WebSocket that is idle for hours. This
//! module takes a request for an upgrade off the dispatcher: the same routes respond to it, and [`pump`] writes the response
//! body to the socket. It keeps no buffer between two frames.
//!
//! The pump is the session's writer of the socket; the outbox may write too while the session is at rest
//! (`outbox::socket_writer`).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_codec::{Encoder as _, Framed, FramedParts};
use actix_http::body::{BodySize, BoxBody, MessageBody, to_bytes};
use actix_http::error::PayloadError;
use actix_http::h1::{self, Message};
use actix_http::{
    BoxedPayloadStream, ConnectionType, HttpMessage as _, Method, Payload, Request, Response, StatusCode,
};
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::rt::net::TcpStream;
use actix_web::web::{Buf as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use socket2::SockRef;
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::HttpConnection;
use super::connection::phase::HttpTimeouts;
use crate::outbox::DirectSocket;

/// Maximum number of bytes per read. One buffer of this size serves all connections of a worker.
const READ_BYTES: usize = 16 * 1024;

/// Read buffer that all connections of one worker share. What they read is copied out at once.
#[derive(Clone)]
pub struct Scratch(Rc<RefCell<Box<[u8]>>>);

impl Default for Scratch {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())))
    }
}

/// Responds to the request as `respond` says, and pumps the body of an upgrade until one side ends the connection.
pub async fn serve<R>(
    request: Request,
    framed: Framed<HttpConnection, h1::Codec>,
    scratch: Scratch,
    timeouts: HttpTimeouts,
    respond: impl FnOnce(Request) -> R,
) -> io::Result<()>
where
    R: Future<Output = Response<BoxBody>>,
{
    let FramedParts { io, codec, read_buf, .. } = framed.into_parts();
    let socket = Arc::new(io.into_socket());
    // A copy, so that the dispatcher's buffer is freed.
    let incoming = ReceivedBytes { socket: socket.clone(), scratch, early: Bytes::copy_from_slice(&read_buf) };
    drop(read_buf);
    let payload: BoxedPayloadStream = match body_length(&request) {
        None => Box::pin(incoming),
        Some(length) => Box::pin(body(incoming, length, Instant::now() + timeouts.request)),
    };
    let (request, _) = request.replace_payload(Payload::Stream { payload });
    request.extensions_mut().insert(DirectSocket::new(socket.clone()));
    // Boxed, so that the state of the handler does not live as long as the connection.
    let body = Box::pin(write_response(&socket, codec, timeouts, respond(request))).await?;
    if let Some(body) = body {
        pump(&socket, body).await?;
    }
    SockRef::from(&*socket).shutdown(Shutdown::Write)
}

/// Writes the head of the response. Returns the body of an upgrade, and writes that of any other response.
async fn write_response(
    socket: &TcpStream,
    mut codec: h1::Codec,
    timeouts: HttpTimeouts,
    response: impl Future<Output = Response<BoxBody>>,
) -> io::Result<Option<BoxBody>> {
    let (mut head, body) = response.await.into_parts();
    let upgraded = head.status() == StatusCode::SWITCHING_PROTOCOLS;
    if !upgraded {
        // What follows on the connection was not meant as HTTP.
        head.head_mut().set_connection_type(ConnectionType::Close);
    }
    let size = body.size();
    let mut encoded = BytesMut::new();
    codec.encode(Message::Item((head, size)), &mut encoded)?;
    timeout(timeouts.keep_alive, write(socket, encoded.split().freeze())).await??;
    if upgraded {
        return Ok(Some(body));
    }
    if !matches!(size, BodySize::None) {
        let bytes = to_bytes(body).await.map_err(|error| io::Error::other(error.to_string()))?;
        codec.encode(Message::Chunk(Some(bytes)), &mut encoded)?;
        codec.encode(Message::Chunk(None), &mut encoded)?;
        timeout(timeouts.keep_alive, write(socket, encoded.freeze())).await??;
    }
    Ok(None)
}

/// The response to a handshake of a version that this server does not have (RFC 6455 section 4.4).
pub fn upgrade_required() -> HttpResponse {
    HttpResponse::UpgradeRequired()
        .insert_header((header::SEC_WEBSOCKET_VERSION, "13"))
        .insert_header((header::UPGRADE, "websocket"))
        .content_type("text/plain; charset=utf-8")
        .body("Upgrade Required\n")
}

/// Writes the body as fast as the socket accepts it. Polls the body only after all earlier bytes are written, for two
/// reasons: if a client reads nothing, its session does not run (back-pressure), and a session that finds nothing to send goes
/// to rest, after which the outbox may write to the socket.
async fn pump(socket: &TcpStream, mut body: BoxBody) -> io::Result<()> {
    let mut unwritten = Bytes::new();
    poll_fn(|context| {
        loop {
            ready!(poll_write(socket, &mut unwritten, context))?;
            match ready!(Pin::new(&mut body).poll_next(context)) {
                Some(Ok(bytes)) => unwritten = bytes,
                Some(Err(_)) | None => return Poll::Ready(Ok(())),
            }
        }
    })
    .await
}

async fn write(socket: &TcpStream, mut bytes: Bytes) -> io::Result<()> {
    poll_fn(|context| poll_write(socket, &mut bytes, context)).await
}

fn poll_write(socket: &TcpStream, bytes: &mut Bytes, context: &mut Context<'_>) -> Poll<io::Result<()>> {
    while !bytes.is_empty() {
        // The kernel first, then the reactor: most frames fit at once, and the reactor's state of the socket is one more
        // thing to load from memory for each of thousands of connections.
        let sent = match SockRef::from(socket).send(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(socket.poll_write_ready(context))?;
                socket.try_write(bytes)
            }
            sent => sent,
        };
        match sent {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(sent) => bytes.advance(sent),
            Err(error) if is_transient(&error) => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

/// Returns whether the operation may succeed later, when the reactor reports the socket as ready.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Returns the size of the body of a request that cannot become a WebSocket. `None` means that it can: it is a GET
/// without a body. The dispatcher decodes no body of a request that offers a WebSocket.
fn body_length(request: &Request) -> Option<u64> {
    let announced =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
    match announced {
        None | Some(0) if request.method() == Method::GET => None,
        None => Some(0),
        Some(length) => Some(length),
    }
}

/// Returns the first `length` bytes that come before the deadline.
fn body(incoming: ReceivedBytes, length: u64, deadline: Instant) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    stream::try_unfold((incoming, length), move |(mut incoming, rest)| async move {
        if rest == 0 {
            return Ok(None);
        }
        let next = timeout_at(deadline, incoming.next()).await;
        let next = next.map_err(|_| PayloadError::Io(io::ErrorKind::TimedOut.into()))?;
        let mut bytes = next.ok_or(PayloadError::Incomplete(None))??;
        bytes.truncate(usize::try_from(rest).unwrap_or(usize::MAX));
        let rest = rest - bytes.len() as u64;
        Ok(Some((bytes, (incoming, rest))))
    })
}

/// The bytes that the client sends after its request.
struct ReceivedBytes {
    socket: Arc<TcpStream>,
    scratch: Scratch,
    /// The bytes that arrived together with the request.
    early: Bytes,
}

impl Stream for ReceivedBytes {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.early.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.early))));
        }
        let mut scratch = self.scratch.0.borrow_mut();
        loop {
            ready!(self.socket.poll_read_ready(context))?;
            match self.socket.try_read(&mut scratch) {
                Ok(0) => return Poll::Ready(None),
                Ok(count) => return Poll::Ready(Some(Ok(Bytes::copy_from_slice(&scratch[..count])))),
                Err(error) if is_transient(&error) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::TcpListener;
    use std::thread;

    use actix_http::body::BodyStream;
    use futures_util::{poll, stream};

    use super::*;

    /// More than the kernel buffers for a connection.
    const BODY_BYTES: usize = 64 << 20;

    #[actix_web::test]
    async fn the_pump_polls_the_body_only_after_all_earlier_bytes_are_written() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = TcpStream::from_std(socket).unwrap();
        let polls = Rc::new(Cell::new(0));
        let counted = polls.clone();
        let body = stream::poll_fn(move |_| {
            counted.set(counted.get() + 1);
            let bytes = (counted.get() == 1).then(|| Bytes::from(vec![0; BODY_BYTES]));
            Poll::Ready(bytes.map(Ok::<_, io::Error>))
        });
        let mut pumping = Box::pin(pump(&socket, BoxBody::new(BodyStream::new(body))));
        for _ in 0..3 {
            assert!(poll!(pumping.as_mut()).is_pending());
        }
        assert_eq!(polls.get(), 1, "the body was polled although bytes are unwritten");
        let reader = thread::spawn(move || io::copy(&mut client, &mut io::sink()));
        pumping.await.unwrap();
        assert_eq!(polls.get(), 2);
        drop(socket);
        assert_eq!(reader.join().unwrap().unwrap(), u64::try_from(BODY_BYTES).unwrap());
    }
}
