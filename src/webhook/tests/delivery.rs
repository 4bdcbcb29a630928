//! The task of a receiver, with receivers that fail, hang, stop and start again.

use std::collections::HashMap;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::super::Webhook;
use super::*;
use crate::clock::Clock;
use crate::config::{Overrides, load};
use crate::metrics::Metrics;

/// Deadline for steps that should take milliseconds.
const DEADLINE: Duration = Duration::from_secs(20);

/// How the receiver responds to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Behaviour {
    Takes,
    Fails,
    Redirects,
    Hangs,
}

/// A receiver. `taken` gets the events that it accepts, `requests` every request.
struct TestReceiver {
    port: u16,
    handle: ServerHandle,
    behaviour: watch::Sender<Behaviour>,
    taken: mpsc::UnboundedReceiver<(String, u64)>,
    requests: mpsc::UnboundedReceiver<String>,
}

struct ReceiverState {
    behaviour: watch::Sender<Behaviour>,
    taken: mpsc::UnboundedSender<(String, u64)>,
    requests: mpsc::UnboundedSender<String>,
    ids: Mutex<HashMap<String, u64>>,
}

async fn receive(
    state: web::Data<ReceiverState>,
    request: HttpRequest,
    body: web::Json<serde_json::Value>,
) -> HttpResponse {
    let id = request.headers().get("webhook-id").unwrap().to_str().unwrap().to_owned();
    assert_eq!(body["id"], id.as_str());
    state.requests.send(id.clone()).unwrap();
    let behaviour = *state.behaviour.borrow();
    match behaviour {
        Behaviour::Takes => {
            let taken = (body["data"]["user"].as_str().unwrap().to_owned(), body["timestamp"].as_u64().unwrap() / 1000);
            let earlier = state.ids.lock().insert(id, taken.1);
            assert!(earlier.is_none_or(|earlier| earlier == taken.1), "one id, two events");
            // An event that timed out comes again.
            if earlier.is_none() {
                state.taken.send(taken).unwrap();
            }
            HttpResponse::Ok().json(serde_json::json!({"ActionStatus": "OK", "ErrorCode": 0}))
        }
        Behaviour::Fails => HttpResponse::ServiceUnavailable().finish(),
        Behaviour::Redirects => HttpResponse::TemporaryRedirect().insert_header(("location", "/other")).finish(),
        Behaviour::Hangs => {
            let mut behaviours = state.behaviour.subscribe();
            let _ended = behaviours.wait_for(|behaviour| *behaviour != Behaviour::Hangs).await;
            HttpResponse::ServiceUnavailable().finish()
        }
    }
}

impl TestReceiver {
    /// Starts a receiver. Port 0 means a free one.
    fn start(port: u16, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (behaviour, _) = watch::channel(behaviour);
        let ((taken_in, taken), (requests_in, requests)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let state = web::Data::new(ReceiverState {
            behaviour: behaviour.clone(),
            taken: taken_in,
            requests: requests_in,
            ids: Mutex::default(),
        });
        let server = HttpServer::new(move || App::new().app_data(state.clone()).route("/in", web::post().to(receive)));
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { port, handle, behaviour, taken, requests }
    }

    /// Returns the next `count` events that the receiver accepts.
    async fn takes(&mut self, count: usize) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        while all.len() < count {
            let next = tokio::time::timeout(DEADLINE, self.taken.recv()).await;
            all.push(next.unwrap_or_else(|_| panic!("only {} of {count}: {all:?}", all.len())).unwrap());
        }
        all
    }

    /// Waits for `count` more requests.
    async fn receives(&mut self, count: usize) {
        for number in 0..count {
            let request = tokio::time::timeout(DEADLINE, self.requests.recv()).await;
            request.unwrap_or_else(|_| panic!("only {number} of {count} requests")).unwrap();
        }
    }
}

/// Starts webhooks with short delays and these settings.
fn webhook(url: &str, settings: &[(&str, &str)]) -> (Webhook, Metrics) {
    let short = [("URLS", url), ("TIMEOUT", "20s"), ("RETRY_FIRST", "5ms"), ("RETRY_LONGEST", "40ms")];
    let environment = short.iter().chain(settings);
    let environment =
        environment.map(|&(key, value)| (format!("HEREABOUTS_WEBHOOK__{key}"), value.to_owned())).collect();
    let config = load(&Overrides::default(), environment).unwrap();
    let metrics = Metrics::new();
    (Webhook::start(&config.webhook, 1, &Clock::system(), &metrics).unwrap(), metrics)
}

/// Offers the changes from `first` to before `end`, of ten users in turn.
fn offer(webhook: &Webhook, first: u64, end: u64) {
    for number in first..end {
        let transition = if number % 20 < 10 { Transition::Login } else { Transition::Logout };
        webhook.offer(change(&format!("user{}", number % 10), transition, number));
    }
}

/// Asserts that all events from `first` to before `end` arrived, each once, and those of one user in order.
fn assert_all(mut taken: Vec<(String, u64)>, first: u64, end: u64) {
    for user in 0..10 {
        let of_user = taken.iter().filter(|(name, _)| *name == format!("user{user}")).map(|&(_, number)| number);
        assert!(of_user.is_sorted(), "user{user} out of order: {taken:?}");
    }
    taken.sort_by_key(|&(_, number)| number);
    assert_eq!(taken.iter().map(|&(_, number)| number).collect::<Vec<_>>(), (first..end).collect::<Vec<_>>());
}

