//! Tests of the scripts alone.

use std::collections::BTreeMap;

use hereabouts::cluster::redis::scripts::BackplaneScripts;
use redis::{Connection, FromRedisValue, RedisResult, Script, Value};

use super::server::RedisServer;

const USER: &str = "00000000000000000000000000000007";

/// A bucket of a server on which the tests call the scripts directly.
struct Bucket {
    _server: RedisServer,
    connection: Connection,
    scripts: BackplaneScripts,
    /// The users of dead incarnations, with their records.
    lost: Vec<(String, String)>,
}

impl Bucket {
    fn new() -> Self {
        let server = RedisServer::start();
        Self { connection: server.connection(), _server: server, scripts: BackplaneScripts::new(), lost: Vec::new() }
    }

    fn run<T: FromRedisValue>(
        &mut self,
        script: fn(&BackplaneScripts) -> &Script,
        keys: &[&str],
        words: &[&str],
    ) -> RedisResult<T> {
        let mut call = script(&self.scripts).prepare_invoke();
        keys.iter().for_each(|key| {
            call.key(*key);
        });
        words.iter().for_each(|word| {
            call.arg(*word);
        });
        call.invoke(&mut self.connection)
    }

    /// Sets the user's record under the incarnation `of`. Returns the new clock, or 0 if nothing changed.
    fn set(&mut self, of: &str, value: &str, exit: &str, linger: &str) -> RedisResult<u64> {
        self.set_after("", of, value, exit, linger)
    }

    /// Sets the user's record under the incarnation `of`, after the incarnation `former`.
    fn set_after(&mut self, former: &str, of: &str, value: &str, exit: &str, linger: &str) -> RedisResult<u64> {
        let before: BTreeMap<String, String> = self.user();
        let was_there = !former.is_empty() && before.contains_key(&format!("n:{former}"));
        let (user, index, before) = (format!("u:{USER}"), format!("x:{of}"), format!("x:{former}"));
        let words = [of, USER, value, exit, "100", "1000", "c", linger, former];
        let keys = [&user, &index, "f", "b", "g", "i", "l", &before];
        let answer: Value = self.run(|scripts| &scripts.set, &keys, &words)?;
        let redis::Value::Array(fields) = &answer else { return Ok(redis::from_redis_value(answer)?) };
        assert_eq!((fields.len(), &fields[1]), (2, &Value::Int(i64::from(was_there))), "the former incarnation");
        Ok(redis::from_redis_value(fields[0].clone())?)
    }

    fn sweep(&mut self, limit: &str, dead: &[&str]) -> u64 {
        let words = [&[limit, "100", "1000", "c", "u:", "x:"], dead].concat();
        let mut answer: Vec<Value> = self.run(|scripts| &scripts.sweep, &["l", "f", "b", "g", "i"], &words).unwrap();
        let lost: Vec<String> =
            answer.split_off(1).into_iter().map(|text| redis::from_redis_value(text).unwrap()).collect();
        self.lost.extend(lost.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())));
        redis::from_redis_value(answer.remove(0)).unwrap()
    }

    /// Renews or takes a lease. Returns the live and the dead incarnations.
    fn lease(&mut self, of: &str, ttl: &str, first: bool, name: &str) -> RedisResult<(Vec<String>, Vec<String>)> {
        let words = [of, ttl, if first { "1" } else { "" }, "epoch", name, "{}", "50"];
        let keys = ["lease", "dead", "epoch", "clock", "retired", "names", "meta"];
        let (live, dead, _, _, _): (Vec<String>, Vec<String>, String, Value, Vec<String>) =
            self.run(|scripts| &scripts.lease, &keys, &words)?;
        Ok((live, dead))
    }

    fn command<T: FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        command.query(&mut self.connection).unwrap()
    }

    fn user(&mut self) -> BTreeMap<String, String> {
        self.command(&["HGETALL", &format!("u:{USER}")])
    }

    /// Returns the log: the previous clock, the clock and the entries of each event.
    fn log(&mut self) -> Vec<(u64, u64, String)> {
        let entries: Vec<(String, BTreeMap<String, String>)> = self.command(&["XRANGE", "g", "-", "+"]);
        let read = |(id, fields): (String, BTreeMap<String, String>)| {
            (fields["q"].parse().unwrap(), id.trim_end_matches("-0").parse().unwrap(), fields["p"].clone())
        };
        entries.into_iter().map(read).collect()
    }

    /// Waits for time to pass on the clock of Redis.
    fn wait(&mut self, milliseconds: u64) {
        let now = |bucket: &mut Self| -> u64 {
            let (seconds, micros): (u64, u64) = bucket.command(&["TIME"]);
            seconds * 1000 + micros / 1000
        };
        let end = now(self) + milliseconds;
        while now(self) < end {}
    }
}

