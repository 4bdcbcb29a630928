//! Tencent Chat's API: logins, custom statuses, subscriptions of accounts, and how the three worlds see each other.

mod account;
mod durability;
mod hidden;
mod lists;
mod login;
mod subscription;
mod worlds;

use std::collections::VecDeque;
use std::time::Duration;

use hereabouts::auth::user_sig::UserSigs;
use hereabouts::config::value::Secret;
use hereabouts::presence::member_name::MemberName;
use serde_json::{Value, json};

use crate::world::{Person, World};

const APP: u64 = 1_400_000_000;

/// The development secret.
const SECRET: &str = "development-secret";

/// What somebody is told of somebody: (userID, statusType, customStatus).
pub type Status = (String, u64, String);

pub fn status(user: &str, kind: u64, text: &str) -> Status {
    (user.to_owned(), kind, text.to_owned())
}

fn statuses(list: &Value) -> Vec<Status> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let one = |one: &Value| {
        status(
            one["userID"].as_str().unwrap(),
            one["statusType"].as_u64().unwrap(),
            one["customStatus"].as_str().unwrap(),
        )
    };
    list.iter().map(one).collect()
}

fn user_sig(world: &World, name: &str) -> String {
    let account = MemberName::new(name).unwrap();
    UserSigs::new(APP, &Secret::new(SECRET)).make(&account, Duration::from_secs(3600), world.clock.time_of_day())
}

fn credentials(world: &World, name: &str) -> Value {
    json!({"SDKAppID": APP, "userID": name, "userSig": user_sig(world, name), "platform": "Web"})
}

/// Somebody on one connection.
pub struct Device {
    person: Person,
    requests: u64,
    news: VecDeque<Status>,
}

impl Device {
    /// A connection on which nobody is logged in.
    pub async fn connects(world: &World, name: &str) -> Self {
        Self { person: world.connects_at(name, "/im").await, requests: 0, news: VecDeque::new() }
    }

    /// A connection on which this account is logged in.
    pub async fn logs_in(world: &World, name: &str) -> Self {
        let mut device = Self::connects(world, name).await;
        let result = device.calls("login", credentials(world, name)).await;
        assert_eq!(result["userID"], name, "{result}");
        device
    }

    fn keeps(&mut self, frame: &Value) -> bool {
        let news = frame["method"] == "onUserStatusUpdated";
        if news {
            self.news.extend(statuses(&frame["params"]));
        }
        news
    }

    /// The answer to a call, whole.
    pub async fn asks(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.person.says(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()).await;
        loop {
            let frame = self.person.hears().await;
            if !self.keeps(&frame) {
                assert_eq!((&frame["jsonrpc"], &frame["id"]), (&json!("2.0"), &json!(id)), "{frame}");
                return frame;
            }
        }
    }

    /// The result of a call.
    pub async fn calls(&mut self, method: &str, params: Value) -> Value {
        let answer = self.asks(method, params).await;
        assert!(answer["result"].is_object(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The error of a call.
    pub async fn is_refused(&mut self, method: &str, params: Value) -> Value {
        let answer = self.asks(method, params).await;
        assert!(answer["error"]["code"].is_i64(), "{method}: {answer}");
        answer["error"].clone()
    }

    /// The error's code.
    pub async fn code(&mut self, method: &str, params: Value) -> i64 {
        self.is_refused(method, params).await["code"].as_i64().unwrap()
    }

    pub async fn subscribes(&mut self, users: &[&str]) -> Vec<Status> {
        statuses(&self.calls("subscribeUserStatus", json!({"userIDList": users})).await["successUserList"])
    }

    pub async fn unsubscribes(&mut self, users: &[&str]) {
        let result = self.calls("unsubscribeUserStatus", json!({"userIDList": users})).await;
        assert_eq!(result, json!({"failureUserList": []}));
    }

    pub async fn queries(&mut self, users: &[&str]) -> Vec<Status> {
        statuses(&self.calls("getUserStatus", json!({"userIDList": users})).await["successUserList"])
    }

    pub async fn sets(&mut self, text: &str) {
        let result = self.calls("setSelfStatus", json!({"customStatus": text})).await;
        assert_eq!((&result["statusType"], &result["customStatus"]), (&json!(1), &json!(text)));
    }

    /// The next status that is told.
    pub async fn hears(&mut self) -> Status {
        while self.news.is_empty() {
            let frame = self.person.hears().await;
            assert!(self.keeps(&frame), "{} heard no news but {frame}", self.person.name);
        }
        self.news.pop_front().unwrap()
    }

    /// Everything that is told until the connection ends.
    pub async fn hears_to_the_end(mut self) -> Vec<Status> {
        while let Some(Ok(frame)) = futures_util::StreamExt::next(&mut self.person.socket).await {
            if let awc::ws::Frame::Text(text) = frame {
                self.keeps(&serde_json::from_slice(&text).unwrap());
            }
        }
        self.news.into()
    }

    /// Nothing that this user's actor has told so far is under way or unheard.
    pub async fn has_heard_all_of(&mut self, user: &str) {
        // The question passes through the user's actor behind all that it has told.
        self.queries(&[user]).await;
        assert_eq!(self.news, [], "{} heard more", self.person.name);
    }

    pub async fn logs_out(mut self) {
        assert_eq!(self.calls("logout", json!({})).await, json!({}));
        let (code, _) = self.person.hears_close().await;
        assert_eq!(code, 1000);
    }

    /// The line breaks: no close frame.
    fn breaks(self) {
        drop(self.person.socket);
    }
}

/// Until `user` looks like this to `watcher`.
async fn until(watcher: &mut Device, expected: Status) {
    let last_seen = async {
        while watcher.queries(&[&expected.0]).await != [expected.clone()] {
            tokio::task::yield_now().await;
        }
    };
    let last_seen = tokio::time::timeout(crate::world::PATIENCE, last_seen).await;
    assert!(last_seen.is_ok(), "{expected:?} was not to be seen");
}
