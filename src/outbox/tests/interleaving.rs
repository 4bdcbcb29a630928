//! The interleavings of two senders and one session over one socket, with loom.
//!
//! Production's [`SharedWriter`] and [`DirectWrite`](super::super::socket_writer::DirectWrite) run over loom's mutex, waker
//! and threads. The socket is a byte vector that accepts a few bytes per call, so that every call is a point where another
//! thread may run. loom finds a lost wake as a deadlock.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::ops::DerefMut;
use std::sync::Arc;
use std::task::{Poll, ready};

use loom::future::block_on;
use loom::model::Builder;
use loom::sync::Mutex;
use loom::thread;

use super::super::socket_writer::{Backlog, DirectSend, Lock, SharedWriter, SocketWriter};
use crate::outbox::Frame;

impl<T> Lock for Mutex<T> {
    type Content = T;

    fn lock(&self) -> impl DerefMut<Target = T> {
        Self::lock(self).expect("no thread panics with the lock")
    }
}

/// The frames that wait.
#[derive(Default)]
struct Waiting {
    frames: VecDeque<Frame>,
    /// All frames delivered so far, in the order of the lock.
    delivered: Vec<Frame>,
    /// The session has to stop after the frames.
    stops: bool,
}

impl Backlog for Waiting {
    fn has_work(&self) -> bool {
        self.stops || !self.frames.is_empty()
    }

    fn push(&mut self, frame: Frame) {
        self.frames.push_back(frame);
    }
}

/// A socket that accepts up to `accepts` bytes per call.
struct ShortSocket {
    bytes: Mutex<Vec<u8>>,
    accepts: usize,
}

impl DirectSend for Arc<ShortSocket> {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let sent = bytes.len().min(self.accepts);
        Lock::lock(&self.bytes).extend_from_slice(&bytes[..sent]);
        if sent == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(sent) }
    }
}

type Shared = SharedWriter<Mutex<SocketWriter<Waiting, Arc<ShortSocket>>>>;

fn deliver(shared: &Shared, frame: &Frame) {
    shared.change(|writer| {
        writer.backlog.delivered.push(frame.clone());
        match writer.direct_write() {
            Some(direct_write) => drop(direct_write.send(frame)),
            None => writer.backlog.push(frame.clone()),
        }
    });
}

/// Takes frames one by one and writes each in parts, as the session's response body and the pump do. Returns when the
/// session has to stop.
fn run_session(shared: &Shared, socket: &ShortSocket, accepts: usize) {
    block_on(poll_fn(|context| {
        loop {
            let taken = ready!(shared.poll_take(context.waker(), |waiting| waiting.frames.pop_front()));
            let Some(frame) = taken else { return Poll::Ready(()) };
            for part in frame.wire().chunks(accepts) {
                Lock::lock(&socket.bytes).extend_from_slice(part);
            }
        }
    }));
}

/// What runs in the interleavings.
#[derive(Clone, Copy)]
struct Scenario {
    /// The payloads of the frames that the first sender delivers. The second sender delivers one frame.
    payloads: &'static [&'static [u8]],
    /// The bytes that the socket accepts per call from a sender.
    direct: usize,
    /// The bytes that the socket accepts per call from the session.
    session: usize,
    /// Maximum number of preemptions in an interleaving; `None` means all interleavings.
    max_preemptions: Option<usize>,
}

impl Scenario {
    fn check(self) {
        let mut model = Builder::new();
        model.preemption_bound = self.max_preemptions;
        model.check(move || self.run());
    }

    fn run(self) {
        let socket = Arc::new(ShortSocket { bytes: Mutex::new(Vec::new()), accepts: self.direct });
        let mut writer = SocketWriter::new(Waiting::default());
        writer.set_socket(socket.clone());
        let shared = Arc::new(Shared::new(Mutex::new(writer)));
        let (for_session, socket_of_session) = (shared.clone(), socket.clone());
        let session = thread::spawn(move || run_session(&for_session, &socket_of_session, self.session));
        let for_sender = shared.clone();
        let sender = thread::spawn(move || deliver(&for_sender, &Frame::binary(b"b")));
        self.payloads.iter().for_each(|payload| deliver(&shared, &Frame::binary(payload)));
        sender.join().expect("the sender ends");
        shared.change(|writer| {
            let is_awake = writer.session_writes();
            assert!(is_awake || !writer.backlog.has_work(), "work waits for a session that nobody wakes");
            writer.backlog.stops = true;
        });
        session.join().expect("the session ends");
        let expected: Vec<u8> =
            shared.read(|writer| writer.backlog.delivered.iter().flat_map(|frame| frame.wire().to_vec()).collect());
        assert_eq!(*Lock::lock(&socket.bytes), expected, "not the delivered frames in their order");
    }
}

#[test]
fn frames_stay_whole_and_in_order_in_all_interleavings() {
    let scenario = Scenario { payloads: &[b"a"], direct: usize::MAX, session: usize::MAX, max_preemptions: None };
    scenario.check();
}

/// Larger scenarios have too many interleavings. Nearly every concurrency error needs no more than two preemptions.
#[test]
fn frames_stay_whole_and_in_order_if_the_socket_accepts_a_part_of_each() {
    let scenario = Scenario { payloads: &[b"a", b"aa"], direct: 2, session: 2, max_preemptions: Some(2) };
    scenario.check();
}

#[test]
fn frames_stay_whole_and_in_order_if_the_socket_is_full_for_senders() {
    let scenario = Scenario { payloads: &[b"a", b"aa"], direct: 0, session: 3, max_preemptions: Some(2) };
    scenario.check();
}
