//! WebSockets on HTTP/2 streams (RFC 8441).

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use eyewall_proto::h1::Fields;
use eyewall_proto::ws::Fault;
use h2::Reason;

use super::body::ReadMode;
use super::h2_stream::Stream;
use super::{Conn, H2, Proto};
use crate::exchange::{OpError, Payload};
use crate::host::{Host, Notice, NoticeKind};
use crate::reactor::Shared;
use crate::timer::Waiting;
use crate::ws::{SocketEvent, WebSocket};

/// A stream that carries a WebSocket.
pub(crate) struct StreamSocket<C> {
    pub(crate) ws: WebSocket<C>,
    /// Input that the host has no room for.
    pending: Vec<u8>,
    /// The mistake that ended it, until it is logged.
    fault: Option<Fault>,
}

impl<C> Stream<C> {
    /// Answer 200, and carry a WebSocket from here on.
    fn become_socket(
        &mut self,
        ws: WebSocket<C>,
        fields: &dyn Fields,
        date: &[u8],
        server: Option<&[u8]>,
    ) -> Result<(), OpError> {
        self.start(200, fields, false, date, server)?;
        let mut pending = Vec::new();
        // What came before the answer.
        while let Some(Ok(piece)) = self.body.take(ReadMode::Piece) {
            if piece.is_empty() {
                break;
            }
            pending.extend_from_slice(&piece);
        }
        self.socket = Some(Box::new(StreamSocket {
            ws,
            pending,
            fault: None,
        }));
        Ok(())
    }

