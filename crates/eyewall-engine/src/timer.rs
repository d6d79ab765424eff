//! Deadlines of connections, in one heap.
//!
//! A connection's deadline moves with each request, so the heap is lazy: it holds at most one
//! entry that is early enough, and an entry that comes due too soon is put back at the
//! deadline that holds then. Moving a deadline later costs one store.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::reactor::ConnId;

/// Milliseconds since the reactor was made.
pub(crate) type Millis = u64;

/// No deadline.
pub(crate) const NEVER: Millis = u64::MAX;

/// What a connection is waiting for when its deadline passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Nothing: there is no deadline.
    Nothing,
    /// The PROXY header, TLS handshake, or request head.
    Head,
    /// The next request on a kept-alive connection.
    NextRequest,
    /// Request body bytes.
    Body,
    /// Room in the peer's window.
    Write,
    /// The peer's close, after ours.
    Linger,
    /// The time of the next ping of a WebSocket.
    Ping,
    /// The answer to a ping.
    Pong,
    /// The answer to a close frame.
    SocketClose,
}

/// Deadline of one connection, as it lies in the connection.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: Millis,
    armed: Millis,
    waiting: Waiting,
}

impl Default for Deadline {
    fn default() -> Self {
        Self {
            at: NEVER,
            armed: NEVER,
            waiting: Waiting::Nothing,
        }
    }
}

impl Deadline {
    pub(crate) fn waiting(&self) -> Waiting {
        self.waiting
    }

    pub(crate) fn clear(&mut self) {
        self.at = NEVER;
        self.waiting = Waiting::Nothing;
    }
}

/// All deadlines of a reactor.
#[derive(Debug)]
pub(crate) struct Timers {
    epoch: Instant,
    now: Millis,
    heap: BinaryHeap<Reverse<(Millis, ConnId)>>,
    scheduled: Millis,
}

impl Timers {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            now: 0,
            heap: BinaryHeap::new(),
            scheduled: NEVER,
        }
    }

    pub(crate) fn advance(&mut self, now: Instant) {
        let millis = now.saturating_duration_since(self.epoch).as_millis();
        self.now = u64::try_from(millis).unwrap_or(NEVER - 1);
    }

    pub(crate) fn now(&self) -> Millis {
        self.now
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Set the connection's deadline to `after` from now; a zero duration means none.
    pub(crate) fn set(
        &mut self,
        id: ConnId,
        deadline: &mut Deadline,
        waiting: Waiting,
        after: Duration,
    ) {
        if after.is_zero() {
            deadline.clear();
            return;
        }
        let millis = u64::try_from(after.as_millis()).unwrap_or(NEVER / 2).max(1);
        deadline.at = self.now.saturating_add(millis).min(NEVER - 1);
        deadline.waiting = waiting;
        if deadline.at < deadline.armed {
            deadline.armed = deadline.at;
            self.heap.push(Reverse((deadline.at, id)));
        }
    }

    /// The next connection whose entry is due.
    pub(crate) fn pop(&mut self) -> Option<ConnId> {
        match self.heap.peek() {
            Some(Reverse((at, _))) if *at <= self.now => self.heap.pop().map(|Reverse((_, id))| id),
            _ => None,
        }
    }

    /// Whether the deadline has really passed; when not, its entry is put back.
    pub(crate) fn expired(&mut self, id: ConnId, deadline: &mut Deadline) -> bool {
        if deadline.at <= self.now {
            deadline.armed = NEVER;
            deadline.at = NEVER;
            return true;
        }
        deadline.armed = NEVER;
        if deadline.at != NEVER {
            deadline.armed = deadline.at;
            self.heap.push(Reverse((deadline.at, id)));
        }
        false
    }

    /// How long until the earliest entry, when the outer loop must be told so.
    pub(crate) fn schedule(&mut self) -> Option<Duration> {
        if self.scheduled <= self.now {
            self.scheduled = NEVER;
        }
        let Reverse((at, _)) = self.heap.peek()?;
        if *at >= self.scheduled {
            return None;
        }
        self.scheduled = *at;
        Some(Duration::from_millis(at.saturating_sub(self.now).max(1)))
    }
}
