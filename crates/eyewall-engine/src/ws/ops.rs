//! What a host does with a WebSocket.

use std::rc::Rc;

use eyewall_proto::h1::Fields;
use eyewall_proto::ws::Kind;

use super::{SocketConfig, WebSocket};
use crate::conn::{Conn, Proto};
use crate::exchange::{ExchangeId, OpError, Payload};
use crate::host::Host;
use crate::reactor::{Reactor, Shared, find};

const GONE: &str = "the WebSocket is closed";

impl<H: Host> Reactor<H> {
    /// Make a WebSocket of an exchange; its events go to `receiver` from now on.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond); [`OpError::State`] where the client asked for no upgrade.
    pub fn upgrade_websocket(
        &self,
        id: ExchangeId,
        fields: &dyn Fields,
        config: Rc<SocketConfig>,
        receiver: impl FnOnce() -> H::Callback,
    ) -> Result<(), OpError> {
        self.with(id, |conn, shared| {
            let Proto::H1(h1) = &mut conn.proto else {
                return Err(OpError::State("only an HTTP/1.1 request can be upgraded"));
            };
            h1.codec.upgrade(conn.out.tail(&shared.pool), fields)?;
            if let Some(callback) = h1.on_disconnect.take() {
                shared.bury(callback);
            }
            conn.proto = Proto::Ws(Box::new(WebSocket::new(id.stream, config, receiver())));
            conn.deadline.clear();
            Ok(())
        })?;
        self.touched(id.conn, true);
        Ok(())
    }

    /// Run `f` on the WebSocket; it is sent what `f` appends.
    fn with_ws<R>(
        &self,
        id: ExchangeId,
        f: impl FnOnce(&mut Conn<H::Callback>, &Shared<H>) -> Result<R, OpError>,
    ) -> Result<R, OpError> {
        let Ok(mut conns) = self.conns.try_borrow_mut() else {
            return Err(OpError::Busy);
        };
        let conn = find(&mut conns, id.conn).ok_or(OpError::Closed(GONE))?;
        match &conn.proto {
            Proto::Ws(ws) if ws.stream == id.stream => f(conn, &self.shared),
            _ => Err(OpError::Closed(GONE)),
        }
    }

    /// Send a message at the end of the turn; false when too much waits.
    ///
    /// # Errors
    ///
    /// [`OpError::Closed`] when the end has begun, or when the peer took so little that its
    /// connection was cut.
    pub fn ws_send(&self, id: ExchangeId, kind: Kind, data: Payload<'_>) -> Result<bool, OpError> {
        // What was sent to many before goes before.
        self.distribute(false);
        let room = self.with_ws(id, |conn, shared| {
            let limit = conn.server.config.limits.write_buffer_bytes;
            let Proto::Ws(ws) = &mut conn.proto else {
                return Err(OpError::Closed(GONE));
            };
            if !ws.is_open() {
                return Err(OpError::Closed(GONE));
            }
            if conn.out.len() > ws.max_queue() {
                return Ok(None);
            }
            match data {
                Payload::Borrowed(data) => ws.send(conn.out.tail(&shared.pool), kind, data),
                Payload::Owned(data) => {
                    if ws.send_head(conn.out.tail(&shared.pool), kind, data.len()) {
                        conn.out.push(data);
                    } else {
                        ws.send(conn.out.tail(&shared.pool), kind, &data);
                    }
                }
            }
            let room = conn.out.len() <= limit;
            if !room {
                ws.ask_for_room();
            }
            Ok(Some(room))
        })?;
        let Some(room) = room else {
            self.cut_slow(id);
            return Err(OpError::Closed(
                "the peer takes nothing, so the WebSocket was cut",
            ));
        };
        if !room && !self.is_in_turn() {
            // A full buffer need not wait for the others.
            self.flush_only(id.conn);
        }
        self.touch_later(id.conn);
        Ok(room)
    }

    /// Too much waits for a peer that does not read.
    pub(super) fn cut_slow(&self, id: ExchangeId) {
        let notice = self.with_ws(id, |conn, _| {
            Ok(crate::host::Notice {
                kind: crate::host::NoticeKind::Aborted,
                server: conn.server.key,
                peer: conn.info.peer_text(),
                text: "WebSocket: the peer takes nothing of what is sent: cut".to_owned(),
            })
        });
        if let Ok(notice) = notice {
            self.shared.notice(notice);
        }
        self.close_conn(id.conn, "the peer takes nothing of what is sent");
    }

    /// Ask whether the peer is there; at most 125 bytes are sent.
    ///
    /// # Errors
    ///
    /// [`OpError::Closed`] when the end has begun.
    pub fn ws_ping(&self, id: ExchangeId, data: &[u8]) -> Result<(), OpError> {
        self.with_ws(id, |conn, shared| match &mut conn.proto {
            Proto::Ws(ws) if ws.is_open() => {
                ws.ping(conn.out.tail(&shared.pool), data);
                Ok(())
            }
            _ => Err(OpError::Closed(GONE)),
        })?;
        self.touch_later(id.conn);
        Ok(())
    }

    /// Begin the closing handshake; nothing happens where it has begun.
    pub fn ws_close(&self, id: ExchangeId, code: Option<u16>, reason: &str) {
        self.distribute(false);
        let begun = self.with_ws(id, |conn, shared| {
            let Proto::Ws(ws) = &mut conn.proto else {
                return Ok(false);
            };
            Ok(ws.close(code, reason, conn.out.tail(&shared.pool)))
        });
        if let Ok(true) = begun {
            self.touch_later(id.conn);
        }
    }

    /// Take no more messages from the peer, or go on.
    pub fn ws_pause(&self, id: ExchangeId, paused: bool) {
        let changed = self.with_ws(id, |conn, _| {
            if let Proto::Ws(ws) = &mut conn.proto {
                ws.set_paused(paused);
            }
            Ok(())
        });
        if changed.is_ok() && !paused {
            self.touch_later(id.conn);
        }
    }

    /// Bytes that wait to be sent; `None` when the WebSocket is over.
    pub fn ws_queued(&self, id: ExchangeId) -> Option<usize> {
        self.with_ws(id, |conn, _| Ok(conn.out.len())).ok()
    }

    /// Whether messages can be sent.
    pub fn ws_is_open(&self, id: ExchangeId) -> bool {
        self.with_ws(id, |conn, _| {
            Ok(matches!(&conn.proto, Proto::Ws(ws) if ws.is_open()))
        })
        .unwrap_or(false)
    }

    /// Cut the connection below, or reset the stream.
    pub fn ws_abort(&self, id: ExchangeId) {
        if self.with_ws(id, |_, _| Ok(())).is_ok() {
            self.close_conn(id.conn, "the connection was aborted");
        }
    }

    /// Send small pieces at once instead of together, or the other way round.
    pub fn ws_set_nodelay(&self, id: ExchangeId, nodelay: bool) {
        // A Unix socket has no such option, and needs none.
        let _ = self.with_ws(id, |conn, _| {
            let socket = conn.transport.socket().fd();
            let _ = rustix::net::sockopt::set_tcp_nodelay(socket, nodelay);
            Ok(())
        });
    }
}
