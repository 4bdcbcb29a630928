use proptest::prelude::*;

use super::*;

const APP: u64 = 1_400_000_000;

/// The second at which the userSigs of Tencent's packages were signed.
const SIGNED: u64 = 1_795_220_273;

/// `new Api(1400000000, SECRET).genSig("alice", 86400)` of `tls-sig-api-v2` 1.0.2 (npm).
const OF_NPM: &str = "eJw1isEKgkAURf-lrcPGSdMG2gmhjSDYQtqJ87RXZpNOgxT9e6B2d*ec*4GTzB2LPQjgDoPVxKSwM1TTpMuWKlzCoG6l1qRAuB5bNhdDdwThBjufc8aDzWxx1NQjiHDr-Y8DNSCgeNmzbJIija6P2hxafxzzbF2F-jvO6MjiAJ8XG3VSJekevj*ixDEm";

/// `genPrivateMapKey("alice", 86400, 10000, 255)` of the same: with a `userbuf`.
const OF_NPM_WITH_USERBUF: &str = "eJw1jU0LgkAURf-L2xbljJY24OKhFoFEYFQuzRnraan4hRn998Dq7u45F*4LDn4w61QFAvhMg*nYSaq8oYRGHN0pVj9RyywqS5IgmKH98jUNPRQIZq4WnGvc1L9U9SVVCoS1NP7DtlbVpU1AACKuw1Nfhvx4iDMDETH3NrWz8z1EdOc4xrb-33QFAVvXSQum*4y6IdLTyeD1N*d8DPZde2fF8xRbQZhKuY6T2ob3BxIIQf8_";

/// `TLSSigAPIv2(1400000000, SECRET).gen_sig("alice", 86400)` of `tls-sig-api-v2` 1.1 (PyPI).
const OF_PYPI: &str = "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkEnMyk1NhUsUp2YkFBZkpQAlDEwMogMqlVhRkFqUCZSzMTOCCJZm5ICFDc0tTIyMDI3NjmEGZ6SDDI0rLonzSvSJ8XbLy00rcc0wrKoID9JMtTKs8AzK9DTzNUwszylzyfFK8fG2VagESqzKG";

/// `gen_sig_with_userbuf("alice", 86400, b"abc")` of the same.
const OF_PYPI_WITH_USERBUF: &str = "eJw9zc0KgkAUhuFbkVmHzIxjWtAqiBIXhpW41DzK0bJx-CGJ7j0t8yyfF77zIifX1ztQZK0RrlOy0L6CCZQNpvgL0Q2v8E91UkRSYjIEJuh0U4OnRAVDsZdixgbvIzFrZXJOuWVM3tag4jYdH4SBk8-7mI2kyravuuwgDbr382gXIrLA9bzy6JvqcrYfYguiYuD0xYa8P8mTOTQ_";

/// `new Api(1400000000, SECRET).genUserSig("x y~!\"\\", 1)` of npm's.
const OF_NPM_WITH_SIGNS: &str = "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwhUKlXWKMUoxMVDJ4pTsxIKCzBQlK0MTAyiAyJRk5qYqWRmaW5oaGRkYmRtDRFMrCjKLQOJQ7ZnpSlZK6WXuYWGGFs4Znl6m2p5mZaHl2v7hqTlOXkkpiaGVxXlVztrJicGe5a75vrZKtQB-PzDF";

fn sigs() -> UserSigs {
    UserSigs::new(APP, &Secret::new("5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"))
}

fn member(name: &str) -> MemberName {
    MemberName::new(name).unwrap()
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(SIGNED + secs)
}

fn verify(user: &str, text: &str, now: Timestamp) -> Result<(), UserSigError> {
    sigs().verify(APP, &member(user), text, now)
}

/// Packs these bytes like a userSig.
fn packed(json: &[u8]) -> String {
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::best());
    compressed.write_all(json).unwrap();
    STANDARD.encode(compressed.finish().unwrap()).replace('+', "*").replace('/', "-").replace('=', "_")
}

#[test]
fn user_sigs_of_tencents_packages_verify() {
    for text in [OF_NPM, OF_NPM_WITH_USERBUF, OF_PYPI, OF_PYPI_WITH_USERBUF] {
        assert_eq!(verify("alice", text, at(0)), Ok(()));
        assert_eq!(verify("alice", text, at(86_399)), Ok(()));
        assert_eq!(verify("alice", text, at(86_400)), Err(UserSigError::Expired));
        assert_eq!(verify("bob", text, at(0)), Err(UserSigError::OtherUser));
    }
    assert_eq!(verify("x y~!\"\\", OF_NPM_WITH_SIGNS, at(0)), Ok(()));
}

