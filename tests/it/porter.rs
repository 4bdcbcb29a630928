//! Who is told of clients that come and go, in all three worlds.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hereabouts::clock::Clock;
use hereabouts::config::value::Period;
use hereabouts::session::porter::{Passage, Passing, Porter};

use crate::tencent::Device;
use crate::world::{PATIENCE, World, config, user};

struct Book(Sender<Passage>);

impl Porter for Book {
    fn passed(&self, passage: Passage) {
        // The test may be over.
        drop(self.0.send(passage));
    }
}

fn world(heartbeat: Duration) -> (World, Receiver<Passage>) {
    let (sender, passages) = channel();
    let mut config = config();
    config.tencent.heartbeat_timeout = Period(heartbeat);
    (World::of(&config, Clock::system(), Some(Arc::new(Book(sender)))), passages)
}

async fn next(passages: &Receiver<Passage>) -> (String, Passing, Option<String>) {
    let passed = async {
        loop {
            match passages.try_recv() {
                Ok(passage) => return passage,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let passage = tokio::time::timeout(PATIENCE, passed).await.expect("nobody came or went");
    let Passage { user, visitor, passing, at } = passage;
    assert_eq!(user, hereabouts::presence::id::UserId::from_name(&visitor.account));
    assert!(visitor.ip.is_some_and(|ip| ip.is_loopback()) && at.as_secs() > 1_700_000_000);
    (visitor.account.clone(), passing, visitor.info.as_ref().map(ToString::to_string))
}

#[actix_web::test]
async fn a_connection_of_each_world_is_told_when_it_comes_and_how_it_goes() {
    let (world, passages) = world(Duration::from_secs(400));
    let came = |account: &str| (account.to_owned(), Passing::Came, None);
    let closed = |account: &str| (account.to_owned(), Passing::Closed, None);
    let nakama = world.hidden("nora").await;
    let nora = user("nora").to_string();
    assert_eq!(next(&passages).await, came(&nora));
    drop(nakama);
    assert_eq!(next(&passages).await, closed(&nora));
    let centrifugo = world.centrifugo("carl").await;
    assert_eq!(next(&passages).await, came("carl"));
    drop(centrifugo);
    assert_eq!(next(&passages).await, closed("carl"));
    let stranger = Device::connects(&world, "ian").await;
    let device = Device::logs_in(&world, "ian").await;
    let web = Some(r#"{"platform":"Web"}"#.to_owned());
    assert_eq!(next(&passages).await, ("ian".to_owned(), Passing::Came, web.clone()));
    device.logs_out().await;
    assert_eq!(next(&passages).await, ("ian".to_owned(), Passing::LoggedOut, web));
    drop(stranger);
}

#[actix_web::test]
async fn silence_is_told_apart_from_a_line_that_closes() {
    let (world, passages) = world(Duration::from_secs(2));
    let device = Device::logs_in(&world, "ian").await;
    assert_eq!(next(&passages).await.1, Passing::Came);
    // Nobody reads its socket or answers pings.
    assert_eq!(next(&passages).await.1, Passing::Silent);
    drop(device);
}
