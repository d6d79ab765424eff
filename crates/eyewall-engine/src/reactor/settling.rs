//! The end of a turn: what was left to be written together, and callbacks that had to wait.

use super::{ConnId, Reactor};
use crate::host::Host;

impl<H: Host> Reactor<H> {
    /// Flush and call what this turn left to the end.
    pub(super) fn settle(&self) {
        // Callbacks may answer other exchanges, whose connections then are dirty in their turn.
        for _ in 0..64 {
            self.run_deferred();
            self.distribute(true);
            let dirty = std::mem::take(&mut *self.dirty.borrow_mut());
            if dirty.is_empty() && !self.has_calls() {
                self.run_woken();
                if self.dirty.borrow().is_empty() {
                    return;
                }
            }
            for id in dirty {
                self.run(id);
            }
        }
    }

    /// Run what must not run while a connection is borrowed or the host is calling.
    pub(super) fn run_deferred(&self) {
        loop {
            let graveyard = std::mem::take(&mut *self.shared.graveyard.borrow_mut());
            drop(graveyard);
            let notices = std::mem::take(&mut *self.shared.notices.borrow_mut());
            for notice in notices {
                self.host.notice(notice);
            }
            let socket_call = self.socket_calls.borrow_mut().pop_front();
            if let Some((receiver, event)) = socket_call {
                self.host.socket(&receiver, event);
                continue;
            }
            let Some((callback, outcome)) = self.calls.borrow_mut().pop_front() else {
                break;
            };
            self.host.call(callback, outcome);
        }
    }

    /// A host's call has changed this connection: write now, or at the end of the turn.
    pub(crate) fn touched(&self, id: ConnId, more_to_do: bool) {
        if self.in_turn.get() {
            if self.current.get() != Some(id) {
                self.mark_dirty(id);
            }
            return;
        }
        self.flush_only(id);
        let woken = self.shared.mailbox.take_woken();
        if more_to_do || !woken.is_empty() {
            self.enqueue(id);
            for id in woken {
                self.enqueue(id);
            }
        }
        let waiting = !self.ready.borrow().is_empty()
            || self.has_calls()
            || !self.shared.notices.borrow().is_empty()
            || !self.shared.graveyard.borrow().is_empty();
        if waiting {
            self.schedule();
        }
        let delay = self.shared.timers.borrow_mut().schedule();
        if let Some(delay) = delay {
            self.host.schedule_after(delay);
        }
    }

    pub(super) fn has_calls(&self) -> bool {
        !self.calls.borrow().is_empty() || !self.socket_calls.borrow().is_empty()
    }

    /// Whether a turn is under way.
    pub(crate) fn is_in_turn(&self) -> bool {
        self.in_turn.get()
    }

    /// Write this connection at the end of the current or the next turn.
    pub(crate) fn touch_later(&self, id: ConnId) {
        if self.current.get() != Some(id) {
            self.mark_dirty(id);
            self.schedule();
        }
    }
}
