//! Heads of responses (RFC 9112, sections 4 and 6), on httparse's strict form.

use std::mem::MaybeUninit;

use crate::head::Span;
use crate::{Error, Limits, Version};

/// Header fields that fit without an allocation.
const STACK_FIELDS: usize = 128;

/// Longest status line.
const LINE_BYTES: usize = 8 * 1024;

/// How the end of a response's content is known (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// By its length.
    Length(u64),
    /// By its coding, or by the stream's end in HTTP/2.
    Chunked,
    /// By the connection's end.
    UntilClose,
}

/// One response's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The version that the server speaks.
    pub version: Version,
    /// The status.
    pub status: u16,
    /// How the content's end is known.
    pub framing: BodyFraming,
    /// Whether the server keeps the connection.
    pub keep_alive: bool,
    bytes: Vec<u8>,
    reason: Span,
    fields: Vec<(Span, Span)>,
}

impl ResponseHead {
    /// The head of an HTTP/2 response, whose fields were checked already.
    #[must_use]
    pub fn http2<'a>(status: u16, fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut bytes = Vec::with_capacity(256);
        let mut add = |part: &[u8]| {
            let start = to_u32(bytes.len());
            bytes.extend_from_slice(part);
            Span {
                start,
                end: to_u32(bytes.len()),
            }
        };
        let fields = fields
            .map(|(name, value)| (add(name), add(value)))
            .collect();
        Self {
            version: Version::Http2,
            status,
            framing: BodyFraming::Chunked,
            keep_alive: true,
            bytes,
            reason: Span::default(),
            fields,
        }
    }

    /// The reason phrase, as sent.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.reason.of(&self.bytes)
    }

    /// The fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.of(&self.bytes), value.of(&self.bytes)))
    }

    /// The first field of this name.
    #[must_use]
    pub fn field(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// How far an incomplete head was looked at, so that slow arrival costs linear time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    tried: usize,
    searched: usize,
}

/// Parse a head at the start of `input`; `None` when it is incomplete.
pub(super) fn parse(
    input: &[u8],
    limits: &Limits,
    progress: &mut Progress,
) -> Result<Option<(ResponseHead, usize)>, Error> {
    if input.is_empty() {
        return Ok(None);
    }
    let worth_it = progress.tried == 0
        || input.len() >= progress.tried.saturating_mul(2)
        || ends(input, progress);
    let parsed = if worth_it {
        attempt(input, limits)?
    } else {
        None
    };
    if parsed.is_none() {
        if worth_it {
            progress.tried = input.len();
        }
        progress.searched = input.len();
        if input.len() > limits.header_bytes.saturating_add(LINE_BYTES) {
            return Err(TOO_LARGE);
        }
    }
    Ok(parsed)
}

const TOO_LARGE: Error = Error::new(431, "the response's head is larger than allowed");

/// Whether an empty line has come since the last look.
fn ends(input: &[u8], progress: &Progress) -> bool {
    let fresh = input
        .get(progress.searched.saturating_sub(3)..)
        .unwrap_or_default();
    memchr::memmem::find(fresh, b"\n\r\n").is_some()
        || memchr::memmem::find(fresh, b"\n\n").is_some()
}

fn attempt(input: &[u8], limits: &Limits) -> Result<Option<(ResponseHead, usize)>, Error> {
    if limits.header_count <= STACK_FIELDS {
        let mut room = [const { MaybeUninit::uninit() }; STACK_FIELDS];
        parse_with(
            input,
            limits,
            room.get_mut(..limits.header_count).unwrap_or_default(),
        )
    } else {
        parse_with(
            input,
            limits,
            &mut vec![MaybeUninit::uninit(); limits.header_count],
        )
    }
}

