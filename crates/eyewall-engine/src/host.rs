//! What the engine needs from whoever embeds it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eyewall_proto::h1::Trailers;
use eyewall_proto::ws::Kind;
use eyewall_proto::{Error, RequestHead};

use crate::client::{ClientResponse, Failure};
use crate::config::ConnInfo;
use crate::exchange::ExchangeId;
use crate::listener::ServerKey;
use crate::ws::SocketEvent;

/// What a waiting callback is told.
#[derive(Debug)]
pub enum Outcome {
    /// Body bytes; empty at the end of the body.
    Body(Bytes),
    /// The body cannot be had: the peer broke the framing or a limit.
    Refused(Error),
    /// The peer, or a time-out, ended the connection or the stream.
    Closed(&'static str),
    /// There is room to write, or all was flushed.
    Room,
    /// The peer has gone before the answer was complete.
    Disconnected,
    /// A drain has finished.
    Drained,
    /// What a server answered.
    Response(Box<ClientResponse>),
    /// The end of a streamed response.
    End(Option<Trailers>),
    /// A request to a server failed, or a connection to it could not be used.
    Failed(Failure),
}

/// The kinds of events that deserve a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// A client's mistake, or a limit that it hit.
    Refused,
    /// A TLS handshake or session failed.
    Tls,
    /// Accepting was paused or resumed.
    Accept,
    /// The engine cut a connection in the middle of an answer.
    Aborted,
}

impl NoticeKind {
    /// The kind's name in the contract with the host's language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Tls => "tls",
            Self::Accept => "accept",
            Self::Aborted => "aborted",
        }
    }
}

/// An event worth a log line.
#[derive(Debug)]
pub struct Notice {
    /// What kind of event it is.
    pub kind: NoticeKind,
    /// The server it happened on.
    pub server: ServerKey,
    /// The peer's address, or "" where there is none.
    pub peer: String,
    /// One clause for the log.
    pub text: String,
}

/// The embedding side: receives requests, runs callbacks, and gives the engine turns.
pub trait Host: 'static {
    /// What the host leaves with the engine: callbacks, and messages on their way.
    type Callback: 'static;

    /// A request's head has arrived.
    fn request(
        &self,
        server: ServerKey,
        exchange: ExchangeId,
        head: RequestHead,
        info: &Arc<ConnInfo>,
    );

    /// Run a callback that was left with the engine.
    fn call(&self, callback: Self::Callback, outcome: Outcome);

    /// A WebSocket's message as the host has it. A connection is borrowed meanwhile, so nothing
    /// may call the engine.
    fn message(kind: Kind, data: &[u8]) -> Self::Callback;

    /// Something happened on the WebSocket of that receiver.
    fn socket(&self, receiver: &Self::Callback, event: SocketEvent<Self::Callback>);

    /// Something happened that deserves a log line.
    fn notice(&self, notice: Notice);

    /// Call [`Reactor::turn`](crate::Reactor::turn) again soon.
    fn schedule(&self);

    /// Call [`Reactor::turn`](crate::Reactor::turn) after `delay`; replaces the request before.
    fn schedule_after(&self, delay: Duration);
}
