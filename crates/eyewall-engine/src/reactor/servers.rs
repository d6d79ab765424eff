//! Servers: listening, accepting, draining.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eyewall_proto::Error;
use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::{Budget, ConnId, LISTENER_BIT, Reactor};
use crate::config::{ConnInfo, LocalAddr, ServerConfig};
use crate::conn::Proto;
use crate::host::{Host, Notice, NoticeKind, Outcome};
use crate::listener::{Accepted, Listener, ServerKey, ServerShared};
use crate::timer::{Deadline, Millis, Waiting};
use crate::tls::TlsConfig;

/// How long accepting pauses when descriptors or memory have run out.
const PAUSE: Duration = Duration::from_millis(250);

/// Connections taken from one listener before others have their turn.
const ACCEPTS: usize = 128;

/// A server that is being drained.
pub(crate) struct Drain<C> {
    server: ServerKey,
    until: Millis,
    callback: C,
}

/// Figures of one server.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerStats {
    /// Connections open now.
    pub connections: usize,
    /// Exchanges under way.
    pub exchanges: usize,
    /// Requests received since the start.
    pub requests: u64,
    /// Requests and connections refused since the start.
    pub refused: u64,
}

impl<H: Host> Reactor<H> {
    /// Accept connections on these listening sockets.
    ///
    /// # Errors
    ///
    /// The system's, when a descriptor does not listen or cannot be polled.
    pub fn add_server(
        &self,
        config: ServerConfig,
        tls: Option<TlsConfig>,
        sockets: Vec<OwnedFd>,
    ) -> std::io::Result<ServerKey> {
        let key = {
            let mut servers = self.servers.borrow_mut();
            let entry = servers.vacant_entry();
            let key = ServerKey(entry.key());
            entry.insert(Rc::new(ServerShared::new(key, Arc::new(config), tls)));
            key
        };
        for socket in sockets {
            let added = Listener::new(socket, key)
                .map_err(Into::into)
                .and_then(|listener| self.listen(listener));
            if let Err(error) = added {
                self.remove_server(key);
                return Err(error);
            }
        }
        Ok(key)
    }

    fn listen(&self, listener: Listener) -> std::io::Result<()> {
        let fd = listener.raw();
        let mut listeners = self.listeners.borrow_mut();
        let entry = listeners.vacant_entry();
        let token = Token(entry.key() | LISTENER_BIT);
        self.shared
            .registry
            .register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        entry.insert(listener);
        Ok(())
    }

    /// The server's shared part, while it exists.
    pub(crate) fn server(&self, key: ServerKey) -> Option<Rc<ServerShared>> {
        self.servers.borrow().get(key.0).cloned()
    }

    /// Use these certificates from now on.
    pub fn set_tls(&self, key: ServerKey, tls: TlsConfig) {
        if let Some(server) = self.server(key) {
            server.set_tls(tls);
        }
    }

    /// Figures of a server.
    pub fn server_stats(&self, key: ServerKey) -> ServerStats {
        self.server(key)
            .map_or_else(ServerStats::default, |server| ServerStats {
                connections: server.connections.get(),
                exchanges: server.exchanges.get(),
                requests: server.requests.get(),
                refused: server.refused.get(),
            })
    }

    /// Close the server's listening sockets.
    pub fn stop_accepting(&self, key: ServerKey) {
        let mut listeners = self.listeners.borrow_mut();
        listeners.retain(|_, listener| {
            if listener.server != key {
                return true;
            }
            // As for connections: the close that follows does the same.
            drop(
                self.shared
                    .registry
                    .deregister(&mut SourceFd(&listener.raw())),
            );
            false
        });
    }

    /// Stop accepting, let what runs finish until `deadline`, then call back.
    pub fn drain(&self, key: ServerKey, deadline: Duration, callback: H::Callback) {
        self.stop_accepting(key);
        let Some(server) = self.server(key) else {
            self.calls
                .borrow_mut()
                .push_back((callback, Outcome::Drained));
            self.schedule();
            return;
        };
        server.draining.set(true);
        {
            let mut timers = self.shared.timers.borrow_mut();
            timers.advance(std::time::Instant::now());
            let millis = u64::try_from(deadline.as_millis())
                .unwrap_or(u64::MAX / 4)
                .max(1);
            let until = timers.now().saturating_add(millis);
            let mut wake = Deadline::default();
            timers.set(
                ConnId::NOBODY,
                &mut wake,
                Waiting::Nothing,
                Duration::from_millis(millis + 1),
            );
            self.drains.borrow_mut().push(Drain {
                server: key,
                until,
                callback,
            });
        }
        let mut told = Vec::new();
        for (_, conn) in self.conns.borrow_mut().iter_mut() {
            let Some(conn) = conn.as_deref_mut().filter(|conn| conn.server.key == key) else {
                continue;
            };
            if let Proto::H2(h2) = &mut conn.proto {
                h2.drain();
                told.push(conn.id);
            } else if conn.drain_ws(&self.shared) {
                told.push(conn.id);
            } else if conn.is_idle() {
                conn.last_call(&self.shared);
            }
        }
        for id in told {
            self.mark_dirty(id);
        }
        self.schedule();
    }

    /// Cut every connection of a server, and forget it.
    pub fn remove_server(&self, key: ServerKey) {
        self.stop_accepting(key);
        self.cut(key);
        self.servers.borrow_mut().try_remove(key.0);
        self.schedule();
    }

