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
    /// The server could not compute it.
    #[error("password hashing failed")]
    Failed,
}

/// Hashes and checks passwords, as many at once as there are cores.
pub struct Passwords {
    permits: Arc<Semaphore>,
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
        self.check_failures(user, now)?;
        let verified = self
            .compute(move || {
                let hash = PasswordHash::new(&hash).map_err(|_| PasswordError::Failed)?;
                let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
                verified.map_err(|_| PasswordError::Wrong)
            })
            .await?;
        if verified == Err(PasswordError::Wrong) {
            self.count_failure(user, now);
        }
        verified
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| PasswordError::Failed)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.map_err(|_| PasswordError::Failed)
    }

    fn check_failures(&self, user: UserId, now: Timestamp) -> Result<(), PasswordError> {
        let mut failures = self.failures.lock();
        let Some(window) = failures.get_mut(&user) else { return Ok(()) };
        if window.count(now) < self.limit {
            return Ok(());
        }
        let retry_after = window.try_acquire(now).err().map_or(Duration::ZERO, |again| again.since(now));
        Err(PasswordError::TooMany { retry_after })
    }

    fn count_failure(&self, user: UserId, now: Timestamp) {
        let mut failures = self.failures.lock();
        if failures.len() >= REMEMBERED {
            failures.retain(|_, window| window.count(now) > 0);
            if failures.len() >= REMEMBERED {
                failures.clear();
            }
        }
        let window = failures.entry(user).or_insert_with(|| SlidingWindow::new(self.limit, self.window));
        // Full already: then it is refused before it comes here, but for those checked at the same time.
        let _full = window.try_acquire(now);
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
}
