//! What a connection becomes when it asks to be something else than HTTP.
//!
//! actix's HTTP dispatcher keeps 16 KiB of buffers for every connection, also for a WebSocket on which nothing happens
//! for hours. A request that asks for an upgrade is taken off it: the same routes answer it, and the answer's body is
//! pumped to the socket from here, which keeps nothing between two frames.

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
use actix_http::{BoxedPayloadStream, ConnectionType, HttpMessage as _, Payload, Request, Response, StatusCode};
use actix_web::rt::net::TcpStream;
use actix_web::web::{Buf as _, Bytes, BytesMut};
use futures_util::Stream;
use socket2::SockRef;

use crate::outbox::Socket;

/// Most that is read at once. One buffer of this size serves all connections of a worker.
const READ_BYTES: usize = 16 * 1024;

/// Where the connections of one worker read to, before what came is known.
#[derive(Clone)]
pub struct Scratch(Rc<RefCell<Box<[u8]>>>);

impl Default for Scratch {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())))
    }
}

/// Answers the request with what `respond` makes of it, and pumps until one side has had enough.
pub async fn serve<R>(
    request: Request,
    framed: Framed<TcpStream, h1::Codec>,
    scratch: Scratch,
    respond: impl FnOnce(Request) -> R,
) -> io::Result<()>
where
    R: Future<Output = Response<BoxBody>>,
{
    let FramedParts { io, codec, read_buf, .. } = framed.into_parts();
    let socket = Arc::new(io);
    // Copied, so that the dispatcher's buffer is given back.
    let incoming = Incoming { socket: socket.clone(), scratch, early: Bytes::copy_from_slice(&read_buf) };
    drop(read_buf);
    let payload: BoxedPayloadStream = Box::pin(incoming);
    let (request, _) = request.replace_payload(Payload::Stream { payload });
    request.extensions_mut().insert(Socket::new(socket.clone()));
    // Boxed: what it takes to find the answer is not kept as long as the connection.
    let body = Box::pin(answer(&socket, codec, respond(request))).await?;
    if let Some(body) = body {
        pump(&socket, body).await?;
    }
    SockRef::from(&*socket).shutdown(Shutdown::Write)
}

/// Writes the answer's head, and all of an answer that is no upgrade; returns the body of one that is.
async fn answer(
    socket: &TcpStream,
    mut codec: h1::Codec,
    response: impl Future<Output = Response<BoxBody>>,
) -> io::Result<Option<BoxBody>> {
    let (mut head, body) = response.await.into_parts();
    let upgraded = head.status() == StatusCode::SWITCHING_PROTOCOLS;
    if !upgraded {
        // What follows on the line was not meant as HTTP.
        head.head_mut().set_connection_type(ConnectionType::Close);
    }
    let size = body.size();
    let mut encoded = BytesMut::new();
    codec.encode(Message::Item((head, size)), &mut encoded)?;
    write(socket, encoded.split().freeze()).await?;
    if upgraded {
        return Ok(Some(body));
    }
    if !matches!(size, BodySize::None) {
        let bytes = to_bytes(body).await.map_err(|error| io::Error::other(error.to_string()))?;
        codec.encode(Message::Chunk(Some(bytes)), &mut encoded)?;
        codec.encode(Message::Chunk(None), &mut encoded)?;
        write(socket, encoded.freeze()).await?;
    }
    Ok(None)
}

/// Writes the body as the socket takes it. While the socket takes nothing, nothing is asked of the body either.
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
        // The kernel is asked before the reactor: most frames fit at once, and the reactor's view of the socket is one
        // more thing to fetch from memory for each of thousands of connections.
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
            Err(error) if is_passing(&error) => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

/// Whether the same may go well when it is tried again, once the reactor says so.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What the client sends after its request.
struct Incoming {
    socket: Arc<TcpStream>,
    scratch: Scratch,
    /// What came together with the request.
    early: Bytes,
}

impl Stream for Incoming {
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
                Err(error) if is_passing(&error) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}
