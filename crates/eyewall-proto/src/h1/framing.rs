//! The chunked coding of bodies (RFC 9112, section 7.1), to the letter.

use std::ops::Range;

use super::Trailers;
use super::parse::is_token;
use crate::{Error, Limits};

/// Longest chunk-size line, extensions included.
const LINE_BYTES: usize = 256;

/// Trailer fields that would change how the message is read or routed (RFC 9110, 6.5.1).
const FORBIDDEN: &[&[u8]] = &[
    b"transfer-encoding",
    b"content-length",
    b"host",
    b"trailer",
    b"content-encoding",
    b"content-type",
    b"content-range",
    b"authorization",
    b"set-cookie",
    b"cookie",
    b"te",
    b"expect",
    b"connection",
];

/// What decoding came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    NeedMore,
    Data(Range<usize>),
    End(Option<Trailers>),
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

/// Decodes one chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ChunkDecoder {
    state: State,
    /// How far an incomplete line or trailer section was searched.
    searched: usize,
}

impl ChunkDecoder {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Size,
            searched: 0,
        }
    }

    /// Take the next element; returns how many bytes it took.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<(usize, Chunk), Error> {
        let mut taken = 0;
        loop {
            let rest = input.get(taken..).unwrap_or_default();
            match self.state {
                State::Size => {
                    let Some(line) =
                        self.line(rest, LINE_BYTES, "a chunk's size line is too long")?
                    else {
                        return Ok((taken, Chunk::NeedMore));
                    };
                    let size = size_line(rest.get(..line).unwrap_or_default())?;
                    taken += line + 2;
                    self.state = if size == 0 {
                        State::Trailers
                    } else {
                        State::Data(size)
                    };
                }
                State::Data(left) => {
                    if rest.is_empty() {
                        return Ok((taken, Chunk::NeedMore));
                    }
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let left = left - count as u64;
                    self.state = if left == 0 {
                        State::DataEnd
                    } else {
                        State::Data(left)
                    };
                    return Ok((taken + count, Chunk::Data(taken..taken + count)));
                }
                State::DataEnd => match rest {
                    [] | [b'\r'] => return Ok((taken, Chunk::NeedMore)),
                    [b'\r', b'\n', ..] => {
                        taken += 2;
                        self.state = State::Size;
                    }
                    _ => return Err(Error::bad("a chunk is longer or shorter than its size")),
                },
                State::Trailers => {
                    let Some((length, trailers)) = self.trailers(rest, limits)? else {
                        return Ok((taken, Chunk::NeedMore));
                    };
                    return Ok((taken + length, Chunk::End(trailers)));
                }
            }
        }
    }

    /// Length of the line at the start of `rest`, without its CRLF.
    fn line(
        &mut self,
        rest: &[u8],
        limit: usize,
        too_long: &'static str,
    ) -> Result<Option<usize>, Error> {
        let fresh = rest.get(self.searched..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', fresh) else {
            if rest.len() > limit {
                return Err(Error::bad(too_long));
            }
            self.searched = rest.len();
            return Ok(None);
        };
        let end = self.searched + at;
        self.searched = 0;
        let line = rest.get(..end).unwrap_or_default();
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(Error::bad(
                "a line in the body's framing ends in LF without CR",
            ));
        };
        if line.len() > limit {
            return Err(Error::bad(too_long));
        }
        Ok(Some(line.len()))
    }

    fn trailers(
        &mut self,
        rest: &[u8],
        limits: &Limits,
    ) -> Result<Option<(usize, Option<Trailers>)>, Error> {
        const TOO_LARGE: Error = Error::new(431, "the trailer section is larger than allowed");
        match rest {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', ..] => return Ok(Some((2, None))),
            _ => {}
        }
        let from = self.searched.saturating_sub(3);
        let fresh = rest.get(from..).unwrap_or_default();
        let Some(at) = memchr::memmem::find(fresh, b"\r\n\r\n") else {
            if rest.len() > limits.header_bytes {
                return Err(TOO_LARGE);
            }
            // Without this a section of bare LFs would wait for an end that never comes.
            let bare = memchr::memchr_iter(b'\n', rest)
                .any(|at| at == 0 || rest.get(at - 1) != Some(&b'\r'));
            if bare {
                return Err(Error::bad(
                    "a line in the trailer section ends in LF without CR",
                ));
            }
            self.searched = rest.len();
            return Ok(None);
        };
        self.searched = 0;
        let end = from + at;
        if end > limits.header_bytes {
            return Err(TOO_LARGE);
        }
        let mut trailers = Trailers::new();
        let section = rest.get(..end).unwrap_or_default();
        let mut start = 0;
        while start <= section.len() {
            let line_rest = section.get(start..).unwrap_or_default();
            let length = memchr::memmem::find(line_rest, b"\r\n").unwrap_or(line_rest.len());
            trailers.push(trailer(line_rest.get(..length).unwrap_or_default())?);
            if trailers.len() > limits.header_count {
                return Err(Error::too_many_fields());
            }
            start += length + 2;
        }
        Ok(Some((end + 4, Some(trailers))))
    }
}

fn trailer(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
    const BAD: Error = Error::bad("a trailer field is malformed");
    let colon = memchr::memchr(b':', line).ok_or(BAD)?;
    let name = line.get(..colon).unwrap_or_default();
    let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
    let value_ok = value
        .iter()
        .all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
    if name.is_empty() || !name.iter().copied().all(is_token) || !value_ok {
        return Err(BAD);
    }
    let lower = name.to_ascii_lowercase();
    if FORBIDDEN.contains(&lower.as_slice()) {
        return Err(Error::bad(
            "a trailer field that is not allowed in trailers",
        ));
    }
    Ok((name.to_vec(), value.to_vec()))
}

