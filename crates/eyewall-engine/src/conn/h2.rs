//! An HTTP/2 connection: the `h2` machine, driven by turns, and its streams.
//!
//! The machine is a future without an executor: it is polled whenever input was fed, room was
//! made, or the host did something to a stream. Flow control is the machine's; what a stream
//! may hold in memory is ours.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use eyewall_proto::h1::Fields;
use eyewall_proto::h2::FrameMeter;
use eyewall_proto::{Error, Framing, HeadBuilder, Limits, RequestHead, Version};
use h2::Reason;
use h2::server::{Builder, Connection, Handshake, SendResponse};

use super::body::{Body, ReadMode};
use super::h2_io::H2Io;
use super::h2_stream::{Stream, response_head};
use super::{Closing, Conn, Proto, RoomWaiter, Step};
use crate::exchange::{OpError, Payload, ReadOutcome};
use crate::host::{Host, Outcome};
use crate::reactor::{ConnId, Mailbox, Shared};
use crate::timer::Waiting;
use crate::ws::SocketEvent;

const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const STREAM_SEND_BUFFER: usize = 64 * 1024;

/// What may wait for the socket before the machine is no longer asked for more.
const OUT_LIMIT: usize = 256 * 1024;

/// Frames are metered over periods of this length.
const METER_PERIOD_MS: u64 = 10_000;

/// Notes that the machine wants to be polled.
struct Woken {
    id: ConnId,
    flag: AtomicBool,
    mailbox: Arc<Mailbox>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.flag.swap(true, Ordering::Relaxed) {
            self.mailbox.wake(self.id);
        }
    }
}

enum Machine {
    Handshake(Handshake<H2Io, Bytes>),
    Open(Connection<H2Io, Bytes>),
    Over,
}

/// State of an HTTP/2 connection.
pub(crate) struct H2<C> {
    machine: Machine,
    io: H2Io,
    woken: Arc<Woken>,
    waker: Waker,
    meter: FrameMeter,
    /// What the first bytes were guilty of already.
    flooded: Option<Error>,
    /// In the order of their numbers, which only grow.
    pub(super) streams: Vec<Box<Stream<C>>>,
    /// Due, and waiting for their step.
    pending_calls: Vec<(C, Outcome)>,
    draining: bool,
    /// There has been a WebSocket.
    pub(super) has_sockets: bool,
    /// The last words of WebSockets whose streams are over.
    ended_sockets: Vec<(Rc<C>, SocketEvent<C>)>,
}

impl<C> H2<C> {
    pub(crate) fn new<H: Host<Callback = C>>(conn: &mut Conn<C>, shared: &Shared<H>) -> Self {
        let limits = &conn.server.config.limits;
        let io = H2Io::default();
        io.0.borrow_mut().feed(&conn.pending);
        let mut meter = FrameMeter::new();
        let flooded = meter.feed(&conn.pending, 0, limits).err();
        conn.pending = Vec::new();
        let header_bytes = u32::try_from(limits.header_bytes).unwrap_or(u32::MAX);
        let mut builder = Builder::new();
        builder
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(header_bytes)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(STREAM_SEND_BUFFER)
            .enable_connect_protocol()
            .max_concurrent_reset_streams(limits.resets)
            .max_pending_accept_reset_streams(limits.resets.min(20));
        let woken = Arc::new(Woken {
            id: conn.id,
            flag: AtomicBool::new(false),
            mailbox: Arc::clone(&shared.mailbox),
        });
        Self {
            machine: Machine::Handshake(builder.handshake(io.clone())),
            io,
            waker: Waker::from(Arc::clone(&woken)),
            woken,
            meter,
            flooded,
            streams: Vec::new(),
            pending_calls: Vec::new(),
            draining: false,
            has_sockets: false,
            ended_sockets: Vec::new(),
        }
    }

    /// Whether the machine has asked to be polled since it was polled last.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.flag.load(Ordering::Relaxed)
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Stream<C>> {
        let index = self
            .streams
            .binary_search_by_key(&id, |stream| stream.id)
            .ok()?;
        self.streams.get_mut(index).map(AsMut::as_mut)
    }

    pub(super) fn peek(&self, id: u32) -> Option<&Stream<C>> {
        let index = self
            .streams
            .binary_search_by_key(&id, |stream| stream.id)
            .ok()?;
        self.streams.get(index).map(AsRef::as_ref)
    }

    pub(super) fn stream(&mut self, id: u32) -> Result<&mut Stream<C>, OpError> {
        self.get(id).ok_or(OpError::Closed("the stream is over"))
    }

    pub(crate) fn has(&self, id: u32) -> bool {
        self.peek(id).is_some_and(|stream| !stream.is_answered())
    }