    fn cut(&self, key: ServerKey) {
        let ids: Vec<ConnId> = self
            .conns
            .borrow()
            .iter()
            .filter_map(|(_, conn)| {
                conn.as_ref()
                    .filter(|conn| conn.server.key == key)
                    .map(|conn| conn.id)
            })
            .collect();
        for id in ids {
            self.close_conn(id, "the server was closed");
        }
    }

    /// Finish the drains whose connections have gone, or whose time has.
    pub(super) fn check_drains(&self) {
        if self.drains.borrow().is_empty() {
            return;
        }
        let now = self.shared.timers.borrow().now();
        let late: Vec<ServerKey> = self
            .drains
            .borrow()
            .iter()
            .filter(|drain| drain.until <= now)
            .map(|drain| drain.server)
            .collect();
        for key in late {
            self.cut(key);
        }
        let drains = std::mem::take(&mut *self.drains.borrow_mut());
        for drain in drains {
            if self
                .server(drain.server)
                .is_some_and(|server| server.connections.get() > 0)
            {
                self.drains.borrow_mut().push(drain);
            } else {
                self.calls
                    .borrow_mut()
                    .push_back((drain.callback, Outcome::Drained));
            }
        }
    }

    /// Accept from one listener; true when it may have more.
    pub(super) fn accept_some(&self, key: usize, budget: &mut Budget) -> bool {
        for _ in 0..ACCEPTS {
            let (accepted, server, changed) = {
                let mut listeners = self.listeners.borrow_mut();
                let Some(listener) = listeners.get_mut(key).filter(|listener| !listener.paused)
                else {
                    return false;
                };
                let accepted = listener.accept();
                let changed = match accepted {
                    Accepted::Exhausted(_) => {
                        listener.paused = true;
                        !std::mem::replace(&mut listener.starved, true)
                    }
                    Accepted::Connection(..) => std::mem::take(&mut listener.starved),
                    _ => false,
                };
                (accepted, listener.server, changed)
            };
            let Some(server) = self.server(server) else {
                return false;
            };
            if changed {
                self.notice_accepting(&server, &accepted);
            }
            match accepted {
                Accepted::Nobody => return false,
                Accepted::Lost => {}
                Accepted::Exhausted(_) => {
                    let mut wake = Deadline::default();
                    self.shared.timers.borrow_mut().set(
                        ConnId::NOBODY,
                        &mut wake,
                        Waiting::Nothing,
                        PAUSE,
                    );
                    return false;
                }
                Accepted::Connection(mut socket, peer) => {
                    let info = conn_info(&server, peer);
                    if server.connections.get() >= server.config.limits.connections {
                        self.turn_away(&server, &mut socket, &info.peer_text());
                    } else {
                        self.adopt(&server, socket, info);
                    }
                }
            }
            if budget.is_spent() {
                return true;
            }
        }
        true
    }

    /// Over the limit of connections: say so, as far as the peer can understand it.
    fn turn_away(&self, server: &ServerShared, socket: &mut crate::transport::Socket, peer: &str) {
        use std::io::Write;
        server.count_refused();
        let error = Error::overloaded();
        self.shared.notice(Notice {
            kind: NoticeKind::Refused,
            server: server.key,
            peer: peer.to_owned(),
            text: format!("{error}: answered {}", error.status()),
        });
        if !server.has_tls() {
            let mut answer = Vec::with_capacity(256);
            crate::conn::encode_refusal(
                &mut answer,
                error.status(),
                self.shared.date.borrow().as_bytes(),
            );
            // A peer that takes not even this much is closed without it.
            drop(socket.write(&answer));
            let _ = rustix::net::shutdown(socket.fd(), rustix::net::Shutdown::Write);
            let mut unread = [0; 4096];
            // An unread request would turn our close into a reset that destroys the answer.
            drop(std::io::Read::read(socket, &mut unread));
        }
    }

    /// Say once that accepting stopped, and once that it goes on.
    fn notice_accepting(&self, server: &ServerShared, accepted: &Accepted) {
        let text = match accepted {
            Accepted::Exhausted(error) => format!("accepting is paused: {error}"),
            _ => "accepting goes on".to_owned(),
        };
        let kind = NoticeKind::Accept;
        self.shared.notice(Notice {
            kind,
            server: server.key,
            peer: String::new(),
            text,
        });
    }

    /// Try again to accept where it was paused.
    pub(super) fn resume_listeners(&self) {
        let mut resumed = Vec::new();
        for (key, listener) in self.listeners.borrow_mut().iter_mut() {
            if listener.paused {
                listener.paused = false;
                resumed.push(key);
            }
        }
        self.accepting.borrow_mut().extend(resumed);
    }

    /// The addresses that a server listens on.
    pub fn local_addresses(&self, key: ServerKey) -> Vec<LocalAddr> {
        let listeners = self.listeners.borrow();
        listeners
            .iter()
            .filter(|(_, listener)| listener.server == key)
            .map(|(_, l)| l.local())
            .collect()
    }
}

/// A new connection's description.
fn conn_info(server: &ServerShared, peer: Option<SocketAddr>) -> ConnInfo {
    ConnInfo {
        config: Arc::clone(&server.config),
        peer,
        local: OnceLock::new(),
        tls: None,
    }
}
