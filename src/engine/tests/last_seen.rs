//! The last-seen records that the engine writes.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::Semaphore;

use super::*;
use crate::presence::last_seen::{Activity, LastSeen};
use crate::presence::time::Timestamp;
use crate::store::StoreFuture;
use crate::store::last_seen::memory::MemoryLastSeen;
use crate::store::last_seen::{LastSeenStore, TooManyWaiting};

/// One node with a last-seen store in memory and a manual clock.
struct Fixture {
    world: World,
    last_seen: Arc<dyn LastSeenStore>,
    clock: Clock,
}

impl Fixture {
    fn new(interval: Duration) -> Self {
        let (clock, metrics) = (Clock::manual(Timestamp::from_secs(1000)), Metrics::new());
        let last_seen: Arc<dyn LastSeenStore> =
            Arc::new(MemoryLastSeen::new(Duration::from_secs(1_000_000), &clock, &metrics));
        let config = EngineConfig { shards: 2, max_users_per_shard: 1000 };
        let engine = Engine::start(
            &config,
            Ports::open(LastSeenRecorder::new(Some(last_seen.clone()), interval, &clock)),
            &clock,
            &metrics,
        );
        Self { world: World { engine, metrics, connections: 1.into() }, last_seen, clock }
    }

    async fn of(&self, name: &str) -> LastSeen {
        self.last_seen.read(vec![UserId::from_name(name)]).await.unwrap().remove(0)
    }

    async fn online(&self, name: &str) -> u64 {
        self.of(name).await.online.as_secs()
    }

    async fn until(&self, name: &str, online: u64) {
        let arrived = async {
            while self.online(name).await != online {
                tokio::task::yield_now().await;
            }
        };
        let arrived = tokio::time::timeout(PATIENCE, arrived).await;
        assert!(arrived.is_ok(), "{name} was online at {} instead of {online}", self.online(name).await);
    }
}

#[actix_web::test]
async fn a_user_is_recorded_when_it_appears_and_when_it_disappears() {
    let fixture = Fixture::new(Duration::from_secs(27));
    let bob = fixture.world.connects("bob", Some("")).await;
    assert_eq!(fixture.online("bob").await, 1000);
    fixture.clock.advance(Duration::from_secs(5));
    let phone = fixture.world.connects("bob", None).await;
    bob.disconnects();
    fixture.until("bob", 1005).await;
    fixture.clock.advance(Duration::from_secs(5));
    phone.disconnects();
    fixture.world.until(0, |metrics| metrics.engine().users.get()).await;
    assert_eq!(fixture.online("bob").await, 1005, "an invisible connection counted");
}

#[actix_web::test]
async fn an_invisible_user_is_never_online_and_its_activity_is_recorded() {
    let fixture = Fixture::new(Duration::from_secs(27));
    let mut ghost = fixture.world.connects("ghost", None).await;
    ghost.follows(&["ghost"]);
    ghost.hears().await;
    assert_eq!(fixture.of("ghost").await, LastSeen::default());
    fixture.clock.advance(Duration::from_secs(3));
    fixture.world.engine.mark_active(UserId::from_name("ghost"), None).unwrap();
    fixture.world.engine.mark_active(UserId::from_name("ghost"), Some(text("dnd"))).unwrap();
    let record = fixture.of("ghost").await;
    assert_eq!((record.active.as_secs(), record.online.as_secs(), record.state), (1003, 0, Some(text("dnd"))));
    ghost.sets(Some(""));
    fixture.until("ghost", 1003).await;
}

#[actix_web::test]
async fn a_visible_user_is_recorded_every_interval_also_after_its_actor_was_replaced() {
    let fixture = Fixture::new(Duration::from_millis(20));
    let crowd = futures_util::future::join_all((0..30).map(|number| {
        let name = format!("person-{number}");
        let fixture = &fixture;
        async move { fixture.world.connects(&name, (number % 2 == 0).then_some("")).await }
    }))
    .await;
    for second in 1..5 {
        fixture.clock.advance(Duration::from_secs(1));
        for number in (0..30).step_by(2) {
            fixture.until(&format!("person-{number}"), 1000 + second).await;
        }
        for number in (1..30).step_by(2) {
            assert_eq!(fixture.online(&format!("person-{number}")).await, 0);
        }
        fixture.world.engine.inject_panic(UserId::from_name("person-2"));
    }
    crowd.into_iter().for_each(Client::disconnects);
    fixture.world.until(0, |metrics| metrics.engine().users.get()).await;
    fixture.clock.advance(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(fixture.online("person-0").await < 1005, "recorded after it had disappeared");
}

/// A store that lets a read wait for a permit.
struct GatedLastSeen {
    last_seen: MemoryLastSeen,
    reads: UnboundedSender<()>,
    gate: Semaphore,
}

impl LastSeenStore for GatedLastSeen {
    fn note(&self, activities: &mut dyn Iterator<Item = (UserId, Activity)>) -> Result<(), TooManyWaiting> {
        self.last_seen.note(activities)
    }

    fn read(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LastSeen>> {
        async {
            let answer = self.last_seen.read(users).await;
            self.reads.send(()).unwrap();
            self.gate.acquire().await.unwrap().forget();
            answer
        }
        .boxed()
    }

    fn forget(&self, users: Vec<UserId>) -> StoreFuture<'_, ()> {
        self.last_seen.forget(users)
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.last_seen.close()
    }
}

#[actix_web::test]
async fn a_record_read_before_the_user_was_forgotten_does_not_come_back() {
    let (clock, metrics) = (Clock::manual(Timestamp::from_secs(1000)), Metrics::new());
    let (reads, mut read) = unbounded_channel();
    let last_seen = MemoryLastSeen::new(Duration::from_secs(1_000_000), &clock, &metrics);
    let store = Arc::new(GatedLastSeen { last_seen, reads, gate: Semaphore::new(0) });
    let config = EngineConfig { shards: 2, max_users_per_shard: 1000 };
    let recorder = LastSeenRecorder::new(Some(store.clone()), Duration::from_secs(27), &clock);
    let engine = Engine::start(&config, Ports::open(recorder), &clock, &metrics);
    let world = World { engine, metrics, connections: 1.into() };
    let bob = UserId::from_name("bob");
    world.engine.mark_active(bob, Some(text("dnd"))).unwrap();

    let mut alice = world.connects("alice", None).await;
    alice.follows_with_record("bob");
    read.recv().await;
    store.forget(vec![bob]).await.unwrap();
    world.engine.forget(vec![bob]).unwrap();
    store.gate.add_permits(2);
    assert_eq!(alice.hears().await, "reply[]");

    world.engine.mark_active(bob, Some(text("away"))).unwrap();
    let mut carol = world.connects("carol", None).await;
    store.gate.add_permits(1);
    carol.follows_with_record("bob");
    assert_eq!(carol.hears().await, "reply[\"away\"]");
}
