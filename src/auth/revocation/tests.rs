use proptest::prelude::*;

use super::*;

/// Lifetimes of session and refresh tokens, in seconds.
const SESSION: u64 = 100;
const REFRESH: u64 = 1000;

fn at(second: u64) -> Timestamp {
    Timestamp::from_secs(1_795_220_273 + second)
}

fn login(token_id: u128, second: u64) -> RevokedLogin {
    RevokedLogin {
        token_id: Uuid::from_u128(token_id),
        at: at(second),
        sessions_until: at(second + SESSION),
        refreshes_until: at(second + REFRESH),
    }
}

fn logout(tokens: RevokedTokens, second: u64) -> Revocation {
    Revocation { now: at(second), lifetime: Duration::from_secs(REFRESH), tokens }
}

fn logout_of(token_id: u128, second: u64) -> Revocation {
    logout(RevokedTokens::Of(vec![login(token_id, second)]), second)
}

fn is_revoked(record: &UserRevocations, token_id: u128, kind: TokenKind, issued: u64, now: u64) -> bool {
    record.is_revoked(Uuid::from_u128(token_id), kind, at(issued), at(now))
}

#[test]
fn a_logout_revokes_one_login_and_one_kind_of_token() {
    let mut record = UserRevocations::default();
    let session = RevokedLogin { refreshes_until: Timestamp::default(), ..login(1, 5) };
    record.apply(&logout(RevokedTokens::Of(vec![session]), 5));
    assert!(is_revoked(&record, 1, TokenKind::Session, 0, 6));
    assert!(is_revoked(&record, 1, TokenKind::Session, 50, 60), "refreshed after the logout");
    assert!(!is_revoked(&record, 1, TokenKind::Refresh, 0, 6));
    assert!(!is_revoked(&record, 2, TokenKind::Session, 0, 6));
    let refresh = RevokedLogin { sessions_until: Timestamp::default(), ..login(1, 7) };
    record.apply(&logout(RevokedTokens::Of(vec![refresh]), 7));
    assert!(is_revoked(&record, 1, TokenKind::Session, 0, 8) && is_revoked(&record, 1, TokenKind::Refresh, 0, 8));
    assert_eq!(record.logins.len(), 1);
}

#[test]
fn a_logout_of_all_devices_revokes_tokens_issued_before_that_second() {
    let mut record = UserRevocations::default();
    record.apply(&logout(RevokedTokens::All, 10));
    for kind in [TokenKind::Session, TokenKind::Refresh] {
        assert!(is_revoked(&record, 1, kind, 9, 11));
        assert!(!is_revoked(&record, 1, kind, 10, 11));
    }
}

#[test]
fn a_full_list_drops_the_oldest_login_and_keeps_it_revoked() {
    let mut record = UserRevocations::default();
    let logouts = MAX_LOGINS as u64 + 1;
    for second in 0..logouts {
        record.apply(&logout_of(u128::from(second), second * 2));
    }
    assert_eq!(record.logins.len(), MAX_LOGINS);
    let now = logouts * 2;
    for second in 0..logouts {
        assert!(is_revoked(&record, u128::from(second), TokenKind::Refresh, second * 2, now), "{second}");
    }
    assert!(!is_revoked(&record, 999, TokenKind::Refresh, 1, now), "another login after the dropped one");
}

#[test]
fn a_record_is_empty_when_its_tokens_are_expired() {
    let mut record = UserRevocations::default();
    record.apply(&logout(RevokedTokens::All, 0));
    record.apply(&logout_of(1, 10));
    assert_eq!(record.expires(), at(10 + REFRESH));
    record.apply(&logout_of(2, 10 + REFRESH));
    assert_eq!((record.valid_from, record.logins.len()), (Timestamp::default(), 1));
}

proptest! {
    /// The naive reference lists every login. A step has the seconds that pass, the login that acts, and what it does.
    #[test]
    fn whatever_was_revoked_stays_revoked_and_new_logins_are_valid(
        steps in prop::collection::vec((0_u64..4, 0_usize..50, 0_u8..10), 1..200)
    ) {
        let (mut record, mut second) = (UserRevocations::default(), 0);
        // (second of the issue, second of the logout) of each login.
        let mut logins: Vec<(u64, Option<u64>)> = Vec::new();
        for (passed, chosen, action) in steps {
            second += passed;
            match (action, logins.is_empty()) {
                (0..4, _) | (_, true) => logins.push((second, None)),
                (9, false) => {
                    record.apply(&logout(RevokedTokens::All, second));
                    logins.iter_mut().filter(|login| login.0 < second).for_each(|login| login.1 = Some(second));
                }
                _ => {
                    let chosen = chosen % logins.len();
                    record.apply(&logout_of(chosen as u128, second));
                    logins[chosen].1 = Some(second);
                }
            }
            prop_assert!(record.logins.len() <= MAX_LOGINS);
            for (number, (issued, logged_out)) in logins.iter().enumerate() {
                let is_expired = issued + REFRESH <= second;
                if logged_out.is_some() && !is_expired {
                    prop_assert!(is_revoked(&record, number as u128, TokenKind::Refresh, *issued, second));
                }
            }
            prop_assert!(!is_revoked(&record, 9999, TokenKind::Refresh, second + 1, second + 1));
        }
    }
}
