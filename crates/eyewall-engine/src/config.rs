//! What a server is told at its making, and what is known of each connection.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use eyewall_proto::{Limits, TrustedPeers};

use crate::tls::TlsInfo;

/// The options of one server.
#[derive(Debug)]
pub struct ServerConfig {
    /// Sizes, counts and times.
    pub limits: Limits,
    /// Whether HTTP/1.0 and HTTP/1.1 are served.
    pub http1: bool,
    /// Whether HTTP/2 is served.
    pub http2: bool,
    /// Whether trusted peers begin with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Peers whose forwarding headers are believed.
    pub trusted: TrustedPeers,
    /// Value of the `Server` field.
    pub server_header: Option<Vec<u8>>,
}

/// The address that a connection came in on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalAddr {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(String),
}

/// What is known of a connection; shared with the host.
#[derive(Debug)]
pub struct ConnInfo {
    /// The server's options.
    pub config: Arc<ServerConfig>,
    /// The socket's peer, or the source that a PROXY header named; `None` for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The address that the connection came in on, once somebody asked.
    pub local: OnceLock<LocalAddr>,
    /// The TLS session, when there is one.
    pub tls: Option<TlsInfo>,
}

impl ConnInfo {
    /// The peer as a log line names it.
    #[must_use]
    pub fn peer_text(&self) -> String {
        self.peer.map_or_else(String::new, |peer| peer.to_string())
    }
}
