//! Servers and their listening sockets.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags};

use crate::config::{LocalAddr, ServerConfig};
use crate::tls::{Session, TlsConfig, TlsError};
use crate::transport::Socket;

/// Names a server within its reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerKey(pub(crate) usize);

impl ServerKey {
    /// A small number, reused after the server is gone.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// What the connections of one server share.
#[derive(Debug)]
pub(crate) struct ServerShared {
    pub(crate) key: ServerKey,
    pub(crate) config: Arc<ServerConfig>,
    tls: RefCell<Option<TlsConfig>>,
    pub(crate) draining: Cell<bool>,
    pub(crate) connections: Cell<usize>,
    pub(crate) exchanges: Cell<usize>,
    pub(crate) requests: Cell<u64>,
    pub(crate) refused: Cell<u64>,
}

impl ServerShared {
    pub(crate) fn new(key: ServerKey, config: Arc<ServerConfig>, tls: Option<TlsConfig>) -> Self {
        Self {
            key,
            config,
            tls: RefCell::new(tls),
            draining: Cell::new(false),
            connections: Cell::new(0),
            exchanges: Cell::new(0),
            requests: Cell::new(0),
            refused: Cell::new(0),
        }
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.tls.borrow().is_some()
    }

    pub(crate) fn set_tls(&self, tls: TlsConfig) {
        *self.tls.borrow_mut() = Some(tls);
    }

    /// A new TLS session, on a server that has TLS.
    pub(crate) fn session(&self) -> Option<Result<Session, TlsError>> {
        self.tls.borrow().as_ref().map(TlsConfig::session)
    }

    pub(crate) fn exchange_begun(&self) {
        self.requests.set(self.requests.get() + 1);
        self.exchanges.set(self.exchanges.get() + 1);
    }

    pub(crate) fn exchange_ended(&self) {
        self.exchanges.set(self.exchanges.get().saturating_sub(1));
    }

    pub(crate) fn count_refused(&self) {
        self.refused.set(self.refused.get() + 1);
    }
}

/// One listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    fd: OwnedFd,
    pub(crate) server: ServerKey,
    /// Accepting stopped for want of descriptors or memory.
    pub(crate) paused: bool,
    /// That it stopped was logged, and no connection has come since.
    pub(crate) starved: bool,
}

/// What one call of accept came to.
pub(crate) enum Accepted {
    Connection(Socket, Option<SocketAddr>),
    /// Nobody waits.
    Nobody,
    /// That one was lost; try the next.
    Lost,
    /// The process or the machine has run out of something.
    Exhausted(Errno),
}

impl Listener {
    /// Take over a descriptor that listens already.
    pub(crate) fn new(fd: OwnedFd, server: ServerKey) -> rustix::io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        // Accepted sockets inherit it on Linux, which saves a call for each connection; a Unix
        // socket has no such option, and need not have it.
        if matches!(
            rustix::net::getsockname(&fd).map(SocketAddr::try_from),
            Ok(Ok(_))
        ) {
            rustix::net::sockopt::set_tcp_nodelay(&fd, true)?;
        }
        Ok(Self {
            fd,
            server,
            paused: false,
            starved: false,
        })
    }

    pub(crate) fn raw(&self) -> std::os::fd::RawFd {
        self.fd.as_raw_fd()
    }

    pub(crate) fn accept(&self) -> Accepted {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        match rustix::net::acceptfrom_with(&self.fd, flags) {
            Ok((fd, peer)) => Accepted::Connection(Socket::new(fd), peer.and_then(tcp_address)),
            Err(Errno::AGAIN | Errno::BADF | Errno::INVAL | Errno::NOTSOCK) => Accepted::Nobody,
            Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                Accepted::Exhausted(error)
            }
            // ECONNABORTED, EINTR, and whatever the network reports of one connection
            // (accept(2) names EPROTO, EHOSTUNREACH, EPERM and more).
            Err(_) => Accepted::Lost,
        }
    }

    pub(crate) fn local(&self) -> LocalAddr {
        rustix::net::getsockname(&self.fd)
            .map_or_else(|_| LocalAddr::Unix(String::new()), local_address)
    }
}

fn tcp_address(address: SocketAddrAny) -> Option<SocketAddr> {
    SocketAddr::try_from(address).ok()
}

/// A socket's own address as the contract has it.
pub(crate) fn local_address(address: SocketAddrAny) -> LocalAddr {
    if let Ok(address) = SocketAddr::try_from(address.clone()) {
        return LocalAddr::Tcp(address);
    }
    let path = rustix::net::SocketAddrUnix::try_from(address)
        .ok()
        .and_then(|unix| unix.path().map(|path| path.to_string_lossy().into_owned()));
    LocalAddr::Unix(path.unwrap_or_default())
}
