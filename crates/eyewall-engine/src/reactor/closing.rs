//! How connections, and the reactor itself, end.

use mio::unix::SourceFd;

use super::{ConnId, Reactor, find};
use crate::host::Host;

impl<H: Host> Reactor<H> {
    /// Remove a connection and tell whoever waits for it.
    pub(crate) fn close_conn(&self, id: ConnId, reason: &'static str) {
        if id.client_index().is_some() {
            return self.close_client(id);
        }
        let conn = {
            let mut conns = self.conns.borrow_mut();
            if find(&mut conns, id).is_none() {
                return;
            }
            conns.try_remove(id.index as usize).flatten()
        };
        let Some(mut conn) = conn else { return };
        conn.server
            .connections
            .set(conn.server.connections.get().saturating_sub(1));
        if conn.is_registered() {
            // Closing the descriptor takes it out of epoll by itself, unless a child inherited
            // it; failing here changes nothing.
            drop(
                self.shared
                    .registry
                    .deregister(&mut SourceFd(&conn.socket())),
            );
        }
        let socket_calls = conn.end_sockets(reason);
        let calls = conn.end(reason);
        drop(conn);
        self.socket_calls.borrow_mut().extend(socket_calls);
        if !calls.is_empty() {
            self.calls.borrow_mut().extend(calls);
        }
        if !self.drains.borrow().is_empty() || self.has_calls() {
            self.schedule();
        }
    }

    /// Close everything; later turns do nothing.
    pub fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        let listeners = std::mem::take(&mut *self.listeners.borrow_mut());
        drop(listeners);
        let ids: Vec<ConnId> = self
            .conns
            .borrow()
            .iter()
            .filter_map(|(_, conn)| conn.as_ref().map(|c| c.id))
            .collect();
        for id in ids {
            self.close_conn(id, "the server was closed");
        }
        self.close_clients();
        drop(std::mem::take(&mut *self.drains.borrow_mut()));
        if !self.in_turn.get() {
            self.run_deferred();
        }
    }
}
