//! One connection: what it is made of, and how a turn moves it forward.
//!
//! [`Conn::step`] does as much as it can without the host and returns the one thing that it
//! needs from outside: a request to hand over, a callback to run, or an end. The reactor
//! performs that without holding the connection, and steps again.

mod answer;
pub(crate) mod body;
mod h1;
pub(crate) mod h2;
pub(crate) mod h2_io;
mod h2_stream;
mod h2_ws;
pub(crate) mod out;
mod refuse;
mod start;
mod ws;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use eyewall_proto::{Error, RequestHead};
use mio::Interest;

use crate::config::ConnInfo;
use crate::host::{Host, Notice, NoticeKind, Outcome};
use crate::listener::ServerShared;
use crate::reactor::{ConnId, Shared};
use crate::timer::{Deadline, Waiting};
use crate::transport::{Socket, Transport};
use crate::ws::{SocketEvent, WebSocket};

pub(crate) use h1::{H1, RoomWaiter};
pub(crate) use h2::H2;
pub(crate) use refuse::encode as encode_refusal;

/// How long we wait for the peer's close after ours, so that it can read our last answer.
const LINGER: Duration = Duration::from_secs(2);

/// How long an idle connection of a server that is being drained is kept: a request that crosses
/// the end on the network would be lost. Longer than most round trips, shorter than anybody waits.
const LAST_CALL: Duration = Duration::from_millis(300);

/// What a lingering peer may still send before it is cut.
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// Which protocol a connection speaks.
pub(crate) enum Proto<C> {
    /// It has to be found out: PROXY header, TLS handshake, HTTP/2 preface.
    Start(start::Start),
    H1(H1<C>),
    H2(Box<H2<C>>),
    Ws(Box<WebSocket<C>>),
}

/// How far the end of a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    No,
    /// Close when all is written; linger when input may be left unread.
    AfterFlush {
        linger: bool,
    },
    /// Our side is shut; what comes in is dropped.
    Lingering {
        allowance: usize,
    },
}

/// What a step needs from outside.
pub(crate) enum Step<C> {
    /// Nothing until the next event.
    Idle,
    /// There is more to do, but others have their turn first.
    Yield,
    Request {
        stream: u32,
        head: RequestHead,
    },
    Call(C, Outcome),
    Socket(Rc<C>, SocketEvent<C>),
    Close(&'static str),
}

pub(crate) struct Conn<C> {
    pub(crate) id: ConnId,
    pub(crate) server: Rc<ServerShared>,
    pub(crate) info: Arc<ConnInfo>,
    pub(crate) transport: Transport,
    pub(crate) proto: Proto<C>,
    pub(crate) out: out::OutQueue,
    /// Input that was read and not decoded yet.
    pub(crate) pending: Vec<u8>,
    pub(crate) deadline: Deadline,
    pub(crate) closing: Closing,
    interest: Option<Interest>,
    pub(crate) readable: bool,
    /// The peer has sent its FIN.
    pub(crate) peer_closed: bool,
    pub(crate) queued: bool,
    pub(crate) dirty: bool,
    write_blocked: bool,
}

impl<C> Conn<C> {
    pub(crate) fn new(
        id: ConnId,
        server: Rc<ServerShared>,
        info: Arc<ConnInfo>,
        socket: Socket,
    ) -> Self {
        let proto = start::first_proto(&server, &info);
        Self {
            id,
            server,
            info,
            transport: Transport::new(socket),
            proto,
            out: out::OutQueue::default(),
            pending: Vec::new(),
            deadline: Deadline::default(),
            closing: Closing::No,
            interest: None,
            readable: true,
            peer_closed: false,
            queued: false,
            dirty: false,
            write_blocked: false,
        }
    }

    pub(crate) fn step<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Step<C> {
        match self.closing {
            Closing::No => {}
            Closing::AfterFlush { .. } => return Step::Idle,
            Closing::Lingering { allowance } => return self.linger(shared, allowance),
        }
        if let Proto::Start(_) = self.proto
            && let Some(step) = self.step_start(shared)
        {
            return step;
        }
        match &self.proto {
            Proto::H1(_) => self.step_h1(shared),
            Proto::H2(_) => self.step_h2(shared),
            Proto::Ws(_) => self.step_ws(shared),
            Proto::Start(_) => Step::Idle,
        }
    }

