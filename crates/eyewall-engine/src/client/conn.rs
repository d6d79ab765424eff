//! A connection to a server, whatever it speaks, and how a turn moves it forward.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use mio::Interest;

use super::call::{Call, Due};
use super::h1::H1;
use super::h2::H2;
use super::{ClientConfig, ClientState, Failure, FailureKind};
use crate::conn::out::OutQueue;
use crate::host::{Host, Outcome};
use crate::reactor::{ConnId, Shared};
use crate::timer::{Deadline, Millis, NEVER, Waiting};
use crate::transport::Transport;

/// Reads of one step before others have their turn.
const READS: usize = 16;

/// What a step needs from outside.
pub(crate) enum Step<C> {
    /// Nothing until the next event.
    Idle,
    /// There is more to do, but others have their turn first.
    Yield,
    Call(C, Outcome),
    /// The connection is over.
    Close,
}

pub(super) enum Phase<C> {
    Handshake,
    H1(Box<H1<C>>),
    H2(Box<H2<C>>),
}

pub(crate) struct ClientConn<C> {
    pub(crate) id: ConnId,
    pub(super) config: ClientConfig,
    pub(super) transport: Transport,
    pub(super) phase: Phase<C>,
    pub(super) out: OutQueue,
    /// Input that was read and not decoded yet.
    pub(super) pending: Vec<u8>,
    pub(super) due: Due<C>,
    on_ready: Option<C>,
    pub(crate) on_close: Option<C>,
    pub(crate) deadline: Deadline,
    armed: Millis,
    interest: Option<Interest>,
    pub(crate) readable: bool,
    peer_closed: bool,
    pub(crate) queued: bool,
    pub(crate) dirty: bool,
    write_blocked: bool,
    /// Writing has failed; what can still be read is read.
    broken: Option<Failure>,
    /// Nothing more is read or written.
    over: bool,
}

impl<C> ClientConn<C> {
    pub(crate) fn new<H: Host<Callback = C>>(
        id: ConnId,
        config: ClientConfig,
        transport: Transport,
        callbacks: (Option<C>, Option<C>),
        shared: &Shared<H>,
    ) -> Self {
        let phase = if transport.is_tls() {
            Phase::Handshake
        } else if config.http2 {
            Phase::H2(Box::new(H2::new(id, &config, shared)))
        } else {
            Phase::H1(Box::new(H1::new()))
        };
        let mut due = VecDeque::new();
        let (mut on_ready, on_close) = callbacks;
        if !matches!(phase, Phase::Handshake)
            && let Some(callback) = on_ready.take()
        {
            due.push_back((callback, Outcome::Room));
        }
        Self {
            id,
            config,
            transport,
            phase,
            out: OutQueue::default(),
            pending: Vec::new(),
            due,
            on_ready,
            on_close,
            deadline: Deadline::default(),
            armed: NEVER,
            interest: None,
            readable: true,
            peer_closed: false,
            queued: false,
            dirty: false,
            write_blocked: false,
            broken: None,
            over: false,
        }
    }

    pub(crate) fn step<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Step<C> {
        let mut reads = 0;
        loop {
            if let Some((callback, outcome)) = self.due.pop_front() {
                return Step::Call(callback, outcome);
            }
            if self.over && self.has_no_calls() {
                return Step::Close;
            }
            match self.advance(shared) {
                Ok(true) => {
                    reads += 1;
                    if reads >= READS && self.due.is_empty() {
                        return Step::Yield;
                    }
                    continue;
                }
                Ok(false) => {}
                Err(failure) => self.fail(&failure),
            }
            self.settle(shared);
            if self.broken.is_some() && !self.over && !self.is_paused() {
                continue;
            }
            if self.due.is_empty() && !(self.over && self.has_no_calls()) {
                return Step::Idle;
            }
        }
    }

    /// Read and decode once; whether there may be more.
    fn advance<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Result<bool, Failure> {
        if self.over {
            return Ok(false);
        }
        if let Phase::H2(_) = self.phase {
            self.poll_h2(shared)?;
        }
        if self.is_paused() {
            return Ok(false);
        }
        let mut scratch = shared.scratch.borrow_mut();
        let Some(count) = self.read(&mut scratch)? else {
            return Ok(false);
        };
        let input = scratch.get(..count).unwrap_or_default();
        match self.phase {
            Phase::Handshake => unreachable_input(count)?,
            Phase::H1(_) if count == 0 => self.eof_h1()?,
            Phase::H1(_) => self.receive_h1(input)?,
            Phase::H2(_) => self.receive_h2(shared, input)?,
        }
        Ok(!self.over)
    }

