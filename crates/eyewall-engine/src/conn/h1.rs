//! An HTTP/1.1 connection: the codec, and the one exchange that it has under way.
//!
//! Requests on a connection are answered one after the other. While an answer is incomplete,
//! pipelined input stays where it is, in `pending` or in the kernel.

use std::time::Duration;

use eyewall_proto::h1::{self, Event};
use eyewall_proto::{Error, Framing, Limits};

use super::body::Body;
use super::{Closing, Conn, Proto, Step};
use crate::host::{Host, Outcome};
use crate::reactor::Shared;
use crate::timer::Waiting;

/// What may be left unread of a body whose answer is complete, and the connection be kept.
const DISCARD_BYTES: u64 = 256 * 1024;

/// State of an HTTP/1.1 connection.
pub(crate) struct H1<C> {
    pub(crate) codec: h1::Connection,
    /// Number of the current exchange, or of the last one.
    pub(crate) stream: u32,
    /// The host holds an exchange whose answer is not complete.
    active: bool,
    discarding: bool,
    /// After 101 both sides carry raw bytes.
    pub(crate) upgraded: bool,
    pub(crate) body: Option<Box<Body<C>>>,
    pub(crate) on_disconnect: Option<C>,
    pub(crate) on_room: Option<RoomWaiter<C>>,
}

/// Who waits for the answer's bytes to go.
pub(crate) struct RoomWaiter<C> {
    pub(crate) callback: C,
    /// Wait until all has gone, not only until there is room.
    pub(crate) flushed: bool,
}

impl<C> H1<C> {
    pub(crate) fn new() -> Self {
        Self {
            codec: h1::Connection::new(),
            stream: 0,
            active: false,
            discarding: false,
            upgraded: false,
            body: None,
            on_disconnect: None,
            on_room: None,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.stream == 0
    }

    pub(crate) fn is_idle(&self) -> bool {
        !self.active && !self.discarding
    }

    /// What the connection waits for, apart from room to write.
    pub(crate) fn waits_for(&self, limits: &Limits, has_pending: bool) -> (Waiting, Duration) {
        if self.discarding {
            return (Waiting::Body, limits.body_grace);
        }
        if self.active {
            return match &self.body {
                Some(body) if !self.upgraded && body.wants_more() => {
                    (Waiting::Body, limits.body_grace)
                }
                _ => (Waiting::Nothing, Duration::ZERO),
            };
        }
        if self.is_fresh() || has_pending {
            (Waiting::Head, limits.header_timeout)
        } else {
            (Waiting::NextRequest, limits.keep_alive)
        }
    }

    pub(crate) fn end(&mut self, reason: &'static str) -> Vec<(C, Outcome)> {
        let mut calls = Vec::new();
        if let Some(callback) = self.body.as_mut().and_then(|body| body.take_waiter()) {
            calls.push((callback, Outcome::Closed(reason)));
        }
        if let Some(waiter) = self.on_room.take() {
            calls.push((waiter.callback, Outcome::Closed(reason)));
        }
        if let Some(callback) = self.on_disconnect.take() {
            calls.push((callback, Outcome::Disconnected));
        }
        calls
    }

    fn body_complete(&self) -> bool {
        self.body
            .as_ref()
            .is_none_or(|body| body.ended || body.failed().is_some())
    }

    /// Whether input is of use now.
    fn wants_input(&self) -> bool {
        if self.discarding || !self.active {
            return true;
        }
        self.body.as_ref().is_some_and(|body| body.wants_more())
    }
}

/// How decoding stopped.
enum Decoded<C> {
    /// All complete elements are taken; more input is wanted.
    More,
    /// The rest must wait.
    Blocked,
    Step(Step<C>),
}

impl<C> Conn<C> {
    pub(crate) fn step_h1<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Step<C> {
        // One connection's long body must not hold up the others: yield after some reads.
        for _ in 0..16 {
            if !self.pending.is_empty() {
                let pending = std::mem::take(&mut self.pending);
                let (consumed, decoded) = self.decode(shared, &pending);
                self.keep_rest(shared, pending, consumed);
                match decoded {
                    Decoded::Step(step) => return step,
                    Decoded::Blocked => return self.deliver_h1().unwrap_or_else(|| self.blocked()),
                    Decoded::More => {}
                }
            }
            if let Some(step) = self.deliver_h1() {
                return step;
            }
            let Proto::H1(h1) = &mut self.proto else {
                return Step::Idle;
            };
            if !h1.wants_input() || self.out.len() > self.server.config.limits.write_buffer_bytes {
                return self.blocked();
            }
            let mut scratch = shared.scratch.borrow_mut();
            let count = match self.read(&mut scratch) {
                Ok(None) => return Step::Idle,
                Ok(Some(count)) => count,
                Err(_) => return Step::Close("the peer reset the connection"),
            };
            if count == 0 {
                drop(scratch);
                return self.eof_h1(shared);
            }
            let input = scratch.get(..count).unwrap_or_default();
            if self.pending.is_empty() {
                let (consumed, decoded) = self.decode(shared, input);
                let rest = input.get(consumed..).unwrap_or_default();
                if !rest.is_empty() {
                    self.pending = shared.pool.take();
                    self.pending.extend_from_slice(rest);
                }
                match decoded {
                    Decoded::Step(step) => return step,
                    Decoded::Blocked => return self.deliver_h1().unwrap_or_else(|| self.blocked()),
                    Decoded::More => {}
                }
            } else {
                self.pending.extend_from_slice(input);
            }
        }
        Step::Yield
    }