/// `chunk-size [ chunk-ext ]`, with the grammar of RFC 9112, section 7.1.1.
fn size_line(line: &[u8]) -> Result<u64, Error> {
    const BAD: Error = Error::bad("a chunk's size is malformed");
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    if digits == 0 || digits > 16 {
        return Err(BAD);
    }
    let text = str::from_utf8(line.get(..digits).unwrap_or_default()).map_err(|_| BAD)?;
    let size = u64::from_str_radix(text, 16).map_err(|_| BAD)?;
    let mut rest = line.get(digits..).unwrap_or_default();
    while !rest.is_empty() {
        rest = extension(rest)?;
    }
    Ok(size)
}

/// One `BWS ";" BWS name [ BWS "=" BWS value ]`; returns what follows it.
fn extension(rest: &[u8]) -> Result<&[u8], Error> {
    const BAD: Error = Error::bad("a chunk extension is malformed");
    let rest = skip_spaces(rest).strip_prefix(b";").ok_or(BAD)?;
    let (name, rest) = split_token(skip_spaces(rest));
    if name.is_empty() {
        return Err(BAD);
    }
    let Some(value) = skip_spaces(rest).strip_prefix(b"=") else {
        return Ok(rest);
    };
    let value = skip_spaces(value);
    if let Some(mut quoted) = value.strip_prefix(b"\"") {
        loop {
            match quoted {
                [b'"', after @ ..] => return Ok(after),
                [b'\\', escaped, after @ ..] if is_text(*escaped) => quoted = after,
                [byte, after @ ..] if is_text(*byte) && *byte != b'\\' => quoted = after,
                _ => return Err(BAD),
            }
        }
    }
    let (token, rest) = split_token(value);
    if token.is_empty() { Err(BAD) } else { Ok(rest) }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn skip_spaces(bytes: &[u8]) -> &[u8] {
    let count = bytes
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    bytes.get(count..).unwrap_or_default()
}

fn split_token(bytes: &[u8]) -> (&[u8], &[u8]) {
    let count = bytes.iter().take_while(|byte| is_token(**byte)).count();
    bytes.split_at(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &[u8]) -> Result<(Vec<u8>, Option<Trailers>, usize), Error> {
        let limits = Limits::default();
        let mut decoder = ChunkDecoder::new();
        let (mut at, mut body) = (0, Vec::new());
        loop {
            let rest = &input[at..];
            let (taken, chunk) = decoder.decode(rest, &limits)?;
            at += taken;
            match chunk {
                Chunk::Data(range) => body.extend_from_slice(&rest[range]),
                Chunk::End(trailers) => return Ok((body, trailers, at)),
                Chunk::NeedMore => return Err(Error::truncated()),
            }
        }
    }

    #[test]
    fn chunks_extensions_and_trailers_are_decoded() {
        let input = b"5;a=b;c=\"d\\\"\t\" ; e\r\nhello\r\nA\r\n0123456789\r\n000\r\nX-Sum: 1 \r\ny:\r\n\r\nrest";
        let (body, trailers, taken) = decode(input).unwrap();
        assert_eq!(body, b"hello0123456789");
        assert_eq!(
            trailers.unwrap(),
            [
                (b"X-Sum".to_vec(), b"1".to_vec()),
                (b"y".to_vec(), Vec::new())
            ]
        );
        assert_eq!(&input[taken..], b"rest");
    }

    #[test]
    fn malformed_framing_is_refused() {
        let bad: &[&[u8]] = &[
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"-5\r\nhello\r\n0\r\n\r\n",
            b"0x5\r\nhello\r\n0\r\n\r\n",
            b" 5\r\nhello\r\n0\r\n\r\n",
            b"5 \r\nhello\r\n0\r\n\r\n",
            b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
            b"\r\nhello\r\n0\r\n\r\n",
            b"5\nhello\r\n0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello!\r\n0\r\n\r\n",
            b"5\r\nhell\r\n0\r\n\r\n",
            b"5;\r\nhello\r\n0\r\n\r\n",
            b"5;a=\r\nhello\r\n0\r\n\r\n",
            b"5;a=\"b\r\nhello\r\n0\r\n\r\n",
            b"5;a\x00\r\nhello\r\n0\r\n\r\n",
            b"10000000000000000\r\n",
            b"0\r\nContent-Length: 5\r\n\r\n",
            b"0\r\nTransfer-Encoding: x\r\n\r\n",
            b"0\r\nbad name: x\r\n\r\n",
            b"0\r\nno-colon\r\n\r\n",
            b"0\r\nx: \x01\r\n\r\n",
            b"0\r\nx: y\n\r\n",
        ];
        for input in bad {
            let error = decode(input).unwrap_err();
            assert_ne!(
                error,
                Error::truncated(),
                "{:?}",
                String::from_utf8_lossy(input)
            );
        }
    }

    #[test]
    fn lines_and_trailers_have_bounds() {
        let mut long = b"5;".to_vec();
        long.resize(400, b'a');
        assert!(decode(&long).is_err());
        let many = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(101), b"\r\n".to_vec()].concat();
        assert_eq!(decode(&many).unwrap_err().status(), 431);
        let mut large = b"0\r\na: ".to_vec();
        large.resize(70_000, b'x');
        assert_eq!(decode(&large).unwrap_err().status(), 431);
    }
}
