//! The TCP connection of an HTTP client. Ends at the deadline of what it is doing, and reads no more than the service
//! takes.
//!
//! actix's dispatcher has a deadline for the head of the first request and one for idle connections, none for bodies and
//! for later heads, and it reads 128 KiB ahead. So its timers are off; [`phase`] has all deadlines, and
//! [`super::exchange`] tells the phases.

pub mod phase;

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::metrics::Metrics;
use phase::{HttpTimeouts, Phase};

/// Maximum size of the head of a request, in bytes. actix's own limit is four times as high.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Maximum number of bytes that are read ahead of the service.
const MAX_READ_AHEAD: usize = 64 * 1024;

const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

const HEAD_TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The TCP connection of an HTTP client. At its deadline, reads return the end of the stream and writes an error.
pub struct HttpConnection {
    stream: TcpStream,
    timer: Rc<ExchangeTimer>,
    metrics: Metrics,
}

impl HttpConnection {
    /// Wraps a new connection.
    pub fn new(stream: TcpStream, timeouts: HttpTimeouts, metrics: Metrics) -> Self {
        Self { stream, timer: Rc::new(ExchangeTimer::new(timeouts)), metrics }
    }

    /// Returns the timer, which the service tells what it does.
    pub fn timer(&self) -> &Rc<ExchangeTimer> {
        &self.timer
    }

    /// Returns the socket.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Returns the socket without deadlines, for a connection that is HTTP no longer.
    pub fn into_socket(self) -> TcpStream {
        self.stream
    }

    /// Writes a response, if the socket takes it at once. The dispatcher is not writing: no response is due.
    fn write_at_once(&self, response: &[u8]) {
        // Without it the client sees only that the connection ends.
        let _lost = self.stream.try_write(response);
    }
}

