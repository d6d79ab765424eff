use proptest::prelude::*;

use super::*;

const MAX: usize = 1 << 20;

fn decoder() -> Decoder {
    Decoder::new(Role::Server, MAX, None)
}

/// A client's frame.
fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | u8::try_from(length).unwrap()),
        length => {
            out.push(0xfe);
            out.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    let key = [0x37, 0xfa, 0x21, 0x3d];
    out.extend_from_slice(&key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b));
    out
}

/// Feed the bytes in pieces of `size`; returns the events, and the fault at the end.
fn feed(decoder: &mut Decoder, wire: &[u8], size: usize) -> (Vec<Event>, Option<Fault>) {
    let mut events = Vec::new();
    for piece in wire.chunks(size) {
        let mut piece = piece.to_vec();
        let mut rest = piece.as_mut_slice();
        while !rest.is_empty() {
            match decoder.receive(rest) {
                Err(fault) => return (events, Some(fault)),
                Ok((taken, event)) => {
                    if let Some(event) = event {
                        events.push(match event {
                            Event::Message(kind, Place::Input(range)) => {
                                Event::Message(kind, Place::Held(rest[range].to_vec()))
                            }
                            event => event,
                        });
                    }
                    rest = &mut rest[taken..];
                }
            }
        }
    }
    (events, None)
}

fn text(text: &str) -> Event {
    Event::Message(Kind::Text, Place::Held(text.as_bytes().to_vec()))
}

/// The fault that the bytes end in, whole or byte by byte.
fn fault(wire: &[u8]) -> u16 {
    let whole = feed(&mut decoder(), wire, wire.len()).1.expect("a fault");
    let bytewise = feed(&mut decoder(), wire, 1).1.expect("a fault");
    assert_eq!(whole, bytewise);
    whole.code
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let hello = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    assert_eq!(feed(&mut decoder(), &hello, 20).0, [text("Hello")]);
    let mut client = Decoder::new(Role::Client, MAX, None);
    let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    assert_eq!(feed(&mut client, &fragments, 20).0, [text("Hello")]);
}

#[test]
fn control_frames_may_stand_between_fragments() {
    let mut wire = client_frame(0x01, b"Hel");
    wire.extend(client_frame(0x89, b"there?"));
    wire.extend(client_frame(0x00, b"l"));
    wire.extend(client_frame(0x8a, b""));
    wire.extend(client_frame(0x80, b"o"));
    wire.extend(client_frame(0x88, &[0x03, 0xe8, b'b', b'y', b'e']));
    for size in [1, 2, 7, 1000] {
        let (events, fault) = feed(&mut decoder(), &wire, size);
        assert_eq!(fault, None);
        assert_eq!(
            events,
            [
                Event::Ping(b"there?".to_vec()),
                Event::Pong(Vec::new()),
                text("Hello"),
                Event::Close(Some((1000, "bye".to_owned()))),
            ]
        );
    }
}

#[test]
fn each_mistake_has_its_code() {
    assert_eq!(fault(b"\x81\x01a"), 1002, "not masked");
    assert_eq!(fault(&client_frame(0x91, b"a")), 1002, "reserved bit");
    assert_eq!(fault(&client_frame(0xc1, b"a")), 1002, "compressed");
    assert_eq!(fault(&client_frame(0x83, b"a")), 1002, "opcode");
    assert_eq!(fault(&client_frame(0x80, b"a")), 1002, "continues nothing");
    assert_eq!(fault(&client_frame(0x09, b"a")), 1002, "fragmented ping");
    assert_eq!(fault(&client_frame(0x89, &[b'a'; 126])), 1002, "long ping");
    let nested = [client_frame(0x01, b"a"), client_frame(0x01, b"b")].concat();
    assert_eq!(fault(&nested), 1002, "a message in a message");
    assert_eq!(fault(&client_frame(0x81, b"\xff")), 1007, "UTF-8");
    let split = [client_frame(0x01, b"\xe2\x82"), client_frame(0x80, b"a")].concat();
    assert_eq!(fault(&split), 1007, "UTF-8 split over frames");
    assert_eq!(
        fault(&client_frame(0x81, b"\xe2\x82")),
        1007,
        "UTF-8 cut off"
    );
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000_u16] {
        let close = client_frame(0x88, &code.to_be_bytes());
        assert_eq!(fault(&close), 1002, "close code {code}");
    }
    assert_eq!(fault(&client_frame(0x88, b"\x03")), 1002, "one byte");
    assert_eq!(fault(&client_frame(0x88, b"\x03\xe8\xff")), 1007, "reason");
}