#[actix_web::test]
async fn a_receiver_that_fails_hangs_and_restarts_gets_every_event_in_order() {
    let mut receiver = TestReceiver::start(0, Behaviour::Takes);
    let (webhook, metrics) = webhook(&format!("http://127.0.0.1:{}/in", receiver.port), &[("TIMEOUT", "200ms")]);
    offer(&webhook, 0, 100);
    assert_all(receiver.takes(100).await, 0, 100);

    receiver.behaviour.send_replace(Behaviour::Fails);
    offer(&webhook, 100, 200);
    receiver.receives(100 + 5).await;
    receiver.behaviour.send_replace(Behaviour::Takes);
    assert_all(receiver.takes(100).await, 100, 200);

    receiver.behaviour.send_replace(Behaviour::Hangs);
    offer(&webhook, 200, 300);
    let before = metrics.webhook().failures.get();
    while metrics.webhook().failures.get() < before + 2 {
        receiver.receives(1).await;
    }
    receiver.handle.stop(false).await;
    receiver.behaviour.send_replace(Behaviour::Fails);
    offer(&webhook, 300, 400);

    let mut back = TestReceiver::start(receiver.port, Behaviour::Takes);
    assert_all(back.takes(200).await, 200, 400);
    webhook.drain().await;
    assert_eq!(metrics.webhook().queued.get(), 0);
    assert_eq!(metrics.webhook().sent.get(), 400);
    assert_eq!(metrics.webhook().dropped.get() + metrics.webhook().dead.get(), 0);
    back.handle.stop(false).await;
}

#[actix_web::test]
async fn a_full_queue_drops_and_counts_the_oldest_events() {
    let mut receiver = TestReceiver::start(0, Behaviour::Fails);
    let url = format!("http://127.0.0.1:{}/in", receiver.port);
    let (webhook, metrics) = webhook(&url, &[("QUEUE", "50")]);
    offer(&webhook, 0, 1000);
    receiver.receives(3).await;
    assert_eq!(metrics.webhook().dropped.get(), 950);
    assert_eq!(metrics.webhook().queued.get(), 50);
    receiver.behaviour.send_replace(Behaviour::Takes);
    assert_all(receiver.takes(50).await, 950, 1000);
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn an_event_that_fails_for_too_long_is_dropped_and_counted() {
    let receiver = TestReceiver::start(0, Behaviour::Redirects);
    let url = format!("http://127.0.0.1:{}/in", receiver.port);
    let (webhook, metrics) = webhook(&url, &[("RETRY_FOR", "50ms")]);
    offer(&webhook, 0, 10);
    tokio::time::timeout(DEADLINE, webhook.drain()).await.expect("a drain ends when every event is dropped");
    assert_eq!(metrics.webhook().dead.get(), 10);
    assert_eq!(metrics.webhook().queued.get(), 0);
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn a_hanging_receiver_does_not_delay_the_others() {
    let mut receiver = TestReceiver::start(0, Behaviour::Takes);
    let mut hanging = TestReceiver::start(0, Behaviour::Hangs);
    let url = format!("http://127.0.0.1:{}/in http://127.0.0.1:{}/in", hanging.port, receiver.port);
    let (webhook, _metrics) = webhook(&url, &[]);
    offer(&webhook, 0, 100);
    assert_all(receiver.takes(100).await, 0, 100);
    hanging.receives(1).await;
    assert!(hanging.taken.try_recv().is_err(), "it hangs");
    hanging.behaviour.send_replace(Behaviour::Fails);
    hanging.handle.stop(false).await;
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn a_quick_reconnect_is_not_sent_and_a_drain_sends_the_rest() {
    let mut receiver = TestReceiver::start(0, Behaviour::Takes);
    let url = format!("http://127.0.0.1:{}/in", receiver.port);
    let (webhook, metrics) = webhook(&url, &[("GRACE_SECONDS", "3600")]);
    webhook.offer(change("alice", LOST, 1));
    webhook.offer(change("alice", Transition::Login, 2));
    webhook.offer(change("bob", LOST, 3));
    webhook.drain().await;
    assert_eq!(receiver.takes(1).await, [("bob".to_owned(), 3)]);
    assert_eq!((metrics.webhook().undone.get(), metrics.webhook().sent.get()), (1, 1));
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn a_receiver_without_a_trusted_certificate_gets_nothing() {
    let mut receiver = TestReceiver::start(0, Behaviour::Takes);
    let url = format!("https://127.0.0.1:{}/in", receiver.port);
    let (webhook, metrics) = webhook(&url, &[("RETRY_FOR", "20ms")]);
    offer(&webhook, 0, 1);
    tokio::time::timeout(DEADLINE, webhook.drain()).await.expect("given up");
    assert_eq!(metrics.webhook().dead.get(), 1);
    assert!(receiver.taken.try_recv().is_err());
    receiver.handle.stop(false).await;
}
