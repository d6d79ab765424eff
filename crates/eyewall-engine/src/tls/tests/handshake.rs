//! What a client and a server agree on, and what they refuse.

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

use super::super::Session;
use super::super::session::DISCARD_LIMIT;
use super::pki::{Authority, Pem, leaf, server, server_with_clients, try_server};
use super::{Chop, Pair};

#[test]
fn both_versions_of_tls_are_spoken() {
    let authority = Authority::new();
    let config = server(&[authority.issue(&["h.example"])]);
    for (version, name) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
        let client = authority.client_with(&[], None, &[version]);
        let info = Pair::agreed(&config, &client, "h.example").server.info();
        assert_eq!(info.version, name);
        assert!(info.cipher.starts_with("TLS"), "{}", info.cipher);
        assert_eq!(info.server_name.as_deref(), Some("h.example"));
        assert_eq!(info.alpn, None);
        assert_eq!(info.client_certificate, None);
    }
}

#[test]
fn a_handshake_survives_any_cutting_of_its_bytes() {
    let authority = Authority::new();
    let config = server(&[authority.issue(&["h.example"])]);
    let client = authority.client();
    for seed in 1..40 {
        let mut pair = Pair::new(&config, &client, "h.example");
        pair.chop = Chop::Random(seed);
        pair.run();
        pair.assert_agreed();
    }
}

#[test]
fn the_servers_preference_decides_the_protocol() {
    let authority = Authority::new();
    let pair = authority.issue(&["h.example"]);
    let config = try_server(&[pair], &["h2", "http/1.1"]).unwrap();
    let agreed = |offered: &[&str]| {
        let client = authority.client_with(offered, None, rustls::ALL_VERSIONS);
        Pair::agreed(&config, &client, "h.example")
            .server
            .info()
            .alpn
    };
    assert_eq!(agreed(&["http/1.1", "h2"]).as_deref(), Some("h2"));
    assert_eq!(agreed(&["http/1.1"]).as_deref(), Some("http/1.1"));
    assert_eq!(agreed(&[]), None);
}

#[test]
fn a_client_of_other_protocols_only_is_refused() {
    let authority = Authority::new();
    let config = try_server(&[authority.issue(&["h.example"])], &["h2"]).unwrap();
    let client = authority.client_with(&["spdy/3"], None, rustls::ALL_VERSIONS);
    let mut pair = Pair::new(&config, &client, "h.example");
    pair.run();
    assert!(pair.at_server.error.is_some());
    let told = pair.at_client.error.unwrap();
    assert!(told.contains("NoApplicationProtocol"), "{told}");
}

/// Which certificate a client that asks for this name is shown, and accepts.
fn shown(certificates: &[Pem], authority: &Authority, asked: &str) -> usize {
    let config = server(certificates);
    let mut pair = Pair::new(&config, &authority.client(), asked);
    pair.run();
    assert_eq!(pair.at_client.error, None);
    let chain = pair.client.peer_certificates().unwrap();
    certificates
        .iter()
        .position(|pem| leaf(pem) == chain[0])
        .unwrap()
}

#[test]
fn the_certificate_is_chosen_by_the_name_asked_for() {
    let authority = Authority::new();
    let certificates = [
        authority.issue(&["first.example", "127.0.0.1"]),
        authority.issue(&["*.wild.example", "wild.example"]),
        authority.issue(&["Second.Example", "exact.wild.example"]),
    ];
    for (asked, expected) in [
        ("first.example", 0),
        ("second.example", 2),
        ("SECOND.example", 2),
        ("wild.example", 1),
        ("any.wild.example", 1),
        ("ANY.Wild.example", 1),
        // The very name goes before a wildcard, whatever their order.
        ("exact.wild.example", 2),
        // An address is no name to ask for (RFC 6066, section 3): the default.
        ("127.0.0.1", 0),
    ] {
        assert_eq!(shown(&certificates, &authority, asked), expected, "{asked}");
    }
}

#[test]
fn a_name_that_no_certificate_has_gets_the_default() {
    let authority = Authority::new();
    let certificates = [
        authority.issue(&["first.example"]),
        authority.issue(&["*.wild.example"]),
    ];
    let config = server(&certificates);
    for asked in ["other.example", "two.labels.wild.example", "example"] {
        let mut pair = Pair::new(&config, &authority.client(), asked);
        pair.run();
        let refused = pair.at_client.error.unwrap();
        assert!(refused.contains("first.example"), "{refused}");
        let told = pair.at_server.error.unwrap();
        assert!(told.starts_with("the client does not accept"), "{told}");
    }
}

#[test]
fn a_required_client_certificate_is_checked() {
    let authority = Authority::new();
    let config = server_with_clients(authority.issue(&["h.example"]), &authority.pem, true);
    let mine = authority.issue(&["client.example"]);
    for version in [&TLS12, &TLS13] {
        let client = authority.client_with(&[], Some(&mine), &[version]);
        let info = Pair::agreed(&config, &client, "h.example").server.info();
        assert_eq!(
            info.client_certificate.as_deref(),
            Some(leaf(&mine).as_ref())
        );

        let client = authority.client_with(&[], None, &[version]);
        let mut pair = Pair::new(&config, &client, "h.example");
        pair.run();
        let error = pair.at_server.error.unwrap();
        assert!(error.contains("no certificates"), "{error}");
        assert!(pair.at_client.error.is_some(), "it is told by an alert");
    }
}