    pub(crate) fn is_started(&self, id: u32) -> bool {
        self.peek(id).is_none_or(Stream::is_started)
    }

    pub(crate) fn queued(&self, id: u32) -> usize {
        self.peek(id).map_or(0, Stream::queued)
    }

    pub(crate) fn body(&mut self, id: u32) -> Option<&mut Body<C>> {
        self.get(id).map(|stream| &mut stream.body)
    }

    pub(crate) fn wait_for_room(
        &mut self,
        id: u32,
        waiter: RoomWaiter<C>,
    ) -> Option<RoomWaiter<C>> {
        self.get(id)
            .and_then(|stream| stream.on_room.replace(waiter))
    }

    pub(crate) fn set_on_disconnect(&mut self, id: u32, callback: Option<C>) -> Option<C> {
        self.get(id)
            .and_then(|stream| std::mem::replace(&mut stream.on_disconnect, callback))
    }

    pub(crate) fn write(&mut self, id: u32, data: Payload<'_>) -> Result<(), OpError> {
        let waker = self.waker.clone();
        let stream = self.stream(id)?;
        stream.write(data)?;
        stream.pump(&mut Context::from_waker(&waker));
        Ok(())
    }

    pub(crate) fn end_answer(
        &mut self,
        id: u32,
        trailers: Option<&dyn Fields>,
    ) -> Result<(), OpError> {
        let waker = self.waker.clone();
        let stream = self.stream(id)?;
        stream.end(trailers)?;
        stream.pump(&mut Context::from_waker(&waker));
        Ok(())
    }

    pub(crate) fn inform(
        &mut self,
        id: u32,
        status: u16,
        fields: &dyn Fields,
    ) -> Result<bool, OpError> {
        self.stream(id)?.inform(status, fields)
    }

    pub(crate) fn abort(&mut self, id: u32) {
        if let Some(stream) = self.get(id) {
            stream.reset(Reason::INTERNAL_ERROR);
        }
    }

    /// Tell the peer to open no more streams, and close when those under way are done.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
        self.drain_sockets();
        match &mut self.machine {
            Machine::Open(connection) => connection.graceful_shutdown(),
            _ => self.machine = Machine::Over,
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining
    }

    pub(crate) fn read(
        &mut self,
        id: u32,
        mode: ReadMode,
        callback: impl FnOnce() -> C,
    ) -> Result<ReadOutcome, OpError> {
        let waker = self.waker.clone();
        let stream = self.stream(id)?;
        stream.receive(&mut Context::from_waker(&waker));
        stream.read(mode, callback)
    }

    /// What the connection waits for, apart from room to write.
    pub(crate) fn waits_for(&self, limits: &Limits) -> (Waiting, Duration) {
        if let Machine::Handshake(_) = self.machine {
            (Waiting::Head, limits.header_timeout)
        } else if self.streams.is_empty() {
            (Waiting::NextRequest, limits.keep_alive)
        } else if self.streams.iter().any(|stream| stream.awaits_body()) {
            (Waiting::Body, limits.body_grace)
        } else {
            self.sockets_wait_for()
                .unwrap_or((Waiting::Nothing, Duration::ZERO))
        }
    }

    /// Refuse the bodies that come slower than `expected` bytes in the grace.
    pub(crate) fn bodies_timed_out(&mut self, expected: u64) -> Vec<Error> {
        let mut errors = Vec::new();
        for stream in &mut self.streams {
            if stream.awaits_body() && stream.body_is_slow(expected) {
                let error = Error::timeout_body();
                stream.body.fail(error.clone());
                errors.push(error);
            }
        }
        errors
    }

    pub(crate) fn end(&mut self, reason: &'static str) -> (usize, Vec<(C, Outcome)>) {
        let mut calls = Vec::new();
        let mut running = 0;
        for mut stream in std::mem::take(&mut self.streams) {
            running += usize::from(stream.running);
            stream.closed(reason, &mut calls);
        }
        (running, calls)
    }

    /// Poll the machine for what it has to write; new requests stay in it.
    fn drive(&mut self) {
        self.woken.flag.store(false, Ordering::Relaxed);
        let mut cx = Context::from_waker(&self.waker);
        if let Machine::Open(connection) = &mut self.machine
            && connection.poll_closed(&mut cx).is_ready()
        {
            self.machine = Machine::Over;
        }
    }
}

