//! The connections of the gRPC server, at most [`MAX_CONNECTIONS`] at once. Further ones wait in the backlog of the
//! listener until one closes.
//!
//! hyper has no deadline for a handshake, for a frame and for a connection without calls, and answers pings and settings
//! as fast as they come. [`meter`] has these rules; it reads the frame headers that pass by ([`frames`]).

mod frames;
pub mod meter;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::clock::Clock;
use crate::log_limit::{LogLimit, REFUSAL_INTERVAL};
use crate::metrics::Metrics;
use frames::kind;
use meter::{ControlFlood, GrpcTimeouts, Http2Meter};

/// Maximum number of open connections.
const MAX_CONNECTIONS: usize = 1024;

/// Errors of HTTP/2 (RFC 9113 section 7).
const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 11;

/// What all connections share.
pub struct ConnectionRules {
    timeouts: GrpcTimeouts,
    metrics: Metrics,
    clock: Clock,
    /// One line in ten seconds for connections that are closed as floods.
    floods: LogLimit<()>,
}

impl ConnectionRules {
    /// The rules of the connections of one server.
    pub fn new(timeouts: GrpcTimeouts, metrics: Metrics, clock: Clock) -> Self {
        Self { timeouts, metrics, clock, floods: LogLimit::new(REFUSAL_INTERVAL) }
    }
}

/// An open connection. Holds one of the [`MAX_CONNECTIONS`] permits. At its deadline, and during a drain when no call is
/// open, reads return the end of the stream.
pub struct GrpcConnection {
    stream: TcpStream,
    rules: Arc<ConnectionRules>,
    meter: Http2Meter,
    /// Fires at the deadline of the meter. A meter without a deadline leaves it as it is.
    sleep: Pin<Box<Sleep>>,
    /// Completes when the server drains. `None` after that.
    drain: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _permit: OwnedSemaphorePermit,
}

/// Accepts connections while there are permits. `draining` becomes true when the server drains.
pub fn accept(
    listener: TcpListener,
    rules: ConnectionRules,
    draining: watch::Receiver<bool>,
) -> impl Stream<Item = io::Result<GrpcConnection>> {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let rules = Arc::new(rules);
    stream::unfold((listener, permits), move |(listener, permits)| {
        let (rules, draining) = (rules.clone(), draining.clone());
        async move {
            let permit = permits.clone().acquire_owned().await.ok()?;
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let connection = GrpcConnection::new(stream, rules, draining, permit);
                        return Some((Ok(connection), (listener, permits)));
                    }
                    // Too many open files, or the peer closed first: the listener still works.
                    Err(error) => {
                        log::warn!("a gRPC connection could not be accepted: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        }
    })
}

impl GrpcConnection {
    fn new(
        stream: TcpStream,
        rules: Arc<ConnectionRules>,
        mut draining: watch::Receiver<bool>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        // A connection works without the option, only slower.
        let _slower = stream.set_nodelay(true);
        let now = Instant::now();
        let meter = Http2Meter::new(rules.timeouts, now);
        let sleep = Box::pin(sleep_until(meter.deadline().unwrap_or(now)));
        let drain = Box::pin(async move {
            // A dropped sender is a drain, too.
            let _dropped = draining.wait_for(|draining| *draining).await;
        });
        Self { stream, rules, meter, sleep, drain: Some(drain), _permit: permit }
    }

    /// Returns whether the connection has to end.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(drain) = &mut self.drain
            && drain.as_mut().poll(context).is_ready()
        {
            self.drain = None;
        }
        if self.drain.is_none() && self.meter.is_idle() {
            return Poll::Ready(());
        }
        let Some(deadline) = self.meter.deadline() else { return Poll::Pending };
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(context)
    }

    /// Sends the frame that announces the end of the connection, if the socket takes it at once.
    fn say_goodbye(&self, error: u32) {
        let Some(last_stream) = self.meter.last_stream() else { return };
        let mut frame = vec![0, 0, 8, kind::GOAWAY, 0, 0, 0, 0, 0];
        frame.extend(last_stream.to_be_bytes());
        frame.extend(error.to_be_bytes());
        // Without it the client sees only that the connection ends.
        let _lost = self.stream.try_write(&frame);
    }

    fn refuse_flood(&self) -> io::Error {
        self.rules.metrics.api().grpc_floods.inc();
        if let Some(omitted) = self.rules.floods.admit((), self.rules.clock.now()) {
            log::info!(omitted; "a gRPC connection was closed: it floods the server with frames other than calls");
        }
        self.say_goodbye(ENHANCE_YOUR_CALM);
        io::Error::new(io::ErrorKind::ConnectionAborted, "too many control frames")
    }
}

impl Connected for GrpcConnection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for GrpcConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_end(context).is_ready() {
            if self.drain.is_some() {
                self.rules.metrics.api().grpc_timed_out.inc();
            }
            self.say_goodbye(NO_ERROR);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let received = &buffer.filled()[before..];
        if received.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let flood = self.meter.received(received, Instant::now());
        Poll::Ready(flood.map_err(|ControlFlood| self.refuse_flood()))
    }
}

impl AsyncWrite for GrpcConnection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.meter.sent(&bytes[..written], Instant::now());
        // The end of the last call starts the idle time, and hyper may not read again before its end.
        if self.poll_end(context).is_ready() {
            context.waker().wake_by_ref();
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
