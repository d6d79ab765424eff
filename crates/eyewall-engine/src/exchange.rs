//! What a host does with an exchange: read the body, send the answer.
//!
//! An exchange is named by its connection and a number on it. A name outlives what it names: an
//! operation on an exchange that is over fails, or does nothing, as each one says.

use std::fmt;

use bytes::Bytes;
use eyewall_proto::Error;
use eyewall_proto::h1::{BodySize, EncodeError, Fields};

use crate::config::LocalAddr;
use crate::conn::body::{Body, ReadMode, TrailerList};
use crate::conn::out::LARGE;
use crate::conn::{Conn, Proto, RoomWaiter};
use crate::host::Host;
use crate::reactor::{ConnId, Reactor, Shared, find};

/// Names one exchange of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeId {
    pub(crate) conn: ConnId,
    pub(crate) stream: u32,
}

/// Why an operation on an exchange was not done.
#[derive(Debug)]
pub enum OpError {
    /// The caller's mistake: what was passed cannot be sent.
    Invalid(EncodeError),
    /// The caller's mistake: not now.
    State(&'static str),
    /// The peer has gone, or the exchange is over.
    Closed(&'static str),
    /// The engine is in the middle of something on this connection.
    Busy,
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::State(text) | Self::Closed(text) => f.write_str(text),
            Self::Busy => {
                f.write_str("the engine is busy with this connection; call it from the loop")
            }
        }
    }
}

impl std::error::Error for OpError {}

impl From<EncodeError> for OpError {
    fn from(error: EncodeError) -> Self {
        Self::Invalid(error)
    }
}

/// What reading came to at once.
#[derive(Debug)]
pub enum ReadOutcome {
    /// The body or a piece of it.
    Ready(Bytes),
    /// The callback will be told.
    Waiting,
    /// The body cannot be had.
    Refused(Error),
}

/// The body of an answer.
#[derive(Debug)]
pub enum Payload<'a> {
    /// Copied into the connection's buffer.
    Borrowed(&'a [u8]),
    /// Sent from where it lies.
    Owned(Bytes),
}

impl Payload<'_> {
    /// Bodies of at least this many bytes are better sent from where they lie.
    pub const LARGE: usize = LARGE;

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Borrowed(data) => data.len(),
            Self::Owned(data) => data.len(),
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Borrowed(data) => Bytes::copy_from_slice(data),
            Self::Owned(data) => data,
        }
    }
}

pub(crate) const GONE: &str = "the peer closed the connection, or the exchange is over";

impl<H: Host> Reactor<H> {
    /// Run `f` on the connection while the exchange is current.
    pub(crate) fn with<R>(
        &self,
        id: ExchangeId,
        f: impl FnOnce(&mut Conn<H::Callback>, &Shared<H>) -> Result<R, OpError>,
    ) -> Result<R, OpError> {
        let Ok(mut conns) = self.conns.try_borrow_mut() else {
            return Err(OpError::Busy);
        };
        let conn = find(&mut conns, id.conn).ok_or(OpError::Closed(GONE))?;
        let current = match &conn.proto {
            Proto::Start(_) | Proto::Ws(_) => false,
            Proto::H1(h1) => h1.stream == id.stream && h1.is_active(),
            Proto::H2(h2) => h2.has(id.stream),
        };
        if !current {
            return Err(OpError::Closed(GONE));
        }
        f(conn, &self.shared)
    }

    /// Send a whole answer; returns how many body bytes go out.
    ///
    /// # Errors
    ///
    /// [`OpError::Invalid`] and [`OpError::State`]; nothing was sent then.
    pub fn respond(
        &self,
        id: ExchangeId,
        status: u16,
        reason: Option<&[u8]>,
        fields: &dyn Fields,
        body: Payload<'_>,
    ) -> Result<usize, OpError> {
        let (sent, more) = self.with(id, |conn, shared| {
            if let Proto::H2(_) = conn.proto {
                return conn
                    .respond_h2(shared, id.stream, status, fields, body)
                    .map(|sent| (sent, true));
            }
            let sent = conn.respond_h1(shared, status, reason, fields, body)?;
            Ok((sent, conn.has_more_to_do()))
        })?;
        self.touched(id.conn, more);
        Ok(sent)
    }