#[test]
fn an_optional_client_certificate_may_be_missing_but_not_wrong() {
    let authority = Authority::new();
    let config = server_with_clients(authority.issue(&["h.example"]), &authority.pem, false);
    let info = Pair::agreed(&config, &authority.client(), "h.example")
        .server
        .info();
    assert_eq!(info.client_certificate, None);

    let foreign = Authority::new().issue(&["client.example"]);
    let client = authority.client_with(&[], Some(&foreign), rustls::ALL_VERSIONS);
    let mut pair = Pair::new(&config, &client, "h.example");
    pair.run();
    let error = pair.at_server.error.unwrap();
    assert!(error.starts_with("invalid peer certificate"), "{error}");
    assert!(pair.at_client.error.is_some(), "it is told by an alert");
}

#[test]
fn an_authority_used_as_a_client_certificate_is_explained() {
    let authority = Authority::new();
    let config = server_with_clients(authority.issue(&["h.example"]), &authority.pem, true);
    let client = authority.client_with(&[], Some(&authority.pem), rustls::ALL_VERSIONS);
    let mut pair = Pair::new(&config, &client, "h.example");
    pair.run();
    let error = pair.at_server.error.unwrap();
    assert!(error.contains("openssl req -x509"), "{error}");
}

#[test]
fn a_client_that_comes_back_resumes() {
    let authority = Authority::new();
    let certificate = authority.issue(&["h.example"]);
    let config = server(std::slice::from_ref(&certificate));
    for version in [&TLS12, &TLS13] {
        let client = authority.client_with(&[], None, &[version]);
        let kind = |config| {
            Pair::agreed(config, &client, "h.example")
                .client
                .handshake_kind()
        };
        assert_eq!(kind(&config), Some(HandshakeKind::Full));
        assert_eq!(kind(&config), Some(HandshakeKind::Resumed));
        // After a reload the old tickets are worth nothing.
        let reloaded = server(std::slice::from_ref(&certificate));
        assert_ne!(kind(&reloaded), Some(HandshakeKind::Resumed));
    }
}

#[test]
fn a_resumed_session_still_knows_the_client_certificate() {
    let authority = Authority::new();
    let config = server_with_clients(authority.issue(&["h.example"]), &authority.pem, true);
    let mine = authority.issue(&["client.example"]);
    let client = authority.client_with(&[], Some(&mine), rustls::ALL_VERSIONS);
    Pair::agreed(&config, &client, "h.example");
    let pair = Pair::agreed(&config, &client, "h.example");
    assert_eq!(pair.client.handshake_kind(), Some(HandshakeKind::Resumed));
    let known = pair.server.info().client_certificate;
    assert_eq!(known.as_deref(), Some(leaf(&mine).as_ref()));
}

/// A pair whose client sends these bytes instead of TLS.
fn foreign(bytes: &[u8]) -> Pair {
    let authority = Authority::new();
    let config = server(&[authority.issue(&["h.example"])]);
    let mut pair = Pair::new(&config, &authority.client(), "h.example");
    pair.to_server.bytes.extend(bytes);
    pair.turn_server();
    pair
}

#[test]
fn clear_text_is_told_from_tls() {
    assert!(Session::looks_like_http(b"GET / HTTP/1.1\r\n"));
    assert!(Session::looks_like_http(b"PRI * HTTP/2.0\r\n"));
    assert!(!Session::looks_like_http(b"\x16\x03\x01"));
    assert!(!Session::looks_like_http(b""));
    for text in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"SSH-2.0-x\r\n",
        b"\0garbage",
    ] {
        let error = foreign(text).at_server.error.unwrap();
        assert!(error.starts_with("clear text on a TLS port"), "{error}");
    }
}

#[test]
fn a_refused_client_gets_an_alert() {
    let pair = foreign(b"GET / HTTP/1.1\r\n\r\n");
    let alert: Vec<u8> = pair.to_client.bytes.into();
    // Content type 21, any version, two bytes, level fatal.
    assert_eq!((alert[0], alert[3..6].to_vec()), (21, vec![0, 2, 2]));
}

#[test]
fn what_comes_after_a_refusal_is_dropped_up_to_a_limit() {
    let mut pair = foreign(b"GET / HTTP/1.1\r\n\r\n");
    let mut buf = [0; 4096];
    let mut dropped = 0;
    let error = loop {
        pair.to_server.bytes.extend([0; 4096]);
        dropped += 4096;
        match pair.with_server(|server, end| server.read(end, &mut buf)) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            other => break other.unwrap_err(),
        }
    };
    assert!((DISCARD_LIMIT..DISCARD_LIMIT + 8192).contains(&dropped));
    assert!(error.to_string().contains("goes on"));

    let mut pair = foreign(b"GET / HTTP/1.1\r\n\r\n");
    pair.to_server.bytes.extend(b"more");
    pair.to_server.closed = true;
    let end = pair.with_server(|server, end| server.read(end, &mut buf));
    assert_eq!(end.unwrap(), 0);
}

#[test]
fn a_close_in_the_handshake_is_an_error() {
    let authority = Authority::new();
    let config = server(&[authority.issue(&["h.example"])]);
    let mut pair = Pair::new(&config, &authority.client(), "h.example");
    pair.turn_client();
    pair.to_server.bytes.truncate(20);
    pair.to_server.closed = true;
    let mut buf = [0; 64];
    let error = pair.with_server(|server, end| server.read(end, &mut buf));
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn bytes_read_before_tls_began_count_as_its_first() {
    let authority = Authority::new();
    let config = server(&[authority.issue(&["h.example"])]);
    for early in [1, 5, 100, usize::MAX] {
        let mut pair = Pair::new(&config, &authority.client(), "h.example");
        pair.turn_client();
        let early = early.min(pair.to_server.bytes.len());
        let early: Vec<u8> = pair.to_server.bytes.drain(..early).collect();
        pair.server.feed(&early);
        pair.run();
        pair.assert_agreed();
    }
}
