//! A user that hides from a viewer looks like one that never existed: field by field, over time, in every dialect and
//! every query. Compares the transcripts of two viewers that do the same, one for each of the two users.

use hereabouts::config::{Config, FollowPolicy};
use hereabouts::presence::id::Username;
use hereabouts::store::accounts::{Account, LoginKey};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::centrifugo::client::{Client, token};
use crate::world::user;

const KEY: &str = "a key of the tests";

/// Steps of one history.
const STEPS: usize = 80;

const OWNER: &str = "owner";
const GHOST: &str = "ghost";

async fn api(world: &World, method: &str, body: Value) {
    let client = awc::Client::default();
    let request = client.post(world.server.url(&format!("/api/{method}"))).insert_header(("X-API-Key", KEY));
    let answer: Value = request.send_json(&body).await.unwrap().json().await.unwrap();
    assert!(answer["result"].is_object(), "{method}: {answer}");
}

/// The names of a viewer, one in each dialect, so that none of them hears of its own other connections.
fn names(viewer: &str) -> [String; 3] {
    ["n", "c", "t"].map(|dialect| format!("{viewer}-{dialect}"))
}

/// Somebody who looks at a user in every way that clients have.
struct Viewer {
    name: &'static str,
    target: &'static str,
    nakama: Person,
    centrifugo: Client,
    tencent: Person,
    requests: u32,
    /// Every frame and every body, with the names replaced.
    transcript: Vec<String>,
}

impl Viewer {
    async fn of(world: &World, name: &'static str, target: &'static str) -> Self {
        let [n, c, t] = names(name);
        let mut viewer = Self {
            name,
            target,
            nakama: world.hidden(&n).await,
            centrifugo: world.centrifugo(&c).await,
            tencent: world.connects_at(&t, "/im").await,
            requests: 0,
            transcript: Vec::new(),
        };
        viewer.logs_in(world).await;
        viewer
    }

    fn notes(&mut self, what: &str) {
        let id = user(self.target).to_string();
        let noted = what.replace(&id, "TARGET-ID").replace(self.target, "TARGET").replace(self.name, "VIEWER");
        self.transcript.push(noted);
    }

    async fn asks_nakama(&mut self, mut message: Value) {
        self.requests += 1;
        let cid = self.requests.to_string();
        message["cid"] = cid.clone().into();
        self.nakama.says(&message.to_string()).await;
        loop {
            let frame = self.nakama.hears().await;
            self.notes(&frame.to_string());
            if frame["cid"] == cid.as_str() {
                return;
            }
        }
    }

    async fn asks_centrifugo(&mut self, method: &str, body: Value) {
        self.requests += 1;
        let id = self.requests;
        self.centrifugo.says(&json!({"id": id, method: body}).to_string()).await;
        loop {
            let frame = self.centrifugo.hears().await;
            self.notes(&frame.to_string());
            if frame["id"] == id {
                return;
            }
        }
    }

    async fn asks_tencent(&mut self, method: &str, params: Value) {
        self.requests += 1;
        let id = self.requests;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.tencent.says(&request.to_string()).await;
        loop {
            let frame = self.tencent.hears().await;
            self.notes(&frame.to_string());
            if frame["id"] == id {
                return;
            }
        }
    }

    async fn logs_in(&mut self, world: &World) {
        let [_, _, name] = names(self.name);
        self.asks_tencent("login", credentials(world, &name)).await;
    }

    async fn reads_account(&mut self, world: &World) {
        let [name, ..] = names(self.name);
        let url = world.server.url(&format!("/v2/user?ids={}", user(self.target)));
        let request = awc::Client::default().get(url).bearer_auth(world.token(&name));
        let body = request.send().await.unwrap().body().await.unwrap();
        self.notes(&String::from_utf8_lossy(&body));
    }

    /// Looks in one of many ways.
    async fn looks(&mut self, world: &World, way: u32) {
        let (id, name) = (user(self.target).to_string(), self.target);
        let channel = json!({"channel": format!("status:{name}")});
        let list = json!({"userIDList": [name]});
        match way {
            0 => self.asks_nakama(json!({"status_follow": {"user_ids": [id]}})).await,
            1 => self.asks_nakama(json!({"status_follow": {"usernames": [name]}})).await,
            2 => self.asks_nakama(json!({"status_unfollow": {"user_ids": [id]}})).await,
            3 => self.reads_account(world).await,
            4 => self.asks_centrifugo("subscribe", channel).await,
            5 => self.asks_centrifugo("unsubscribe", channel).await,
            6 => self.asks_centrifugo("presence", channel).await,
            7 => self.asks_centrifugo("presence_stats", channel).await,
            8 => self.asks_tencent("getUserStatus", list).await,
            9 => self.asks_tencent("subscribeUserStatus", list).await,
            10 => self.asks_tencent("unsubscribeUserStatus", list).await,
            11 => {
                self.asks_tencent("logout", json!({})).await;
                let [_, _, name] = names(self.name);
                self.tencent = world.connects_at(&name, "/im").await;
                self.logs_in(world).await;
            }
            12 => self.centrifugo = world.centrifugo(&names(self.name)[1]).await,
            _ => self.nakama = world.hidden(&names(self.name)[0]).await,
        }
    }

    /// Everything that is under way to the viewer is in the transcript after this.
    async fn catches_up(&mut self) {
        self.asks_nakama(json!({"ping": {}})).await;
        self.asks_centrifugo("presence_stats", json!({"channel": "status:nobody"})).await;
        self.asks_tencent("heartbeat", json!({})).await;
    }
}

