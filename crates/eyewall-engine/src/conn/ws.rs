//! A connection that has become a WebSocket.

use std::rc::Rc;

use super::{Closing, Conn, Proto, Step};
use crate::host::{Host, Notice, NoticeKind};
use crate::reactor::Shared;
use crate::timer::Waiting;
use crate::ws::{NO_CLOSE, NO_PONG, SocketEvent};

const NO_CLOSE_FRAME: &str = "the peer closed the connection without a close frame";

impl<C> Conn<C> {
    pub(crate) fn step_ws<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Step<C> {
        let limit = self.server.config.limits.write_buffer_bytes;
        for _ in 0..16 {
            let Proto::Ws(ws) = &mut self.proto else {
                return Step::Idle;
            };
            let mut out = Vec::new();
            let event = ws.next_event(&mut out);
            if !out.is_empty() {
                self.out.tail(&shared.pool).extend_from_slice(&out);
            }
            if let Some((receiver, event)) = event {
                return Step::Socket(receiver, event);
            }
            if ws.is_told() {
                return self.after_ws();
            }
            if ws.is_paused() {
                return Step::Idle;
            }
            if !self.pending.is_empty() {
                let mut pending = std::mem::take(&mut self.pending);
                let taken = self.decode_ws(shared, &mut pending);
                self.keep_rest(shared, pending, taken);
                continue;
            }
            if self.out.len() > limit {
                ws.stalled = true;
                return Step::Idle;
            }
            let mut scratch = shared.scratch.borrow_mut();
            let count = match self.read(&mut scratch) {
                Ok(None) => return Step::Idle,
                Ok(Some(count)) => count,
                Err(_) => 0,
            };
            if count == 0 {
                self.peer_closed = true;
                self.readable = false;
                if let Proto::Ws(ws) = &mut self.proto {
                    ws.lose(NO_CLOSE_FRAME);
                }
                continue;
            }
            let input = scratch.get_mut(..count).unwrap_or_default();
            let taken = self.decode_ws(shared, input);
            let rest = input.get(taken..).unwrap_or_default();
            if !rest.is_empty() {
                self.pending = shared.pool.take();
                self.pending.extend_from_slice(rest);
            }
        }
        Step::Yield
    }

    fn decode_ws<H: Host<Callback = C>>(&mut self, shared: &Shared<H>, input: &mut [u8]) -> usize {
        let Proto::Ws(ws) = &mut self.proto else {
            return input.len();
        };
        let mut replies = Vec::new();
        let received = ws.receive::<H>(input, &mut replies);
        if !replies.is_empty() {
            self.out.tail(&shared.pool).extend_from_slice(&replies);
        }
        match received {
            Ok(taken) => taken,
            Err(fault) => {
                self.server.count_refused();
                self.notice_ws(
                    shared,
                    NoticeKind::Refused,
                    format!("WebSocket: {fault}: closed with {}", fault.code),
                );
                input.len()
            }
        }
    }

    fn notice_ws<H: Host<Callback = C>>(&self, shared: &Shared<H>, kind: NoticeKind, text: String) {
        shared.notice(Notice {
            kind,
            server: self.server.key,
            peer: self.info.peer_text(),
            text,
        });
    }

    /// The host knows of the end: the server is the side that closes (RFC 6455, section 7.1.1).
    fn after_ws(&mut self) -> Step<C> {
        self.closing = Closing::AfterFlush { linger: true };
        Step::Yield
    }

    /// The peer takes nothing more; true where the host must still hear what came from it.
    pub(super) fn ws_write_failed(&mut self) -> bool {
        let Proto::Ws(ws) = &mut self.proto else {
            return false;
        };
        let undelivered = ws.has_undelivered();
        if undelivered {
            // Who waits for room is told that there is some, and finds the end.
            ws.lose(NO_CLOSE_FRAME);
            self.out.clear();
            self.write_blocked = false;
        }
        undelivered
    }

    /// What the going of bytes makes possible.
    pub(super) fn room_ws(&mut self) -> Option<Step<C>> {
        let limit = self.server.config.limits.write_buffer_bytes;
        let Proto::Ws(ws) = &mut self.proto else {
            return None;
        };
        let queued = self.out.len();
        if queued > limit / 2 {
            return None;
        }
        if queued == 0
            && let Some(latest) = ws.latest.take()
        {
            // What is compressed from here on must not refer to what went before it.
            ws.share();
            self.out.push(latest);
            return Some(Step::Yield);
        }
        if let Some((receiver, event)) = ws.room_event() {
            return Some(Step::Socket(receiver, event));
        }
        std::mem::take(&mut ws.stalled).then_some(Step::Yield)
    }

    pub(super) fn ws_timed_out<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        waiting: Waiting,
    ) -> Step<C> {
        if let Proto::H2(h2) = &mut self.proto {
            for text in h2.tick_sockets() {
                self.notice_ws(shared, NoticeKind::Refused, text.to_owned());
            }
            return Step::Idle;
        }
        let Proto::Ws(ws) = &mut self.proto else {
            return Step::Idle;
        };
        let mut out = Vec::new();
        if let Waiting::Ping = waiting {
            ws.tick(&mut out);
            if !out.is_empty() {
                self.out.tail(&shared.pool).extend_from_slice(&out);
            }
            return Step::Idle;
        }
        let text = if let Waiting::Pong = waiting {
            // It will hardly arrive, but then nothing else does.
            ws.close(Some(1011), "ping timed out", &mut out);
            ws.lose("ping timed out");
            NO_PONG
        } else {
            self.notice_ws(shared, NoticeKind::Refused, NO_CLOSE.to_owned());
            return Step::Close("no answer to a close frame");
        };
        self.out.tail(&shared.pool).extend_from_slice(&out);
        self.notice_ws(shared, NoticeKind::Refused, text.to_owned());
        Step::Yield
    }

    /// The WebSockets of a connection that ends, with the last word to each.
    pub(crate) fn end_sockets(&mut self, reason: &str) -> Vec<(Rc<C>, SocketEvent<C>)> {
        match &mut self.proto {
            Proto::Ws(ws) => ws.last_event(reason).into_iter().collect(),
            Proto::H2(h2) => h2.end_sockets(reason),
            _ => Vec::new(),
        }
    }

    /// Ask for the end because the server is going away (RFC 6455's registry: 1012).
    pub(crate) fn drain_ws<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> bool {
        let Proto::Ws(ws) = &mut self.proto else {
            return false;
        };
        ws.close(
            Some(1012),
            "the server restarts",
            self.out.tail(&shared.pool),
        )
    }
}