    fn read(&mut self, scratch: &mut [u8]) -> Result<Option<usize>, Failure> {
        if !self.readable {
            return Ok(None);
        }
        let result = self.transport.read(scratch);
        if let Phase::Handshake = self.phase {
            self.look_at_handshake();
        }
        match result {
            Ok(count) => {
                if count > 0
                    && count < scratch.len()
                    && !self.transport.is_tls()
                    && !self.peer_closed
                {
                    self.readable = false;
                }
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                self.broken.take().map_or(Ok(None), Err)
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    fn explain(&self, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::InvalidData {
            let text = error.to_string();
            let kind = if text.starts_with(crate::tls::BAD_CERTIFICATE) {
                FailureKind::Certificate
            } else {
                FailureKind::Tls
            };
            return Failure::new(kind, text);
        }
        if let Phase::Handshake = self.phase {
            return Failure::new(
                FailureKind::Tls,
                format!("the connection was closed in the TLS handshake: {error}"),
            );
        }
        Failure::closed(format!("the connection broke: {error}"))
    }

    /// Choose the protocol once TLS is agreed on.
    fn look_at_handshake(&mut self) {
        let Some(session) = self.transport.session() else {
            return;
        };
        if session.is_handshaking() {
            return;
        }
        // What a read gave beside the handshake's end is decoded by the phase chosen here.
        self.phase = if session.is_http2() {
            Phase::H2(Box::new(H2::unstarted()))
        } else {
            Phase::H1(Box::new(H1::new()))
        };
        if let Some(callback) = self.on_ready.take() {
            self.due.push_back((callback, Outcome::Room));
        }
    }

    /// Write what waits, and set deadline and interest.
    pub(crate) fn settle<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        if self.over {
            return;
        }
        if let Err(failure) = self.flush(shared) {
            if matches!(self.phase, Phase::Handshake) {
                self.fail(&failure);
                return;
            }
            // What the server said before it closed may lie in our buffer still.
            self.broken = Some(failure);
            self.readable = true;
            self.write_blocked = false;
            self.out = OutQueue::default();
        }
        self.rearm(shared);
        if self.register(shared).is_err() {
            self.fail(&Failure::closed("the connection cannot be polled"));
        }
    }

    fn flush<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Result<(), Failure> {
        if let Phase::H2(_) = self.phase {
            self.produce_h2(shared);
        }
        match self.out.flush(&mut self.transport, &shared.pool) {
            Ok(true) => {
                self.write_blocked = false;
                match &mut self.phase {
                    Phase::H1(h1) => h1.room(&mut self.due),
                    Phase::H2(h2) => h2.unblock(),
                    Phase::Handshake => {}
                }
                Ok(())
            }
            Ok(false) => {
                self.write_blocked = true;
                Ok(())
            }
            Err(error) => {
                let failure = self.explain(&error);
                Err(failure)
            }
        }
    }

    /// End everything that is under way; streamed content that has come can still be read.
    pub(super) fn fail(&mut self, failure: &Failure) {
        self.over = true;
        if let Some(callback) = self.on_ready.take() {
            self.due
                .push_back((callback, Outcome::Failed(failure.clone())));
        }
        let due = &mut self.due;
        match &mut self.phase {
            Phase::Handshake => {}
            Phase::H1(h1) => h1.fail(failure, due),
            Phase::H2(h2) => h2.fail(failure, due),
        }
    }

    /// End the connection without a failure.
    pub(super) fn finish(&mut self) {
        self.over = true;
    }

    pub(super) fn each_call(&mut self, f: &mut dyn FnMut(&mut Call<C>)) {
        match &mut self.phase {
            Phase::Handshake => {}
            Phase::H1(h1) => h1.call.iter_mut().for_each(f),
            Phase::H2(h2) => h2.each_call(f),
        }
    }

    pub(crate) fn has_no_calls(&self) -> bool {
        match &self.phase {
            Phase::Handshake => true,
            Phase::H1(h1) => h1.call.is_none(),
            Phase::H2(h2) => h2.active() == 0,
        }
    }

    fn is_paused(&self) -> bool {
        match &self.phase {
            Phase::H1(h1) => h1.call.as_ref().is_some_and(Call::has_enough),
            _ => false,
        }
    }

    fn rearm<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        let mut until = NEVER;
        self.each_call(&mut |call| until = until.min(call.until));
        let mut timers = shared.timers.borrow_mut();
        let (waiting, until) = if self.has_no_calls() && !matches!(self.phase, Phase::Handshake) {
            if self.deadline.waiting() == Waiting::NextRequest {
                return;
            }
            let idle = u64::try_from(self.config.idle.as_millis()).unwrap_or(0);
            let until = if idle == 0 {
                NEVER
            } else {
                timers.now().saturating_add(idle)
            };
            (Waiting::NextRequest, until)
        } else {
            (Waiting::Head, until)
        };
        if until == self.armed && waiting == self.deadline.waiting() {
            return;
        }
        self.armed = until;
        let after = if until == NEVER {
            Duration::ZERO
        } else {
            Duration::from_millis(until.saturating_sub(timers.now()).max(1))
        };
        timers.set(self.id, &mut self.deadline, waiting, after);
    }

    /// The deadline has passed.
    pub(crate) fn timed_out<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        self.deadline.clear();
        self.armed = NEVER;
        if self.has_no_calls() {
            self.fail(&Failure::closed("the connection was idle for too long"));
            return;
        }
        let now = shared.timers.borrow().now();
        let failure = Failure::new(FailureKind::Timeout, "the response did not arrive in time");
        if let Phase::H1(_) = self.phase {
            self.fail(&failure);
        } else {
            self.expire_h2(now, &failure);
        }
    }

