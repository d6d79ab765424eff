//! HTTP/1.1 towards a server: one request at a time.

use std::time::Duration;

use eyewall_proto::client::{BodyFraming, Codec, Event, RequestBody, chunk, encode_request};
use eyewall_proto::h1::EncodeError;

use super::call::{Call, Due, HIGH_WATER};
use super::conn::Phase;
use super::{ClientBody, ClientConn, ClientRequest, Failure};
use crate::exchange::{OpError, Payload};
use crate::host::{Host, Outcome};
use crate::reactor::Shared;
use crate::timer::{Millis, NEVER};

/// What may wait to be written before the writer is asked to wait.
const WRITE_BUFFER: usize = 256 * 1024;

/// What is still to be sent of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    Done,
    Length(u64),
    Chunked,
}

pub(super) struct H1<C> {
    codec: Codec,
    pub(super) call: Option<Call<C>>,
    upload: Upload,
    next: u32,
    served: u32,
    wants_room: bool,
}

impl<C> H1<C> {
    pub(super) fn new() -> Self {
        Self {
            codec: Codec::new(),
            call: None,
            upload: Upload::Done,
            next: 1,
            served: 0,
            wants_room: false,
        }
    }

    pub(super) fn is_reusable(&self) -> bool {
        self.codec.keep_alive() && self.upload == Upload::Done
    }

    /// All was written.
    pub(super) fn room(&mut self, due: &mut Due<C>) {
        if std::mem::take(&mut self.wants_room)
            && let Some(call) = &mut self.call
            && let Some(room) = call.room.take()
        {
            due.push_back((room, Outcome::Room));
        }
    }

    pub(super) fn fail(&mut self, failure: &Failure, due: &mut Due<C>) {
        let served = self.served;
        if let Some(call) = &mut self.call {
            let mut failure = failure.clone();
            // A server may close an idle connection at the moment that it is used again.
            failure.unprocessed =
                served > 0 && call.is_unanswered() && failure.kind == super::FailureKind::Closed;
            call.finish(Err(failure), due);
            if call.is_over() {
                self.call = None;
            }
        }
    }

    fn call(&mut self, stream: u32) -> Result<&mut Call<C>, OpError> {
        self.call
            .as_mut()
            .filter(|call| call.stream == stream)
            .ok_or(OpError::Closed("the request is over"))
    }
}

/// When that is, from now.
pub(super) fn deadline<H: Host>(shared: &Shared<H>, timeout: Duration) -> Millis {
    if timeout.is_zero() {
        return NEVER;
    }
    let millis = u64::try_from(timeout.as_millis())
        .unwrap_or(NEVER / 2)
        .max(1);
    shared.timers.borrow().now().saturating_add(millis)
}

