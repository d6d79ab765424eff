//! HTTP/2 towards a server (RFC 9113): the `h2` machine, driven by turns.
//!
//! The machine is a future without an executor. It is polled when input was fed, when room was
//! made, and when a request was started; streams are polled when the machine wakes them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use h2::client::{Connection, SendRequest};

use super::call::{Call, Due};
use super::conn::Phase;
use super::h2_stream::Stream;
use super::{ClientConfig, ClientConn, Failure, FailureKind};
use crate::conn::h2_io::H2Io;
use crate::host::Host;
use crate::reactor::{ConnId, Mailbox, Shared};
use crate::timer::Millis;

const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// What may wait for the socket before the machine is no longer asked for more.
const OUT_LIMIT: usize = 256 * 1024;

/// Requests that one connection carries at once, even if the server would take more.
const STREAMS: usize = 100;

/// Polls of woken streams before the connection is read again.
const ROUNDS: usize = 8;

/// Notes who wants to be polled: a stream, or the machine itself as 0.
pub(super) struct Woken {
    conn: ConnId,
    stream: u32,
    list: Arc<Mutex<Vec<u32>>>,
    mailbox: Arc<Mailbox>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Ok(mut list) = self.list.lock()
            && !list.contains(&self.stream)
        {
            list.push(self.stream);
        }
        self.mailbox.wake(self.conn);
    }
}

struct Machine {
    connection: Connection<H2Io, Bytes>,
    sender: SendRequest<Bytes>,
    waker: Waker,
    mailbox: Arc<Mailbox>,
}

/// State of an HTTP/2 connection to a server.
pub(super) struct H2<C> {
    machine: Option<Machine>,
    io: H2Io,
    list: Arc<Mutex<Vec<u32>>>,
    streams: Vec<Box<Stream<C>>>,
    next: u32,
    /// The server takes no more requests.
    going: bool,
}

impl<C> H2<C> {
    pub(super) fn unstarted() -> Self {
        Self {
            machine: None,
            io: H2Io::default(),
            list: Arc::default(),
            streams: Vec::new(),
            next: 1,
            going: false,
        }
    }

    pub(super) fn new<H: Host<Callback = C>>(
        conn: ConnId,
        config: &ClientConfig,
        shared: &Shared<H>,
    ) -> Self {
        let mut h2 = Self::unstarted();
        h2.start(conn, config, shared);
        h2
    }

    /// Say the preface (RFC 9113, section 3.4).
    fn start<H: Host<Callback = C>>(
        &mut self,
        conn: ConnId,
        config: &ClientConfig,
        shared: &Shared<H>,
    ) {
        if self.machine.is_some() || self.going {
            return;
        }
        let header_bytes = u32::try_from(config.limits.header_bytes).unwrap_or(u32::MAX);
        let mut handshake = std::pin::pin!(
            h2::client::Builder::new()
                .enable_push(false)
                .max_header_list_size(header_bytes)
                .initial_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_concurrent_reset_streams(STREAMS)
                .handshake::<_, Bytes>(self.io.clone())
        );
        let waker = self.waker(conn, 0, &shared.mailbox);
        match handshake.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(Ok((sender, connection))) => {
                self.machine = Some(Machine {
                    connection,
                    sender,
                    waker,
                    mailbox: Arc::clone(&shared.mailbox),
                });
            }
            // The preface goes into a buffer that has room, so neither happens.
            Poll::Ready(Err(_)) | Poll::Pending => self.going = true,
        }
    }

    fn waker(&self, conn: ConnId, stream: u32, mailbox: &Arc<Mailbox>) -> Waker {
        Waker::from(Arc::new(Woken {
            conn,
            stream,
            list: Arc::clone(&self.list),
            mailbox: Arc::clone(mailbox),
        }))
    }

    pub(super) fn room(&self) -> usize {
        if self.going {
            return 0;
        }
        let allowed = self.machine.as_ref().map_or(STREAMS, |machine| {
            machine.sender.current_max_send_streams().min(STREAMS)
        });
        allowed.saturating_sub(self.streams.len())
    }

    pub(super) fn active(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn each_call(&mut self, f: &mut dyn FnMut(&mut Call<C>)) {
        for stream in &mut self.streams {
            f(&mut stream.call);
        }
    }

    /// What the machine wrote has gone, so it may write again.
    pub(super) fn unblock(&mut self) {
        self.io.0.borrow_mut().blocked = false;
    }

    pub(super) fn get(&mut self, number: u32) -> Option<&mut Stream<C>> {
        self.streams
            .iter_mut()
            .find(|stream| stream.call.stream == number)
            .map(AsMut::as_mut)
    }

    pub(super) fn fail(&mut self, failure: &Failure, due: &mut Due<C>) {
        self.going = true;
        for stream in &mut self.streams {
            stream.call.finish(Err(failure.clone()), due);
        }
        self.sweep();
    }

    /// Forget the streams that were handed over whole.
    pub(super) fn sweep(&mut self) {
        self.streams.retain(|stream| !stream.call.is_over());
    }

    /// Ask for a stream.
    pub(super) fn open(
        &mut self,
        conn: ConnId,
        request: http::Request<()>,
        end: bool,
        callbacks: (C, Option<C>),
    ) -> Result<&mut Stream<C>, &'static str> {
        const GONE: &str = "the server takes no more requests on this connection";
        let number = self.next;
        let Some(mailbox) = self
            .machine
            .as_ref()
            .map(|machine| Arc::clone(&machine.mailbox))
        else {
            return Err(GONE);
        };
        let waker = self.waker(conn, number, &mailbox);
        let Some(machine) = self.machine.as_mut().filter(|_| !self.going) else {
            return Err(GONE);
        };
        let ready = machine
            .sender
            .poll_ready(&mut Context::from_waker(&machine.waker));
        match ready {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => {
                self.going = true;
                return Err(GONE);
            }
            Poll::Pending => return Err("the connection has all the requests that it can carry"),
        }
        let Ok((response, send)) = machine.sender.send_request(request, end) else {
            self.going = true;
            return Err(GONE);
        };
        self.next = self.next.wrapping_add(1);
        // It is polled once so that the machine knows whom to wake.
        machine.waker.wake_by_ref();
        waker.wake_by_ref();
        let call = Call::new(number, callbacks.0, callbacks.1);
        self.streams
            .push(Box::new(Stream::new(call, waker, response, send, end)));
        self.streams.last_mut().map(AsMut::as_mut).ok_or(GONE)
    }

    fn take_woken(&self) -> Vec<u32> {
        self.list
            .lock()
            .map(|mut list| std::mem::take(&mut *list))
            .unwrap_or_default()
    }

    /// Poll the machine; whether the connection goes on.
    fn poll_machine(&mut self) -> Result<(), Failure> {
        let Some(machine) = &mut self.machine else {
            return Ok(());
        };
        let mut context = Context::from_waker(&machine.waker);
        match Pin::new(&mut machine.connection).poll(&mut context) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(())) => {
                self.going = true;
                Err(Failure::closed("the server closed the connection"))
            }
            Poll::Ready(Err(error)) => {
                self.going = true;
                Err(failure(&error))
            }
        }
    }
}