impl AsyncRead for HttpConnection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.timer.poll_read(context) {
            ReadPermit::Granted => {}
            ReadPermit::Wait => return Poll::Pending,
            ReadPermit::Ended => return Poll::Ready(Ok(())),
            ReadPermit::TimedOut(phase) => {
                if !matches!(phase, Phase::Idle(_)) {
                    this.metrics.http().timed_out.inc();
                }
                if matches!(phase, Phase::Head(_)) {
                    this.write_at_once(REQUEST_TIMEOUT);
                }
                return Poll::Ready(Ok(()));
            }
            ReadPermit::HeadTooLarge => {
                this.metrics.http().malformed.inc();
                this.write_at_once(HEAD_TOO_LARGE);
                return Poll::Ready(Ok(()));
            }
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.timer.received(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HttpConnection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            Poll::Pending if this.timer.poll_deadline(context).is_ready() => {
                this.metrics.http().timed_out.inc();
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            polled @ (Poll::Ready(_) | Poll::Pending) => polled,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.timer.change(Phase::flushed);
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Whether the connection may read.
enum ReadPermit {
    /// It may.
    Granted,
    /// The service has to take what was read before.
    Wait,
    /// The deadline of this phase passed just now.
    TimedOut(Phase),
    /// The head of the request is longer than [`MAX_HEAD_BYTES`].
    HeadTooLarge,
    /// The connection was refused before.
    Ended,
}

/// The deadline and the read-ahead of one connection. The connection and its requests share it.
pub struct ExchangeTimer {
    timeouts: HttpTimeouts,
    state: RefCell<TimerState>,
}

struct TimerState {
    phase: Phase,
    /// Fires at the deadline of the phase. A phase without a deadline leaves it as it is.
    sleep: Pin<Box<Sleep>>,
    /// Bytes that were read and that the service has not taken.
    read_ahead: usize,
    /// Wakes the dispatcher, at the deadline and when it may read on.
    dispatcher: Option<Waker>,
    /// The dispatcher waits until it may read on.
    is_waiting: bool,
    /// The dispatcher had its turn to decode a head of [`MAX_HEAD_BYTES`].
    is_head_full: bool,
    /// The connection reads no more: the deadline passed or the head is too long.
    is_refused: bool,
}

impl ExchangeTimer {
    fn new(timeouts: HttpTimeouts) -> Self {
        let phase = Phase::opened(&timeouts, Instant::now());
        let sleep = Box::pin(sleep_until(phase.deadline().unwrap_or_else(Instant::now)));
        let state = TimerState {
            phase,
            sleep,
            read_ahead: 0,
            dispatcher: None,
            is_waiting: false,
            is_head_full: false,
            is_refused: false,
        };
        Self { timeouts, state: RefCell::new(state) }
    }

    /// The service got the head of a request.
    pub fn begin(&self, has_body: bool) {
        self.change(|phase, timeouts, now| phase.begin(has_body, timeouts, now));
    }

    /// The service read the last byte of the body.
    pub fn body_received(&self) {
        self.change(|phase, _, _| phase.body_received());
    }

    /// The service made the response. Returns whether a part of the request was not read.
    pub fn respond(&self) -> bool {
        self.change(Phase::respond);
        matches!(self.state.borrow().phase, Phase::Responding { rest: Some(_), .. })
    }

    /// The last byte of the response is made.
    pub fn response_ended(&self) {
        self.change(|phase, _, _| phase.response_ended());
    }

    /// The service took bytes of the body. It took all when it waits for more.
    pub fn taken(&self, bytes: usize) {
        let mut state = self.state.borrow_mut();
        state.read_ahead = state.read_ahead.saturating_sub(bytes);
        state.wake_reader();
    }

    /// Returns whether the deadline of a request passed.
    pub fn is_refused(&self) -> bool {
        self.state.borrow().is_refused
    }

    fn received(&self, bytes: usize) {
        if bytes > 0 {
            let mut state = self.state.borrow_mut();
            state.phase = state.phase.received(&self.timeouts, Instant::now());
            state.read_ahead += bytes;
            state.reset_sleep();
        }
    }

    fn change(&self, next: impl FnOnce(Phase, &HttpTimeouts, Instant) -> Phase) {
        let mut state = self.state.borrow_mut();
        let phase = next(state.phase, &self.timeouts, Instant::now());
        if phase != state.phase {
            state.phase = phase;
            state.read_ahead = 0;
            state.is_head_full = false;
            state.reset_sleep();
            state.wake_reader();
        }
    }

    fn poll_deadline(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        match &mut state.dispatcher {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        if state.phase.deadline().is_none() {
            return Poll::Pending;
        }
        state.sleep.as_mut().poll(context)
    }

    fn poll_read(&self, context: &mut Context<'_>) -> ReadPermit {
        if self.is_refused() {
            return ReadPermit::Ended;
        }
        let is_late = self.poll_deadline(context).is_ready();
        let mut state = self.state.borrow_mut();
        if is_late {
            state.is_refused = true;
            return ReadPermit::TimedOut(state.phase);
        }
        match state.phase {
            Phase::Opened(_) | Phase::Idle(_) | Phase::Head(_) if state.read_ahead >= MAX_HEAD_BYTES => {
                if state.is_head_full {
                    state.is_refused = true;
                    return ReadPermit::HeadTooLarge;
                }
                // The dispatcher decodes before it reads again.
                state.is_head_full = true;
                context.waker().wake_by_ref();
                ReadPermit::Wait
            }
            Phase::Body(_)
            | Phase::Handling
            | Phase::Responding { rest: None, .. }
            | Phase::Flushing { rest: None, .. }
                if state.read_ahead >= MAX_READ_AHEAD =>
            {
                state.is_waiting = true;
                ReadPermit::Wait
            }
            // What is skipped takes no memory.
            Phase::Opened(_)
            | Phase::Idle(_)
            | Phase::Head(_)
            | Phase::Body(_)
            | Phase::Handling
            | Phase::Responding { .. }
            | Phase::Flushing { .. }
            | Phase::Skipping(_) => ReadPermit::Granted,
        }
    }
}

impl TimerState {
    fn reset_sleep(&mut self) {
        if let Some(deadline) = self.phase.deadline()
            && self.sleep.deadline() != deadline
        {
            self.sleep.as_mut().reset(deadline);
            // The dispatcher may not read again before the deadline, and a timer that fired has forgotten its waker.
            if let Some(waker) = &self.dispatcher
                && self.sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
            {
                waker.wake_by_ref();
            }
        }
    }

    fn wake_reader(&mut self) {
        if std::mem::take(&mut self.is_waiting)
            && let Some(waker) = &self.dispatcher
        {
            waker.wake_by_ref();
        }
    }
}
