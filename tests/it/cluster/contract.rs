//! The contract of the backplanes, run against each of them.

use std::time::Duration;

use hereabouts::clock::Clock;
use hereabouts::cluster::record::Record;
use hereabouts::cluster::{CallWindow, NodeCommand, NodeHealth};
use hereabouts::presence::general_status::Exit;
use hereabouts::presence::id::UserId;
use hereabouts::presence::remote::Remote;

use super::world::{World, connection, eventually, texts};

/// Long enough to observe a state, even on a busy machine.
const LINGER: Duration = Duration::from_secs(5);

async fn with_every_backplane(contract: impl AsyncFn(&World)) {
    contract(&World::memory()).await;
    contract(&World::redis(1)).await;
    contract(&World::redis(2)).await;
}

#[tokio::test]
async fn the_other_nodes_see_an_announcement_and_the_node_itself_does_not() {
    with_every_backplane(async |world| {
        let (one, two) = (world.node("one").await, world.node("two").await);
        let (alice, bob) = (UserId::random(), UserId::random());
        two.backplane.watch(alice);
        one.backplane.watch(alice);
        two.sees(alice, &[]).await;
        one.announces(alice, &["here"]);
        two.sees(alice, &["here"]).await;
        one.announces(alice, &["away", "phone"]);
        one.announces(bob, &["unwatched"]);
        two.sees(alice, &["away", "phone"]).await;
        two.announces(alice, &["tablet"]);
        one.sees(alice, &["tablet"]).await;
        two.sees(alice, &["away", "phone"]).await;
        one.backplane.withdraw(alice, Exit::LoggedOut);
        two.sees(alice, &[]).await;
        assert_eq!(two.backplane.remote(alice).unwrap().last_exit, Some(Exit::LoggedOut));
        assert!(two.notices(alice) >= 3);
        assert_eq!((two.notices(bob), two.shows(bob)), (0, None), "no node watches the user");
        two.backplane.watch(bob);
        two.sees(bob, &["unwatched"]).await;
        two.backplane.unwatch(bob);
        assert_eq!(two.shows(bob), None);
        assert_eq!(one.backplane.health(), NodeHealth::Joined);
    })
    .await;
}

