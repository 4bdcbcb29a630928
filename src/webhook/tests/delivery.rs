//! The task, against a receiver on a socket of its own that fails, hangs, is away and comes back.

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

/// How long anything may take that should take milliseconds.
const DEADLINE: Duration = Duration::from_secs(20);

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Takes,
    Fails,
    Redirects,
    Hangs,
}

/// A receiver; the events that it took come out of `taken`, every request that it saw out of `last_seen`.
struct Receiver {
    port: u16,
    handle: ServerHandle,
    mood: watch::Sender<Mood>,
    taken: mpsc::UnboundedReceiver<(String, u64)>,
    last_seen: mpsc::UnboundedReceiver<String>,
}

struct Ears {
    mood: watch::Sender<Mood>,
    taken: mpsc::UnboundedSender<(String, u64)>,
    last_seen: mpsc::UnboundedSender<String>,
    ids: Mutex<HashMap<String, u64>>,
}

async fn hears(ears: web::Data<Ears>, request: HttpRequest, body: web::Json<serde_json::Value>) -> HttpResponse {
    let id = request.headers().get("webhook-id").unwrap().to_str().unwrap().to_owned();
    assert_eq!(body["id"], id.as_str());
    ears.last_seen.send(id.clone()).unwrap();
    let mood = *ears.mood.borrow();
    match mood {
        Mood::Takes => {
            let told = (body["data"]["user"].as_str().unwrap().to_owned(), body["timestamp"].as_u64().unwrap() / 1000);
            let earlier = ears.ids.lock().insert(id, told.1);
            assert!(earlier.is_none_or(|earlier| earlier == told.1), "one id, two events");
            // One whose answer came too late comes again.
            if earlier.is_none() {
                ears.taken.send(told).unwrap();
            }
            HttpResponse::Ok().json(serde_json::json!({"ActionStatus": "OK", "ErrorCode": 0}))
        }
        Mood::Fails => HttpResponse::ServiceUnavailable().finish(),
        Mood::Redirects => HttpResponse::TemporaryRedirect().insert_header(("location", "/elsewhere")).finish(),
        Mood::Hangs => {
            let mut moods = ears.mood.subscribe();
            let _ended = moods.wait_for(|mood| *mood != Mood::Hangs).await;
            HttpResponse::ServiceUnavailable().finish()
        }
    }
}

impl Receiver {
    /// Starts one; `port` 0 takes a free one.
    fn start(port: u16, mood: Mood) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mood, _) = watch::channel(mood);
        let ((taken_in, taken), (seen_in, last_seen)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let ears =
            web::Data::new(Ears { mood: mood.clone(), taken: taken_in, last_seen: seen_in, ids: Mutex::default() });
        let server = HttpServer::new(move || App::new().app_data(ears.clone()).route("/in", web::post().to(hears)));
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { port, handle, mood, taken, last_seen }
    }

    /// The next `count` events that it takes.
    async fn takes(&mut self, count: usize) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        while all.len() < count {
            let next = tokio::time::timeout(DEADLINE, self.taken.recv()).await;
            all.push(next.unwrap_or_else(|_| panic!("only {} of {count}: {all:?}", all.len())).unwrap());
        }
        all
    }

    /// Waits until it has seen `count` more requests.
    async fn sees(&mut self, count: usize) {
        for number in 0..count {
            let last_seen = tokio::time::timeout(DEADLINE, self.last_seen.recv()).await;
            last_seen.unwrap_or_else(|_| panic!("only {number} of {count} requests")).unwrap();
        }
    }
}

/// A webhook that tries again soon, with these settings besides.
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

/// All of `first` to before `end` are there, each once, those of one user in order.
fn assert_all(mut told: Vec<(String, u64)>, first: u64, end: u64) {
    for user in 0..10 {
        let of_user = told.iter().filter(|(name, _)| *name == format!("user{user}")).map(|&(_, number)| number);
        assert!(of_user.is_sorted(), "user{user} out of order: {told:?}");
    }
    told.sort_by_key(|&(_, number)| number);
    assert_eq!(told.iter().map(|&(_, number)| number).collect::<Vec<_>>(), (first..end).collect::<Vec<_>>());
}

