//! Connections to servers: the client's side of the engine.
//!
//! A connection is handed over connected; names, proxies and choosing between addresses are the
//! host's. It speaks TLS where asked to, then HTTP/1.1 or HTTP/2, and runs in the same turns as
//! the servers' connections.

mod call;
mod conn;
mod h1;
mod h2;
mod h2_stream;
mod ops;

use std::time::Duration;

use eyewall_proto::client::{Line, ResponseHead};
use eyewall_proto::h1::{Fields, Trailers};
use eyewall_proto::{Error, Limits};

use crate::exchange::Payload;
use crate::reactor::ConnId;
use crate::tls::TlsInfo;

pub(crate) use conn::{ClientConn, Step};

/// Names a connection to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId(pub(crate) ConnId);

/// What a connection to a server allows it.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Sizes and numbers of header fields.
    pub limits: Limits,
    /// How long the connection may be without a request; zero means any time.
    pub idle: Duration,
    /// Speak HTTP/2 without asking, in clear text.
    pub http2: bool,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The connection was closed or broke.
    Closed,
    /// The server broke the protocol.
    Protocol,
    /// The response is larger than allowed.
    TooLarge,
    /// It took too long.
    Timeout,
    /// TLS could not be agreed on, or broke.
    Tls,
    /// The server's certificate is not to be trusted.
    Certificate,
}

impl FailureKind {
    /// The kind's name in the contract with the host's language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Certificate => "certificate",
        }
    }
}

/// A request that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why.
    pub kind: FailureKind,
    /// The same in words.
    pub text: String,
    /// The server has certainly not acted on the request, or has not answered at all on a
    /// connection that had been idle.
    pub unprocessed: bool,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            unprocessed: false,
        }
    }

    pub(crate) fn closed(text: impl Into<String>) -> Self {
        Self::new(FailureKind::Closed, text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = if matches!(error.status(), 413 | 431) {
            FailureKind::TooLarge
        } else {
            FailureKind::Protocol
        };
        Self::new(kind, error.to_string())
    }
}

/// What came of a request: all of it, or the head of what is streamed.
#[derive(Debug)]
pub struct ClientResponse {
    /// The head.
    pub head: ResponseHead,
    /// The content; empty when it is streamed.
    pub body: Vec<u8>,
    /// Trailer fields; none when the content is streamed.
    pub trailers: Option<Trailers>,
}

/// A request's content.
#[derive(Debug)]
pub enum ClientBody<'a> {
    /// None at all.
    None,
    /// All of it.
    Whole(Payload<'a>),
    /// It follows, so many bytes where that is known.
    Stream(Option<u64>),
}

/// A request to be sent.
pub struct ClientRequest<'a> {
    /// Method, target and host.
    pub line: Line<'a>,
    /// "http" or "https".
    pub scheme: &'a [u8],
    /// Header fields.
    pub fields: &'a dyn Fields,
    /// The content.
    pub body: ClientBody<'a>,
    /// Longest time until the response is complete; zero means any time.
    pub timeout: Duration,
    /// Hand over the head at once, and the content on demand.
    pub streamed: bool,
    /// Largest content of the response.
    pub max_body: u64,
}

/// What reading a streamed response came to.
#[derive(Debug)]
pub enum ClientRead {
    /// Content.
    Data(Vec<u8>),
    /// The end, with trailer fields where there were some.
    End(Option<Trailers>),
    /// No more will come.
    Failed(Failure),
    /// Nothing yet; the callback will be called.
    Pending,
}

/// What a connection is.
#[derive(Debug)]
pub struct ClientState {
    /// "http/1.1" or "h2", or "" before that is known.
    pub protocol: &'static str,
    /// How many more requests may be started now.
    pub room: usize,
    /// Requests under way.
    pub active: usize,
    /// What TLS was agreed on.
    pub tls: Option<TlsInfo>,
}