fn parse_with<'b>(
    input: &'b [u8],
    limits: &Limits,
    room: &mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<Option<(ResponseHead, usize)>, Error> {
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        input,
        room,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::HeaderName) if is_folded(input) => {
            return Err(Error::bad(
                "the response's head has line folding, which is obsolete",
            ));
        }
        Err(error) => return Err(translate(error)),
    };
    let bytes = input.get(..length).unwrap_or_default();
    let line = memchr::memchr(b'\n', bytes).unwrap_or(length);
    if line > LINE_BYTES || length - line > limits.header_bytes.saturating_add(3) {
        return Err(TOO_LARGE);
    }
    if memchr::memchr_iter(b'\n', bytes).any(|at| at == 0 || bytes.get(at - 1) != Some(&b'\r')) {
        return Err(Error::bad(
            "a line of the response's head ends in LF without CR",
        ));
    }
    let span = |part: &[u8]| {
        let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
        Span {
            start: to_u32(start),
            end: to_u32(start + part.len()),
        }
    };
    let version = match response.version {
        Some(0) => Version::Http10,
        _ => Version::Http11,
    };
    let status = response.code.unwrap_or_default();
    // A status beyond the classes that exist is a server's error, not a malformed answer
    // (RFC 9110, section 15).
    if !(100..1000).contains(&status) {
        return Err(Error::bad("the response's status is no status"));
    }
    let mut fields = Vec::with_capacity(response.headers.len());
    let mut facts = Facts::default();
    for header in response.headers.iter() {
        let name = header.name.as_bytes();
        let value = header.value.trim_ascii_end();
        fields.push((span(name), span(value)));
        facts.note(name, value)?;
    }
    let head = ResponseHead {
        version,
        status,
        framing: facts.framing(version)?,
        keep_alive: !facts.close && (version == Version::Http11 || facts.keep_alive),
        reason: reason(bytes.get(..line).unwrap_or_default()),
        bytes: bytes.to_vec(),
        fields,
    };
    Ok(Some((head, length)))
}

/// Whether a line of a head that is malformed continues the one before (RFC 9112, section 5.2).
fn is_folded(input: &[u8]) -> bool {
    memchr::memmem::find_iter(input, b"\r\n")
        .filter_map(|at| input.get(at + 2))
        .any(|next| matches!(next, b' ' | b'\t'))
}

/// The place of the phrase in "HTTP/1.1 200 phrase\r".
fn reason(line: &[u8]) -> Span {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let start = 13.min(line.len());
    Span {
        start: to_u32(start),
        end: to_u32(line.len()),
    }
}

fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn translate(error: httparse::Error) -> Error {
    match error {
        httparse::Error::TooManyHeaders => {
            Error::new(431, "the response has too many header fields")
        }
        httparse::Error::Version => Error::bad("the response is not HTTP/1.0 or HTTP/1.1"),
        httparse::Error::Status => Error::bad("the response's status is malformed"),
        httparse::Error::HeaderName => Error::bad("the name of a response's field is malformed"),
        httparse::Error::HeaderValue => Error::bad("the value of a response's field is malformed"),
        httparse::Error::NewLine | httparse::Error::Token => {
            Error::bad("the response's head is malformed")
        }
    }
}

/// What the fields say that the connection must know.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    /// The last transfer coding is "chunked"; `Some(false)` where it is another.
    chunked: Option<bool>,
    close: bool,
    keep_alive: bool,
}

impl Facts {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => {
                for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                // RFC 9110, section 8.6: the same number several times is one number.
                for part in value.split(|byte| *byte == b',') {
                    let length = parse_length(part.trim_ascii())?;
                    if self.length.is_some_and(|known| known != length) {
                        return Err(Error::bad("the response has two different lengths"));
                    }
                    self.length = Some(length);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked.is_some() || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Error::bad("the response's transfer coding is not known"));
                }
                self.chunked = Some(true);
            }
            _ => {}
        }
        Ok(())
    }

    fn framing(&self, version: Version) -> Result<BodyFraming, Error> {
        match (self.chunked, self.length) {
            // Two framings are how responses are smuggled (RFC 9112, section 6.3).
            (Some(_), Some(_)) => Err(Error::bad(
                "the response has a length and a transfer coding",
            )),
            (Some(_), None) if version == Version::Http10 => {
                Err(Error::bad("a transfer coding is not of HTTP/1.0"))
            }
            (Some(_), None) => Ok(BodyFraming::Chunked),
            (None, Some(length)) => Ok(BodyFraming::Length(length)),
            (None, None) => Ok(BodyFraming::UntilClose),
        }
    }
}

fn parse_length(value: &[u8]) -> Result<u64, Error> {
    const BAD: Error = Error::bad("the response's length is malformed");
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return Err(BAD);
    }
    str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(BAD)
}
