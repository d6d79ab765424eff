use super::*;
use proptest::prelude::*;

fn read(method: &[u8], input: &[u8], eof: bool, step: usize) -> Result<(u16, Vec<u8>), Error> {
    let mut codec = Codec::new();
    codec.expect(method);
    let limits = Limits::default();
    let (mut status, mut body) = (0, Vec::new());
    let mut pending = Vec::new();
    for piece in input.chunks(step) {
        pending.extend_from_slice(piece);
        loop {
            let (taken, event) = codec.receive(&pending, &limits)?;
            match event {
                Event::NeedMore => {
                    pending.drain(..taken);
                    break;
                }
                Event::Interim(_) => {}
                Event::Head(head) => status = head.status,
                Event::Data(range) => body.extend_from_slice(&pending[range]),
                Event::End(_) => return Ok((status, body)),
            }
            pending.drain(..taken);
        }
    }
    if eof && codec.receive_eof()? {
        return Ok((status, body));
    }
    Err(Error::truncated())
}

const GOOD: &[(&[u8], &[u8], &[u8])] = &[
    (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", b"hello"),
    (b"GET", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
    (b"GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"GET", b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    (b"GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b""),
    (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
];

const BAD: &[&[u8]] = &[
    b"ICY 200 OK\r\n\r\n",
    b"HTTP/1.1 2x0 OK\r\n\r\n",
    b"HTTP/1.1 099 No\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    b"HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
];

#[test]
fn responses_are_read_whole_and_byte_by_byte() {
    for (method, input, body) in GOOD {
        for step in [1, 3, input.len()] {
            let (status, got) = read(method, input, true, step).unwrap();
            assert!(status == 200 || status == 304);
            assert_eq!(got, *body, "{:?}", String::from_utf8_lossy(input));
        }
    }
}

#[test]
fn malformed_responses_are_refused_before_the_end() {
    for input in BAD {
        for step in [1, input.len()] {
            let error = read(b"GET", input, false, step).unwrap_err();
            assert_ne!(
                error,
                Error::truncated(),
                "{:?}",
                String::from_utf8_lossy(input)
            );
        }
    }
}

#[test]
fn a_cut_response_is_an_error() {
    for input in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ] {
        assert!(read(b"GET", input, true, input.len()).is_err());
    }
}

#[test]
fn heads_and_interim_responses_have_bounds() {
    let endless = [
        b"HTTP/1.1 200 OK\r\n".to_vec(),
        b"X: y\r\n".repeat(101),
        b"\r\n".to_vec(),
    ]
    .concat();
    assert_eq!(
        read(b"GET", &endless, false, 4096).unwrap_err().status(),
        431
    );
    let mut huge = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    huge.resize(100_000, b'a');
    assert_eq!(read(b"GET", &huge, false, 4096).unwrap_err().status(), 431);
    let flood = b"HTTP/1.1 102 Processing\r\n\r\n".repeat(40);
    assert!(read(b"GET", &flood, false, 4096).is_err());
}

#[test]
fn what_nobody_asked_for_is_refused() {
    let mut codec = Codec::new();
    assert!(
        codec
            .receive(b"HTTP/1.1 200 OK\r\n\r\n", &Limits::default())
            .is_err()
    );
}

#[test]
fn a_request_cannot_be_split_by_its_parts() {
    struct Pairs<'a>(&'a [(&'a str, &'a str)]);
    impl crate::h1::Fields for Pairs<'_> {
        fn for_each(&self, f: crate::h1::Visit<'_>) -> Result<(), crate::h1::EncodeError> {
            self.0
                .iter()
                .try_for_each(|(name, value)| f(name.as_bytes(), value.as_bytes()))
        }
    }
    let mut out = Vec::new();
    let line = |method, target, authority| Line {
        method,
        target,
        authority,
    };
    let good = line(&b"GET"[..], &b"/"[..], &b"a:1"[..]);
    for bad in [
        line(b"GET /x", b"/", b"a"),
        line(b"GET", b"/ HTTP/1.1\r\nX: y", b"a"),
        line(b"GET", b"", b"a"),
        line(b"GET", b"/", b"a\r\nX: y"),
        line(b"GET", b"/", b"u@a"),
    ] {
        assert!(encode_request(&mut out, &bad, &Pairs(&[]), RequestBody::None).is_err());
    }
    for (name, value) in [("X: y", "z"), ("X", "a\r\nb: c"), ("", "x")] {
        assert!(
            encode_request(&mut out, &good, &Pairs(&[(name, value)]), RequestBody::None).is_err()
        );
    }
    assert!(out.is_empty());
    encode_request(
        &mut out,
        &good,
        &Pairs(&[("Content-Length", "9")]),
        RequestBody::Length(2),
    )
    .unwrap();
    assert_eq!(
        out,
        b"GET / HTTP/1.1\r\nHost: a:1\r\nContent-Length: 2\r\n\r\n"
    );
}

proptest! {
    #[test]
    fn any_input_is_read_alike_in_any_pieces(
        input in prop::collection::vec(any::<u8>(), 0..200), step in 1usize..50,
    ) {
        let mut whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        whole.extend_from_slice(&input);
        let one = read(b"GET", &whole, true, whole.len()).ok();
        prop_assert_eq!(one, read(b"GET", &whole, true, step).ok());
    }
}
