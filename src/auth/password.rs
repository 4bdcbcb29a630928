//! Passwords: Argon2id (RFC 9106), off the threads that serve clients, and never guessed at leisure.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::config::LimitsConfig;
use crate::presence::id::UserId;
use crate::presence::rate::SlidingWindow;
use crate::presence::time::Timestamp;

/// Accounts whose failures are remembered; past that the ones without recent failures are forgotten, and if there are
/// none, all are.
const REMEMBERED: usize = 100_000;

/// Passwords that may wait for a core; past that one is refused ("busy").
const WAITING: usize = 512;

/// Why a password was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is not this account's.
    #[error("wrong password")]
    Wrong,
    /// There were too many wrong ones lately; this one was not looked at.
    #[error("too many wrong passwords, try again in {} s", retry_after.as_secs().max(1))]
    TooMany {
        /// When the next will be looked at.
        retry_after: Duration,
    },
    /// Too many passwords wait to be computed.
    #[error("the server is busy")]
    Busy,
    /// The server could not compute it.
    #[error("password hashing failed")]
    Failed,
}

/// Hashes and checks passwords, as many at once as there are cores.
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// Those that wait and those that are computed, at most.
    places: Arc<Semaphore>,
    limit: usize,
    window: Duration,
    failures: Mutex<HashMap<UserId, SlidingWindow>>,
}

impl Passwords {
    /// With the limits of the configuration.
    pub fn new(limits: &LimitsConfig) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            permits: Arc::new(Semaphore::new(cores)),
            places: Arc::new(Semaphore::new(cores + WAITING)),
            limit: limits.login_failures,
            window: limits.login_failures_window.0,
            failures: Mutex::default(),
        }
    }

    /// A new password's hash, in PHC string format.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.compute(move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()))
            .await?
            .map_err(|_| PasswordError::Failed)
    }

    /// Checks a user's password against its hash.
    pub async fn verify(
        &self,
        user: UserId,
        password: String,
        hash: String,
        now: Timestamp,
    ) -> Result<(), PasswordError> {
        // Counted before it is looked at and taken back when it is right, so that guesses made at once count too.
        self.count(user, now)?;
        let verified = self
            .compute(move || {
                let hash = PasswordHash::new(&hash).map_err(|_| PasswordError::Failed)?;
                let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
                verified.map_err(|_| PasswordError::Wrong)
            })
            .await
            .flatten();
        if verified != Err(PasswordError::Wrong) {
            self.take_back(user);
        }
        verified
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| PasswordError::Failed)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((permit, place));
            result
        });
        done.await.map_err(|_| PasswordError::Failed)
    }

    fn count(&self, user: UserId, now: Timestamp) -> Result<(), PasswordError> {
        let mut failures = self.failures.lock();
        if failures.len() >= REMEMBERED {
            failures.retain(|_, window| !window.is_idle(now));
            if failures.len() >= REMEMBERED {
                failures.clear();
            }
        }
        let window = failures.entry(user).or_insert_with(|| SlidingWindow::new(self.limit, self.window));
        window.try_acquire(now).map_err(|again| PasswordError::TooMany { retry_after: again.since(now) })
    }

    fn take_back(&self, user: UserId) {
        if let Some(window) = self.failures.lock().get_mut(&user) {
            window.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap as Environment;

    use super::*;
    use crate::config::{Overrides, load};

    fn passwords() -> Passwords {
        let environment = Environment::from([("HEREABOUTS_LIMITS__LOGIN_FAILURES".to_owned(), "2".to_owned())]);
        Passwords::new(&load(&Overrides::default(), environment).unwrap().limits)
    }

    #[actix_web::test]
    async fn a_password_matches_its_own_hash_only_and_is_hashed_with_argon2id() {
        let passwords = passwords();
        let alice = UserId::from_name("alice");
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let now = Timestamp::from_secs(1);
        assert_eq!(passwords.verify(alice, "correct horse".into(), hash.clone(), now).await, Ok(()));
        assert_eq!(passwords.verify(alice, "battery".into(), hash, now).await, Err(PasswordError::Wrong));
    }

    #[actix_web::test]
    async fn after_too_many_wrong_ones_none_is_looked_at_for_a_while() {
        let passwords = passwords();
        let alice = UserId::from_name("alice");
        let hash = passwords.hash("right".into()).await.unwrap();
        let at = Timestamp::from_secs;
        for _ in 0..2 {
            assert_eq!(passwords.verify(alice, "wrong".into(), hash.clone(), at(10)).await, Err(PasswordError::Wrong));
        }
        let refused = passwords.verify(alice, "right".into(), hash.clone(), at(30)).await;
        assert_eq!(refused, Err(PasswordError::TooMany { retry_after: Duration::from_secs(40) }));
        assert_eq!(passwords.verify(alice, "right".into(), hash, at(70)).await, Ok(()));
    }

    #[actix_web::test]
    async fn guesses_made_at_once_count_too_and_right_ones_do_not() {
        let passwords = passwords();
        let alice = UserId::from_name("alice");
        let hash = passwords.hash("right".into()).await.unwrap();
        let now = Timestamp::from_secs(10);
        let guesses = (0..10).map(|_| passwords.verify(alice, "wrong".into(), hash.clone(), now));
        let results = futures_util::future::join_all(guesses).await;
        assert_eq!(results.iter().filter(|result| **result == Err(PasswordError::Wrong)).count(), 2);
        let bob = UserId::from_name("bob");
        for _ in 0..5 {
            assert_eq!(passwords.verify(bob, "right".into(), hash.clone(), now).await, Ok(()));
        }
    }
}
