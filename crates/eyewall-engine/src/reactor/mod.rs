//! The reactor: one poll instance, and turns that run what is ready.
//!
//! A turn polls the kernel once, without waiting, and runs every connection that has work: the
//! codec parses, the host is called, the answer is written. A turn has a budget of connections
//! and of time; what does not fit runs in the next one, for which the host is asked at once, so
//! that timers and other users of the outer loop have their turns too.

mod budget;
mod clients;
mod closing;
mod pool;
mod servers;
mod settling;
mod shared;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Waker};
use slab::Slab;

use crate::client::ClientId;
use crate::config::ConnInfo;
use crate::conn::{Conn, Step};
use crate::exchange::ExchangeId;
use crate::fanout::{FanoutKey, Fanouts};
use crate::host::{Host, Notice, NoticeKind, Outcome};
use crate::listener::{Listener, ServerShared};
use crate::timer::Timers;
use crate::transport::Socket;
use crate::ws::SocketEvent;

use budget::Budget;
pub(crate) use pool::BufferPool;
pub use servers::ServerStats;
use shared::MAILBOX;
pub use shared::Mailbox;
pub(crate) use shared::{ConnId, Shared};

const EVENTS: usize = 1024;
const SCRATCH: usize = 64 * 1024;

/// A WebSocket's messages that are handled before others have their turn.
const EVENTS_A_RUN: usize = 64;

const LISTENER_BIT: usize = 1 << 63;
/// Figures of a reactor since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReactorStats {
    /// Turns made.
    pub turns: u64,
    /// Turns that used up their budget.
    pub exhausted: u64,
    /// Connections open now.
    pub connections: usize,
    /// Requests received.
    pub requests: u64,
    /// Entries in the timer heap.
    pub timers: usize,
}

type Slot<C> = Option<Box<Conn<C>>>;
type SocketCalls<C> = VecDeque<(Rc<C>, SocketEvent<C>)>;

/// One event loop's part of the engine.
pub struct Reactor<H: Host> {
    host: H,
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    pub(crate) shared: Shared<H>,
    pub(crate) conns: RefCell<Slab<Slot<H::Callback>>>,
    clients: RefCell<clients::Clients<H::Callback>>,
    generation: Cell<u32>,
    servers: RefCell<Slab<Rc<ServerShared>>>,
    listeners: RefCell<Slab<Listener>>,
    drains: RefCell<Vec<servers::Drain<H::Callback>>>,
    ready: RefCell<VecDeque<ConnId>>,
    accepting: RefCell<VecDeque<usize>>,
    pub(crate) dirty: RefCell<Vec<ConnId>>,
    calls: RefCell<VecDeque<(H::Callback, Outcome)>>,
    socket_calls: RefCell<SocketCalls<H::Callback>>,
    pub(crate) fanouts: RefCell<Fanouts>,
    in_turn: Cell<bool>,
    scheduled: Cell<bool>,
    current: Cell<Option<ConnId>>,
    closed: Cell<bool>,
    stats: Cell<ReactorStats>,
}

