use std::collections::HashMap as Environment;

use futures_util::future::join_all;

use super::schedule::MAX_WAITING;
use super::*;
use crate::config::{Overrides, load};
use crate::presence::time::Timestamp;

const CLOCK_START: Timestamp = Timestamp::from_secs(1_795_220_273);

fn passwords(clock: &Clock) -> Passwords {
    let environment = Environment::from([("HEREABOUTS_LIMITS__LOGIN_FAILURES".to_owned(), "2".to_owned())]);
    Passwords::new(&load(&Overrides::default(), environment).unwrap().limits, clock)
}

fn client(number: u8) -> ClientNetwork {
    ClientNetwork::new(Some([192, 0, 2, number].into()))
}

async fn hashed(passwords: &Passwords, password: &str) -> Option<String> {
    Some(passwords.hash(client(1), password.into()).await.unwrap())
}

#[actix_web::test]
async fn a_password_matches_its_own_hash_only_and_is_hashed_with_argon2id() {
    let passwords = passwords(&Clock::manual(CLOCK_START));
    let alice = UserId::from_name("alice");
    let hash = hashed(&passwords, "correct horse").await;
    assert!(hash.as_ref().unwrap().starts_with("$argon2id$"), "{hash:?}");
    assert_eq!(passwords.verify(client(1), alice, "correct horse".into(), hash.clone()).await, Ok(()));
    assert_eq!(passwords.verify(client(1), alice, "battery".into(), hash).await, Err(PasswordError::Wrong));
    assert_eq!(passwords.verify(client(1), alice, String::new(), None).await, Err(PasswordError::Wrong));
}

#[actix_web::test]
async fn guesses_of_one_client_are_refused_after_a_while_and_those_of_others_are_not() {
    let clock = Clock::manual(CLOCK_START);
    let passwords = passwords(&clock);
    let alice = UserId::from_name("alice");
    let hash = hashed(&passwords, "right").await;
    for _ in 0..2 {
        let guess = passwords.verify(client(1), alice, "wrong".into(), hash.clone()).await;
        assert_eq!(guess, Err(PasswordError::Wrong));
    }
    clock.advance(Duration::from_secs(20));
    let refused = passwords.verify(client(1), alice, "right".into(), hash.clone()).await;
    assert_eq!(refused, Err(PasswordError::TooMany { retry_after: Duration::from_secs(40) }));
    assert_eq!(passwords.verify(client(2), alice, "right".into(), hash.clone()).await, Ok(()), "the user at home");
    clock.advance(Duration::from_secs(40));
    assert_eq!(passwords.verify(client(1), alice, "right".into(), hash).await, Ok(()));
}

#[actix_web::test]
async fn simultaneous_guesses_count_and_right_passwords_do_not() {
    let passwords = passwords(&Clock::manual(CLOCK_START));
    let alice = UserId::from_name("alice");
    let hash = hashed(&passwords, "right").await;
    let guesses = (0..20).map(|_| passwords.verify(client(1), alice, "wrong".into(), hash.clone()));
    let checked = join_all(guesses).await.iter().filter(|result| **result == Err(PasswordError::Wrong)).count();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert!((2..2 + cores).contains(&checked), "{checked} guesses were checked");
    let logins = (0..60).map(|_| passwords.verify(client(2), alice, "right".into(), hash.clone()));
    assert!(join_all(logins).await.into_iter().all(|result| result.is_ok()), "60 right passwords at once");
}

#[actix_web::test]
async fn too_many_sign_ups_are_told_when_to_come_again_and_a_login_goes_on() {
    let passwords = passwords(&Clock::manual(CLOCK_START));
    let alice = UserId::from_name("alice");
    let hash = hashed(&passwords, "right").await;
    let mut busy = Vec::new();
    for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
        busy.push(passwords.turn(PasswordWork::Login, client(9)).await.unwrap());
    }
    let sign_ups = (0..MAX_WAITING).map(|_| Box::pin(passwords.hash(client(1), "password".into())));
    let mut sign_ups: Vec<_> = sign_ups.collect();
    for sign_up in &mut sign_ups {
        assert!(futures_util::poll!(sign_up).is_pending());
    }
    let refused = passwords.hash(client(1), "password".into()).await;
    assert!(matches!(refused, Err(PasswordError::Busy { retry_after }) if retry_after > Duration::from_secs(1)));
    let mut login = Box::pin(passwords.verify(client(1), alice, "right".into(), hash));
    assert!(futures_util::poll!(&mut login).is_pending());
    drop(busy);
    assert_eq!(login.await, Ok(()), "it took one of the next cores");
    assert!(passwords.schedule.lock().retry_after(PasswordWork::SignUp) > Duration::from_secs(1), "most still wait");
    // Clients that are gone are passed over.
    drop(sign_ups);
    assert!(passwords.hash(client(2), "password".into()).await.is_ok());
}