#[tokio::test]
async fn a_view_only_moves_forward_and_ends_at_the_truth() {
    with_every_backplane(async |world| {
        let (one, two, three) = (world.node("one").await, world.node("two").await, world.node("three").await);
        let users: Vec<UserId> = (0..10).map(|_| UserId::random()).collect();
        users.iter().for_each(|&user| three.backplane.watch(user));
        let mut versions = vec![0; users.len()];
        for round in 0..40 {
            for (index, &user) in users.iter().enumerate() {
                one.announces(user, &[&format!("one {round:02}")]);
                two.announces(user, &[&format!("two {round:02}")]);
                if let Some(remote) = three.backplane.remote(user) {
                    assert!(remote.version >= versions[index], "{} after {}", remote.version, versions[index]);
                    versions[index] = remote.version;
                }
            }
            tokio::task::yield_now().await;
        }
        for &user in &users {
            three.sees(user, &["one 39", "two 39"]).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_lingering_record_is_visible_until_the_deadline() {
    with_every_backplane(async |world| {
        let (one, two) = (world.node("one").await, world.node("two").await);
        // Many users, so that announcements and lingering meet in every possible order.
        let users: Vec<UserId> = (0..200).map(|_| UserId::random()).collect();
        for &user in &users {
            two.backplane.watch(user);
            one.announces(user, &["here"]);
            tokio::task::yield_now().await;
            one.backplane.linger(user, LINGER);
        }
        eventually("all linger", || {
            let lingers = |remote: Remote| remote.lingering == [connection("here").id];
            users.iter().all(|&user| two.backplane.remote(user).is_some_and(lingers))
        })
        .await;
        world.pass(LINGER + Duration::from_millis(1));
        for &user in &users {
            two.sees(user, &[]).await;
        }
        let alice = users[0];
        // A later change of the same bucket is visible, and the user is still absent.
        one.announces(alice, &["again"]);
        two.sees(alice, &["again"]).await;
        one.backplane.withdraw(alice, Exit::Lost);
        two.sees(alice, &[]).await;
        assert_eq!(two.backplane.remote(alice).unwrap().last_exit, Some(Exit::Lost));
    })
    .await;
}

#[tokio::test]
async fn a_user_who_returns_on_another_node_before_the_deadline_was_never_gone() {
    with_every_backplane(async |world| {
        let (one, two, three) = (world.node("one").await, world.node("two").await, world.node("three").await);
        let alice = UserId::random();
        two.backplane.watch(alice);
        three.backplane.watch(alice);
        one.announces(alice, &["here"]);
        three.sees(alice, &["here"]).await;
        one.backplane.linger(alice, LINGER);
        eventually("lingers", || two.backplane.remote(alice).is_some_and(|remote| !remote.lingering.is_empty())).await;
        let shown_as = Some(connection("here").id);
        let back = hereabouts::presence::remote::RemoteConnection {
            id: connection("another").id,
            shown_as,
            ..connection("here")
        };
        two.backplane.announce(alice, Record { connections: vec![back.clone()], ..Record::default() });
        world.pass(LINGER + Duration::from_millis(1));
        // From here to the end of the lingering record the view shows the same one connection.
        eventually("the lingering record is removed", || {
            let remote = three.backplane.remote(alice).expect("watched and known");
            let shown: Vec<_> = remote.connections.iter().map(|connection| connection.shown()).collect();
            assert_eq!((shown, texts(&remote)), (vec![connection("here").id], vec!["here".to_owned()]));
            remote.last_exit == Some(Exit::Lost)
        })
        .await;
        assert_eq!(three.backplane.remote(alice).unwrap().connections, [back]);
    })
    .await;
}

#[tokio::test]
async fn the_users_of_a_dead_node_leave() {
    with_every_backplane(async |world| {
        let (one, two) = (world.node("one").await, world.node("two").await);
        let users: Vec<UserId> = (0..450).map(|_| UserId::random()).collect();
        for &user in &users {
            two.backplane.watch(user);
            one.announces(user, &["here"]);
        }
        for &user in &users {
            two.sees(user, &["here"]).await;
        }
        two.announces(users[0], &["also"]);
        let three = world.node("three").await;
        let lingers = UserId::random();
        two.backplane.watch(lingers);
        one.announces(lingers, &["lingers"]);
        one.backplane.linger(lingers, LINGER * 12);
        eventually("lingers", || two.backplane.remote(lingers).is_some_and(|remote| !remote.lingering.is_empty()))
            .await;
        world.crash("one", one);
        for &user in &users {
            two.sees(user, &[]).await;
        }
        assert_eq!(two.shows(lingers).unwrap(), ["lingers"], "until its own deadline");
        // The sweeping node learns it from the reply. The other nodes may receive the event first.
        let mut lost = Vec::new();
        eventually("each is told of, by one", || {
            lost = [two.lost(), three.lost()].concat();
            lost.len() >= users.len()
        })
        .await;
        assert!(lost.iter().all(|(_, lost)| *lost == connection("here")));
        let mut told: Vec<UserId> = lost.into_iter().map(|(user, _)| user).collect();
        let mut users = users;
        users.sort();
        told.sort();
        assert_eq!(told, users);
        let names: Vec<String> = two.backplane.nodes().await.unwrap().into_iter().map(|node| node.name).collect();
        assert_eq!(names, ["three", "two"]);
    })
    .await;
}

#[tokio::test]
async fn users_who_are_not_watched_can_be_queried() {
    with_every_backplane(async |world| {
        let (one, two) = (world.node("one").await, world.node("two").await);
        let users: Vec<UserId> = (0..20).map(|_| UserId::random()).collect();
        users.iter().take(10).for_each(|&user| one.announces(user, &["here"]));
        users.iter().take(5).for_each(|&user| two.announces(user, &["own"]));
        two.backplane.watch(users[0]);
        two.sees(users[0], &["here"]).await;
        let found = loop {
            let found = two.backplane.query(users.clone()).await.unwrap();
            let shows = |user| found.get(user).is_some_and(|remote| texts(remote) == ["here"]);
            if users.iter().take(10).all(shows) {
                break found;
            }
        };
        assert_eq!(found.len(), 10, "unknown users are left out");
    })
    .await;
}

#[tokio::test]
async fn a_command_reaches_every_node() {
    with_every_backplane(async |world| {
        let (one, two) = (world.node("one").await, world.node("two").await);
        let alice = UserId::random();
        // A node that has received an event of the bucket also receives the command.
        for node in [&one, &two] {
            node.backplane.watch(alice);
        }
        one.announces(alice, &["one"]);
        two.announces(alice, &["two"]);
        one.sees(alice, &["two"]).await;
        two.sees(alice, &["one"]).await;
        one.announces(alice, &["heard one"]);
        two.announces(alice, &["heard two"]);
        one.sees(alice, &["heard two"]).await;
        two.sees(alice, &["heard one"]).await;
        let command = NodeCommand::Close {
            connection: Some(connection("x").id),
            except: Vec::new(),
            code: 3005,
            reason: "go".into(),
        };
        one.backplane.send_command(alice, command.clone()).await.unwrap();
        for node in [&one, &two] {
            let mut commands = Vec::new();
            eventually("the command arrives", || {
                commands.extend(node.commands());
                !commands.is_empty()
            })
            .await;
            assert_eq!(commands, [(alice, command.clone())]);
        }
    })
    .await;
}

#[tokio::test]
async fn calls_are_counted_over_all_nodes() {
    with_every_backplane(async |world| {
        let (one, two) = (world.node("one").await, world.node("two").await);
        let span = Duration::from_secs(1);
        let window = CallWindow { name: "query", limit: 3, span };
        let time = Clock::system();
        let (alice, wait) = loop {
            let (user, begin) = (UserId::random(), time.now());
            for node in [&one, &two, &one] {
                assert_eq!(node.backplane.take_call(user, window).await, Ok(Ok(())));
            }
            match two.backplane.take_call(user, window).await.unwrap() {
                Err(wait) => break (user, wait),
                Ok(()) => assert!(time.now().since(begin) > span, "the fourth"),
            }
        };
        assert!(wait > Duration::ZERO && wait <= span, "{wait:?}");
        let other = CallWindow { name: "other", ..window };
        assert_eq!(two.backplane.take_call(alice, other).await, Ok(Ok(())), "each window counts separately");
        assert_eq!(two.backplane.take_call(UserId::random(), window).await, Ok(Ok(())), "another user");
        world.pass(wait);
        let again = async { while two.backplane.take_call(alice, window).await.unwrap().is_err() {} };
        assert!(tokio::time::timeout(span * 10, again).await.is_ok(), "the window does not move on");
    })
    .await;
}

#[tokio::test]
async fn nodes_know_each_other_and_the_records_of_a_leaving_node_are_held() {
    with_every_backplane(async |world| {
        let (one, two) = (world.node("one").await, world.node("two").await);
        one.backplane.describe(7, 5);
        let known = async {
            loop {
                let nodes = two.backplane.nodes().await.unwrap();
                let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
                if names == ["one", "two"] && (nodes[0].connections, nodes[0].users) == (7, 5) {
                    break;
                }
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(30), known).await.is_ok(), "they do not know each other");
        let alice = UserId::random();
        two.backplane.watch(alice);
        one.announces(alice, &["here"]);
        two.sees(alice, &["here"]).await;
        let (time, hold) = (Clock::system(), Duration::from_millis(500));
        let begin = time.now();
        one.backplane.close(hold).await.unwrap();
        drop(one);
        let shown = two.shows(alice);
        assert!(shown.is_some_and(|texts| texts == ["here"]) || time.now().since(begin) > hold, "not held");
        world.pass(Duration::from_millis(501));
        two.sees(alice, &[]).await;
    })
    .await;
}