impl<H: Host> Reactor<H> {
    /// A reactor with its own poll instance.
    ///
    /// # Errors
    ///
    /// The system's, when it has no descriptors left.
    pub fn new(host: H) -> io::Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(poll.registry(), MAILBOX)?;
        Ok(Self {
            host,
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(EVENTS)),
            shared: Shared {
                registry,
                timers: RefCell::new(Timers::new(Instant::now())),
                scratch: RefCell::new(vec![0; SCRATCH].into_boxed_slice()),
                pool: BufferPool::default(),
                date: RefCell::default(),
                notices: RefCell::default(),
                graveyard: RefCell::default(),
                mailbox: Arc::new(Mailbox {
                    dropped: Mutex::default(),
                    woken: Mutex::default(),
                    waker,
                }),
            },
            conns: RefCell::new(Slab::new()),
            clients: RefCell::default(),
            generation: Cell::new(0),
            servers: RefCell::default(),
            listeners: RefCell::default(),
            drains: RefCell::default(),
            ready: RefCell::default(),
            accepting: RefCell::default(),
            dirty: RefCell::default(),
            calls: RefCell::default(),
            socket_calls: RefCell::default(),
            fanouts: RefCell::default(),
            in_turn: Cell::new(false),
            scheduled: Cell::new(false),
            current: Cell::new(None),
            closed: Cell::new(false),
            stats: Cell::default(),
        })
    }

    /// The descriptor that is readable when a turn has work.
    pub fn fd(&self) -> RawFd {
        self.poll.borrow().as_raw_fd()
    }

    /// The embedding side.
    pub fn host(&self) -> &H {
        &self.host
    }

    /// Where other threads leave word.
    pub fn mailbox(&self) -> Arc<Mailbox> {
        Arc::clone(&self.shared.mailbox)
    }

    /// Figures since the start.
    pub fn stats(&self) -> ReactorStats {
        let mut stats = self.stats.get();
        stats.connections = self.conns.borrow().len();
        stats.timers = self.shared.timers.borrow().len();
        stats.requests = self
            .servers
            .borrow()
            .iter()
            .map(|(_, server)| server.requests.get())
            .sum();
        stats
    }

    /// Run what is ready, within the budget.
    pub fn turn(&self) {
        if self.closed.get() || self.in_turn.replace(true) {
            return;
        }
        self.scheduled.set(false);
        let started = Instant::now();
        self.shared.timers.borrow_mut().advance(started);
        self.shared.date.borrow_mut().update();
        let mut budget = Budget::new(started);
        self.run_timers();
        self.run_posted();
        self.run_ready(&mut budget);
        self.run_events(&mut budget);
        self.run_accepting(&mut budget);
        self.run_woken();
        self.run_ready(&mut budget);
        self.settle();
        self.in_turn.set(false);
        let mut stats = self.stats.get();
        stats.turns += 1;
        if !self.ready.borrow().is_empty()
            || !self.accepting.borrow().is_empty()
            || self.has_calls()
            || self.has_shipments()
            || !self.dirty.borrow().is_empty()
        {
            stats.exhausted += 1;
            self.schedule();
        }
        self.stats.set(stats);
        let delay = self.shared.timers.borrow_mut().schedule();
        if let Some(delay) = delay {
            self.host.schedule_after(delay);
        }
    }

    /// Ask the host for a turn, once.
    pub(crate) fn schedule(&self) {
        if !self.in_turn.get() && !self.scheduled.replace(true) {
            self.host.schedule();
        }
    }

    fn run_timers(&self) {
        loop {
            let Some(id) = self.shared.timers.borrow_mut().pop() else {
                break;
            };
            if id == ConnId::NOBODY {
                self.resume_listeners();
                continue;
            }
            if id.client_index().is_some() {
                self.time_out_client(id);
                continue;
            }
            let step = {
                let mut conns = self.conns.borrow_mut();
                let Some(conn) = find(&mut conns, id) else {
                    continue;
                };
                if !self
                    .shared
                    .timers
                    .borrow_mut()
                    .expired(id, &mut conn.deadline)
                {
                    continue;
                }
                conn.timed_out(&self.shared)
            };
            self.perform(id, step);
            self.run(id);
        }
        self.check_drains();
    }

    fn run_posted(&self) {
        for exchange in self.shared.mailbox.take_dropped() {
            if exchange.conn == ConnId::NOBODY {
                self.remove_fanout(FanoutKey(exchange.stream));
            } else if exchange.conn.client_index().is_some() {
                self.client_close(ClientId(exchange.conn));
            } else {
                self.dropped(exchange);
            }
        }
    }

    fn run_woken(&self) {
        for id in self.shared.mailbox.take_woken() {
            self.mark_dirty(id);
        }
    }

    fn run_ready(&self, budget: &mut Budget) {
        let waiting = self.ready.borrow().len();
        for _ in 0..waiting {
            if budget.is_spent() {
                return;
            }
            let Some(id) = self.ready.borrow_mut().pop_front() else {
                return;
            };
            if id.client_index().is_some() {
                self.unqueue_client(id);
            } else if let Some(conn) = find(&mut self.conns.borrow_mut(), id) {
                conn.queued = false;
            }
            self.run(id);
        }
    }

    fn run_events(&self, budget: &mut Budget) {
        let mut events = self.events.borrow_mut();
        match self
            .poll
            .borrow_mut()
            .poll(&mut events, Some(Duration::ZERO))
        {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            // EBADF after a fork or a stray close: there is nothing to run, and the loop goes on.
            Err(_) => return,
        }
        for event in &*events {
            let token = event.token();
            if token == MAILBOX {
                self.run_posted();
            } else if token.0 & LISTENER_BIT != 0 {
                self.accepting
                    .borrow_mut()
                    .push_back(token.0 & !LISTENER_BIT);
            } else {
                let id = ConnId::from_token(token);
                if self.note_event(id, event) {
                    if budget.is_spent() {
                        self.enqueue(id);
                    } else {
                        self.run(id);
                    }
                }
            }
        }
    }

    /// Remember what an event says; true when the connection is to be run.
    fn note_event(&self, id: ConnId, event: &Event) -> bool {
        if id.client_index().is_some() {
            return self.note_client_event(id, event);
        }
        let mut conns = self.conns.borrow_mut();
        let Some(conn) = find(&mut conns, id) else {
            return false;
        };
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            conn.readable = true;
        }
        if event.is_read_closed() {
            conn.peer_closed = true;
        }
        if event.is_error() {
            conn.note_broken();
        }
        true
    }

    fn enqueue(&self, id: ConnId) {
        if id.client_index().is_some() {
            if self.flag_client(id, true) {
                self.ready.borrow_mut().push_back(id);
            }
            return;
        }
        if let Some(conn) = find(&mut self.conns.borrow_mut(), id)
            && !conn.queued
        {
            conn.queued = true;
            self.ready.borrow_mut().push_back(id);
        }
    }

    pub(crate) fn mark_dirty(&self, id: ConnId) {
        if id.client_index().is_some() {
            if self.flag_client(id, false) {
                self.dirty.borrow_mut().push(id);
            }
            return;
        }
        if let Some(conn) = find(&mut self.conns.borrow_mut(), id)
            && !conn.dirty
        {
            conn.dirty = true;
            self.dirty.borrow_mut().push(id);
        }
    }

    /// Run a connection; a fault in it is logged, and ends no other.
    fn run(&self, id: ConnId) {
        self.current.set(Some(id));
        // What a panic leaves half done is the connection's own, and the connection goes.
        if catch_unwind(AssertUnwindSafe(|| self.run_steps(id))).is_err() {
            let server = find(&mut self.conns.borrow_mut(), id).map(|conn| conn.server.key);
            if let Some(server) = server {
                self.shared.notice(Notice {
                    kind: NoticeKind::Aborted,
                    server,
                    peer: String::new(),
                    text: "a fault in the engine ended the connection".to_owned(),
                });
            }
            self.close_conn(id, "a fault in the engine");
        }
        self.current.set(None);
    }

    /// Step a connection until it waits, then write what it has to write.
    fn run_steps(&self, id: ConnId) {
        if id.client_index().is_some() {
            return self.run_client(id);
        }
        let mut events = 0;
        loop {
            let step = {
                let mut conns = self.conns.borrow_mut();
                let Some(conn) = find(&mut conns, id) else {
                    break;
                };
                conn.dirty = false;
                match conn.step(&self.shared) {
                    Step::Idle => {
                        let step = conn.flush(&self.shared);
                        if let Step::Idle = step {
                            conn.rearm(&self.shared);
                            if conn.register(&self.shared).is_ok() {
                                break;
                            }
                            Step::Close("cannot be polled")
                        } else {
                            step
                        }
                    }
                    step => step,
                }
            };
            if let Step::Yield = step {
                let again = {
                    let mut conns = self.conns.borrow_mut();
                    find(&mut conns, id).is_some_and(|conn| conn.yields())
                };
                if again {
                    self.enqueue(id);
                    self.flush_only(id);
                    break;
                }
                continue;
            }
            events += usize::from(matches!(step, Step::Socket(..)));
            self.perform(id, step);
            if events == EVENTS_A_RUN {
                self.enqueue(id);
                self.flush_only(id);
                break;
            }
        }
    }

    /// Write what waits without stepping further.
    pub(crate) fn flush_only(&self, id: ConnId) {
        if id.client_index().is_some() {
            return self.flush_client(id);
        }
        let step = {
            let mut conns = self.conns.borrow_mut();
            let Some(conn) = find(&mut conns, id) else {
                return;
            };
            let step = conn.flush(&self.shared);
            if conn.register(&self.shared).is_err() {
                Step::Close("cannot be polled")
            } else {
                conn.rearm(&self.shared);
                step
            }
        };
        match step {
            Step::Idle => {}
            Step::Yield => self.enqueue(id),
            Step::Call(callback, outcome) => self.calls.borrow_mut().push_back((callback, outcome)),
            Step::Socket(receiver, event) => {
                self.socket_calls.borrow_mut().push_back((receiver, event));
            }
            step @ (Step::Close(_) | Step::Request { .. }) => self.perform(id, step),
        }
    }

    fn perform(&self, id: ConnId, step: Step<H::Callback>) {
        match step {
            Step::Idle | Step::Yield => {}
            Step::Request { stream, head } => {
                let Some((server, info)) = find(&mut self.conns.borrow_mut(), id)
                    .map(|conn| (conn.server.key, Arc::clone(&conn.info)))
                else {
                    return;
                };
                self.host
                    .request(server, ExchangeId { conn: id, stream }, head, &info);
            }
            Step::Call(callback, outcome) => self.host.call(callback, outcome),
            Step::Socket(receiver, event) => self.host.socket(&receiver, event),
            Step::Close(reason) => self.close_conn(id, reason),
        }
    }

    fn run_accepting(&self, budget: &mut Budget) {
        loop {
            let Some(key) = self.accepting.borrow_mut().pop_front() else {
                return;
            };
            if self.accept_some(key, budget) {
                self.accepting.borrow_mut().push_back(key);
                return;
            }
        }
    }

    /// Take a new connection and run it at once: its first request has often come already.
    fn adopt(&self, server: &Rc<ServerShared>, socket: Socket, info: ConnInfo) {
        let id = {
            let mut conns = self.conns.borrow_mut();
            let generation = self.generation.get().wrapping_add(1) & 0x7fff_ffff;
            self.generation.set(generation);
            let entry = conns.vacant_entry();
            let Ok(index) = u32::try_from(entry.key()) else {
                return;
            };
            let id = ConnId { index, generation };
            entry.insert(Some(Box::new(Conn::new(
                id,
                Rc::clone(server),
                Arc::new(info),
                socket,
            ))));
            id
        };
        server.connections.set(server.connections.get() + 1);
        self.run(id);
    }
}

/// The connection of that name, if it is still there.
pub(crate) fn find<C>(conns: &mut Slab<Slot<C>>, id: ConnId) -> Option<&mut Conn<C>> {
    conns
        .get_mut(id.index as usize)?
        .as_deref_mut()
        .filter(|conn| conn.id == id)
}