impl<C> Conn<C> {
    pub(crate) fn step_h2<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Step<C> {
        for _ in 0..16 {
            let fed = match self.feed_h2(shared) {
                Ok(fed) => fed,
                Err(step) => return step,
            };
            if let Some(step) = self.accept_h2(shared) {
                return step;
            }
            if let Some(step) = self.serve_streams(shared) {
                return step;
            }
            let Proto::H2(h2) = &mut self.proto else {
                return Step::Idle;
            };
            if let Machine::Over = h2.machine {
                self.closing = Closing::AfterFlush { linger: true };
                return Step::Yield;
            }
            if !fed && !h2.is_woken() {
                h2.io.0.borrow_mut().shrink();
                return Step::Idle;
            }
        }
        Step::Yield
    }

    /// Move input from the socket into the pipe; false when there was none.
    fn feed_h2<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Result<bool, Step<C>> {
        if let Proto::H2(h2) = &mut self.proto
            && let Some(error) = h2.flooded.take()
        {
            self.calm_down(shared, &error);
            return Ok(false);
        }
        let Proto::H2(h2) = &self.proto else {
            return Ok(false);
        };
        let io = h2.io.clone();
        if !io.0.borrow().wants_input()
            || self.out.len() > self.server.config.limits.write_buffer_bytes * 4
        {
            return Ok(false);
        }
        let mut scratch = shared.scratch.borrow_mut();
        match self.read(&mut scratch) {
            Ok(None) => Ok(false),
            Err(_) => Err(Step::Close("the peer reset the connection")),
            Ok(Some(0)) => {
                self.peer_closed = true;
                self.readable = false;
                io.0.borrow_mut().feed_eof();
                Ok(true)
            }
            Ok(Some(count)) => {
                let data = scratch.get(..count).unwrap_or_default();
                io.0.borrow_mut().feed(data);
                let period = shared.timers.borrow().now() / METER_PERIOD_MS;
                let Proto::H2(h2) = &mut self.proto else {
                    return Ok(true);
                };
                if let Err(error) = h2.meter.feed(data, period, &self.server.config.limits) {
                    self.calm_down(shared, &error);
                }
                Ok(true)
            }
        }
    }

    /// End a connection that floods us.
    fn calm_down<H: Host<Callback = C>>(&mut self, shared: &Shared<H>, error: &Error) {
        let Proto::H2(h2) = &mut self.proto else {
            return;
        };
        if let Machine::Open(connection) = &mut h2.machine {
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
        h2.drive();
        h2.machine = Machine::Over;
        self.refused_notice(shared, error);
    }

    /// Poll the machine until it has a request, or nothing more.
    fn accept_h2<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Option<Step<C>> {
        loop {
            let Proto::H2(h2) = &mut self.proto else {
                return None;
            };
            h2.woken.flag.store(false, Ordering::Relaxed);
            let mut cx = Context::from_waker(&h2.waker);
            match &mut h2.machine {
                Machine::Over => return None,
                Machine::Handshake(handshake) => match Pin::new(handshake).poll(&mut cx) {
                    Poll::Pending => return None,
                    Poll::Ready(Ok(connection)) => h2.machine = Machine::Open(connection),
                    Poll::Ready(Err(_)) => h2.machine = Machine::Over,
                },
                Machine::Open(connection) => match connection.poll_accept(&mut cx) {
                    Poll::Pending => return None,
                    Poll::Ready(None | Some(Err(_))) => h2.machine = Machine::Over,
                    Poll::Ready(Some(Ok((request, respond)))) => {
                        if let Some(step) = self.begin_stream(shared, request, respond) {
                            return Some(step);
                        }
                    }
                },
            }
        }
    }

    /// A request's head has come: make it an exchange, or refuse it.
    fn begin_stream<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        request: http::Request<h2::RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<Step<C>> {
        let (parts, recv) = request.into_parts();
        let ended = recv.is_end_stream();
        match request_head(&parts, ended, &self.server.config.limits) {
            Err(error) => {
                self.refused_notice(shared, &error);
                let fields: &[(&str, &str)] = &[];
                let head = response_head(
                    error.status(),
                    &fields,
                    shared.date.borrow().as_bytes(),
                    None,
                );
                if let Ok(head) = head {
                    // A stream that was reset in the meantime needs no answer.
                    drop(respond.send_response(head.response, true));
                }
                None
            }
            Ok(head) => {
                let id = respond.stream_id().as_u32();
                let body = Body::new(self.server.config.limits.body_bytes);
                let stream = Stream::new(id, respond, (!ended).then_some(recv), body, &head);
                let Proto::H2(h2) = &mut self.proto else {
                    return None;
                };
                h2.streams.push(Box::new(stream));
                self.deadline.clear();
                self.server.exchange_begun();
                Some(Step::Request { stream: id, head })
            }
        }
    }

    /// Move every stream's bytes; returns the first callback that is due.
    fn serve_streams<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> Option<Step<C>> {
        self.note_socket_faults(shared);
        let Proto::H2(h2) = &mut self.proto else {
            return None;
        };
        let mut cx = Context::from_waker(&h2.waker);
        let half = self.server.config.limits.write_buffer_bytes / 2;
        let mut index = 0;
        while let Some(stream) = h2.streams.get_mut(index) {
            if stream.socket.is_some() {
                if !stream.notice_reset(&mut cx)
                    && let Some((receiver, event)) = stream.serve_socket::<H>(&mut cx, half * 2)
                {
                    return Some(Step::Socket(receiver, event));
                }
            } else if let Some((callback, outcome)) = stream.serve(&mut cx, half) {
                return Some(Step::Call(callback, outcome));
            }
            if stream.is_over() {
                let mut stream = h2.streams.remove(index);
                if stream.running {
                    self.server.exchange_ended();
                }
                let reason = "the peer reset the stream";
                h2.ended_sockets.extend(
                    stream
                        .socket
                        .take()
                        .and_then(|mut s| s.ws.last_event(reason)),
                );
                let mut calls = Vec::new();
                stream.closed(reason, &mut calls);
                h2.pending_calls.extend(calls);
            } else {
                index += 1;
            }
        }
        if let Some((receiver, event)) = h2.ended_sockets.pop() {
            return Some(Step::Socket(receiver, event));
        }
        h2.pending_calls
            .pop()
            .map(|(callback, outcome)| Step::Call(callback, outcome))
    }

    pub(crate) fn respond_h2<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        id: u32,
        status: u16,
        fields: &dyn Fields,
        body: Payload<'_>,
    ) -> Result<usize, OpError> {
        let date = shared.date.borrow();
        let server = self.server.config.server_header.as_deref();
        let Proto::H2(h2) = &mut self.proto else {
            return Err(OpError::Closed("closed"));
        };
        let stream = h2.stream(id)?;
        let sent = stream.respond(status, fields, body, date.as_bytes(), server)?;
        stream.running = false;
        self.server.exchange_ended();
        if let Some(callback) = stream.on_disconnect.take() {
            shared.bury(callback);
        }
        Ok(sent)
    }