#[test]
fn a_change_is_one_event_and_a_repetition_is_none() {
    let mut bucket = Bucket::new();
    let first = bucket.set("1", "here", "-", "").unwrap();
    assert_eq!(bucket.set("1", "here", "-", "").unwrap(), 0);
    let second = bucket.set("1", "away\nfrom desk", "-", "").unwrap();
    let third = bucket.set("1", "", "o", "").unwrap();
    assert_eq!(bucket.set("1", "", "o", "").unwrap(), 0);
    assert!(first > 1_700_000_000_000_000 && first < second && second < third, "microseconds");
    let entry = |exit, value: &str| format!("{USER} 1 {exit} {}\n{value}", value.len());
    let expected = [
        (0, first, entry("-", "here")),
        (first, second, entry("-", "away\nfrom desk")),
        (second, third, entry("o", "")),
    ];
    assert_eq!(bucket.log(), expected);
    let user = bucket.user();
    assert_eq!((user["c"].as_str(), user["x"].as_str(), &user["v"]), ("0", "o", &third.to_string()));
    assert_eq!(user.len(), 3, "{user:?}");
}

#[test]
fn a_new_incarnation_replaces_the_former_one() {
    let mut bucket = Bucket::new();
    let entry = |of: &str, exit: &str, value: &str| format!("{USER} {of} {exit} {}\n{value}", value.len());
    bucket.set("1", "old", "-", "").unwrap();
    let second = bucket.set_after("1", "2", "new", "-", "").unwrap();
    assert_eq!(bucket.log()[1].2, entry("1", "-", "") + &entry("2", "-", "new"), "in one event");
    let user = bucket.user();
    assert_eq!((user["c"].as_str(), user["n:2"].as_str(), user.contains_key("n:1")), ("1", "new", false));
    assert_eq!(bucket.command::<i64>(&["TTL", &format!("u:{USER}")]), -1);
    assert_eq!(bucket.set_after("1", "2", "new", "-", "").unwrap(), 0, "once");
    assert!(bucket.set_after("1", "2", "", "o", "").unwrap() > second);
    assert_eq!(bucket.log()[2].2, entry("2", "o", ""));

    // A user who left before the new incarnation wrote anything leaves with the former one.
    bucket.set("3", "old", "-", "").unwrap();
    assert!(bucket.set_after("3", "4", "", "l", "").unwrap() > 0);
    assert_eq!(bucket.log().last().unwrap().2, entry("3", "l", ""));
    let user = bucket.user();
    assert_eq!((user["c"].as_str(), user["x"].as_str(), user.contains_key("n:3")), ("0", "l", false));
    assert!(bucket.command::<i64>(&["TTL", &format!("u:{USER}")]) > 0);
    assert!(!bucket.command::<bool>(&["EXISTS", "x:3"]));
}

#[test]
fn clocks_never_repeat_even_if_time_goes_back() {
    let mut bucket = Bucket::new();
    let ahead = u64::MAX >> 12;
    let () = bucket.command(&["SET", "b", &ahead.to_string()]);
    assert_eq!(bucket.set("1", "a", "-", "").unwrap(), ahead + 1);
    assert_eq!(bucket.set("1", "b", "-", "").unwrap(), ahead + 2);
}

