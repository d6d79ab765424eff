//! The first bytes of a connection: PROXY header, TLS handshake, and which HTTP it will be.

use std::io;
use std::sync::{Arc, OnceLock};

use eyewall_proto::{Error, proxy};

use super::{Closing, Conn, H1, H2, Proto, Step, refuse};
use crate::config::ConnInfo;
use crate::host::{Host, Notice, NoticeKind};
use crate::listener::ServerShared;
use crate::reactor::Shared;
use crate::tls::Session;

/// What every HTTP/2 connection begins with (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is still to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    ProxyHeader,
    Handshake,
    /// Clear text or TLS without ALPN: the preface decides.
    Sniff,
}

/// What a fresh connection begins with.
pub(crate) fn first_proto<C>(server: &ServerShared, info: &ConnInfo) -> Proto<C> {
    let config = &server.config;
    if config.proxy_protocol && config.trusted.trusts(info.peer.map(|peer| peer.ip())) {
        Proto::Start(Start::ProxyHeader)
    } else if server.has_tls() {
        Proto::Start(Start::Handshake)
    } else if config.http2 {
        Proto::Start(Start::Sniff)
    } else {
        Proto::H1(H1::new())
    }
}

impl<C> Conn<C> {
    /// Find out what the connection speaks; `None` when it is known now.
    pub(crate) fn step_start<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
    ) -> Option<Step<C>> {
        loop {
            let Proto::Start(start) = &self.proto else {
                return None;
            };
            let decided = match start {
                Start::ProxyHeader => self.proxy_header(shared),
                Start::Handshake => self.handshake(shared),
                Start::Sniff => self.sniff(shared),
            };
            match decided {
                Ok(true) => {}
                Ok(false) => match self.fill(shared) {
                    Ok(true) => {}
                    Ok(false) => return Some(Step::Idle),
                    Err(error) => return Some(self.start_failed(shared, &error)),
                },
                Err(step) => return Some(step),
            }
        }
    }

    /// Read more into `pending`; false when there is nothing now.
    fn fill<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> io::Result<bool> {
        let mut scratch = shared.scratch.borrow_mut();
        // A whole first request fits; a TLS handshake's plaintext comes later anyway.
        match self.read(&mut scratch)? {
            None => Ok(false),
            Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(count) => {
                if self.pending.capacity() == 0 {
                    self.pending = shared.pool.take();
                }
                self.pending
                    .extend_from_slice(scratch.get(..count).unwrap_or_default());
                Ok(true)
            }
        }
    }

    fn start_failed<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        error: &io::Error,
    ) -> Step<C> {
        let in_handshake = self
            .transport
            .session()
            .is_some_and(Session::is_handshaking);
        if !in_handshake || error.kind() == io::ErrorKind::UnexpectedEof {
            return Step::Close("the peer closed the connection");
        }
        self.server.count_refused();
        shared.notice(Notice {
            kind: NoticeKind::Tls,
            server: self.server.key,
            peer: self.info.peer_text(),
            text: format!("TLS handshake failed: {error}"),
        });
        // The alert that says why is in the session.
        self.pending = Vec::new();
        self.closing = Closing::AfterFlush { linger: true };
        Step::Yield
    }

    fn proxy_header<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Result<bool, Step<C>> {
        if self.pending.is_empty() {
            return Ok(false);
        }
        match proxy::parse(&self.pending) {
            Ok(None) => Ok(false),
            Ok(Some((consumed, addresses))) => {
                self.pending.drain(..consumed.min(self.pending.len()));
                if let Some((source, destination)) = addresses {
                    let local = OnceLock::new();
                    // A fresh cell is empty, so this cannot fail.
                    drop(local.set(crate::config::LocalAddr::Tcp(destination)));
                    self.info = Arc::new(ConnInfo {
                        config: Arc::clone(&self.info.config),
                        peer: Some(source),
                        local,
                        tls: None,
                    });
                }
                self.proto = Proto::Start(if self.server.has_tls() {
                    Start::Handshake
                } else {
                    Start::Sniff
                });
                Ok(true)
            }
            Err(error) => {
                self.refuse(shared, &error);
                Err(Step::Yield)
            }
        }
    }

    fn handshake<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Result<bool, Step<C>> {
        if self.transport.session().is_none() {
            // The first bytes are looked at before rustls sees them: a browser that speaks
            // clear text to this port deserves an answer that it can show.
            if self.pending.is_empty() {
                return Ok(false);
            }
            if Session::looks_like_http(&self.pending) {
                self.refuse(shared, &Error::clear_text_on_tls());
                return Err(Step::Yield);
            }
            let early = std::mem::take(&mut self.pending);
            let started = match self.server.session() {
                Some(Ok(session)) => {
                    self.transport.start_tls(session, &early);
                    Ok(())
                }
                Some(Err(error)) => Err(io::Error::other(error)),
                None => Err(io::ErrorKind::NotConnected.into()),
            };
            if let Err(error) = started {
                return Err(self.start_failed(shared, &error));
            }
            self.readable = true;
        }
        // Reading moves the handshake; plaintext that comes with its end lands in `pending`.
        if let Err(error) = self.fill(shared) {
            return Err(self.start_failed(shared, &error));
        }
        let Some(session) = self.transport.session() else {
            return Err(Step::Close("closed"));
        };
        if session.is_handshaking() {
            return Err(Step::Idle);
        }
        let tls = session.info();
        let h2 = self.server.config.http2 && tls.alpn.as_deref() == Some("h2");
        let http1_named = tls.alpn.is_some();
        let local = OnceLock::new();
        if let Some(known) = self.info.local.get() {
            // A fresh cell is empty, so this cannot fail.
            drop(local.set(known.clone()));
        }
        self.info = Arc::new(ConnInfo {
            config: Arc::clone(&self.info.config),
            peer: self.info.peer,
            local,
            tls: Some(tls),
        });
        if h2 {
            self.become_h2(shared);
        } else if http1_named || !self.server.config.http2 {
            self.become_h1(shared)?;
        } else {
            self.proto = Proto::Start(Start::Sniff);
        }
        Ok(true)
    }

    fn sniff<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Result<bool, Step<C>> {
        let seen = self.pending.len().min(PREFACE.len());
        if seen == 0 {
            return Ok(false);
        }
        let matches = self.server.config.http2 && PREFACE.get(..seen) == self.pending.get(..seen);
        if matches && seen < PREFACE.len() {
            return Ok(false);
        }
        if matches {
            self.become_h2(shared);
        } else {
            self.become_h1(shared)?;
        }
        Ok(true)
    }

    fn become_h1<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Result<(), Step<C>> {
        self.deadline.clear();
        if !self.server.config.http1 {
            self.refused_notice(shared, &Error::http1_not_served());
            refuse::encode(
                self.out.tail(&shared.pool),
                505,
                shared.date.borrow().as_bytes(),
            );
            self.closing = Closing::AfterFlush { linger: true };
            return Err(Step::Yield);
        }
        self.proto = Proto::H1(H1::new());
        Ok(())
    }

    fn become_h2<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        self.deadline.clear();
        let h2 = H2::new(self, shared);
        self.proto = Proto::H2(Box::new(h2));
    }
}
