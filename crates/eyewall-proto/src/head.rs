//! A request's head: what was received, in one piece of memory, with the places of its parts.

use std::borrow::Cow;

use crate::Error;
use crate::h1::target;

/// The protocol's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// The version as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// How a body's end is known (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// By its announced length.
    Length(u64),
    /// By its coding, or by the stream's end in HTTP/2.
    Chunked,
}

/// A part of the head's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// One request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The version that the client speaks.
    pub version: Version,
    /// How the body's end is known.
    pub framing: Framing,
    /// Whether the client wants the connection kept.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue`.
    pub expect_continue: bool,
    /// Whether the client offers an upgrade (GET, HTTP/1.1).
    pub upgrade: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) method: Span,
    pub(crate) target: Span,
    /// The path with its query.
    pub(crate) resource: Span,
    pub(crate) path_end: u32,
    pub(crate) host: Span,
    pub(crate) fields: Vec<(Span, Span)>,
}

impl RequestHead {
    fn text(&self, span: Span) -> &str {
        // Methods, targets and hosts were checked to be ASCII.
        str::from_utf8(span.of(&self.bytes)).unwrap_or_default()
    }

    /// The method, as sent.
    #[must_use]
    pub fn method(&self) -> &str {
        self.text(self.method)
    }

    /// The request target, as sent.
    #[must_use]
    pub fn target(&self) -> &str {
        self.text(self.target)
    }

    /// The target's path; "*" for the asterisk form, "" for CONNECT.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = self.text(Span {
            start: self.resource.start,
            end: self.path_end,
        });
        if path.is_empty() && self.method() != "CONNECT" {
            "/"
        } else {
            path
        }
    }

    /// What follows the first "?", or "".
    #[must_use]
    pub fn query(&self) -> &str {
        self.text(Span {
            start: self.path_end,
            end: self.resource.end,
        })
        .get(1..)
        .unwrap_or_default()
    }

    /// The host that the request is for, with its port when one was given.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text(self.host)
    }

    /// All fields, in order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.of(&self.bytes), value.of(&self.bytes)))
    }

    /// All values of a field.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The value of a field; several are joined by ", ", cookies by "; ".
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut values = self
            .fields
            .iter()
            .filter(|(known, _)| known.of(&self.bytes).eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.of(&self.bytes));
        let first = values.next()?;
        let Some(second) = values.next() else {
            return Some(Cow::Borrowed(first));
        };
        // RFC 9110, section 5.3, and RFC 9113, section 8.2.3.
        let separator: &[u8] = if name.eq_ignore_ascii_case("cookie") {
            b"; "
        } else {
            b", "
        };
        let mut joined = first.to_vec();
        for value in std::iter::once(second).chain(values) {
            joined.extend_from_slice(separator);
            joined.extend_from_slice(value);
        }
        Some(Cow::Owned(joined))
    }
}

/// Makes a head from parts, for protocols that do not send it as text.
#[derive(Debug)]
pub struct HeadBuilder {
    head: RequestHead,
}

impl HeadBuilder {
    /// A head without fields.
    #[must_use]
    pub fn new(method: &str, target: &str, version: Version) -> Self {
        let mut head = RequestHead {
            version,
            framing: Framing::None,
            keep_alive: true,
            expect_continue: false,
            upgrade: false,
            bytes: Vec::with_capacity(method.len() + target.len() + 256),
            method: Span::default(),
            target: Span::default(),
            resource: Span::default(),
            path_end: 0,
            host: Span::default(),
            fields: Vec::with_capacity(16),
        };
        head.method = push(&mut head.bytes, method.as_bytes());
        head.target = push(&mut head.bytes, target.as_bytes());
        Self { head }
    }

    /// Add a field.
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        let name = push(&mut self.head.bytes, name);
        let value = push(&mut self.head.bytes, value);
        self.head.fields.push((name, value));
    }

    /// Check the target and the host, and finish.
    ///
    /// # Errors
    ///
    /// The same rules hold as for HTTP/1.1.
    pub fn build(self, framing: Framing) -> Result<RequestHead, Error> {
        let method = self.head.method().to_owned();
        self.build_like(framing, method.as_bytes())
    }

    /// As [`build`](Self::build), for a CONNECT whose target is a path (RFC 8441, section 4).
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_extended_connect(self) -> Result<RequestHead, Error> {
        self.build_like(Framing::None, b"GET")
    }

    /// The target is checked as with this method.
    fn build_like(self, framing: Framing, method: &[u8]) -> Result<RequestHead, Error> {
        let mut head = self.head;
        head.framing = framing;
        let form = target::check(method, head.target.of(&head.bytes))?;
        form.apply(&mut head);
        let mut hosts = head
            .fields
            .iter()
            .filter(|(name, _)| name.of(&head.bytes).eq_ignore_ascii_case(b"host"));
        if let Some((_, value)) = hosts.next() {
            if hosts.next().is_some() {
                return Err(Error::bad("Host is repeated"));
            }
            target::check_host(value.of(&head.bytes))?;
            head.host = *value;
        } else if head.host == Span::default() {
            return Err(Error::bad("Host is missing"));
        }
        let continues = head.fields.iter().any(|(name, value)| {
            name.of(&head.bytes).eq_ignore_ascii_case(b"expect")
                && value.of(&head.bytes).eq_ignore_ascii_case(b"100-continue")
        });
        head.expect_continue = continues;
        Ok(head)
    }
}

fn push(bytes: &mut Vec<u8>, part: &[u8]) -> Span {
    let start = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(part);
    Span {
        start,
        end: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    }
}