#[test]
fn wrong_text_is_refused_before_the_message_ends() {
    let mut wire = client_frame(0x01, b"good");
    wire.extend(client_frame(0x00, b"\xed\xa0"));
    let (events, fault) = feed(&mut decoder(), &wire, 1);
    assert_eq!((events, fault.unwrap().code), (Vec::new(), 1007));
}

#[test]
fn a_message_is_refused_when_its_length_is_announced() {
    let mut decoder = Decoder::new(Role::Server, 10, None);
    let fits = client_frame(0x02, &[0; 10]);
    assert_eq!(feed(&mut decoder, &fits, 3).1, None);
    let mut more = client_frame(0x00, &[0; 200]);
    more.truncate(8);
    assert_eq!(feed(&mut decoder, &more, 100).1.unwrap().code, 1009);
    let mut huge = vec![0x82, 0xff];
    huge.extend_from_slice(&(1_u64 << 62).to_be_bytes());
    huge.extend_from_slice(&[0; 4]);
    assert_eq!(fault(&huge), 1009);
}

#[test]
fn nothing_is_looked_at_behind_a_close_frame() {
    let mut wire = client_frame(0x88, b"");
    wire.extend(client_frame(0xff, b"rubbish"));
    let (events, fault) = feed(&mut decoder(), &wire, 1000);
    assert_eq!((events, fault), (vec![Event::Close(None)], None));
}

#[test]
fn compressed_messages_may_be_fragmented() {
    let params = Params::default();
    let mut decoder = Decoder::new(Role::Server, MAX, Some(&params));
    let mut wire = client_frame(0x41, &[0xf2, 0x48, 0xcd]);
    wire.extend(client_frame(0x89, b""));
    wire.extend(client_frame(0x80, &[0xc9, 0xc9, 0x07, 0x00]));
    wire.extend(client_frame(0x81, b"plain"));
    let (events, fault) = feed(&mut decoder, &wire, 1000);
    assert_eq!(fault, None);
    assert_eq!(
        events,
        [Event::Ping(Vec::new()), text("Hello"), text("plain")]
    );
    assert!(decoder.is_releasable());
    decoder.release();
    assert!(!decoder.is_releasable());
}

#[test]
fn the_bit_of_compression_on_a_continuation_is_refused() {
    let params = Params::default();
    let mut decoder = Decoder::new(Role::Server, MAX, Some(&params));
    let mut wire = client_frame(0x41, &[0xf2, 0x48, 0xcd]);
    wire.extend(client_frame(0xc0, &[0xc9]));
    assert_eq!(feed(&mut decoder, &wire, 1000).1.unwrap().code, 1002);
}

#[test]
fn a_close_reason_is_cut_at_a_character() {
    let payload = close_payload(Some(1000), &"ä".repeat(100));
    assert!(payload.len() <= 125);
    assert!(str::from_utf8(&payload[2..]).is_ok());
    assert_eq!(close_payload(None, "nothing"), b"");
}

fn message() -> impl Strategy<Value = (Kind, Vec<u8>)> {
    prop_oneof![
        "\\PC{0,200}".prop_map(|text| (Kind::Text, text.into_bytes())),
        proptest::collection::vec(any::<u8>(), 0..70_000).prop_map(|data| (Kind::Binary, data)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn messages_come_back_as_they_went(
        messages in proptest::collection::vec(message(), 1..5),
        size in 1_usize..5000,
        compressed: bool,
        from_client: bool,
    ) {
        let params = Params::default();
        let deflate = compressed.then_some(&params);
        let (sender, receiver) = if from_client {
            (Role::Client, Role::Server)
        } else {
            (Role::Server, Role::Client)
        };
        let mut encoder = Encoder::new(sender, deflate);
        let mut wire = Vec::new();
        for (kind, data) in &messages {
            encoder.message(&mut wire, *kind, data);
            encoder.control(&mut wire, Opcode::Ping, b"?");
        }
        let mut decoder = Decoder::new(receiver, MAX, deflate);
        let (events, fault) = feed(&mut decoder, &wire, size);
        prop_assert_eq!(fault, None);
        let mut expected = Vec::new();
        for (kind, data) in messages {
            expected.push(Event::Message(kind, Place::Held(data)));
            expected.push(Event::Ping(b"?".to_vec()));
        }
        prop_assert_eq!(events, expected);
    }

    #[test]
    fn any_bytes_end_alike_whole_and_in_pieces(
        wire in proptest::collection::vec(any::<u8>(), 1..300),
        size in 1_usize..40,
    ) {
        let mut wire = wire;
        // Masked, so that the first frame is looked into.
        if let Some(second) = wire.get_mut(1) {
            *second |= 0x80;
        }
        let whole = feed(&mut decoder(), &wire, wire.len());
        let pieces = feed(&mut decoder(), &wire, size);
        prop_assert_eq!(whole, pieces);
    }
}
