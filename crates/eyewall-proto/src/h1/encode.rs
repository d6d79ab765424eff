//! Response heads, chunks and trailers on their way out.
//!
//! Nothing that a handler passes can split a response: names are tokens, values and reasons
//! hold no control characters, and the framing fields are the server's own.

use std::fmt;

use super::parse::is_token;
use super::{Connection, Writing};
use crate::Version;

/// A programmer's mistake in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// A body before its head.
    NotStarted,
    /// A second head.
    AlreadyStarted,
    /// More after the end.
    AlreadyEnded,
    /// `Content-Length` is malformed, repeated, or not the body's.
    LengthMismatch,
    /// More body than `Content-Length` announced.
    TooMuchBody,
    /// Less body than `Content-Length` announced.
    TooLittleBody,
    /// A `Transfer-Encoding` from the handler.
    TransferEncoding,
    /// A field's name that is no token.
    InvalidName(String),
    /// A field's value with control characters; of the field of this name.
    InvalidValue(String),
    /// A reason phrase with control characters.
    InvalidReason,
    /// A status outside its range.
    InvalidStatus(u16),
    /// A request's target or host that no URL can have.
    InvalidTarget,
    /// An upgrade that the client did not ask for.
    NoUpgrade,
}

impl EncodeError {
    /// A field's name that is no token.
    #[must_use]
    pub fn invalid_name(name: &[u8]) -> Self {
        Self::InvalidName(name.escape_ascii().to_string())
    }

    /// A value that cannot be sent, of the field of this name.
    #[must_use]
    pub fn invalid_value(name: &[u8]) -> Self {
        Self::InvalidValue(name.escape_ascii().to_string())
    }

    /// A status outside its range.
    #[must_use]
    pub fn invalid_status(status: u16) -> Self {
        Self::InvalidStatus(status)
    }

    /// Whether the mistake is the moment, not what was passed.
    #[must_use]
    pub fn is_state(&self) -> bool {
        matches!(
            self,
            Self::NotStarted | Self::AlreadyStarted | Self::AlreadyEnded | Self::NoUpgrade
        )
    }

    /// Whether the answer under way can no longer be made right.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::TooMuchBody | Self::TooLittleBody)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("the answer was not started; call start() first"),
            Self::AlreadyStarted => f.write_str("the answer was started already; its head is sent"),
            Self::AlreadyEnded => f.write_str("the answer was ended already"),
            Self::LengthMismatch => f.write_str("Content-Length is not the length of the body"),
            Self::TooMuchBody => f.write_str("more body was written than Content-Length announced"),
            Self::TooLittleBody => {
                f.write_str("less body was written than Content-Length announced")
            }
            Self::TransferEncoding => {
                f.write_str("Transfer-Encoding is set by the server, not by handlers")
            }
            Self::InvalidName(name) => write!(f, "\"{name}\" cannot be a header name"),
            Self::InvalidValue(name) => {
                write!(
                    f,
                    "the value of header \"{name}\" has control characters, which cannot be sent"
                )
            }
            Self::InvalidReason => {
                f.write_str("the reason phrase has control characters, which cannot be sent")
            }
            Self::InvalidStatus(status) => {
                write!(f, "{status} is not a status that can be sent here")
            }
            Self::InvalidTarget => f.write_str(
                "the URL has spaces, controls or other characters that must be percent-encoded",
            ),
            Self::NoUpgrade => f.write_str("the client did not ask for an upgrade"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// What is called with each field's name and value.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), EncodeError>;

/// Header fields from wherever they are kept.
pub trait Fields {
    /// Call `f` with each name and value; stop at its first error and return that.
    ///
    /// # Errors
    ///
    /// What `f` returns.
    fn for_each(&self, f: Visit<'_>) -> Result<(), EncodeError>;
}

impl Fields for &[(&str, &str)] {
    fn for_each(&self, f: Visit<'_>) -> Result<(), EncodeError> {
        self.iter()
            .try_for_each(|(name, value)| f(name.as_bytes(), value.as_bytes()))
    }
}

/// Fields that an answer gets where the handler does not set them.
#[derive(Clone, Copy, Debug)]
pub struct Defaults<'a> {
    /// Value of `Date`.
    pub date: &'a [u8],
    /// Value of `Server`; `None` sends none.
    pub server: Option<&'a [u8]>,
}

/// What is known of a body when its head is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodySize {
    /// Its length.
    Known(u64),
    /// Nothing, unless a `Content-Length` was given.
    Stream,
}

/// Writes one response head; dropped unfinished it leaves no trace.
#[derive(Debug)]
pub struct Encoder<'a> {
    connection: &'a mut Connection,
    out: &'a mut Vec<u8>,
    begun_at: usize,
    finished: bool,
    status: u16,
    defaults: Defaults<'a>,
    length: Option<u64>,
    close: bool,
    has_date: bool,
    has_server: bool,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(
        connection: &'a mut Connection,
        out: &'a mut Vec<u8>,
        status: u16,
        reason: Option<&[u8]>,
        defaults: Defaults<'a>,
    ) -> Result<Self, EncodeError> {
        if !(200..=999).contains(&status) {
            return Err(EncodeError::InvalidStatus(status));
        }
        let begun_at = out.len();
        status_line(out, status, reason)?;
        Ok(Self {
            connection,
            out,
            begun_at,
            finished: false,
            status,
            defaults,
            length: None,
            close: false,
            has_date: false,
            has_server: false,
        })
    }