    pub(crate) fn start_h2<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        id: u32,
        status: u16,
        fields: &dyn Fields,
        end: bool,
    ) -> Result<(), OpError> {
        let date = shared.date.borrow();
        let server = self.server.config.server_header.as_deref();
        let Proto::H2(h2) = &mut self.proto else {
            return Err(OpError::Closed("closed"));
        };
        let stream = h2.stream(id)?;
        stream.start(status, fields, end, date.as_bytes(), server)?;
        if end {
            stream.running = false;
            self.server.exchange_ended();
        }
        Ok(())
    }

    /// Let the machine write, and take what it wrote; true when it has more.
    pub(crate) fn produce_h2<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) -> bool {
        let Proto::H2(h2) = &mut self.proto else {
            return false;
        };
        if self.out.len() > OUT_LIMIT {
            return false;
        }
        h2.drive();
        let mut pipe = h2.io.0.borrow_mut();
        if !pipe.output.is_empty() {
            self.out.append(&mut pipe.output, &shared.pool);
        }
        std::mem::take(&mut pipe.blocked)
    }
}

/// The parts of a request as a head of ours.
fn request_head(
    parts: &http::request::Parts,
    ended: bool,
    limits: &Limits,
) -> Result<RequestHead, Error> {
    if parts.headers.len() > limits.header_count {
        return Err(Error::too_many_fields());
    }
    let target = parts
        .uri
        .path_and_query()
        .map_or("", http::uri::PathAndQuery::as_str);
    if target.len() > limits.request_line_bytes {
        return Err(Error::target_too_long());
    }
    let mut builder = HeadBuilder::new(parts.method.as_str(), target, Version::Http2);
    // RFC 8441, section 4: what HTTP/1.1 says with `Upgrade`, this says with `:protocol`.
    let protocol = parts.extensions.get::<h2::ext::Protocol>();
    if let Some(protocol) = protocol {
        builder.field(b"upgrade", protocol.as_str().as_bytes());
    }
    if let Some(authority) = parts.uri.authority()
        && !parts.headers.contains_key(http::header::HOST)
    {
        builder.field(b"host", authority.as_str().as_bytes());
    }
    for (name, value) in &parts.headers {
        builder.field(name.as_str().as_bytes(), value.as_bytes());
    }
    let length = parts
        .headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    let framing = match length {
        _ if ended || protocol.is_some() => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::Chunked,
    };
    if protocol.is_some() {
        return builder.build_extended_connect();
    }
    builder.build(framing)
}
