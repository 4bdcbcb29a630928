//! Who is told of clients that come and go, in all three worlds.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hereabouts::clock::Clock;
use hereabouts::config::value::Period;
use hereabouts::session::connection_listener::{ConnectionChange, ConnectionEvent, ConnectionListener};

use crate::tencent::Device;
use crate::world::{PATIENCE, World, config, user};

struct Book(Sender<ConnectionEvent>);

impl ConnectionListener for Book {
    fn handle(&self, event: ConnectionEvent) {
        // The test may be over.
        drop(self.0.send(event));
    }
}

fn world(heartbeat: Duration) -> (World, Receiver<ConnectionEvent>) {
    let (sender, events) = channel();
    let mut config = config();
    config.tencent.heartbeat_timeout = Period(heartbeat);
    (World::of(config, Clock::system(), Some(Arc::new(Book(sender)))), events)
}

async fn next(events: &Receiver<ConnectionEvent>) -> (String, ConnectionChange, Option<String>) {
    let passed = async {
        loop {
            match events.try_recv() {
                Ok(event) => return event,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let event = tokio::time::timeout(PATIENCE, passed).await.expect("nobody came or went");
    let ConnectionEvent { user, client, change, at } = event;
    assert_eq!(user, hereabouts::presence::id::UserId::from_name(&client.native_id));
    assert!(client.ip.is_some_and(|ip| ip.is_loopback()) && at.as_secs() > 1_700_000_000);
    (client.native_id.clone(), change, client.info.as_ref().map(ToString::to_string))
}

#[actix_web::test]
async fn a_connection_of_each_world_is_told_when_it_comes_and_how_it_goes() {
    let (world, events) = world(Duration::from_secs(400));
    let came = |account: &str| (account.to_owned(), ConnectionChange::Connected, None);
    let closed = |account: &str| (account.to_owned(), ConnectionChange::Closed, None);
    let nakama = world.hidden("nora").await;
    let nora = user("nora").to_string();
    assert_eq!(next(&events).await, came(&nora));
    drop(nakama);
    assert_eq!(next(&events).await, closed(&nora));
    let centrifugo = world.centrifugo("carl").await;
    assert_eq!(next(&events).await, came("carl"));
    drop(centrifugo);
    assert_eq!(next(&events).await, closed("carl"));
    let stranger = Device::connects(&world, "ian").await;
    let device = Device::logs_in(&world, "ian").await;
    let web = Some(r#"{"platform":"Web"}"#.to_owned());
    assert_eq!(next(&events).await, ("ian".to_owned(), ConnectionChange::Connected, web.clone()));
    device.logs_out().await;
    assert_eq!(next(&events).await, ("ian".to_owned(), ConnectionChange::LoggedOut, web));
    drop(stranger);
}

#[actix_web::test]
async fn silence_is_told_apart_from_a_line_that_closes() {
    let (world, events) = world(Duration::from_secs(2));
    let device = Device::logs_in(&world, "ian").await;
    assert_eq!(next(&events).await.1, ConnectionChange::Connected);
    // Nobody reads its socket or answers pings.
    assert_eq!(next(&events).await.1, ConnectionChange::TimedOut);
    drop(device);
}
