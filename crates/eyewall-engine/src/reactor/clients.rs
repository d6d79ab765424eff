//! Connections to servers, among the reactor's others.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use mio::event::Event;
use mio::unix::SourceFd;

use super::{ConnId, Reactor};
use crate::client::{
    ClientConfig, ClientConn, ClientId, ClientRead, ClientRequest, ClientState, Failure, Step,
};
use crate::exchange::{OpError, Payload};
use crate::host::{Host, Outcome};
use crate::reactor::Shared;
use crate::tls::ClientTls;
use crate::transport::{Socket, Transport};

/// Connections to servers, by index.
pub(super) type Clients<C> = slab::Slab<Option<Box<ClientConn<C>>>>;

fn find<C>(clients: &mut Clients<C>, id: ConnId) -> Option<&mut ClientConn<C>> {
    clients
        .get_mut(id.client_index()?)?
        .as_deref_mut()
        .filter(|conn| conn.id == id)
}

const GONE: OpError = OpError::Closed("the connection is closed");

impl<H: Host> Reactor<H> {
    /// Take a connected socket for requests.
    ///
    /// `on_ready` is called when requests may be started, or with why they never may;
    /// `on_close` when the connection is over.
    ///
    /// # Errors
    ///
    /// The server's name cannot be in a certificate, or the system's.
    pub fn add_client(
        &self,
        config: ClientConfig,
        socket: OwnedFd,
        tls: Option<(&ClientTls, &str)>,
        on_ready: Option<H::Callback>,
        on_close: Option<H::Callback>,
    ) -> io::Result<ClientId> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        // A Unix socket has no such option, and needs none.
        let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
        let mut transport = Transport::new(Socket::new(socket));
        if let Some((tls, name)) = tls {
            let session = tls
                .session(name)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
            transport.start_tls(session, &[]);
        }
        let id = {
            let mut clients = self.clients.borrow_mut();
            let generation = self.generation.get().wrapping_add(1) & 0x7fff_ffff;
            self.generation.set(generation);
            let entry = clients.vacant_entry();
            let index = u32::try_from(entry.key()).unwrap_or(u32::MAX);
            let id = ConnId::client(index, generation);
            let conn = ClientConn::new(id, config, transport, (on_ready, on_close), &self.shared);
            entry.insert(Some(Box::new(conn)));
            id
        };
        self.shared.timers.borrow_mut().advance(Instant::now());
        self.touched(id, true);
        Ok(ClientId(id))
    }

    /// Run `f` on the connection.
    fn with_client<R>(
        &self,
        id: ClientId,
        f: impl FnOnce(&mut ClientConn<H::Callback>, &Shared<H>) -> Result<R, OpError>,
    ) -> Result<R, OpError> {
        let Ok(mut clients) = self.clients.try_borrow_mut() else {
            return Err(OpError::Busy);
        };
        f(find(&mut clients, id.0).ok_or(GONE)?, &self.shared)
    }

    /// Send a request; returns its number on this connection.
    ///
    /// # Errors
    ///
    /// It cannot be sent at all, or not on this connection now.
    pub fn client_start(
        &self,
        id: ClientId,
        request: ClientRequest<'_>,
        on_response: H::Callback,
        on_continue: Option<H::Callback>,
    ) -> Result<u32, OpError> {
        if !self.in_turn.get() {
            // Between turns the reactor's time stands still.
            self.shared.timers.borrow_mut().advance(Instant::now());
        }
        let stream = self.with_client(id, |conn, shared| {
            conn.start(shared, request, (on_response, on_continue))
        })?;
        self.touched(id.0, false);
        Ok(stream)
    }

    /// Send a piece of a request's content; false when the writer should wait for room.
    ///
    /// # Errors
    ///
    /// The request is over, or the content is longer than announced.
    pub fn client_write(
        &self,
        id: ClientId,
        stream: u32,
        data: Payload<'_>,
    ) -> Result<bool, OpError> {
        let room = self.with_client(id, |conn, shared| conn.write(shared, stream, data))?;
        self.touched(id.0, true);
        Ok(room)
    }

    /// End a request's content.
    ///
    /// # Errors
    ///
    /// The request is over, or the content is shorter than announced.
    pub fn client_end(&self, id: ClientId, stream: u32) -> Result<(), OpError> {
        self.with_client(id, |conn, shared| conn.end_upload(shared, stream))?;
        self.touched(id.0, true);
        Ok(())
    }

    /// Call back when there is room for more content.
    ///
    /// # Errors
    ///
    /// The request is over.
    pub fn client_room(
        &self,
        id: ClientId,
        stream: u32,
        callback: H::Callback,
    ) -> Result<(), OpError> {
        let before = self.with_client(id, |conn, _| conn.room(stream, callback))?;
        drop(before);
        self.touched(id.0, true);
        Ok(())
    }

    /// Read streamed content, or have `callback` called with it.
    ///
    /// # Errors
    ///
    /// The request is over.
    pub fn client_read(
        &self,
        id: ClientId,
        stream: u32,
        callback: H::Callback,
    ) -> Result<ClientRead, OpError> {
        let ((read, unused), more) = self.with_client(id, |conn, _| {
            let read = conn.read_call(stream, callback)?;
            Ok((read, conn.wants_step()))
        })?;
        drop(unused);
        if more {
            self.touched(id.0, true);
        }
        Ok(read)
    }

    /// How much streamed content can be had by [`client_receive`](Self::client_receive) now.
    pub fn client_direct(&self, id: ClientId, stream: u32) -> usize {
        self.with_client(id, |conn, _| Ok(conn.direct(stream)))
            .unwrap_or(0)
    }

    /// Read streamed content into a buffer no larger than [`client_direct`](Self::client_direct)
    /// says.
    pub fn client_receive(&self, id: ClientId, buffer: &mut [u8]) -> usize {
        let received = self.with_client(id, |conn, _| {
            let received = conn.receive_direct(buffer);
            if let Err(failure) = &received {
                conn.abort(failure);
            }
            Ok((received.unwrap_or(0), conn.has_due() || !conn.is_open()))
        });
        let Ok((count, more)) = received else {
            return 0;
        };
        if more {
            self.touched(id.0, true);
        }
        count
    }

    /// Give a request up. Over HTTP/1.1 that ends the connection.
    pub fn client_cancel(&self, id: ClientId, stream: u32) {
        let done = self.with_client(id, |conn, shared| {
            conn.cancel(shared, stream);
            Ok(())
        });
        if done.is_ok() {
            self.touched(id.0, true);
        }
    }

    /// Close a connection, and end what is under way on it.
    pub fn client_close(&self, id: ClientId) {
        let done = self.with_client(id, |conn, _| {
            conn.abort(&Failure::closed("the connection was closed"));
            Ok(())
        });
        if done.is_ok() {
            self.touched(id.0, true);
        }
    }

    /// What the connection is now; nothing when it is over.
    pub fn client_state(&self, id: ClientId) -> Option<ClientState> {
        self.with_client(id, |conn, _| Ok(conn.state())).ok()
    }

    /// How many requests may be started on it now.
    pub fn client_capacity(&self, id: ClientId) -> usize {
        self.with_client(id, |conn, _| Ok(conn.capacity()))
            .unwrap_or(0)
    }

    pub(super) fn run_client(&self, id: ConnId) {
        loop {
            let step = {
                let mut clients = self.clients.borrow_mut();
                let Some(conn) = find(&mut clients, id) else {
                    return;
                };
                conn.dirty = false;
                conn.step(&self.shared)
            };
            match step {
                Step::Idle => return,
                Step::Yield => return self.enqueue(id),
                Step::Call(callback, outcome) => self.host.call(callback, outcome),
                Step::Close => return self.close_client(id),
            }
        }
    }

    /// Write what waits without reading.
    pub(super) fn flush_client(&self, id: ConnId) {
        let again = {
            let mut clients = self.clients.borrow_mut();
            let Some(conn) = find(&mut clients, id) else {
                return;
            };
            conn.settle(&self.shared);
            !conn.is_open() || conn.has_due()
        };
        if again {
            self.enqueue(id);
        }
    }

    pub(super) fn time_out_client(&self, id: ConnId) {
        {
            let mut clients = self.clients.borrow_mut();
            let Some(conn) = find(&mut clients, id) else {
                return;
            };
            let mut timers = self.shared.timers.borrow_mut();
            if !timers.expired(id, &mut conn.deadline) {
                return;
            }
            drop(timers);
            conn.timed_out(&self.shared);
        }
        self.run(id);
    }

    pub(super) fn note_client_event(&self, id: ConnId, event: &Event) -> bool {
        let mut clients = self.clients.borrow_mut();
        let Some(conn) = find(&mut clients, id) else {
            return false;
        };
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            conn.readable = true;
        }
        if event.is_read_closed() {
            conn.note_closed();
        }
        true
    }

    /// Set the flag that keeps a connection from being queued twice; whether it was unset.
    pub(super) fn flag_client(&self, id: ConnId, queued: bool) -> bool {
        let mut clients = self.clients.borrow_mut();
        let Some(conn) = find(&mut clients, id) else {
            return false;
        };
        let flag = if queued {
            &mut conn.queued
        } else {
            &mut conn.dirty
        };
        !std::mem::replace(flag, true)
    }

    pub(super) fn unqueue_client(&self, id: ConnId) {
        if let Some(conn) = find(&mut self.clients.borrow_mut(), id) {
            conn.queued = false;
        }
    }

    pub(super) fn close_client(&self, id: ConnId) {
        let conn = {
            let mut clients = self.clients.borrow_mut();
            if find(&mut clients, id).is_none() {
                return;
            }
            id.client_index()
                .and_then(|index| clients.try_remove(index).flatten())
        };
        let Some(mut conn) = conn else { return };
        if let Some(fd) = conn.registered() {
            // As with servers' connections: closing takes it out of the poll anyway.
            drop(self.shared.registry.deregister(&mut SourceFd(&fd)));
        }
        conn.end(&self.shared);
        let on_close = conn.on_close.take();
        drop(conn);
        if let Some(callback) = on_close {
            self.calls
                .borrow_mut()
                .push_back((callback, Outcome::Disconnected));
            self.schedule();
        }
    }

    pub(super) fn close_clients(&self) {
        let ids: Vec<ConnId> = self
            .clients
            .borrow()
            .iter()
            .filter_map(|(_, conn)| conn.as_ref().map(|conn| conn.id))
            .collect();
        for id in ids {
            self.close_client(id);
        }
    }
}