#[actix_web::test]
async fn a_receiver_that_fails_hangs_and_is_away_gets_every_event_in_order() {
    let mut receiver = Receiver::start(0, Mood::Takes);
    let (webhook, metrics) = webhook(&format!("http://127.0.0.1:{}/in", receiver.port), &[("TIMEOUT", "200ms")]);
    offer(&webhook, 0, 100);
    assert_all(receiver.takes(100).await, 0, 100);

    receiver.mood.send_replace(Mood::Fails);
    offer(&webhook, 100, 200);
    receiver.sees(100 + 5).await;
    receiver.mood.send_replace(Mood::Takes);
    assert_all(receiver.takes(100).await, 100, 200);

    receiver.mood.send_replace(Mood::Hangs);
    offer(&webhook, 200, 300);
    let before = metrics.webhook().failures.get();
    while metrics.webhook().failures.get() < before + 2 {
        receiver.sees(1).await;
    }
    receiver.handle.stop(false).await;
    receiver.mood.send_replace(Mood::Fails);
    offer(&webhook, 300, 400);

    let mut back = Receiver::start(receiver.port, Mood::Takes);
    assert_all(back.takes(200).await, 200, 400);
    webhook.drain().await;
    assert_eq!(metrics.webhook().queued.get(), 0);
    assert_eq!(metrics.webhook().sent.get(), 400);
    assert_eq!(metrics.webhook().dropped.get() + metrics.webhook().dead.get(), 0);
    back.handle.stop(false).await;
}

#[actix_web::test]
async fn past_the_bound_the_oldest_are_dropped_and_counted() {
    let mut receiver = Receiver::start(0, Mood::Fails);
    let url = format!("http://127.0.0.1:{}/in", receiver.port);
    let (webhook, metrics) = webhook(&url, &[("QUEUE", "50")]);
    offer(&webhook, 0, 1000);
    receiver.sees(3).await;
    assert_eq!(metrics.webhook().dropped.get(), 950);
    assert_eq!(metrics.webhook().queued.get(), 50);
    receiver.mood.send_replace(Mood::Takes);
    assert_all(receiver.takes(50).await, 950, 1000);
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn what_fails_for_too_long_is_given_up_and_counted() {
    let receiver = Receiver::start(0, Mood::Redirects);
    let url = format!("http://127.0.0.1:{}/in", receiver.port);
    let (webhook, metrics) = webhook(&url, &[("RETRY_FOR", "50ms")]);
    offer(&webhook, 0, 10);
    tokio::time::timeout(DEADLINE, webhook.drain()).await.expect("a drain ends when all is given up");
    assert_eq!(metrics.webhook().dead.get(), 10);
    assert_eq!(metrics.webhook().queued.get(), 0);
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn every_receiver_gets_every_event_whatever_the_others_do() {
    let mut receiver = Receiver::start(0, Mood::Takes);
    let mut hanging = Receiver::start(0, Mood::Hangs);
    let url = format!("http://127.0.0.1:{}/in http://127.0.0.1:{}/in", hanging.port, receiver.port);
    let (webhook, _metrics) = webhook(&url, &[]);
    offer(&webhook, 0, 100);
    assert_all(receiver.takes(100).await, 0, 100);
    hanging.sees(1).await;
    assert!(hanging.taken.try_recv().is_err(), "it hangs");
    hanging.mood.send_replace(Mood::Fails);
    hanging.handle.stop(false).await;
    receiver.handle.stop(false).await;
}

#[actix_web::test]
async fn a_quick_reconnect_is_not_told_and_a_drain_tells_the_rest() {
    let mut receiver = Receiver::start(0, Mood::Takes);
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
async fn a_receiver_that_shows_no_certificate_we_trust_is_told_nothing() {
    let mut receiver = Receiver::start(0, Mood::Takes);
    let url = format!("https://127.0.0.1:{}/in", receiver.port);
    let (webhook, metrics) = webhook(&url, &[("RETRY_FOR", "20ms")]);
    offer(&webhook, 0, 1);
    tokio::time::timeout(DEADLINE, webhook.drain()).await.expect("given up");
    assert_eq!(metrics.webhook().dead.get(), 1);
    assert!(receiver.taken.try_recv().is_err());
    receiver.handle.stop(false).await;
}
