//! What goes to a client's socket from the thread that tells it.

use std::io::Read as _;
use std::net::{Shutdown, TcpListener, TcpStream};

use super::*;

/// A client that rests, and the other end of its line.
struct Resting {
    address: Address,
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
        let address = outbox(1000, &Metrics::new());
        address.set_line(Socket::new(socket.clone()));
        assert_eq!(frames(&address), Vec::<String>::new());
        Self { address, socket, client }
    }

    fn told(&self, version: u64, millis: u64) -> Delivery {
        let mode = DeliveryMode::AtOnce(Timestamp::from_micros(1_000_000 + millis * 1000));
        self.address.notify(&diff(1, version, None, Some(1)), mode, &mut DeliveryCounts::default())
    }

    /// All that the client gets until its line ends.
    fn got(mut self) -> Vec<u8> {
        self.address.discard();
        drop(self.socket);
        let mut got = Vec::new();
        self.client.read_to_end(&mut got).unwrap();
        got
    }
}

/// A change on the wire.
fn wire() -> Vec<u8> {
    Lines.diff(diff(1, 1, None, Some(1)).diff())[0].wire().to_vec()
}

#[actix_web::test]
async fn a_client_that_rests_has_a_change_at_once_and_rests_on() {
    let resting = Resting::new();
    assert_eq!(resting.told(1, 0), Delivery::Done);
    assert!(!resting.address.is_awake());
    assert_eq!(resting.told(2, 4), Delivery::Done);
    assert_eq!(resting.got(), [wire(), wire()].concat());
}

#[actix_web::test]
async fn a_client_that_was_told_something_shortly_before_is_woken_for_more() {
    let resting = Resting::new();
    assert_eq!(resting.told(1, 0), Delivery::Done);
    assert_eq!(resting.told(2, 3), Delivery::Woken);
    assert_eq!(resting.told(3, 100), Delivery::Waits, "overtook what waits");
    assert_eq!(frames(&resting.address).len(), 2);
    assert_eq!(resting.told(4, 103), Delivery::Woken, "the pause counts from the last change told");
    assert_eq!(resting.got(), wire());
}

#[actix_web::test]
async fn what_its_session_looks_at_is_not_overtaken() {
    let resting = Resting::new();
    resting.address.reply(&[Frame::text("first")]);
    assert_eq!(resting.told(1, 0), Delivery::Waits);
    resting.address.drain(1, drop);
    assert_eq!(resting.told(2, 100), Delivery::Waits);
    assert_eq!(frames(&resting.address).len(), 2);
    assert_eq!(resting.got(), Vec::<u8>::new());
}

#[actix_web::test]
async fn what_does_not_fit_into_the_socket_waits() {
    let resting = Resting::new();
    let (mut version, mut sent) = (0, 0);
    let told = loop {
        version += 1;
        match resting.told(version, version * 10) {
            Delivery::Done => sent += 1,
            other => break other,
        }
    };
    assert_eq!(told, Delivery::Woken);
    assert!(sent > 100, "only {sent} fitted");
    let mut rest = Vec::new();
    resting.address.drain(usize::MAX, |frame| rest.extend_from_slice(frame.wire()));
    assert!(!rest.is_empty() && wire().ends_with(&rest), "not the rest of a frame: {rest:?}");
    let part = wire().len() - rest.len();
    assert_eq!([resting.got(), rest].concat(), wire().repeat(sent + 1), "{part} bytes of the last one fitted");
}

#[actix_web::test]
async fn a_line_that_is_broken_is_its_sessions_to_notice() {
    let resting = Resting::new();
    socket2::SockRef::from(&*resting.socket).shutdown(Shutdown::Write).unwrap();
    assert_eq!(resting.told(1, 0), Delivery::Woken);
    assert_eq!(frames(&resting.address).len(), 1);
}

#[actix_web::test]
async fn the_line_is_let_go_with_the_connection() {
    let resting = Resting::new();
    assert_eq!(Arc::strong_count(&resting.socket), 2);
    resting.address.discard();
    assert_eq!(Arc::strong_count(&resting.socket), 1);
    assert_eq!(resting.told(1, 0), Delivery::Gone);
}