    /// Send the head of a streamed answer.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn start(
        &self,
        id: ExchangeId,
        status: u16,
        reason: Option<&[u8]>,
        fields: &dyn Fields,
        end: bool,
    ) -> Result<(), OpError> {
        self.with(id, |conn, shared| {
            if let Proto::H2(_) = conn.proto {
                return conn.start_h2(shared, id.stream, status, fields, end);
            }
            conn.begin_h1(
                shared,
                status,
                reason,
                fields,
                if end {
                    BodySize::Known(0)
                } else {
                    BodySize::Stream
                },
            )?;
            if end {
                conn.end_h1(shared, None)?;
            }
            Ok(())
        })?;
        self.touch_later(id.conn);
        Ok(())
    }

    /// Send a piece of a streamed answer; false when too much waits.
    ///
    /// # Errors
    ///
    /// [`OpError::State`] before the start or after the end, [`OpError::Invalid`] beyond the
    /// announced length, [`OpError::Closed`] when the peer has gone.
    pub fn write(&self, id: ExchangeId, data: Payload<'_>) -> Result<bool, OpError> {
        // What was sent to many before goes before.
        self.distribute(false);
        let written = self.with(id, |conn, shared| match &mut conn.proto {
            Proto::H2(h2) => h2.write(id.stream, data),
            Proto::H1(h1) => {
                if data.len() == 0 {
                    return if h1.codec.response_started() {
                        Ok(())
                    } else {
                        Err(EncodeError::NotStarted.into())
                    };
                }
                let tail = conn.out.tail(&shared.pool);
                match data {
                    Payload::Borrowed(data) => h1.codec.data(tail, data)?,
                    Payload::Owned(data) => {
                        if h1.codec.data_head(tail, data.len())? {
                            conn.out.push(data);
                            h1.codec.data_tail(conn.out.tail(&shared.pool));
                        }
                    }
                }
                Ok(())
            }
            Proto::Start(_) | Proto::Ws(_) => Err(OpError::Closed(GONE)),
        });
        self.abort_if_fatal(id, written)?;
        self.touched(id.conn, false);
        if self.with(id, |conn, _| Ok(conn.has_room(id.stream)))? {
            return Ok(true);
        }
        // Within a turn small pieces go out together at its end; a full buffer need not wait.
        self.flush_only(id.conn);
        self.with(id, |conn, _| Ok(conn.has_room(id.stream)))
    }

    /// End a streamed answer.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); [`OpError::Invalid`] when less than announced was written.
    pub fn end(&self, id: ExchangeId, trailers: Option<&dyn Fields>) -> Result<(), OpError> {
        // What was sent to many before goes before.
        self.distribute(false);
        let ended = self.with(id, |conn, shared| {
            if let Proto::H2(h2) = &mut conn.proto {
                h2.end_answer(id.stream, trailers)?;
                return Ok(true);
            }
            conn.end_h1(shared, trailers)?;
            Ok(conn.has_more_to_do())
        });
        let more = self.abort_if_fatal(id, ended)?;
        self.touched(id.conn, more);
        Ok(())
    }

    /// An answer whose length cannot come right must not look complete.
    fn abort_if_fatal<R>(&self, id: ExchangeId, done: Result<R, OpError>) -> Result<R, OpError> {
        if let Err(OpError::Invalid(error)) = &done
            && error.is_fatal()
        {
            self.abort(id);
        }
        done
    }

    /// Send an informational answer; false where the client cannot take one.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn inform(
        &self,
        id: ExchangeId,
        status: u16,
        fields: &dyn Fields,
    ) -> Result<bool, OpError> {
        let sent = self.with(id, |conn, shared| match &mut conn.proto {
            Proto::H2(h2) => h2.inform(id.stream, status, fields),
            Proto::H1(h1) => Ok(h1
                .codec
                .inform(conn.out.tail(&shared.pool), status, fields)?),
            Proto::Start(_) | Proto::Ws(_) => Err(OpError::Closed(GONE)),
        })?;
        self.touched(id.conn, false);
        Ok(sent)
    }

    /// Answer 101 and carry raw bytes from here on.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond); [`OpError::State`] where the client asked for no upgrade.
    pub fn upgrade(&self, id: ExchangeId, fields: &dyn Fields) -> Result<(), OpError> {
        self.with(id, |conn, shared| match &mut conn.proto {
            Proto::H1(h1) => {
                h1.codec.upgrade(conn.out.tail(&shared.pool), fields)?;
                h1.upgraded = true;
                h1.body = Some(Box::new(Body::new(u64::MAX)));
                Ok(())
            }
            _ => Err(OpError::State("only an HTTP/1.1 request can be upgraded")),
        })?;
        self.touched(id.conn, true);
        Ok(())
    }

    /// Answer nothing, and carry raw bytes from here on.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond); [`OpError::State`] for HTTP/2.
    pub fn detach(&self, id: ExchangeId) -> Result<(), OpError> {
        self.with(id, |conn, _| match &mut conn.proto {
            Proto::H1(h1) => {
                h1.codec.detach()?;
                h1.upgraded = true;
                h1.body = Some(Box::new(Body::new(u64::MAX)));
                Ok(())
            }
            _ => Err(OpError::State("only an HTTP/1.1 request can be detached")),
        })?;
        self.touched(id.conn, true);
        Ok(())
    }

    /// Read the body, whole or a piece of it.
    ///
    /// # Errors
    ///
    /// [`OpError::Closed`] when the peer has gone, [`OpError::State`] while another read waits.
    pub fn read(
        &self,
        id: ExchangeId,
        whole: bool,
        callback: impl FnOnce() -> H::Callback,
    ) -> Result<ReadOutcome, OpError> {
        let mode = if whole {
            ReadMode::All
        } else {
            ReadMode::Piece
        };
        let outcome = self.with(id, |conn, shared| {
            if let Proto::H2(h2) = &mut conn.proto {
                return h2.read(id.stream, mode, callback);
            }
            conn.read_h1(shared, mode, callback)
        })?;
        if let ReadOutcome::Waiting = outcome {
            self.touched(id.conn, true);
        } else {
            // Room was made for more of the body.
            self.touch_reader(id.conn);
        }
        Ok(outcome)
    }

    fn touch_reader(&self, id: ConnId) {
        let wants_more = self
            .conns
            .try_borrow_mut()
            .ok()
            .and_then(|mut conns| find(&mut conns, id).map(|conn| conn.body_wants_more()))
            .unwrap_or(false);
        if wants_more {
            self.touched(id, true);
        }
    }

    /// Replace the limit of this request's body.
    ///
    /// # Errors
    ///
    /// [`OpError::Closed`].
    pub fn set_body_limit(&self, id: ExchangeId, limit: u64) -> Result<(), OpError> {
        self.with(id, |conn, _| {
            let body = match &mut conn.proto {
                Proto::H1(h1) => h1.body.as_deref_mut(),
                Proto::H2(h2) => h2.body(id.stream),
                Proto::Start(_) | Proto::Ws(_) => None,
            };
            if let Some(body) = body {
                body.limit = limit;
            }
            Ok(())
        })
    }

    /// Trailer fields, once the body has ended.
    pub fn trailers(&self, id: ExchangeId) -> TrailerList {
        self.with(id, |conn, _| {
            Ok(match &mut conn.proto {
                Proto::H1(h1) => h1.body.as_ref().map(|body| body.trailers.clone()),
                Proto::H2(h2) => h2.body(id.stream).map(|body| body.trailers.clone()),
                Proto::Start(_) | Proto::Ws(_) => None,
            }
            .unwrap_or_default())
        })
        .unwrap_or_default()
    }

    /// Call back when there is room to write, or when all has gone; false when that is now.
    ///
    /// # Errors
    ///
    /// [`OpError::Closed`], [`OpError::State`] while another callback waits.
    pub fn when_room(
        &self,
        id: ExchangeId,
        flushed: bool,
        callback: impl FnOnce() -> H::Callback,
    ) -> Result<bool, OpError> {
        // What was held back to be sent together goes first.
        self.touched(id.conn, false);
        self.with(id, |conn, _| {
            let room = if flushed {
                conn.is_flushed(id.stream)
            } else {
                conn.has_room(id.stream)
            };
            if room {
                return Ok(true);
            }
            let waiter = RoomWaiter {
                callback: callback(),
                flushed,
            };
            let before = match &mut conn.proto {
                Proto::H1(h1) => h1.on_room.replace(waiter),
                Proto::H2(h2) => h2.wait_for_room(id.stream, waiter),
                Proto::Start(_) | Proto::Ws(_) => None,
            };
            if before.is_some() {
                return Err(OpError::State("another callback waits for room already"));
            }
            Ok(false)
        })
    }

    /// Call back once if the peer goes before the answer is complete.
    ///
    /// # Errors
    ///
    /// [`OpError::Closed`] when it has gone already.
    pub fn on_disconnect(
        &self,
        id: ExchangeId,
        callback: Option<H::Callback>,
    ) -> Result<(), OpError> {
        let gone = self.with(id, |conn, shared| {
            let gone = conn.peer_closed;
            let before = match &mut conn.proto {
                Proto::H1(h1) => std::mem::replace(&mut h1.on_disconnect, callback),
                Proto::H2(h2) => h2.set_on_disconnect(id.stream, callback),
                Proto::Start(_) | Proto::Ws(_) => None,
            };
            if let Some(before) = before {
                shared.bury(before);
            }
            Ok(gone)
        })?;
        if gone {
            self.touched(id.conn, true);
        }
        Ok(())
    }

    /// Cut the connection, or reset the stream.
    pub fn abort(&self, id: ExchangeId) {
        let reset = self.with(id, |conn, _| {
            if let Proto::H2(h2) = &mut conn.proto {
                h2.abort(id.stream);
                return Ok(true);
            }
            Ok(false)
        });
        match reset {
            Ok(true) => self.touched(id.conn, true),
            Ok(false) => self.close_conn(id.conn, "the connection was aborted"),
            Err(_) => {}
        }
    }

    /// Whether the answer can still reach somebody.
    pub fn is_connected(&self, id: ExchangeId) -> bool {
        self.with(id, |conn, _| Ok(!conn.peer_closed))
            .unwrap_or(false)
    }

    /// Whether a final answer has been started.
    pub fn is_responded(&self, id: ExchangeId) -> bool {
        self.with(id, |conn, _| {
            Ok(match &conn.proto {
                Proto::H1(h1) => h1.codec.response_started(),
                Proto::H2(h2) => h2.is_started(id.stream),
                Proto::Start(_) | Proto::Ws(_) => false,
            })
        })
        .unwrap_or(true)
    }

    /// The address that the exchange's connection came in on.
    pub fn local(&self, id: ExchangeId) -> Option<LocalAddr> {
        self.with(id, |conn, _| {
            let socket = conn.info.local.get_or_init(|| conn.local_address());
            Ok(socket.clone())
        })
        .ok()
    }

    /// The host has dropped the exchange: an unanswered one is answered 500, a half answered
    /// one is cut.
    pub fn dropped(&self, id: ExchangeId) {
        match self.with(id, |conn, _| {
            Ok(match &conn.proto {
                Proto::H1(h1) => h1.codec.response_started(),
                Proto::H2(h2) => h2.is_started(id.stream),
                Proto::Start(_) | Proto::Ws(_) => true,
            })
        }) {
            Ok(false) => {
                let fields: &[(&str, &str)] = &[("Content-Type", "text/plain; charset=utf-8")];
                // The only errors are of the state, and that was looked at.
                drop(self.respond(
                    id,
                    500,
                    None,
                    &fields,
                    Payload::Borrowed(b"500 Internal Server Error\n"),
                ));
            }
            Ok(true) => self.abort(id),
            Err(OpError::Busy) => self.shared.mailbox.post(id),
            Err(_) => {}
        }
    }
}