    /// Move a WebSocket's bytes both ways; returns what the host is to be told.
    pub(crate) fn serve_socket<H: Host<Callback = C>>(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> Option<(Rc<C>, SocketEvent<C>)> {
        loop {
            let mut out = Vec::new();
            let socket = self.socket.as_mut()?;
            let event = socket.ws.next_event(&mut out);
            let told = socket.ws.is_told();
            self.send_to_peer(out);
            if event.is_some() {
                self.pump(cx);
                return event;
            }
            if told {
                self.recv = None;
                self.socket = None;
                // It fails on a stream that is over, and that is what is wanted.
                let _ = self.end(None);
                self.pump(cx);
                return None;
            }
            if !self.receive_for_socket::<H>(cx, limit) {
                break;
            }
        }
        self.pump(cx);
        let queued = self.queued();
        let socket = self.socket.as_mut()?;
        if queued > limit / 2 {
            return None;
        }
        if queued == 0
            && let Some(latest) = socket.ws.latest.take()
        {
            socket.ws.share();
            self.send_bytes(latest);
            self.pump(cx);
        }
        self.socket.as_mut()?.ws.room_event()
    }

    /// Decode what has come; false when there is nothing more to do now.
    fn receive_for_socket<H: Host<Callback = C>>(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> bool {
        let queued = self.queued();
        let Some(socket) = &mut self.socket else {
            return false;
        };
        if !socket.ws.wants_input() || queued > limit {
            return false;
        }
        if socket.pending.is_empty() {
            let Some(recv) = &mut self.recv else {
                socket
                    .ws
                    .lose("the peer ended the stream without a close frame");
                return true;
            };
            match recv.poll_data(cx) {
                Poll::Pending => return false,
                Poll::Ready(Some(Ok(data))) => {
                    // It fails only on a stream that is over.
                    drop(recv.flow_control().release_capacity(data.len()));
                    socket.pending.extend_from_slice(&data);
                }
                Poll::Ready(_) => self.recv = None,
            }
            return true;
        }
        let mut pending = std::mem::take(&mut socket.pending);
        let mut replies = Vec::new();
        match socket.ws.receive::<H>(&mut pending, &mut replies) {
            Ok(taken) => {
                pending.drain(..taken);
                socket.pending = pending;
            }
            Err(fault) => socket.fault = Some(fault),
        }
        self.send_to_peer(replies);
        true
    }

    fn send_to_peer(&mut self, out: Vec<u8>) {
        if !out.is_empty() {
            self.send_bytes(Bytes::from(out));
        }
    }

    /// A stream that is over takes nothing, and its socket is told.
    pub(crate) fn send_bytes(&mut self, bytes: Bytes) {
        let _ = self.write(Payload::Owned(bytes));
    }
}

impl<C> H2<C> {
    /// The WebSocket on this stream.
    pub(crate) fn socket(&mut self, id: u32) -> Option<&mut WebSocket<C>> {
        self.get(id)?.socket.as_mut().map(|socket| &mut socket.ws)
    }

    /// Whether there is a WebSocket on this stream that messages can be sent to.
    pub(crate) fn has_open_socket(&self, id: u32) -> bool {
        self.peek(id)
            .and_then(|stream| stream.socket.as_ref())
            .is_some_and(|socket| socket.ws.is_open())
    }

    /// Whether there is a streamed answer on this stream.
    pub(crate) fn has_stream(&self, id: u32) -> bool {
        self.peek(id)
            .is_some_and(|stream| stream.socket.is_none() && !stream.is_answered())
    }

    fn sockets(&mut self) -> impl Iterator<Item = &mut Stream<C>> {
        self.streams
            .iter_mut()
            .map(AsMut::as_mut)
            .filter(|stream| stream.socket.is_some())
    }

    /// What the WebSockets wait for: one timer serves all of a connection.
    pub(super) fn sockets_wait_for(&self) -> Option<(Waiting, Duration)> {
        self.streams
            .iter()
            .filter_map(|stream| stream.socket.as_ref())
            .map(|socket| socket.ws.waits_for())
            .filter(|(waiting, _)| *waiting != Waiting::Nothing)
            .map(|(_, after)| (Waiting::Ping, after))
            .min_by_key(|(_, after)| *after)
    }

    /// Ask all peers whether they are there, and leave those that did not answer.
    pub(super) fn tick_sockets(&mut self) -> Vec<&'static str> {
        let mut texts = Vec::new();
        for stream in self.sockets() {
            let mut out = Vec::new();
            if let Some(socket) = &mut stream.socket {
                texts.extend(socket.ws.tick_or_give_up(&mut out));
            }
            stream.send_to_peer(out);
        }
        texts
    }

    /// Ask for the end of all because the server is going away.
    pub(super) fn drain_sockets(&mut self) {
        for stream in self.sockets() {
            let mut out = Vec::new();
            if let Some(socket) = &mut stream.socket {
                socket.ws.close(Some(1012), "the server restarts", &mut out);
            }
            stream.send_to_peer(out);
        }
    }

    /// The mistakes that were made since this was asked last.
    pub(super) fn socket_faults(&mut self) -> Vec<Fault> {
        self.sockets()
            .filter_map(|stream| stream.socket.as_mut()?.fault.take())
            .collect()
    }

    /// The last word to each WebSocket of a connection that ends.
    pub(super) fn end_sockets(&mut self, reason: &str) -> Vec<(Rc<C>, SocketEvent<C>)> {
        self.sockets()
            .filter_map(|stream| stream.socket.take()?.ws.last_event(reason))
            .collect()
    }

    /// Reset a WebSocket's stream.
    pub(crate) fn abort_socket(&mut self, id: u32) {
        if let Some(stream) = self.get(id) {
            stream.reset(Reason::CANCEL);
        }
    }
}

impl<C> Conn<C> {
    pub(crate) fn upgrade_h2<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        id: u32,
        ws: WebSocket<C>,
        fields: &dyn Fields,
    ) -> Result<(), OpError> {
        let date = shared.date.borrow();
        let server = self.server.config.server_header.as_deref();
        let Proto::H2(h2) = &mut self.proto else {
            return Err(OpError::Closed("closed"));
        };
        let stream = h2.stream(id)?;
        stream.become_socket(ws, fields, date.as_bytes(), server)?;
        let callback = stream.on_disconnect.take();
        h2.has_sockets = true;
        if let Some(callback) = callback {
            shared.bury(callback);
        }
        Ok(())
    }

    /// Log the mistakes of WebSockets on this connection.
    pub(super) fn note_socket_faults<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        let Proto::H2(h2) = &mut self.proto else {
            return;
        };
        if !h2.has_sockets {
            return;
        }
        for fault in h2.socket_faults() {
            self.server.count_refused();
            shared.notice(Notice {
                kind: NoticeKind::Refused,
                server: self.server.key,
                peer: self.info.peer_text(),
                text: format!("WebSocket: {fault}: closed with {}", fault.code),
            });
        }
    }
}