    /// Decode what was read already, without reading, calling or closing.
    pub(crate) fn decode_pending<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let (consumed, _) = self.decode(shared, &pending);
        self.keep_rest(shared, pending, consumed);
    }

    pub(super) fn keep_rest<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        mut pending: Vec<u8>,
        consumed: usize,
    ) {
        if consumed >= pending.len() {
            shared.pool.give(pending);
        } else if self.closing == Closing::No {
            pending.drain(..consumed);
            self.pending = pending;
        }
    }

    /// The exchange under way has all it needs from the peer: only its departure is news.
    fn blocked(&mut self) -> Step<C> {
        if self.peer_closed
            && let Proto::H1(h1) = &mut self.proto
            && h1.active
            && h1.body_complete()
            && let Some(callback) = h1.on_disconnect.take()
        {
            return Step::Call(callback, Outcome::Disconnected);
        }
        Step::Idle
    }

    /// Feed the codec until it wants more or must wait; returns how much it took.
    fn decode<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        input: &[u8],
    ) -> (usize, Decoded<C>) {
        let mut taken = 0;
        loop {
            let Proto::H1(h1) = &mut self.proto else {
                return (taken, Decoded::Blocked);
            };
            if !h1.wants_input() {
                return (taken, Decoded::Blocked);
            }
            let rest = input.get(taken..).unwrap_or_default();
            let (consumed, event) = match h1.codec.receive(rest, &self.server.config.limits) {
                Ok(received) => received,
                Err(error) => return (input.len(), self.broken(shared, error)),
            };
            taken += consumed;
            match event {
                Event::NeedMore => return (taken, Decoded::More),
                Event::Paused => {
                    return (taken, Decoded::Blocked);
                }
                Event::Closed => return (input.len(), Decoded::Step(Step::Close("closed"))),
                Event::Request(head) => {
                    h1.stream = h1.stream.wrapping_add(1);
                    h1.active = true;
                    h1.body = match head.framing {
                        Framing::None | Framing::Length(0) => None,
                        _ => Some(Box::new(Body::new(self.server.config.limits.body_bytes))),
                    };
                    self.deadline.clear();
                    self.server.exchange_begun();
                    return (
                        taken,
                        Decoded::Step(Step::Request {
                            stream: h1.stream,
                            head,
                        }),
                    );
                }
                Event::Data(range) => {
                    let data = rest.get(range).unwrap_or_default();
                    match &mut h1.body {
                        Some(body) => body.push(data),
                        None => return (input.len(), Decoded::Step(Step::Close("closed"))),
                    }
                    if h1.discarding
                        && h1
                            .body
                            .as_ref()
                            .is_some_and(|body| body.received > body.limit)
                    {
                        self.closing = Closing::AfterFlush { linger: true };
                        return (input.len(), Decoded::Step(Step::Yield));
                    }
                }
                Event::End(trailers) => {
                    if let Some(body) = &mut h1.body {
                        body.ended = true;
                        if let Some(trailers) = trailers {
                            body.trailers = trailers;
                        }
                    }
                    if h1.discarding {
                        self.after_answer(shared);
                    }
                }
            }
        }
    }

    /// The peer broke the protocol.
    fn broken<H: Host<Callback = C>>(&mut self, shared: &Shared<H>, error: Error) -> Decoded<C> {
        let Proto::H1(h1) = &mut self.proto else {
            return Decoded::Blocked;
        };
        if h1.discarding {
            self.closing = Closing::AfterFlush { linger: true };
        } else if h1.active {
            // The host answers: it may have a page for this status, or an answer half sent.
            self.refused_notice(shared, &error);
            let Proto::H1(h1) = &mut self.proto else {
                return Decoded::Blocked;
            };
            h1.codec.close_after_response();
            if let Some(body) = &mut h1.body {
                body.fail(error);
            }
            return Decoded::Blocked.or_deliver(self.deliver_h1());
        } else {
            self.refuse(shared, &error);
        }
        Decoded::Step(Step::Yield)
    }

    /// Give the waiting callback what it waits for.
    fn deliver_h1(&mut self) -> Option<Step<C>> {
        let Proto::H1(h1) = &mut self.proto else {
            return None;
        };
        let body = h1.body.as_mut()?;
        let (callback, outcome) = body.deliver()?;
        if let Outcome::Refused(_) = outcome {
            h1.codec.close_after_response();
        }
        Some(Step::Call(callback, outcome))
    }

    fn eof_h1<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Step<C> {
        self.peer_closed = true;
        self.readable = false;
        let Proto::H1(h1) = &mut self.proto else {
            return Step::Idle;
        };
        if h1.upgraded {
            if let Some(body) = &mut h1.body {
                body.ended = true;
            }
            return self.deliver_h1().unwrap_or_else(|| self.blocked());
        }
        if h1.discarding || !h1.active {
            let partial_head = !self.pending.is_empty() && !h1.discarding;
            if partial_head && h1.codec.receive_eof().is_err() {
                self.refuse(shared, &Error::truncated());
                return Step::Yield;
            }
            return Step::Close("the peer closed the connection");
        }
        match h1.codec.receive_eof() {
            Ok(_) => self.blocked(),
            Err(error) => match self.broken(shared, error) {
                Decoded::Step(step) => step,
                _ => Step::Idle,
            },
        }
    }

    /// The answer is complete: make the connection ready for the next request, or end it.
    pub(crate) fn after_answer<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        let Proto::H1(h1) = &mut self.proto else {
            return;
        };
        if h1.active {
            h1.active = false;
            self.server.exchange_ended();
            if let Some(callback) = h1.on_disconnect.take() {
                shared.bury(callback);
            }
        }
        self.deadline.clear();
        let ended = h1.body.as_ref().is_none_or(|body| body.ended);
        if ended && h1.codec.finish_request() {
            h1.discarding = false;
            if let Some(callback) = h1.body.take().and_then(|mut body| body.take_waiter()) {
                shared.bury(callback);
            }
            return;
        }
        if !ended
            && !h1.upgraded
            && h1.codec.keep_alive_wanted()
            && !h1.codec.continue_wanted()
            && let Some(body) = &mut h1.body
            && body.failed().is_none()
        {
            if let Some(callback) = body.take_waiter() {
                shared.bury(callback);
            }
            body.limit = body.received.saturating_add(DISCARD_BYTES);
            body.discard();
            h1.discarding = true;
            return;
        }
        self.closing = Closing::AfterFlush {
            linger: !ended || !self.pending.is_empty() || self.readable,
        };
    }

    /// Who waits for room, once there is some.
    pub(crate) fn room_h1(&mut self) -> Option<Step<C>> {
        let limit = self.server.config.limits.write_buffer_bytes;
        let queued = self.out.len();
        let Proto::H1(h1) = &mut self.proto else {
            return None;
        };
        let waiter = h1.on_room.as_ref()?;
        // Half the limit, so that a writer is not woken for each small piece that goes.
        let room = if waiter.flushed {
            queued == 0
        } else {
            queued <= limit / 2
        };
        if !room {
            return None;
        }
        h1.on_room
            .take()
            .map(|waiter| Step::Call(waiter.callback, Outcome::Room))
    }

    /// A body's grace has passed: go on if enough of it came, else refuse.
    pub(crate) fn body_timed_out<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Step<C> {
        let limits = &self.server.config.limits;
        let expected = limits
            .body_rate_bytes_s
            .saturating_mul(limits.body_grace.as_secs().max(1));
        if let Proto::H2(h2) = &mut self.proto {
            let errors = h2.bodies_timed_out(expected);
            for error in &errors {
                self.refused_notice(shared, error);
            }
            return Step::Idle;
        }
        let Proto::H1(h1) = &mut self.proto else {
            return Step::Idle;
        };
        let Some(body) = &mut h1.body else {
            return Step::Idle;
        };
        if body.received.saturating_sub(body.marked) >= expected {
            body.marked = body.received;
            return Step::Idle;
        }
        if h1.discarding {
            return Step::Close("timed out");
        }
        match self.broken(shared, Error::timeout_body()) {
            Decoded::Step(step) => step,
            _ => Step::Idle,
        }
    }
}

impl<C> Decoded<C> {
    fn or_deliver(self, step: Option<Step<C>>) -> Self {
        step.map_or(self, Self::Step)
    }
}
