//! What connections, timers and other threads use of a reactor.

use std::cell::RefCell;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, Waker};

use super::pool::BufferPool;
use crate::client::ClientId;
use crate::exchange::ExchangeId;
use crate::fanout::FanoutKey;
use crate::host::{Host, Notice};
use crate::timer::Timers;

pub(crate) const MAILBOX: Token = Token(usize::MAX);

/// Names a connection; the generation tells a reused slot from the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl ConnId {
    /// Stands for the reactor itself among the timers.
    pub(crate) const NOBODY: Self = Self {
        index: u32::MAX,
        generation: 0,
    };

    /// Set in the index of a connection to a server.
    const CLIENT: u32 = 1 << 31;

    /// Names a connection to a server.
    pub(crate) fn client(index: u32, generation: u32) -> Self {
        Self {
            index: index | Self::CLIENT,
            generation,
        }
    }

    /// Where a connection to a server lies; nothing for others.
    pub(crate) fn client_index(self) -> Option<usize> {
        let is_client = self.index & Self::CLIENT != 0 && self != Self::NOBODY;
        is_client.then_some((self.index & !Self::CLIENT) as usize)
    }

    pub(crate) fn token(self) -> Token {
        Token(self.index as usize | ((self.generation as usize) << 32))
    }

    pub(crate) fn from_token(token: Token) -> Self {
        let low = u32::try_from(token.0 & 0xffff_ffff).unwrap_or(u32::MAX);
        let high = u32::try_from(token.0 >> 32).unwrap_or(u32::MAX);
        Self {
            index: low,
            generation: high,
        }
    }
}

/// The current date as HTTP writes it, made once a second.
#[derive(Debug, Default)]
pub(crate) struct Date {
    second: u64,
    text: String,
}

impl Date {
    pub(crate) fn update(&mut self) {
        let now = SystemTime::now();
        let second = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = httpdate::fmt_http_date(now);
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// What connections use of the reactor while they are stepped.
pub(crate) struct Shared<H: Host> {
    pub(crate) registry: Registry,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) scratch: RefCell<Box<[u8]>>,
    pub(crate) pool: BufferPool,
    pub(crate) date: RefCell<Date>,
    pub(crate) notices: RefCell<Vec<Notice>>,
    pub(crate) graveyard: RefCell<Vec<H::Callback>>,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl<H: Host> Shared<H> {
    /// Log this once no connection is borrowed.
    pub(crate) fn notice(&self, notice: Notice) {
        self.notices.borrow_mut().push(notice);
    }

    /// Drop a callback once no connection is borrowed: its destructor may call the engine.
    pub(crate) fn bury(&self, callback: H::Callback) {
        self.graveyard.borrow_mut().push(callback);
    }

    pub(crate) fn register(&self, fd: RawFd, id: ConnId, interest: Interest) -> io::Result<()> {
        self.registry
            .register(&mut SourceFd(&fd), id.token(), interest)
    }

    pub(crate) fn reregister(&self, fd: RawFd, id: ConnId, interest: Interest) -> io::Result<()> {
        self.registry
            .reregister(&mut SourceFd(&fd), id.token(), interest)
    }
}

/// Where other threads, and destructors at awkward moments, leave word for the reactor.
#[derive(Debug)]
pub struct Mailbox {
    pub(crate) dropped: Mutex<Vec<ExchangeId>>,
    pub(crate) woken: Mutex<Vec<ConnId>>,
    pub(crate) waker: Waker,
}

impl Mailbox {
    /// An exchange was dropped by somebody who may not touch its connection now.
    pub fn post(&self, exchange: ExchangeId) {
        if let Ok(mut dropped) = self.dropped.lock() {
            dropped.push(exchange);
        }
        // The reactor may be gone already; then nobody waits for this.
        drop(self.waker.wake());
    }

    /// The handle of a connection to a server was dropped on another thread.
    pub fn post_client(&self, client: ClientId) {
        self.post(ExchangeId {
            conn: client.0,
            stream: 0,
        });
    }

    /// The handle of a set was dropped on another thread.
    pub fn post_fanout(&self, key: FanoutKey) {
        self.post(ExchangeId {
            conn: ConnId::NOBODY,
            stream: key.0,
        });
    }

    /// A connection's future has something to do.
    pub(crate) fn wake(&self, id: ConnId) {
        if let Ok(mut woken) = self.woken.lock()
            && woken.last() != Some(&id)
        {
            woken.push(id);
        }
    }

    pub(crate) fn take_woken(&self) -> Vec<ConnId> {
        self.woken
            .lock()
            .map(|mut woken| std::mem::take(&mut *woken))
            .unwrap_or_default()
    }

    pub(crate) fn take_dropped(&self) -> Vec<ExchangeId> {
        self.dropped
            .lock()
            .map(|mut dropped| std::mem::take(&mut *dropped))
            .unwrap_or_default()
    }
}