/// What an error of the machine is to the one that made the request.
pub(super) fn failure(error: &h2::Error) -> Failure {
    if error.is_io() {
        return Failure::closed(format!("the connection broke: {error}"));
    }
    let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM)
        || (error.is_go_away()
            && error.is_remote()
            && error.reason() == Some(h2::Reason::NO_ERROR));
    let kind =
        if refused || (error.is_remote() && error.reason() != Some(h2::Reason::PROTOCOL_ERROR)) {
            FailureKind::Closed
        } else {
            FailureKind::Protocol
        };
    let mut failure = Failure::new(kind, format!("HTTP/2: {error}"));
    failure.unprocessed = refused;
    failure
}

impl<C> ClientConn<C> {
    /// Poll the machine and the streams that it woke.
    pub(super) fn poll_h2<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
    ) -> Result<(), Failure> {
        let Phase::H2(h2) = &mut self.phase else {
            return Ok(());
        };
        h2.start(self.id, &self.config, shared);
        for _ in 0..ROUNDS {
            let polled = h2.poll_machine();
            let woken = h2.take_woken();
            for number in &woken {
                if let Some(stream) = h2.get(*number) {
                    stream.poll(&mut self.due);
                }
            }
            h2.sweep();
            polled?;
            if woken.is_empty() {
                break;
            }
        }
        if h2.going && h2.streams.is_empty() {
            self.finish();
        }
        Ok(())
    }

    /// Move what the machine has written to the connection's queue.
    pub(super) fn produce_h2<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        let Phase::H2(h2) = &mut self.phase else {
            return;
        };
        h2.start(self.id, &self.config, shared);
        loop {
            // What the machine has to say about its end is said when it is polled for input.
            let over = h2.poll_machine().is_err();
            let mut pipe = h2.io.0.borrow_mut();
            let blocked = std::mem::take(&mut pipe.blocked);
            if !pipe.output.is_empty() {
                self.out.append(&mut pipe.output, &shared.pool);
            }
            if over || !blocked || self.out.len() >= OUT_LIMIT {
                break;
            }
        }
    }

    pub(super) fn receive_h2<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        input: &[u8],
    ) -> Result<(), Failure> {
        let Phase::H2(h2) = &mut self.phase else {
            return Ok(());
        };
        {
            let mut pipe = h2.io.0.borrow_mut();
            if input.is_empty() {
                pipe.feed_eof();
            } else {
                pipe.feed(input);
            }
        }
        let eof = input.is_empty();
        self.poll_h2(shared)?;
        if eof {
            return Err(Failure::closed("the server closed the connection"));
        }
        Ok(())
    }

    /// End the streams whose time is up.
    pub(super) fn expire_h2(&mut self, now: Millis, failure: &Failure) {
        let Phase::H2(h2) = &mut self.phase else {
            return;
        };
        for stream in &mut h2.streams {
            if stream.call.until <= now {
                stream.reset();
                stream.call.finish(Err(failure.clone()), &mut self.due);
            }
        }
        h2.sweep();
    }
}