#[test]
fn an_absent_user_is_forgotten_after_a_time_and_a_present_one_never() {
    let mut bucket = Bucket::new();
    let ttl = |bucket: &mut Bucket| -> i64 { bucket.command(&["TTL", &format!("u:{USER}")]) };
    bucket.set("1", "a", "-", "").unwrap();
    bucket.set("2", "b", "-", "").unwrap();
    assert_eq!(ttl(&mut bucket), -1);
    bucket.set("1", "", "l", "").unwrap();
    assert_eq!((ttl(&mut bucket), bucket.user()["c"].as_str()), (-1, "1"));
    bucket.set("2", "", "l", "").unwrap();
    assert!((1..=100).contains(&ttl(&mut bucket)));
    bucket.set("2", "c", "-", "").unwrap();
    assert_eq!(ttl(&mut bucket), -1);
}

#[test]
fn dead_incarnations_are_swept_once_in_parts_and_fenced() {
    let mut bucket = Bucket::new();
    bucket.set("1", "a", "-", "").unwrap();
    bucket.set("2", "b", "-", "").unwrap();
    let incarnations = |bucket: &mut Bucket| -> Vec<String> { bucket.command(&["SMEMBERS", "i"]) };
    assert_eq!(incarnations(&mut bucket), ["1", "2"]);
    for number in 0..5 {
        let key = format!("u:other{number}");
        let () = bucket.command(&["HSET", &key, "n:1", "x", "c", "1"]);
        let () = bucket.command(&["HSET", "x:1", &format!("other{number}"), ""]);
    }
    assert_eq!([bucket.sweep("4", &["1"]), bucket.sweep("4", &["1"]), bucket.sweep("4", &["1"])], [4, 2, 0]);
    let told: usize = bucket.log().iter().map(|(_, _, entries)| entries.matches(" 1 l 0\n").count()).sum();
    assert_eq!(told, 6, "each once");
    bucket.lost.sort();
    let others = (0..5).map(|number| (format!("other{number}"), "x".to_owned()));
    let lost: Vec<_> = [(USER.to_owned(), "a".to_owned())].into_iter().chain(others).collect();
    assert_eq!(bucket.lost, lost, "each with its record");
    assert_eq!(bucket.user()["n:2"], "b", "live incarnations stay");
    assert_eq!(incarnations(&mut bucket), ["2"]);
    let late = bucket.set("1", "ghost", "-", "").expect_err("the dead may not write");
    assert!(late.to_string().contains("FENCED"), "{late}");
    assert!(!bucket.user().contains_key("n:1"));
}

#[test]
fn a_lingering_record_ends_at_the_deadline_unless_the_user_returns() {
    let mut bucket = Bucket::new();
    bucket.set("1", "here", "-", "").unwrap();
    bucket.set("1", "Lhere", "-", "60000").unwrap();
    assert_eq!((bucket.sweep("10", &[]), bucket.user()["n:1"].as_str()), (0, "Lhere"));
    bucket.set("1", "Lstill", "-", "60").unwrap();
    bucket.set("1", "back", "-", "").unwrap();
    bucket.wait(61);
    assert_eq!((bucket.sweep("10", &[]), bucket.user()["n:1"].as_str()), (1, "back"));
    bucket.set("1", "Lback", "-", "60").unwrap();
    bucket.wait(61);
    assert_eq!(bucket.sweep("10", &[]), 1);
    assert_eq!(bucket.user()["x"], "l");
    assert!(!bucket.user().contains_key("n:1"));
    assert_eq!(bucket.sweep("10", &[]), 0);
    assert_eq!(bucket.lost, [], "its own node reports the loss");
}

