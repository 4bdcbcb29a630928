//! How the three worlds see each other: the rows of the table, one test a cell.

use super::*;
use crate::centrifugo::client::Client;
use crate::world::{change, shown, user};

/// The watchers of bob, one of each world, who is not here yet.
struct Watchers {
    nakama: Person,
    centrifugo: Client,
    tencent: Device,
}

/// An id that every world can name: 32 hex digits.
fn bob() -> String {
    user("bob").uuid().simple().to_string()
}

async fn watchers(world: &World) -> Watchers {
    let mut nakama = world.hidden("nora").await;
    nakama.asks_and_hears(json!({"status_follow": {"user_ids": [user("bob").to_string()]}})).await;
    let mut centrifugo = world.centrifugo("carl").await;
    let absent = centrifugo.subscribes(&format!("status:{}", bob())).await;
    assert_eq!((&absent["online"], &absent["statuses"]), (&json!(false), &json!([])));
    let mut tencent = Device::logs_in(world, "ian").await;
    assert_eq!(tencent.subscribes(&[&bob()]).await, [status(&bob(), 3, "")]);
    Watchers { nakama, centrifugo, tencent }
}

impl Watchers {
    /// The watchers of Nakama and `tencent` are told this, and so is the subscriber: online, its texts.
    async fn see(&mut self, joins: &[&str], leaves: &[&str], tencent: (u64, &str), statuses: &[&str]) {
        assert_eq!(self.nakama.sees().await, change(joins, leaves));
        assert_eq!(self.tencent.hears().await, status(&bob(), tencent.0, tencent.1));
        // A time that changes is told too, with the texts as they were.
        while {
            let data = self.centrifugo.sees(&format!("status:{}", bob())).await;
            assert_eq!(data["online"], !data["statuses"].as_array().unwrap().is_empty(), "{data}");
            data["statuses"] != json!(statuses)
        } {}
    }
}

// ---- visible from; text; what each follower gets ----

#[actix_web::test]
async fn a_nakama_connection_is_visible_from_its_first_status_and_shows_it() {
    let world = World::start();
    let mut watchers = watchers(&world).await;
    let mut nakama = world.hidden("bob").await;
    watchers.tencent.has_heard_all_of(&bob()).await;
    nakama.sets(Some("hi")).await;
    watchers.see(&["bob:hi"], &[], (1, "hi"), &["hi"]).await;
    nakama.sets(None).await;
    watchers.see(&[], &["bob:hi"], (2, ""), &[]).await;
}

#[actix_web::test]
async fn a_nakama_connection_that_asks_for_it_is_visible_from_the_start() {
    let world = World::start();
    let mut watchers = watchers(&world).await;
    let nakama = world.online("bob").await;
    watchers.see(&["bob:"], &[], (1, ""), &[""]).await;
    drop(nakama);
    watchers.see(&[], &["bob:"], (2, ""), &[]).await;
}

#[actix_web::test]
async fn a_centrifugo_connection_is_visible_from_its_connect_and_shows_its_state() {
    let world = World::start();
    let mut watchers = watchers(&world).await;
    let mut centrifugo = world.centrifugo("bob").await;
    watchers.see(&["bob:"], &[], (1, ""), &[""]).await;
    centrifugo.updates(json!({"state": "dnd"})).await;
    watchers.see(&["bob:dnd"], &["bob:"], (1, "dnd"), &["dnd"]).await;
    drop(centrifugo);
    watchers.see(&[], &["bob:dnd"], (2, ""), &[]).await;
}

#[actix_web::test]
async fn a_tencent_connection_is_visible_from_its_login_and_shows_the_custom_status() {
    let world = World::start();
    let mut watchers = watchers(&world).await;
    let stranger = Device::connects(&world, "bob").await;
    watchers.tencent.has_heard_all_of(&bob()).await;
    let mut device = Device::logs_in(&world, "bob").await;
    watchers.see(&["bob:"], &[], (1, ""), &[""]).await;
    device.sets("busy").await;
    watchers.see(&["bob:busy"], &["bob:"], (1, "busy"), &["busy"]).await;
    device.logs_out().await;
    watchers.see(&[], &["bob:busy"], (3, ""), &[]).await;
    drop(stranger);
}

#[actix_web::test]
async fn tencent_clients_see_the_custom_status_or_else_the_newest_text() {
    let world = World::start();
    let mut ian = Device::logs_in(&world, "ian").await;
    let mut nakama = world.hidden("bob").await;
    nakama.sets(Some("first")).await;
    let mut centrifugo = world.centrifugo("bob").await;
    centrifugo.updates(json!({"state": "second"})).await;
    until(&mut ian, status(&bob(), 1, "second")).await;
    let mut device = Device::logs_in(&world, "bob").await;
    until(&mut ian, status(&bob(), 1, "second")).await;
    device.sets("own").await;
    nakama.sets(Some("third")).await;
    until(&mut ian, status(&bob(), 1, "own")).await;
    device.sets("").await;
    until(&mut ian, status(&bob(), 1, "third")).await;
}

