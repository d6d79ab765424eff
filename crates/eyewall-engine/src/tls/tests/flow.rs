//! Application data: both ways, in parts, within bounds, and to its end.

use std::io::{self, Write};

use proptest::prelude::*;

use super::super::session::OUTPUT_LIMIT;
use super::pki::{Authority, server};
use super::{Chop, Pair};

fn agreed() -> Pair {
    let authority = Authority::new();
    let config = server(&[authority.issue(&["h.example"])]);
    Pair::agreed(&config, &authority.client(), "h.example")
}

/// Bytes that betray a loss or a swap: the round's number goes into each byte of a round.
fn sample(len: usize) -> Vec<u8> {
    let rounds = (0..=u8::MAX).cycle();
    rounds
        .flat_map(|round| (0..251_u8).map(move |at| at ^ round))
        .take(len)
        .collect()
}

/// Send `up` and `down` at the same time until both have arrived.
fn exchange(pair: &mut Pair, up: &[u8], down: &[u8]) {
    let (mut sent_up, mut sent_down) = (0, 0);
    while pair.at_server.plaintext.len() < up.len() || pair.at_client.plaintext.len() < down.len() {
        pair.client.set_buffer_limit(Some(OUTPUT_LIMIT));
        sent_up += pair.client.writer().write(&up[sent_up..]).unwrap();
        if sent_down < down.len() {
            // A head of one byte before each part, so that slices are cut inside too.
            let (head, rest) = down[sent_down..].split_at(1);
            match pair.write(&[head, rest]) {
                Ok(count) => sent_down += count,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        pair.turn_client();
        pair.turn_server();
        assert_eq!(pair.at_server.error, None);
        assert_eq!(pair.at_client.error, None);
    }
    assert!(pair.at_server.plaintext == up, "what the server read");
    assert!(pair.at_client.plaintext == down, "what the client read");
}

#[test]
fn ten_megabytes_go_both_ways_in_parts() {
    let mut pair = agreed();
    pair.chop = Chop::Random(7);
    exchange(&mut pair, &sample(10_000_000), &sample(10_000_001));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_however_the_transport_cuts(
        seed in 1_u64..,
        up in 0_usize..100_000,
        down in 0_usize..100_000,
    ) {
        let mut pair = agreed();
        pair.chop = Chop::Random(seed);
        exchange(&mut pair, &sample(up), &sample(down));
    }
}

#[test]
fn a_client_that_reads_nothing_stops_the_writer_within_bounds() {
    let mut pair = agreed();
    let body = sample(1_000_000);
    let mut taken = 0;
    let blocked = loop {
        match pair.write(&[&body[taken..]]) {
            Ok(count) => taken += count,
            Err(error) => break error,
        }
    };
    assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
    let most = OUTPUT_LIMIT + pair.to_client.room;
    assert!(taken > 0 && taken <= most, "{taken} of {most}");
    let remains = pair.with_server(|server, end| server.flush(end));
    assert_eq!(remains.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    while taken < body.len() {
        pair.turn_client();
        taken += pair.write(&[&body[taken..]]).unwrap_or(0);
    }
    pair.run();
    assert!(pair.at_client.plaintext == body);
}

#[test]
fn a_head_and_a_body_share_one_record() {
    let mut pair = agreed();
    assert_eq!(pair.write(&[b"head", b"", b"body"]).unwrap(), 8);
    let wire: Vec<u8> = pair.to_client.bytes.iter().copied().collect();
    let length = usize::from(u16::from_be_bytes([wire[3], wire[4]]));
    assert_eq!(wire.len(), 5 + length);
    pair.run();
    assert_eq!(pair.at_client.plaintext, b"headbody");
}

#[test]
fn writing_nothing_is_no_block() {
    assert_eq!(agreed().write(&[b"", b""]).unwrap(), 0);
}

#[test]
fn data_that_comes_with_the_end_of_the_handshake_is_read() {
    let authority = Authority::new();
    let config = server(&[authority.issue(&["h.example"])]);
    let mut pair = Pair::new(&config, &authority.client(), "h.example");
    pair.client.writer().write_all(b"at once").unwrap();
    pair.run();
    assert_eq!(pair.at_server.plaintext, b"at once");
}

#[test]
fn a_close_notify_is_an_end_both_ways() {
    let mut pair = agreed();
    pair.client.writer().write_all(b"last").unwrap();
    pair.client.send_close_notify();
    pair.run();
    assert_eq!(pair.at_server.plaintext, b"last");
    assert!(pair.at_server.closed);

    // A client that has closed its direction still reads ours.
    assert_eq!(pair.write(&[b"answer"]).unwrap(), 6);
    pair.server.close_notify();
    pair.run();
    assert_eq!(pair.at_client.plaintext, b"answer");
    assert!(pair.at_client.closed);
    assert_eq!(pair.at_client.error, None);
}

#[test]
fn a_close_without_a_notify_ends_what_was_read() {
    let mut pair = agreed();
    pair.client.writer().write_all(b"last").unwrap();
    pair.run();
    pair.to_server.closed = true;
    pair.run();
    assert_eq!(pair.at_server.plaintext, b"last");
    assert!(pair.at_server.closed);
    assert_eq!(pair.at_server.error, None);
}

#[test]
fn a_changed_record_is_refused_and_gives_no_plaintext() {
    let mut pair = agreed();
    pair.client.writer().write_all(b"secret").unwrap();
    pair.turn_client();
    let last = pair.to_server.bytes.back_mut().unwrap();
    *last ^= 1;
    pair.run();
    assert_eq!(pair.at_server.plaintext, b"");
    let error = pair.at_server.error.unwrap();
    assert!(error.contains("decrypt"), "{error}");
    assert!(pair.at_client.error.is_some(), "it is told by an alert");
}