    fn register<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> io::Result<()> {
        let wanted = if self.write_blocked {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let fd = self.transport.socket().raw();
        match self.interest {
            Some(interest) if interest == wanted || interest.is_writable() => return Ok(()),
            Some(_) => shared.reregister(fd, self.id, wanted)?,
            None => shared.register(fd, self.id, wanted)?,
        }
        self.interest = Some(wanted);
        Ok(())
    }

    pub(crate) fn registered(&self) -> Option<std::os::fd::RawFd> {
        self.interest.map(|_| self.transport.socket().raw())
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.over
    }

    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty() || self.broken.is_some()
    }

    /// The server has sent its FIN; the end is read without a further event.
    pub(crate) fn note_closed(&mut self) {
        self.peer_closed = true;
    }

    /// End everything now, read or not.
    pub(crate) fn abort(&mut self, failure: &Failure) {
        self.fail(failure);
        self.each_call(&mut Call::forget);
        match &mut self.phase {
            Phase::Handshake => {}
            Phase::H1(h1) => h1.call = None,
            Phase::H2(h2) => h2.sweep(),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        match &self.phase {
            _ if self.over => 0,
            Phase::Handshake => 0,
            Phase::H1(h1) => usize::from(h1.call.is_none() && h1.is_reusable()),
            Phase::H2(h2) => h2.room(),
        }
    }

    pub(crate) fn state(&self) -> ClientState {
        let (protocol, active) = match &self.phase {
            Phase::Handshake => ("", 0),
            Phase::H1(h1) => ("http/1.1", usize::from(h1.call.is_some())),
            Phase::H2(h2) => ("h2", h2.active()),
        };
        ClientState {
            protocol,
            room: self.capacity(),
            active,
            tls: self.transport.session().map(crate::tls::Session::info),
        }
    }

    /// Say good-bye, and let the callbacks go where their destructors do no harm.
    pub(crate) fn end<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        self.transport.shutdown();
        self.each_call(&mut |call| call.bury(shared));
        if let Some(callback) = self.on_ready.take() {
            shared.bury(callback);
        }
        while let Some((callback, _)) = self.due.pop_front() {
            shared.bury(callback);
        }
    }
}

/// A handshake that has not ended gives no plaintext.
fn unreachable_input(count: usize) -> Result<(), Failure> {
    let text = if count == 0 {
        "the connection was closed in the TLS handshake"
    } else {
        "there was content before the TLS handshake's end"
    };
    Err(Failure::new(FailureKind::Tls, text))
}
