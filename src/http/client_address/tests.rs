//! What a client can and cannot say about its own address.

use actix_web::http::header::HeaderValue;

use super::*;

fn addresses(source: ClientAddressSource, development_keys: Vec<&'static str>) -> ClientAddresses {
    let trusted: TrustedProxies = serde_json::from_str(r#"["10.0.0.0/8", "2001:db8:ffff::/48"]"#).unwrap();
    ClientAddresses { source, trusted: trusted.into(), development_keys: development_keys.into() }
}

fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    lines.iter().for_each(|(name, value)| headers.append(name.clone(), HeaderValue::from_str(value).unwrap()));
    headers
}

/// The client's address behind the peer `10.0.0.1`.
fn behind_proxy(lines: &[(HeaderName, &str)]) -> Result<String, ProxyRefusal> {
    let addresses = addresses(ClientAddressSource::Forwarded, Vec::new());
    addresses.client("10.0.0.1".parse().unwrap(), &headers(lines)).map(|client| client.to_string())
}

#[test]
fn the_last_hop_that_no_trusted_proxy_owns_is_the_client() {
    let cases: &[(&str, &str)] = &[
        ("192.0.2.1", "192.0.2.1"),
        ("198.51.100.9, 192.0.2.1", "192.0.2.1"),
        ("198.51.100.9, 192.0.2.1, 10.9.9.9", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("garbage, 192.0.2.1", "192.0.2.1"),
        // Nobody knows what is left of an address that cannot be read.
        ("192.0.2.1, garbage", "10.0.0.1"),
        ("", "10.0.0.1"),
    ];
    for (line, client) in cases {
        assert_eq!(behind_proxy(&[(X_FORWARDED_FOR, line)]).unwrap(), *client, "{line}");
    }
    let two_lines = [(X_FORWARDED_FOR, "198.51.100.9"), (X_FORWARDED_FOR, "192.0.2.1, 10.3.3.3")];
    assert_eq!(behind_proxy(&two_lines).unwrap(), "192.0.2.1");
    assert_eq!(behind_proxy(&[]).unwrap(), "10.0.0.1");
}

#[test]
fn the_header_of_rfc_7239_is_read_from_the_right_too() {
    let cases: &[(&str, &str)] = &[
        ("for=192.0.2.1;proto=https;by=10.0.0.1", "192.0.2.1"),
        ("for=198.51.100.9, FOR=\"192.0.2.1:4711\"", "192.0.2.1"),
        ("for=\"[2001:db8::7]:4711\", for=10.2.2.2", "2001:db8::7"),
        ("for=192.0.2.1, for=unknown", "10.0.0.1"),
        ("for=192.0.2.1, for=_hidden", "10.0.0.1"),
        ("for=\"198.51.100.9, for=192.0.2.1", "192.0.2.1"),
    ];
    for (line, client) in cases {
        assert_eq!(behind_proxy(&[(FORWARDED, line)]).unwrap(), *client, "{line}");
    }
}

#[test]
fn headers_that_contradict_each_other_are_refused() {
    let same = [(FORWARDED, "for=192.0.2.1"), (X_FORWARDED_FOR, "192.0.2.1")];
    assert_eq!(behind_proxy(&same).unwrap(), "192.0.2.1");
    let forged = [(FORWARDED, "for=198.51.100.9"), (X_FORWARDED_FOR, "192.0.2.1")];
    assert_eq!(behind_proxy(&forged).unwrap_err(), ProxyRefusal::Contradiction);
}

#[test]
fn a_peer_that_is_no_trusted_proxy_cannot_name_another_client() {
    let lines = headers(&[(X_FORWARDED_FOR, "192.0.2.1")]);
    let stranger: IpAddr = "203.0.113.5".parse().unwrap();
    assert_eq!(addresses(ClientAddressSource::Forwarded, Vec::new()).client(stranger, &lines), Ok(stranger));
    let proxy: IpAddr = "10.0.0.1".parse().unwrap();
    assert_eq!(addresses(ClientAddressSource::Peer, Vec::new()).client(proxy, &lines), Ok(proxy));
    assert_eq!(addresses(ClientAddressSource::ProxyProtocol, Vec::new()).client(proxy, &lines), Ok(proxy));
}

#[test]
fn development_keys_are_not_used_through_a_proxy() {
    let addresses = addresses(ClientAddressSource::Peer, vec!["nakama.server_key"]);
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(addresses.client(loopback, &HeaderMap::new()), Ok(loopback));
    for name in FORWARDING_HEADERS {
        let refusal = addresses.client(loopback, &headers(&[(name.clone(), "x")])).unwrap_err();
        assert_eq!(refusal, ProxyRefusal::DevelopmentKeys, "{name}");
    }
}