impl<C> ClientConn<C> {
    pub(super) fn start_h1<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        request: ClientRequest<'_>,
        callbacks: (C, Option<C>),
    ) -> Result<u32, OpError> {
        let Phase::H1(h1) = &mut self.phase else {
            return Err(OpError::Closed("the connection is not ready"));
        };
        if h1.call.is_some() || !h1.is_reusable() || h1.codec.is_busy() {
            return Err(OpError::State("the connection has a request under way"));
        }
        let framing = match &request.body {
            ClientBody::None => RequestBody::None,
            ClientBody::Whole(payload) => RequestBody::Length(payload.len() as u64),
            ClientBody::Stream(Some(length)) => RequestBody::Length(*length),
            ClientBody::Stream(None) => RequestBody::Chunked,
        };
        let tail = self.out.tail(&shared.pool);
        encode_request(tail, &request.line, request.fields, framing)?;
        h1.upload = Upload::Done;
        match request.body {
            ClientBody::Whole(Payload::Borrowed(data)) => tail.extend_from_slice(data),
            ClientBody::Whole(Payload::Owned(data)) => self.out.push(data),
            ClientBody::Stream(None) => h1.upload = Upload::Chunked,
            ClientBody::None | ClientBody::Stream(Some(0)) => {}
            ClientBody::Stream(Some(length)) => h1.upload = Upload::Length(length),
        }
        h1.codec.expect(request.line.method);
        let stream = h1.next;
        h1.next = h1.next.wrapping_add(1);
        let mut call = Call::new(stream, callbacks.0, callbacks.1);
        let until = deadline(shared, request.timeout);
        call.limit(request.max_body, until, request.streamed);
        h1.call = Some(call);
        Ok(stream)
    }

    pub(super) fn write_h1<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        stream: u32,
        data: Payload<'_>,
    ) -> Result<bool, OpError> {
        let Phase::H1(h1) = &mut self.phase else {
            return Err(OpError::Closed("the request is over"));
        };
        h1.call(stream)?;
        match h1.upload {
            Upload::Done => return Err(EncodeError::TooMuchBody.into()),
            Upload::Length(left) => {
                let Some(left) = left.checked_sub(data.len() as u64) else {
                    return Err(EncodeError::TooMuchBody.into());
                };
                h1.upload = Upload::Length(left);
                match data {
                    Payload::Borrowed(data) => {
                        self.out.tail(&shared.pool).extend_from_slice(data);
                    }
                    Payload::Owned(data) => self.out.push(data),
                }
            }
            Upload::Chunked => {
                let data = data.into_bytes();
                chunk(self.out.tail(&shared.pool), &data);
            }
        }
        Ok(self.out.len() < WRITE_BUFFER)
    }

    pub(super) fn end_h1<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        stream: u32,
    ) -> Result<(), OpError> {
        let Phase::H1(h1) = &mut self.phase else {
            return Err(OpError::Closed("the request is over"));
        };
        h1.call(stream)?;
        match h1.upload {
            Upload::Length(left) if left > 0 => return Err(EncodeError::TooLittleBody.into()),
            Upload::Chunked => self.out.tail(&shared.pool).extend_from_slice(b"0\r\n\r\n"),
            Upload::Length(_) | Upload::Done => {}
        }
        h1.upload = Upload::Done;
        Ok(())
    }

    /// Call back when what was written has gone; the callback before, if there was one.
    pub(super) fn room_h1(&mut self, stream: u32, callback: C) -> Result<Option<C>, OpError> {
        let Phase::H1(h1) = &mut self.phase else {
            return Err(OpError::Closed("the request is over"));
        };
        let empty = self.out.is_empty();
        let call = h1.call(stream)?;
        if empty {
            self.due.push_back((callback, Outcome::Room));
            return Ok(None);
        }
        let before = call.room.replace(callback);
        h1.wants_room = true;
        Ok(before)
    }

    pub(super) fn receive_h1(&mut self, input: &[u8]) -> Result<(), Failure> {
        if self.pending.is_empty() {
            let taken = self.decode_h1(input)?;
            self.pending
                .extend_from_slice(input.get(taken..).unwrap_or_default());
            return Ok(());
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(input);
        let taken = self.decode_h1(&pending)?;
        pending.drain(..taken);
        self.pending = if pending.is_empty() {
            Vec::new()
        } else {
            pending
        };
        Ok(())
    }

    fn decode_h1(&mut self, input: &[u8]) -> Result<usize, Failure> {
        let mut taken = 0;
        loop {
            let Phase::H1(h1) = &mut self.phase else {
                return Ok(taken);
            };
            let rest = input.get(taken..).unwrap_or_default();
            let (count, event) = h1.codec.receive(rest, &self.config.limits)?;
            taken += count;
            let due = &mut self.due;
            let Some(call) = &mut h1.call else {
                // A response without its call is of a request that was cancelled.
                return Ok(taken);
            };
            match event {
                Event::NeedMore => {
                    call.hand_over(due);
                    return Ok(taken);
                }
                Event::Interim(status) => call.interim(status, due),
                Event::Head(head) => {
                    let length = match head.framing {
                        BodyFraming::Length(length) => Some(length),
                        BodyFraming::Chunked | BodyFraming::UntilClose => None,
                    };
                    call.head(head, length, due)?;
                }
                Event::Data(range) => call.data(rest.get(range).unwrap_or_default())?,
                Event::End(trailers) => {
                    call.finish(Ok(trailers), due);
                    self.ended_h1();
                }
            }
        }
    }

    /// The response is complete.
    fn ended_h1(&mut self) {
        let Phase::H1(h1) = &mut self.phase else {
            return;
        };
        h1.served = h1.served.saturating_add(1);
        if h1.call.as_ref().is_some_and(Call::is_over) {
            h1.call = None;
        }
        if !h1.is_reusable() {
            self.finish();
        }
    }

    /// How much streamed content lies in the kernel and can be read from there in one piece.
    pub(crate) fn direct(&self, stream: u32) -> usize {
        let Phase::H1(h1) = &self.phase else {
            return 0;
        };
        let plain = !self.transport.is_tls() && self.pending.is_empty() && self.is_open();
        let (true, Some(call), Some(left)) = (plain, &h1.call, h1.codec.direct()) else {
            return 0;
        };
        if call.stream != stream {
            return 0;
        }
        let there = rustix::io::ioctl_fionread(self.transport.socket().fd()).unwrap_or(0);
        let most = there.min(left).min(call.direct_room());
        usize::try_from(most).unwrap_or(HIGH_WATER).min(HIGH_WATER)
    }

    /// Read content from the kernel into the reader's own buffer.
    pub(crate) fn receive_direct(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let Ok(count) = self.transport.read(buffer) else {
            return Ok(0);
        };
        let Phase::H1(h1) = &mut self.phase else {
            return Ok(0);
        };
        h1.codec.take_direct(count);
        if let Some(call) = &mut h1.call {
            call.note_direct(count);
        }
        // The last piece ends the response.
        self.decode_h1(&[])?;
        Ok(count)
    }

    pub(super) fn eof_h1(&mut self) -> Result<(), Failure> {
        let Phase::H1(h1) = &mut self.phase else {
            return Ok(());
        };
        if !h1.codec.is_busy() {
            return Err(Failure::closed("the server closed the connection"));
        }
        if h1.call.as_ref().is_some_and(Call::is_unanswered) && self.pending.is_empty() {
            return Err(Failure::closed(
                "the server closed the connection without an answer",
            ));
        }
        h1.codec
            .receive_eof()
            .map_err(|error| Failure::closed(error.to_string()))?;
        if let Some(call) = &mut h1.call {
            call.finish(Ok(None), &mut self.due);
        }
        self.ended_h1();
        Ok(())
    }
}
