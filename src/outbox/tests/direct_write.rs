//! Changes that the delivering thread writes to the client's socket itself.

use std::io::Read as _;
use std::net::{Shutdown, TcpListener, TcpStream};

use super::*;

/// An outbox with a session at rest, and the client's end of its socket.
struct Resting {
    outbox: OutboxReceiver,
    socket: Arc<tokio::net::TcpStream>,
    client: TcpStream,
}

impl Resting {
    fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = Arc::new(tokio::net::TcpStream::from_std(socket).unwrap());
        let outbox = outbox(1000, &Metrics::new());
        outbox.set_socket(DirectSocket::new(socket.clone()));
        assert_eq!(frames(&outbox), Vec::<String>::new());
        Self { outbox, socket, client }
    }

    fn notify(&self, version: u64, millis: u64) -> Delivery {
        let mode = DeliveryMode::Direct(Timestamp::from_micros(1_000_000 + millis * 1000));
        self.outbox.address().notify(&diff(1, version, None, Some(1)), mode, &mut DeliveryCounts::default())
    }

    /// Returns everything that the client receives until the connection ends.
    fn received(mut self) -> Vec<u8> {
        self.outbox.discard();
        drop(self.socket);
        let mut received = Vec::new();
        self.client.read_to_end(&mut received).unwrap();
        received
    }
}

/// Returns a change as it is on the wire.
fn wire() -> Vec<u8> {
    LineCodec.diff(diff(1, 1, None, Some(1)).diff())[0].wire().to_vec()
}

#[actix_web::test]
async fn a_session_at_rest_stays_at_rest_while_its_client_gets_a_change() {
    let resting = Resting::new();
    assert_eq!(resting.notify(1, 0), Delivery::Done);
    assert!(!resting.outbox.address().is_awake());
    assert_eq!(resting.notify(2, 4), Delivery::Done);
    assert_eq!(resting.received(), [wire(), wire()].concat());
}

#[actix_web::test]
async fn a_change_soon_after_another_wakes_the_session() {
    let resting = Resting::new();
    assert_eq!(resting.notify(1, 0), Delivery::Done);
    assert_eq!(resting.notify(2, 3), Delivery::Woken);
    assert_eq!(resting.notify(3, 100), Delivery::Waits, "it overtook a waiting frame");
    assert_eq!(frames(&resting.outbox).len(), 2);
    assert_eq!(resting.notify(4, 103), Delivery::Woken, "the window counts from the last change");
    assert_eq!(resting.received(), wire());
}

#[actix_web::test]
async fn a_change_does_not_overtake_what_an_awake_session_sends() {
    let resting = Resting::new();
    resting.outbox.reply(&[Frame::text("first")]);
    assert_eq!(resting.notify(1, 0), Delivery::Waits);
    resting.outbox.drain(1, drop);
    assert_eq!(resting.notify(2, 100), Delivery::Waits);
    assert_eq!(frames(&resting.outbox).len(), 2);
    assert_eq!(resting.received(), Vec::<u8>::new());
}

#[actix_web::test]
async fn the_rest_of_a_frame_that_does_not_fit_into_the_socket_waits() {
    let resting = Resting::new();
    let (mut version, mut sent) = (0, 0);
    let delivery = loop {
        version += 1;
        match resting.notify(version, version * 10) {
            Delivery::Done => sent += 1,
            other => break other,
        }
    };
    assert_eq!(delivery, Delivery::Woken);
    assert!(sent > 100, "only {sent} frames fitted");
    let mut rest = Vec::new();
    resting.outbox.drain(usize::MAX, |frame| rest.extend_from_slice(frame.wire()));
    assert!(!rest.is_empty() && wire().ends_with(&rest), "not the rest of a frame: {rest:?}");
    let part = wire().len() - rest.len();
    assert_eq!([resting.received(), rest].concat(), wire().repeat(sent + 1), "{part} bytes of the last one fitted");
}

#[actix_web::test]
async fn the_session_finds_out_about_a_broken_socket() {
    let resting = Resting::new();
    socket2::SockRef::from(&*resting.socket).shutdown(Shutdown::Write).unwrap();
    assert_eq!(resting.notify(1, 0), Delivery::Woken);
    assert_eq!(frames(&resting.outbox).len(), 1);
}

#[actix_web::test]
async fn the_outbox_drops_the_socket_of_a_connection_that_is_gone() {
    let resting = Resting::new();
    assert_eq!(Arc::strong_count(&resting.socket), 2);
    resting.outbox.discard();
    assert_eq!(Arc::strong_count(&resting.socket), 1);
    assert_eq!(resting.notify(1, 0), Delivery::Gone);
}
