//! Request heads (RFC 9112, sections 2 to 5), on httparse's strict form.

use std::mem::MaybeUninit;

use super::target;
use crate::head::{Framing, RequestHead, Span, Version};
use crate::{Error, Limits};

/// Methods longer than this are nobody's.
const METHOD_BYTES: usize = 32;

/// Header fields that fit without an allocation.
const STACK_FIELDS: usize = 128;

/// How far an incomplete head was looked at, so that slow arrival costs linear time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Length at the last attempt to parse.
    tried: usize,
    /// How far the end was searched for.
    searched: usize,
}

impl Progress {
    pub(crate) const NONE: Self = Self {
        tried: 0,
        searched: 0,
    };
}

/// Parse a head at the start of `input`; `None` when it is incomplete.
pub(crate) fn parse_head(
    input: &[u8],
    limits: &Limits,
    progress: &mut Progress,
) -> Result<Option<(RequestHead, usize)>, Error> {
    if progress.tried > 0
        && input.len() < progress.tried.saturating_mul(2)
        && !end_found(input, progress)
    {
        check_size(input, limits)?;
        return Ok(None);
    }
    early(input)?;
    let parsed = if limits.header_count <= STACK_FIELDS {
        let mut fields = [const { MaybeUninit::uninit() }; STACK_FIELDS];
        let room = fields.get_mut(..limits.header_count).unwrap_or_default();
        parse_with(input, limits, room)
    } else {
        let mut fields = vec![MaybeUninit::uninit(); limits.header_count];
        parse_with(input, limits, &mut fields)
    };
    let parsed = parsed?;
    if parsed.is_none() {
        progress.tried = input.len().max(1);
        progress.searched = input.len();
        check_size(input, limits)?;
    }
    Ok(parsed)
}

/// Whether an empty line has come since the last look.
fn end_found(input: &[u8], progress: &mut Progress) -> bool {
    let from = progress.searched.saturating_sub(3);
    progress.searched = input.len();
    let fresh = input.get(from..).unwrap_or_default();
    memchr::memchr_iter(b'\n', fresh).any(|at| {
        let before = fresh.get(..at).unwrap_or_default();
        before.ends_with(b"\n\r") || before.ends_with(b"\n")
    })
}

/// What the first bytes give away, before a line is complete.
fn early(input: &[u8]) -> Result<(), Error> {
    match input {
        [0x16, 0x03, ..] => Err(Error::bad("a TLS handshake on a clear-text port")),
        [first, ..] if !is_token(*first) => {
            Err(Error::bad("the request does not begin with a method"))
        }
        _ => Ok(()),
    }
}

fn check_size(input: &[u8], limits: &Limits) -> Result<(), Error> {
    let within_line = input.len() <= limits.request_line_bytes;
    if within_line {
        return Ok(());
    }
    let line = input.get(..=limits.request_line_bytes).unwrap_or(input);
    if memchr::memchr(b'\n', line).is_none() {
        return Err(Error::target_too_long());
    }
    if input.len()
        > limits
            .request_line_bytes
            .saturating_add(limits.header_bytes)
    {
        return Err(TOO_LARGE);
    }
    Ok(())
}

const TOO_LARGE: Error = Error::new(431, "the header section is larger than allowed");

fn parse_with<'b>(
    input: &'b [u8],
    limits: &Limits,
    room: &mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<Option<(RequestHead, usize)>, Error> {
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(input, room) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(translate(error, input)),
    };
    let bytes = input.get(..length).unwrap_or_default();
    let method = request.method.unwrap_or_default().as_bytes();
    let target = request.path.unwrap_or_default().as_bytes();
    if method.len() > METHOD_BYTES {
        return Err(Error::bad("the method is too long"));
    }
    let line = memchr::memchr(b'\n', bytes).unwrap_or(length);
    if line > limits.request_line_bytes {
        return Err(Error::target_too_long());
    }
    if length - line > limits.header_bytes.saturating_add(3) {
        return Err(TOO_LARGE);
    }
    // httparse takes a bare LF for a line's end; RFC 9112 lets us, but proxies that do not
    // would see another message.
    if memchr::memchr_iter(b'\n', bytes).any(|at| at == 0 || bytes.get(at - 1) != Some(&b'\r')) {
        return Err(Error::bad("a line ends in LF without CR"));
    }
    let span = |part: &[u8]| {
        let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
        Span {
            start: to_u32(start),
            end: to_u32(start + part.len()),
        }
    };
    let version = match request.version {
        Some(0) => Version::Http10,
        Some(_) | None => Version::Http11,
    };
    let form = target::check(method, target)?;
    let mut fields = Vec::with_capacity(request.headers.len());
    let mut facts = Facts::default();
    for header in request.headers.iter() {
        let name = header.name.as_bytes();
        let value = header.value.trim_ascii_end();
        if name.is_empty() {
            return Err(Error::bad("a header field has no name"));
        }
        fields.push((span(name), span(value)));
        facts.note(name, value)?;
    }
    let (framing, keep_alive, upgrade) = facts.decide(version, method)?;
    let mut head = RequestHead {
        version,
        framing,
        keep_alive,
        expect_continue: facts.expect_continue && version == Version::Http11,
        upgrade,
        bytes: bytes.to_vec(),
        method: span(method),
        target: span(target),
        resource: Span::default(),
        path_end: 0,
        host: facts.host.map_or_else(Span::default, span),
        fields,
    };
    form.apply(&mut head);
    Ok(Some((head, length)))
}

fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn translate(error: httparse::Error, input: &[u8]) -> Error {
    match error {
        httparse::Error::TooManyHeaders => Error::too_many_fields(),
        httparse::Error::Version => {
            let line = input
                .split(|byte| *byte == b'\n')
                .next()
                .unwrap_or_default();
            let after = memchr::memmem::rfind(line, b" HTTP/")
                .and_then(|at| line.get(at + 6..))
                .unwrap_or_default();
            match after {
                [major, b'.', minor, b'\r', ..]
                    if major.is_ascii_digit() && minor.is_ascii_digit() =>
                {
                    Error::new(505, "this version of HTTP is not served")
                }
                _ => Error::bad("the request line is malformed"),
            }
        }
        httparse::Error::Token => Error::bad("the request line is malformed"),
        httparse::Error::HeaderName => Error::bad("a header field's name is malformed"),
        httparse::Error::HeaderValue => Error::bad("a header field's value is malformed"),
        httparse::Error::NewLine => Error::bad("a line end is malformed"),
        httparse::Error::Status => Error::bad("the request is malformed"),
    }
}

/// Whether a byte may stand in a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)) == Some(&true)
}

#[expect(
    clippy::indexing_slicing,
    reason = "a constant table; a wrong index would not compile"
)]
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

/// What the fields say that the server itself must know.
#[derive(Default)]
struct Facts<'b> {
    host: Option<&'b [u8]>,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    upgrade_option: bool,
    upgrade_field: bool,
    expect_continue: bool,
}

impl<'b> Facts<'b> {
    fn note(&mut self, name: &[u8], value: &'b [u8]) -> Result<(), Error> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if self.host.replace(value).is_some() {
                    return Err(Error::bad("Host is repeated"));
                }
                target::check_host(value)?;
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Error::new(417, "only 100-continue can be expected"));
                }
                self.expect_continue = true;
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade_field = true,
            10 if name.eq_ignore_ascii_case(b"connection") => self.connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Error::bad("Content-Length is repeated"));
                }
                self.length = Some(content_length(value)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked {
                    return Err(Error::bad("Transfer-Encoding is repeated"));
                }
                transfer_encoding(value)?;
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade_option = true;
            }
        }
    }

    /// Framing, keep-alive and upgrade, from all fields together.
    fn decide(&self, version: Version, method: &[u8]) -> Result<(Framing, bool, bool), Error> {
        if self.host.is_none() && version == Version::Http11 {
            return Err(Error::bad("Host is missing"));
        }
        let framing = match (self.chunked, self.length) {
            (true, Some(_)) => {
                return Err(Error::bad(
                    "Content-Length and Transfer-Encoding are both given",
                ));
            }
            (true, None) if version == Version::Http10 => {
                return Err(Error::bad("Transfer-Encoding is not of HTTP/1.0"));
            }
            (true, None) => Framing::Chunked,
            (false, Some(length)) => Framing::Length(length),
            (false, None) => Framing::None,
        };
        let keep_alive = !self.close && (version == Version::Http11 || self.keep_alive);
        let upgrade = self.upgrade_option
            && self.upgrade_field
            && version == Version::Http11
            && method == b"GET"
            && matches!(framing, Framing::None | Framing::Length(0));
        Ok((framing, keep_alive, upgrade))
    }
}

fn content_length(value: &[u8]) -> Result<u64, Error> {
    const BAD: Error = Error::bad("Content-Length is malformed");
    // The standard parser would take a sign.
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return Err(BAD);
    }
    str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(BAD)
}

fn transfer_encoding(value: &[u8]) -> Result<(), Error> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let mut codings = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let known = codings.all(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    Err(if known || value.trim_ascii().is_empty() {
        Error::bad("Transfer-Encoding is malformed")
    } else {
        Error::new(501, "this transfer coding is not served")
    })
}
