//! What a host does with a WebSocket.

use std::rc::Rc;

use bytes::Bytes;
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
            if let Proto::H2(_) = conn.proto {
                let ws = WebSocket::new(id.stream, config, receiver());
                return conn.upgrade_h2(shared, id.stream, ws, fields);
            }
            let Proto::H1(h1) = &mut conn.proto else {
                return Err(OpError::Closed(GONE));
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

    /// Run `f` on the connection while there is this WebSocket on it.
    fn with_ws<R>(
        &self,
        id: ExchangeId,
        f: impl FnOnce(&mut Conn<H::Callback>, &Shared<H>) -> Result<R, OpError>,
    ) -> Result<R, OpError> {
        let Ok(mut conns) = self.conns.try_borrow_mut() else {
            return Err(OpError::Busy);
        };
        let conn = find(&mut conns, id.conn).ok_or(OpError::Closed(GONE))?;
        let current = match &mut conn.proto {
            Proto::Ws(ws) => ws.stream == id.stream,
            Proto::H2(h2) => h2.socket(id.stream).is_some(),
            _ => false,
        };
        if current {
            f(conn, &self.shared)
        } else {
            Err(OpError::Closed(GONE))
        }
    }

    /// Run `f` on the WebSocket, and send what it appends.
    fn write_ws<R>(
        &self,
        id: ExchangeId,
        f: impl FnOnce(&mut WebSocket<H::Callback>, &mut Vec<u8>) -> Result<R, OpError>,
    ) -> Result<R, OpError> {
        self.with_ws(id, |conn, shared| match &mut conn.proto {
            Proto::Ws(ws) => f(ws, conn.out.tail(&shared.pool)),
            Proto::H2(h2) => {
                let Some(ws) = h2.socket(id.stream) else {
                    return Err(OpError::Closed(GONE));
                };
                let mut out = Vec::new();
                let result = f(ws, &mut out)?;
                if !out.is_empty() {
                    h2.write(id.stream, Payload::Owned(out.into()))?;
                }
                Ok(result)
            }
            _ => Err(OpError::Closed(GONE)),
        })
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
        let (limit, queued) = self.with_ws(id, |conn, _| {
            Ok((
                conn.server.config.limits.write_buffer_bytes,
                conn.queued(id),
            ))
        })?;
        let length = data.len();
        let room = match data {
            Payload::Owned(data) if self.send_large(id, kind, &data)? => true,
            data => self.write_ws(id, |ws, out| {
                if !ws.is_open() {
                    return Err(OpError::Closed(GONE));
                }
                if queued > ws.max_queue() {
                    return Ok(false);
                }
                match data {
                    Payload::Borrowed(data) => ws.send(out, kind, data),
                    Payload::Owned(data) => ws.send(out, kind, &data),
                }
                Ok(true)
            })?,
        };
        let room = if room {
            let is_full = queued + length > limit;
            if is_full {
                self.write_ws(id, |ws, _| {
                    ws.ask_for_room();
                    Ok(())
                })?;
            }
            Some(!is_full)
        } else {
            None
        };
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

    /// Send a message from where it lies; false where it has to be copied.
    fn send_large(&self, id: ExchangeId, kind: Kind, data: &Bytes) -> Result<bool, OpError> {
        self.with_ws(id, |conn, shared| {
            let queued = conn.out.len();
            let Proto::Ws(ws) = &mut conn.proto else {
                return Ok(false);
            };
            if !ws.is_open()
                || queued > ws.max_queue()
                || !ws.send_head(conn.out.tail(&shared.pool), kind, data.len())
            {
                return Ok(false);
            }
            conn.out.push(data.clone());
            Ok(true)
        })
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
        self.end_ws(id, "the peer takes nothing of what is sent");
    }

    /// Ask whether the peer is there; at most 125 bytes are sent.
    ///
    /// # Errors
    ///
    /// [`OpError::Closed`] when the end has begun.
    pub fn ws_ping(&self, id: ExchangeId, data: &[u8]) -> Result<(), OpError> {
        self.write_ws(id, |ws, out| {
            if !ws.is_open() {
                return Err(OpError::Closed(GONE));
            }
            ws.ping(out, data);
            Ok(())
        })?;
        self.touch_later(id.conn);
        Ok(())
    }

    /// Begin the closing handshake; nothing happens where it has begun.
    pub fn ws_close(&self, id: ExchangeId, code: Option<u16>, reason: &str) {
        self.distribute(false);
        let begun = self.write_ws(id, |ws, out| Ok(ws.close(code, reason, out)));
        if let Ok(true) = begun {
            self.touch_later(id.conn);
        }
    }

    /// Drop the messages that wait and those that come; only the end is told.
    pub fn ws_deafen(&self, id: ExchangeId) {
        let deafened = self.write_ws(id, |ws, _| {
            ws.deafen();
            Ok(())
        });
        if deafened.is_ok() {
            self.touch_later(id.conn);
        }
    }

    /// Take no more messages from the peer, or go on.
    pub fn ws_pause(&self, id: ExchangeId, paused: bool) {
        let changed = self.write_ws(id, |ws, _| {
            ws.set_paused(paused);
            Ok(())
        });
        if changed.is_ok() && !paused {
            self.touch_later(id.conn);
        }
    }

    /// Bytes that wait to be sent; `None` when the WebSocket is over.
    pub fn ws_queued(&self, id: ExchangeId) -> Option<usize> {
        self.with_ws(id, |conn, _| Ok(conn.queued(id))).ok()
    }

    /// Whether messages can be sent.
    pub fn ws_is_open(&self, id: ExchangeId) -> bool {
        self.write_ws(id, |ws, _| Ok(ws.is_open())).unwrap_or(false)
    }

    /// Cut the connection below, or reset the stream.
    pub fn ws_abort(&self, id: ExchangeId) {
        self.end_ws(id, "the connection was aborted");
    }

    /// Cut the connection of a WebSocket, or reset its stream; false where there is none.
    pub(crate) fn end_ws(&self, id: ExchangeId, reason: &'static str) -> bool {
        let stream = self.with_ws(id, |conn, _| {
            if let Proto::H2(h2) = &mut conn.proto {
                h2.abort_socket(id.stream);
                return Ok(true);
            }
            Ok(false)
        });
        match stream {
            Ok(true) => self.touch_later(id.conn),
            Ok(false) => self.close_conn(id.conn, reason),
            Err(_) => return false,
        }
        true
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