#[test]
fn a_lingering_record_outlives_its_node() {
    let mut bucket = Bucket::new();
    bucket.set("1", "here", "-", "").unwrap();
    bucket.set("1", "Lhere", "-", "60000").unwrap();
    assert_eq!((bucket.sweep("10", &["1"]), bucket.user()["n:1"].as_str()), (1, "Lhere"));
    assert_eq!(bucket.command::<i64>(&["EXISTS", "x:1", "i"]), 0, "nothing else is left of the node");
    // The deadline has passed.
    let moved: i64 = bucket.command(&["ZADD", "l", "XX", "CH", "1", &format!("1 {USER}")]);
    assert_eq!(moved, 1);
    assert_eq!(bucket.sweep("10", &["1"]), 1);
    assert_eq!((bucket.user().get("n:1"), bucket.user()["x"].as_str()), (None, "l"));
    assert_eq!(bucket.lost, []);
}

#[test]
fn an_expired_lease_is_dead_for_good() {
    let mut bucket = Bucket::new();
    bucket.lease("1", "300", true, "one").unwrap();
    let both = bucket.lease("2", "300", true, "two").unwrap();
    assert_eq!(both, (vec!["1".to_owned(), "2".into()], vec![]));
    let mut after = both;
    // A gap between renewals that is too long counts as an outage, which holds all leases for a while.
    for _ in 0..400 {
        bucket.wait(50);
        after = bucket.lease("2", "300", false, "two").unwrap();
        if !after.1.is_empty() {
            break;
        }
    }
    assert_eq!(after, (vec!["2".to_owned()], vec!["1".to_owned()]));
    let dead = bucket.lease("1", "300", false, "one").expect_err("declared dead");
    assert!(dead.to_string().contains("DEAD"), "{dead}");
    let unknown = bucket.lease("9", "300", false, "nine").expect_err("never had one");
    assert!(unknown.to_string().contains("UNKNOWN"), "{unknown}");
}

#[test]
fn after_an_outage_no_node_is_declared_dead_before_all_could_return() {
    let mut bucket = Bucket::new();
    bucket.lease("1", "200", true, "one").unwrap();
    bucket.lease("2", "200", true, "two").unwrap();
    bucket.wait(400);
    let (_, dead) = bucket.lease("1", "200", false, "one").unwrap();
    assert_eq!(dead, Vec::<String>::new(), "the first node back declares the others dead");
    bucket.lease("2", "200", false, "two").unwrap();
    let mut attempts = 0;
    // The second node dies. After the hold it is declared dead.
    while bucket.lease("1", "200", false, "one").unwrap().1 != ["2"] {
        bucket.wait(50);
        attempts += 1;
        assert!(attempts < 400, "a hold without an end");
    }
    assert!(attempts >= 4, "no hold at all");
}

#[test]
fn a_node_that_restarts_under_its_name_does_not_wait_for_its_former_incarnation() {
    let mut bucket = Bucket::new();
    bucket.lease("1", "5000", true, "one").unwrap();
    bucket.lease("2", "5000", true, "one").unwrap();
    bucket.wait(60);
    assert_eq!(bucket.lease("2", "5000", false, "one").unwrap(), (vec!["2".to_owned()], vec!["1".to_owned()]));
}

#[test]
fn a_leaving_node_is_held_for_its_time_and_unknown_incarnations_are_condemned() {
    let mut bucket = Bucket::new();
    bucket.lease("1", "5000", true, "one").unwrap();
    bucket.lease("2", "5000", true, "two").unwrap();
    let leave = |bucket: &mut Bucket, hold: &str| -> u64 {
        bucket.run(|scripts| &scripts.leave, &["lease", "retired"], &["1", hold]).unwrap()
    };
    assert_eq!(leave(&mut bucket, "60000"), 1);
    assert_eq!(bucket.lease("2", "5000", false, "two").unwrap().1, Vec::<String>::new());
    assert_eq!(leave(&mut bucket, "40"), 1);
    bucket.wait(41);
    assert_eq!(bucket.lease("2", "5000", false, "two").unwrap().1, ["1"]);
    let condemned: u64 = bucket.run(|scripts| &scripts.condemn, &["lease", "dead", "clock"], &["1", "2", "7"]).unwrap();
    assert_eq!(condemned, 1, "live and dead incarnations are known");
    assert_eq!(bucket.lease("2", "5000", false, "two").unwrap().1, ["1", "7"]);
}