#[actix_web::test]
async fn a_user_of_several_worlds_is_here_until_the_last_connection_goes() {
    let world = World::start();
    let mut ian = Device::logs_in(&world, "ian").await;
    ian.subscribes(&["bob"]).await;
    let nakama = world.online("bob").await;
    assert_eq!(ian.hears().await, status("bob", 1, ""));
    Device::logs_in(&world, "bob").await.logs_out().await;
    ian.has_heard_all_of("bob").await;
    drop(nakama);
    assert_eq!(ian.hears().await, status("bob", 2, ""), "the last connection was lost");
}

#[actix_web::test]
async fn an_id_that_is_no_uuid_shows_as_one_made_of_it_with_the_id_as_username() {
    let world = World::start();
    let _device = Device::logs_in(&world, "bob@example.com").await;
    let mut nora = world.hidden("nora").await;
    let id = user("bob@example.com").to_string();
    let followed = nora.asks_and_hears(json!({"status_follow": {"user_ids": [id]}})).await;
    assert_eq!(followed["status"]["presences"][0]["user_id"], id);
    assert_eq!(shown(&followed["status"]["presences"]), ["bob@example.com:"]);
}

#[actix_web::test]
async fn several_devices_are_several_presences_to_others_and_one_status_to_tencent_clients() {
    let world = World::start();
    let mut watchers = watchers(&world).await;
    let mut phone = Device::logs_in(&world, "bob").await;
    watchers.see(&["bob:"], &[], (1, ""), &[""]).await;
    let _laptop = Device::logs_in(&world, "bob").await;
    assert_eq!(watchers.nakama.sees().await, change(&["bob:"], &[]));
    phone.sets("both").await;
    assert_eq!(watchers.nakama.sees().await, change(&["bob:both", "bob:both"], &["bob:", "bob:"]), "one event");
    assert_eq!(watchers.tencent.hears().await, status(&bob(), 1, "both"), "nothing of the second device");
}

// ---- how long a follow lives ----

#[actix_web::test]
async fn a_follow_of_nakama_ends_with_its_session() {
    let world = World::start();
    let mut nora = world.hidden("nora").await;
    nora.asks_and_hears(json!({"status_follow": {"user_ids": [user("bob").to_string()]}})).await;
    drop(nora);
    world.until_users(0).await;
    let mut nora = world.hidden("nora").await;
    let _bob = world.online("bob").await;
    nora.hears_nothing_more().await;
}

#[actix_web::test]
async fn a_subscription_of_centrifugo_ends_with_its_session() {
    let world = World::start();
    let mut carl = world.centrifugo("carl").await;
    carl.subscribes("status:bob").await;
    drop(carl);
    world.until_users(0).await;
    let mut carl = world.centrifugo("carl").await;
    let _bob = world.online("bob").await;
    carl.hears_nothing_more().await;
}

#[actix_web::test]
async fn a_tencent_subscription_lives_with_the_member() {
    let world = World::start();
    let mut ian = Device::logs_in(&world, "ian").await;
    ian.subscribes(&["bob"]).await;
    ian.logs_out().await;
    world.until_users(0).await;
    let mut ian = Device::logs_in(&world, "ian").await;
    let _bob = world.online("bob").await;
    assert_eq!(ian.hears().await, status("bob", 1, ""));
}

// ---- limits ----

#[actix_web::test]
async fn past_nakamas_limit_a_follow_is_refused() {
    let world = World::with(|config| config.limits.follows_per_session = 2);
    let mut nora = world.hidden("nora").await;
    let ids: Vec<String> = ["a", "b", "c"].map(|name| user(name).to_string()).into();
    let answer = nora.asks_and_hears(json!({"status_follow": {"user_ids": ids}})).await;
    assert!(answer["error"].is_object(), "{answer}");
}

#[actix_web::test]
async fn past_centrifugos_limit_a_subscription_is_refused() {
    let world = World::with(|config| config.centrifugo.client.channel_limit = 2);
    let mut carl = world.centrifugo("carl").await;
    for channel in ["status:a", "status:b"] {
        carl.subscribes(channel).await;
    }
    assert_eq!(carl.asks("subscribe", json!({"channel": "status:c"})).await["error"]["code"], 106);
}

#[actix_web::test]
async fn past_the_tencent_limit_a_subscription_holds_and_the_earliest_is_dropped() {
    let world = World::with(|config| (config.tencent.users_per_subscribe, config.tencent.subscriptions) = (100, 200));
    let mut ian = Device::logs_in(&world, "ian").await;
    let mut first = Device::logs_in(&world, "user-0").await;
    let mut second = Device::logs_in(&world, "user-1").await;
    for hundred in 0..2 {
        let names: Vec<String> = (0..100).map(|number| format!("user-{}", hundred * 100 + number)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(ian.subscribes(&names).await.len(), 100);
    }
    ian.subscribes(&["user-200"]).await;
    first.sets("dropped").await;
    second.sets("held").await;
    assert_eq!(ian.hears().await, status("user-1", 1, "held"));
    ian.has_heard_all_of("user-0").await;
}
