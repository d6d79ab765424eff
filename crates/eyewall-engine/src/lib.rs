//! Eyewall's engine: a single-threaded reactor that turns inside somebody else's event loop.
//!
//! The reactor owns one epoll or kqueue instance. Its descriptor is readable whenever any of the
//! engine's sockets has work, so the outer loop watches that one descriptor and calls
//! [`Reactor::turn`]. Nothing here knows Python: what a request means is the [`Host`]'s business.
//!
//! Invariants:
//! - everything happens on the thread that made the reactor, except [`Mailbox::post`];
//! - the host is never called while a connection is borrowed, and never from inside a call that
//!   the host itself makes, so nothing is re-entrant;
//! - a fault of one connection ends that connection and no other.

mod client;
mod config;
mod conn;
mod exchange;
mod fanout;
mod host;
mod listener;
mod reactor;
mod timer;
mod tls;
mod transport;
mod ws;

pub use client::{
    ClientBody, ClientConfig, ClientId, ClientRead, ClientRequest, ClientResponse, ClientState,
    Failure, FailureKind,
};
pub use config::{ConnInfo, LocalAddr, ServerConfig};
pub use exchange::{ExchangeId, OpError, Payload, ReadOutcome};
pub use fanout::{FanoutKey, Shipment, SlowPolicy};
pub use host::{Host, Notice, NoticeKind, Outcome};
pub use listener::ServerKey;
pub use reactor::{Mailbox, Reactor, ReactorStats, ServerStats};
pub use tls::{ClientTls, ClientTlsOptions, TlsConfig, TlsError, TlsInfo, TlsOptions};
pub use ws::{SocketConfig, SocketEvent};
