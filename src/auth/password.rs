//! Passwords: hashed with Argon2id (RFC 9106) on threads apart from those that serve clients, with a limit on wrong
//! guesses per account.

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

/// Maximum number of accounts with remembered failures. At the limit, accounts without recent failures are removed, and
/// all accounts when every failure is recent.
const MAX_REMEMBERED: usize = 100_000;

/// Maximum number of passwords that wait for a core. Further ones are refused ("busy").
const MAX_WAITING: usize = 512;

/// Why a password was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The password is not that of the account.
    #[error("wrong password")]
    Wrong,
    /// The account had too many wrong passwords recently. This one was not checked.
    #[error("too many wrong passwords, try again in {} s", retry_after.as_secs().max(1))]
    TooMany {
        /// Time until the next one is checked.
        retry_after: Duration,
    },
    /// Too many passwords wait for a core.
    #[error("the server is busy")]
    Busy,
    /// The server could not compute the hash.
    #[error("password hashing failed")]
    Failed,
}

/// Hashes and verifies passwords, as many at the same time as there are cores.
pub struct Passwords {
    /// One permit for each core.
    cores: Arc<Semaphore>,
    /// One permit for each password that is computed or waits.
    queue: Arc<Semaphore>,
    /// Maximum number of wrong passwords in the window.
    limit: usize,
    window: Duration,
    failures: Mutex<HashMap<UserId, SlidingWindow>>,
}

impl Passwords {
    /// Uses the limits of the configuration.
    pub fn new(limits: &LimitsConfig) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            queue: Arc::new(Semaphore::new(cores + MAX_WAITING)),
            limit: limits.login_failures,
            window: limits.login_failures_window.0,
            failures: Mutex::default(),
        }
    }

    /// Returns the hash of a new password in PHC string format.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.compute(move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()))
            .await?
            .map_err(|_| PasswordError::Failed)
    }

    /// Checks the password of a user against its hash.
    pub async fn verify(
        &self,
        user: UserId,
        password: String,
        hash: String,
        now: Timestamp,
    ) -> Result<(), PasswordError> {
        // Counts the password as wrong before the check, so that simultaneous guesses count, too.
        self.count_failure(user, now)?;
        let verified = self
            .compute(move || {
                let hash = PasswordHash::new(&hash).map_err(|_| PasswordError::Failed)?;
                let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
                verified.map_err(|_| PasswordError::Wrong)
            })
            .await
            .flatten();
        if verified != Err(PasswordError::Wrong) {
            self.uncount_failure(user);
        }
        verified
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let place = self.queue.clone().try_acquire_owned().map_err(|_| PasswordError::Busy)?;
        let core = self.cores.clone().acquire_owned().await.map_err(|_| PasswordError::Failed)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((core, place));
            result
        });
        done.await.map_err(|_| PasswordError::Failed)
    }

    fn count_failure(&self, user: UserId, now: Timestamp) -> Result<(), PasswordError> {
        let mut failures = self.failures.lock();
        if failures.len() >= MAX_REMEMBERED {
            failures.retain(|_, window| !window.is_idle(now));
            if failures.len() >= MAX_REMEMBERED {
                failures.clear();
            }
        }
        let window = failures.entry(user).or_insert_with(|| SlidingWindow::new(self.limit, self.window));
        window.try_acquire(now).map_err(|again| PasswordError::TooMany { retry_after: again.since(now) })
    }

    fn uncount_failure(&self, user: UserId) {
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
    async fn after_too_many_wrong_passwords_none_is_checked_for_a_while() {
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
    async fn simultaneous_guesses_count_and_right_passwords_do_not() {
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