#[test]
fn another_app_or_another_secret_is_refused() {
    assert_eq!(sigs().verify(APP + 1, &member("alice"), OF_NPM, at(0)), Err(UserSigError::OtherApp));
    let other = UserSigs::new(APP + 1, &Secret::new("x")).make(&member("alice"), Duration::from_secs(60), at(0));
    assert_eq!(verify("alice", &other, at(0)), Err(UserSigError::OtherApp));
    let forged = UserSigs::new(APP, &Secret::new("x")).make(&member("alice"), Duration::from_secs(60), at(0));
    assert_eq!(verify("alice", &forged, at(0)), Err(UserSigError::Invalid));
}

#[test]
fn text_that_is_not_a_user_sig_is_refused() {
    let cut = &OF_NPM[..OF_NPM.len() / 2];
    let texts = ["", "x", "====", cut, &"a".repeat(MAX_TEXT_BYTES + 1), &packed(b""), &packed(b"{}"), &packed(b"[1]")];
    for text in texts {
        assert_eq!(verify("alice", text, at(0)), Err(UserSigError::Invalid), "{text}");
    }
}

#[test]
fn a_small_text_cannot_inflate_to_much() {
    let blank = packed(&vec![b' '; 1 << 20]);
    assert!(blank.len() > MAX_TEXT_BYTES, "a megabyte is too long before it is inflated");
    let mut json = serde_json::to_vec(&read(OF_NPM).unwrap()).unwrap();
    json.resize(MAX_JSON_BYTES, b' ');
    assert_eq!(verify("alice", &packed(&json), at(0)), Ok(()), "up to the cap it is read");
    json.push(b' ');
    assert_eq!(verify("alice", &packed(&json), at(0)), Err(UserSigError::Invalid));
}

#[test]
fn the_signature_covers_every_signed_field() {
    let document = serde_json::to_value(read(OF_NPM_WITH_USERBUF).unwrap()).unwrap();
    let changed = |member: &str, value: serde_json::Value| {
        let mut other = document.clone();
        other[member] = value;
        verify("alice", &packed(other.to_string().as_bytes()), at(0))
    };
    for member in ["TLS.identifier", "TLS.userbuf", "TLS.sig"] {
        assert_eq!(changed(member, "mallory".into()), Err(UserSigError::Invalid), "{member}");
    }
    for member in ["TLS.time", "TLS.expire"] {
        assert_eq!(changed(member, u64::MAX.into()), Err(UserSigError::Invalid), "{member}");
    }
    assert_eq!(changed("TLS.ver", "1.0".into()), Err(UserSigError::Invalid));
    assert_eq!(changed("TLS.userbuf", serde_json::Value::Null), Err(UserSigError::Invalid), "left out");
}

proptest! {
    #[test]
    fn a_signed_user_sig_verifies_and_a_changed_one_does_not(
        name in "[ -~]{1,32}",
        lifetime in 1..10_000_000_u64,
        position in any::<prop::sample::Index>(),
        character in "[A-Za-z0-9*-]",
    ) {
        let member = MemberName::new(&name).unwrap();
        let text = sigs().make(&member, Duration::from_secs(lifetime), at(0));
        prop_assert!(text.len() <= MAX_TEXT_BYTES);
        prop_assert_eq!(sigs().verify(APP, &member, &text, at(lifetime - 1)), Ok(()));
        prop_assert_eq!(sigs().verify(APP, &member, &text, at(lifetime)), Err(UserSigError::Expired));
        let position = position.index(text.len());
        let mut flipped = text.clone();
        flipped.replace_range(position..=position, &character);
        // A changed text that decodes to the same document is still valid.
        let same = read(&flipped).is_some_and(|document| {
            let original = read(&text).unwrap();
            document.signed() == original.signed() && document.signature == original.signature
        });
        prop_assert_eq!(sigs().verify(APP, &member, &flipped, at(0)).is_ok(), same);
    }

    #[test]
    fn no_input_panics(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(verify("alice", &text, at(0)).is_err());
        prop_assert!(verify("alice", &packed(&bytes), at(0)).is_err());
    }
}