    /// Read once into the scratch buffer; `None` when there is nothing now.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        if !self.readable {
            return Ok(None);
        }
        match self.transport.read(scratch) {
            Ok(count) => {
                // A short read means that the kernel's buffer is empty, except at the peer's
                // FIN, whose event may have come already.
                if count < scratch.len() && !self.transport.is_tls() && !self.peer_closed {
                    self.readable = false;
                }
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn linger<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        mut allowance: usize,
    ) -> Step<C> {
        let mut scratch = shared.scratch.borrow_mut();
        loop {
            match self.read(&mut scratch) {
                Ok(Some(0)) | Err(_) => return Step::Close("closed"),
                Ok(Some(count)) if count > allowance => return Step::Close("closed"),
                Ok(Some(count)) => {
                    allowance -= count;
                    self.closing = Closing::Lingering { allowance };
                }
                Ok(None) => return Step::Idle,
            }
        }
    }

    /// Write what waits, and do what its going makes possible.
    pub(crate) fn flush<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Step<C> {
        loop {
            let machine_blocked = self.produce_h2(shared);
            let before = self.out.len();
            match self.out.flush(&mut self.transport, &shared.pool) {
                Ok(true) => {
                    self.write_blocked = false;
                    if self.deadline.waiting() == Waiting::Write {
                        self.deadline.clear();
                    }
                    if machine_blocked {
                        continue;
                    }
                }
                Ok(false) => {
                    self.write_blocked = true;
                    if self.out.len() < before && self.deadline.waiting() == Waiting::Write {
                        self.deadline.clear();
                    }
                }
                Err(_) if self.ws_write_failed() => {}
                Err(_) => return Step::Close("the peer closed the connection"),
            }
            break;
        }
        if let Some(step) = self.room_h1().or_else(|| self.room_ws()) {
            return step;
        }
        if !self.write_blocked
            && let Closing::AfterFlush { linger } = self.closing
        {
            if !linger || self.peer_closed {
                return Step::Close("closed");
            }
            self.transport.shutdown();
            self.closing = Closing::Lingering {
                allowance: LINGER_BYTES,
            };
            self.deadline.clear();
            self.readable = true;
            return Step::Yield;
        }
        Step::Idle
    }

    /// A `Yield` of a connection that is ending is a wish to be stepped again at once.
    pub(crate) fn yields(&self) -> bool {
        self.closing == Closing::No
    }

    /// Remember that the socket is broken both ways.
    pub(crate) fn note_broken(&mut self) {
        self.peer_closed = true;
    }

    /// Set the deadline that fits what the connection now waits for.
    pub(crate) fn rearm<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        let limits = &self.server.config.limits;
        let (waiting, after) = if let Closing::Lingering { .. } = self.closing {
            (Waiting::Linger, LINGER)
        } else if self.write_blocked {
            (Waiting::Write, limits.write_stall)
        } else {
            match &self.proto {
                Proto::Start(_) => (Waiting::Head, limits.header_timeout),
                Proto::H1(h1) => h1.waits_for(limits, !self.pending.is_empty()),
                Proto::H2(h2) => h2.waits_for(limits),
                Proto::Ws(ws) => ws.waits_for(),
            }
        };
        let after = match waiting {
            Waiting::NextRequest if self.server.draining.get() => after.min(LAST_CALL),
            _ => after,
        };
        if waiting != self.deadline.waiting() {
            if waiting == Waiting::Nothing {
                self.deadline.clear();
            } else {
                shared
                    .timers
                    .borrow_mut()
                    .set(self.id, &mut self.deadline, waiting, after);
            }
        }
    }

    /// The deadline has passed.
    pub(crate) fn timed_out<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Step<C> {
        let waiting = self.deadline.waiting();
        self.deadline.clear();
        match waiting {
            Waiting::Nothing => Step::Idle,
            Waiting::Head => match &self.proto {
                Proto::H1(h1) if !h1.is_fresh() || !self.pending.is_empty() => {
                    self.refuse(shared, &Error::timeout_head());
                    Step::Yield
                }
                _ => Step::Close("timed out"),
            },
            Waiting::Body => self.body_timed_out(shared),
            Waiting::Write => {
                shared.notice(Notice {
                    kind: NoticeKind::Aborted,
                    server: self.server.key,
                    peer: self.info.peer_text(),
                    text: "the peer took nothing of an answer for too long".to_owned(),
                });
                Step::Close("the peer took nothing for too long")
            }
            Waiting::NextRequest => match &mut self.proto {
                Proto::H2(h2) if !h2.is_draining() => {
                    h2.drain();
                    Step::Yield
                }
                _ => Step::Close("timed out"),
            },
            Waiting::Linger => Step::Close("timed out"),
            Waiting::Ping | Waiting::Pong | Waiting::SocketClose => {
                self.ws_timed_out(shared, waiting)
            }
        }
    }

    /// Register with the poll for what the connection waits for.
    pub(crate) fn register<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> io::Result<()> {
        let wanted = if self.write_blocked {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        match self.interest {
            // Once asked for, writability costs nothing: its events come only after a full buffer.
            Some(interest) if interest == wanted || interest.is_writable() => return Ok(()),
            Some(_) => shared.reregister(self.socket(), self.id, wanted)?,
            None => shared.register(self.socket(), self.id, wanted)?,
        }
        self.interest = Some(wanted);
        Ok(())
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.interest.is_some()
    }

    pub(crate) fn socket(&self) -> std::os::fd::RawFd {
        self.transport.socket().raw()
    }

    /// The server is going away: a request that its peer has sent already is still answered.
    pub(crate) fn last_call<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        shared.timers.borrow_mut().set(
            self.id,
            &mut self.deadline,
            Waiting::NextRequest,
            LAST_CALL,
        );
    }

    /// Nothing is going on, so a drain may close the connection.
    pub(crate) fn is_idle(&self) -> bool {
        match &self.proto {
            Proto::Start(_) => self.pending.is_empty(),
            Proto::H1(h1) => h1.is_idle() && self.out.is_empty(),
            Proto::H2(_) | Proto::Ws(_) => false,
        }
    }

    /// The callbacks that must hear of the connection's end, with what to tell them.
    pub(crate) fn end(&mut self, reason: &'static str) -> Vec<(C, Outcome)> {
        match &mut self.proto {
            Proto::Start(_) => Vec::new(),
            Proto::Ws(_) => {
                self.server.exchange_ended();
                Vec::new()
            }
            Proto::H1(h1) => {
                if h1.is_active() {
                    self.server.exchange_ended();
                }
                h1.end(reason)
            }
            Proto::H2(h2) => {
                let (running, calls) = h2.end(reason);
                for _ in 0..running {
                    self.server.exchange_ended();
                }
                calls
            }
        }
    }

    pub(crate) fn refused_notice<H: Host<Callback = C>>(&self, shared: &Shared<H>, error: &Error) {
        self.server.count_refused();
        shared.notice(Notice {
            kind: NoticeKind::Refused,
            server: self.server.key,
            peer: self.info.peer_text(),
            text: format!("{error}: answered {}", error.status()),
        });
    }
}