    /// Add a field.
    ///
    /// # Errors
    ///
    /// A name or value that cannot be sent, or a framing field that contradicts the server's.
    pub fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), EncodeError> {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"date") => self.has_date = true,
            6 if name.eq_ignore_ascii_case(b"server") => self.has_server = true,
            10 if name.eq_ignore_ascii_case(b"connection") => {
                if value.trim_ascii().eq_ignore_ascii_case(b"close") {
                    self.close = true;
                    return Ok(());
                }
                if value.trim_ascii().eq_ignore_ascii_case(b"keep-alive") {
                    return Ok(());
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = parse_length(value).ok_or(EncodeError::LengthMismatch)?;
                if self.status == 204 || self.length.replace(length).is_some() {
                    return Err(EncodeError::LengthMismatch);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                return Err(EncodeError::TransferEncoding);
            }
            _ => {}
        }
        write_field(self.out, name, value)
    }

    /// Write the rest of the head; true when the body's bytes are to be sent.
    ///
    /// # Errors
    ///
    /// A `Content-Length` that is not the body's.
    pub fn finish(mut self, size: BodySize) -> Result<bool, EncodeError> {
        let bodiless = self.connection.head_request || matches!(self.status, 204 | 304);
        let mut close = self.close || !self.connection.keep_alive || self.connection.close;
        let writing = match (size, self.length) {
            (BodySize::Known(length), Some(announced)) => {
                if announced != length && !bodiless {
                    return Err(EncodeError::LengthMismatch);
                }
                Writing::Length(length)
            }
            (BodySize::Known(length), None) => {
                if !matches!(self.status, 204 | 304) {
                    self.out.extend_from_slice(b"Content-Length: ");
                    self.out
                        .extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                    self.out.extend_from_slice(b"\r\n");
                }
                Writing::Length(length)
            }
            (BodySize::Stream, Some(announced)) => Writing::Length(announced),
            (BodySize::Stream, None) if bodiless => Writing::NoBody,
            (BodySize::Stream, None) if self.connection.version == Version::Http11 => {
                self.out
                    .extend_from_slice(b"Transfer-Encoding: chunked\r\n");
                Writing::Chunked
            }
            (BodySize::Stream, None) => {
                close = true;
                Writing::UntilClose
            }
        };
        if close {
            self.out.extend_from_slice(b"Connection: close\r\n");
        } else if self.connection.version == Version::Http10 {
            self.out.extend_from_slice(b"Connection: Keep-Alive\r\n");
        }
        if let (false, Some(server)) = (self.has_server, self.defaults.server) {
            self.out.extend_from_slice(b"Server: ");
            self.out.extend_from_slice(server);
            self.out.extend_from_slice(b"\r\n");
        }
        if !self.has_date {
            self.out.extend_from_slice(b"Date: ");
            self.out.extend_from_slice(self.defaults.date);
            self.out.extend_from_slice(b"\r\n");
        }
        self.out.extend_from_slice(b"\r\n");
        self.connection.close |= close;
        self.connection.writing = if bodiless { Writing::NoBody } else { writing };
        self.connection.continue_wanted = false;
        self.finished = true;
        Ok(!bodiless)
    }
}

impl Drop for Encoder<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.begun_at);
        }
    }
}

fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}

/// Append a field after checking it.
pub(crate) fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<(), EncodeError> {
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err(EncodeError::invalid_name(name));
    }
    if !is_text(value) {
        return Err(EncodeError::invalid_value(name));
    }
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn is_text(value: &[u8]) -> bool {
    value
        .iter()
        .all(|byte| (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t')
}

pub(crate) fn status_line(
    out: &mut Vec<u8>,
    status: u16,
    reason: Option<&[u8]>,
) -> Result<(), EncodeError> {
    if status == 200 && reason.is_none() {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return Ok(());
    }
    if reason.is_some_and(|reason| !is_text(reason)) {
        return Err(EncodeError::InvalidReason);
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason.unwrap_or_else(|| phrase(status).as_bytes()));
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Append `data` as one chunk's head.
/// A piece of a body as a chunk (RFC 9112, section 7.1); nothing for an empty one, which would be
/// the last.
#[must_use]
pub fn chunk(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 20);
    if !data.is_empty() {
        chunk_head(&mut out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
    out
}

pub(crate) fn chunk_head(out: &mut Vec<u8>, length: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut shift = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
    while shift > 0 {
        shift -= 1;
        let digit = (length >> (shift * 4)) & 15;
        out.push(DIGITS.get(digit).copied().unwrap_or(b'0'));
    }
    out.extend_from_slice(b"\r\n");
}

/// The standard phrase of a status (RFC 9110, section 15, and the registry).
#[must_use]
pub fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => "Unknown",
    }
}