/// The number of ways to look.
const WAYS: u32 = 14;

/// The user that hides, on up to three connections.
#[derive(Default)]
struct Owner {
    nakama: Option<Person>,
    centrifugo: Option<Client>,
    tencent: Option<Device>,
}

impl Owner {
    /// Does one of many things.
    async fn acts(&mut self, world: &World, rng: &mut StdRng, manner: Manner) {
        let text = rng.random_range(0..100).to_string();
        match rng.random_range(0..13) {
            what if manner == Manner::Invisible => self.acts_invisibly(world, what).await,
            0 => self.nakama = Some(world.connects(OWNER, "status=true").await),
            1 => self.nakama = Some(world.hidden(OWNER).await),
            2 | 3 => {
                if let Some(nakama) = &mut self.nakama {
                    let status = (text != "1").then_some(text);
                    nakama.asks_and_hears(json!({"status_update": {"status": status}})).await;
                }
            }
            4 => self.nakama = None,
            5 => {
                let mut client = world.dials("").await;
                client.asks("connect", json!({"token": token(&json!({"sub": OWNER, "info": {"a": 1}}))})).await;
                self.centrifugo = Some(client);
            }
            6 => {
                if let Some(centrifugo) = &mut self.centrifugo {
                    centrifugo.updates(json!({"state": text})).await;
                }
            }
            7 => self.centrifugo = None,
            8 => self.tencent = Some(Device::logs_in(world, OWNER).await),
            9 => {
                if let Some(tencent) = &mut self.tencent {
                    tencent.sets(&text).await;
                }
            }
            10 => {
                if let Some(tencent) = self.tencent.take() {
                    tencent.logs_out().await;
                }
            }
            11 => api(world, "update_user_status", json!({"users": [OWNER], "state": text})).await,
            _ => api(world, "delete_user_status", json!({"users": [OWNER]})).await,
        }
    }
}

impl Owner {
    /// Is here, and shows nothing.
    async fn acts_invisibly(&mut self, world: &World, what: u32) {
        match (what % 3, &mut self.nakama) {
            (0, _) => self.nakama = Some(world.hidden(OWNER).await),
            (1, Some(nakama)) => nakama.sets(None).await,
            _ => self.nakama = None,
        }
    }
}

/// How the owner acts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It blocks the first viewer.
    Blocking,
    /// It hides from nobody in particular.
    Open,
    /// It is invisible all the time.
    Invisible,
}

/// Creates the two accounts, which differ in their names only.
async fn creates_accounts(world: &World) {
    let now = world.clock.now();
    for name in [OWNER, GHOST] {
        let username = Username::new(name).unwrap();
        let account = Account { id: user(name), ..Account::new(username, LoginKey::Custom(name.into()), None, now) };
        world.components.stores.accounts.create(account).await.unwrap();
    }
}

/// Returns what both viewers have seen of one history.
async fn transcripts(seed: u64, manner: Manner, change: impl FnOnce(&mut Config)) -> [Vec<String>; 2] {
    let world = World::with(|config| {
        config.http_api.key = Some(Secret::new(KEY));
        // Every viewer may look as often as it likes.
        config.tencent.calls = 1000;
        change(config);
    });
    creates_accounts(&world).await;
    if manner == Manner::Blocking {
        api(&world, "block", json!({"user": OWNER, "users": names("first")})).await;
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let mut first = Viewer::of(&world, "first", OWNER).await;
    let mut second = Viewer::of(&world, "other", GHOST).await;
    let mut owner = Owner::default();
    for _ in 0..STEPS {
        owner.acts(&world, &mut rng, manner).await;
        world.components.engine.settle().await;
        let way = rng.random_range(0..WAYS);
        first.looks(&world, way).await;
        second.looks(&world, way).await;
    }
    drop(owner);
    world.components.engine.settle().await;
    first.catches_up().await;
    second.catches_up().await;
    [first.transcript, second.transcript]
}

async fn looks_like_nobody(manner: Manner, change: impl Fn(&mut Config)) {
    for seed in 0..4 {
        let [hidden, absent] = transcripts(seed, manner, &change).await;
        for (line, (hidden, absent)) in hidden.iter().zip(&absent).enumerate() {
            assert_eq!(hidden, absent, "seed {seed}, line {line}: the first is of the user that hides");
        }
        assert_eq!(hidden.len(), absent.len(), "seed {seed}: {:?}", hidden.last());
    }
}

#[actix_web::test]
async fn a_blocked_viewer_sees_a_user_that_never_existed() {
    looks_like_nobody(Manner::Blocking, |_| {}).await;
}

#[actix_web::test]
async fn a_blocked_viewer_sees_no_account_where_accounts_are_strict() {
    looks_like_nobody(Manner::Blocking, |config| config.tencent.strict_accounts = true).await;
}

#[actix_web::test]
async fn a_stranger_sees_a_user_that_never_existed_where_only_friends_may_follow() {
    looks_like_nobody(Manner::Open, |config| config.follow.policy = FollowPolicy::Friends).await;
}

#[actix_web::test]
async fn an_invisible_user_looks_like_one_that_never_existed() {
    looks_like_nobody(Manner::Invisible, |_| {}).await;
}

#[actix_web::test]
async fn a_viewer_that_is_not_blocked_sees_the_user() {
    let [shown, absent] = transcripts(0, Manner::Open, |_| {}).await;
    assert_ne!(shown, absent, "the comparison notices nothing");
}
