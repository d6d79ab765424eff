//! One HTTP/2 stream: a request's body coming in, its answer going out.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use eyewall_proto::h1::{EncodeError, Fields};
use eyewall_proto::{Error, Framing, RequestHead};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::RoomWaiter;
use super::body::{Body, ReadMode};
use super::h2_ws::StreamSocket;
use crate::exchange::{OpError, Payload, ReadOutcome};
use crate::host::Outcome;

/// How far an answer has come.
enum Answer {
    None(SendResponse<Bytes>),
    Streaming(SendStream<Bytes>),
    /// All was handed to the machine.
    Complete,
    /// The peer or we have reset the stream.
    Reset,
}

pub(crate) struct Stream<C> {
    pub(crate) id: u32,
    answer: Answer,
    pub(crate) recv: Option<RecvStream>,
    pub(crate) body: Body<C>,
    length: Option<u64>,
    head_request: bool,
    no_body: bool,
    announced: Option<u64>,
    written: u64,
    queue: VecDeque<Bytes>,
    queued: usize,
    /// The end was asked for, with these trailers.
    ending: Option<Ending>,
    pub(crate) on_disconnect: Option<C>,
    pub(crate) on_room: Option<RoomWaiter<C>>,
    /// It counts among the exchanges that run.
    pub(crate) running: bool,
    /// After an extended CONNECT: a WebSocket instead of bodies.
    pub(crate) socket: Option<Box<StreamSocket<C>>>,
}

/// What stands behind a body.
enum Ending {
    Plain,
    Trailers(HeaderMap),
}

/// An answer's head, ready for the machine.
pub(crate) struct Head {
    pub(crate) response: http::Response<()>,
    announced: Option<u64>,
}

impl<C> Stream<C> {
    pub(crate) fn new(
        id: u32,
        respond: SendResponse<Bytes>,
        recv: Option<RecvStream>,
        mut body: Body<C>,
        head: &RequestHead,
    ) -> Self {
        body.ended = recv.is_none();
        Self {
            id,
            answer: Answer::None(respond),
            recv,
            body,
            length: if let Framing::Length(length) = head.framing {
                Some(length)
            } else {
                None
            },
            head_request: head.method() == "HEAD",
            no_body: false,
            announced: None,
            written: 0,
            queue: VecDeque::new(),
            queued: 0,
            ending: None,
            on_disconnect: None,
            on_room: None,
            running: true,
            socket: None,
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        !matches!(self.answer, Answer::None(_))
    }

    /// The host is done with the answer, or nobody wants it.
    pub(crate) fn is_answered(&self) -> bool {
        self.ending.is_some() || matches!(self.answer, Answer::Complete | Answer::Reset)
    }

    /// Nothing of the stream is left to do.
    pub(crate) fn is_over(&self) -> bool {
        match self.answer {
            Answer::Reset => true,
            Answer::Complete => self.on_room.is_none(),
            _ => false,
        }
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn awaits_body(&self) -> bool {
        !self.is_answered() && self.body.is_waited_for() && self.body.wants_more()
    }

    /// Whether fewer than `expected` bytes came since this was asked last.
    pub(crate) fn body_is_slow(&mut self, expected: u64) -> bool {
        let slow = self.body.received.saturating_sub(self.body.marked) < expected;
        self.body.marked = self.body.received;
        slow
    }

    pub(crate) fn reset(&mut self, reason: Reason) {
        match std::mem::replace(&mut self.answer, Answer::Reset) {
            Answer::None(mut respond) => respond.send_reset(reason),
            Answer::Streaming(mut send) => send.send_reset(reason),
            Answer::Complete | Answer::Reset => {}
        }
    }

    /// The callbacks that must hear that the stream is over.
    pub(crate) fn closed(&mut self, reason: &'static str, calls: &mut Vec<(C, Outcome)>) {
        if let Some(callback) = self.body.take_waiter() {
            calls.push((callback, Outcome::Closed(reason)));
        }
        if let Some(waiter) = self.on_room.take() {
            calls.push((waiter.callback, Outcome::Closed(reason)));
        }
        if let Some(callback) = self.on_disconnect.take() {
            calls.push((callback, Outcome::Disconnected));
        }
    }

    pub(crate) fn read(
        &mut self,
        mode: ReadMode,
        callback: impl FnOnce() -> C,
    ) -> Result<ReadOutcome, OpError> {
        if self.length.is_some_and(|length| length > self.body.limit) {
            self.body.fail(Error::body_too_large());
        }
        match self.body.take(mode) {
            Some(Ok(data)) => Ok(ReadOutcome::Ready(data)),
            Some(Err(error)) => Ok(ReadOutcome::Refused(error)),
            None if self.body.is_waited_for() => {
                Err(OpError::State("another read waits for this body already"))
            }
            None => {
                if let (ReadMode::All, Some(length)) = (mode, self.length) {
                    self.body.expect(length);
                }
                self.body.wait(mode, callback());
                Ok(ReadOutcome::Waiting)
            }
        }
    }

    /// Take from the machine what has come of the body and is wanted.
    pub(crate) fn receive(&mut self, cx: &mut Context<'_>) {
        let Some(recv) = &mut self.recv else { return };
        while self.body.wants_more() {
            match recv.poll_data(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(data))) => {
                    self.body.push(&data);
                    // The window opens again as the body is taken; this fails only on a stream
                    // that is over.
                    drop(recv.flow_control().release_capacity(data.len()));
                }
                Poll::Ready(Some(Err(_))) => {
                    self.recv = None;
                    self.answer = Answer::Reset;
                    return;
                }
                Poll::Ready(None) => match recv.poll_trailers(cx) {
                    Poll::Pending => return,
                    Poll::Ready(trailers) => {
                        if let Ok(Some(trailers)) = trailers {
                            self.body.trailers = trailers
                                .iter()
                                .map(|(name, value)| {
                                    (name.as_str().into(), value.as_bytes().into())
                                })
                                .collect();
                        }
                        self.body.ended = true;
                        self.recv = None;
                        return;
                    }
                },
            }
        }
    }

    /// Move bytes both ways; returns a callback that is due.
    pub(crate) fn serve(&mut self, cx: &mut Context<'_>, half: usize) -> Option<(C, Outcome)> {
        if self.notice_reset(cx) {
            return None;
        }
        self.receive(cx);
        if let Some(due) = self.body.deliver() {
            return Some(due);
        }
        self.pump(cx);
        let waiter = self.on_room.as_ref()?;
        let room = if waiter.flushed {
            self.queued == 0
        } else {
            self.queued <= half
        };
        if !room {
            return None;
        }
        self.on_room
            .take()
            .map(|waiter| (waiter.callback, Outcome::Room))
    }

    /// Whether the peer has reset the stream.
    pub(crate) fn notice_reset(&mut self, cx: &mut Context<'_>) -> bool {
        let reset = match &mut self.answer {
            Answer::None(respond) => respond.poll_reset(cx).is_ready(),
            Answer::Streaming(send) => send.poll_reset(cx).is_ready(),
            Answer::Complete | Answer::Reset => false,
        };
        if reset {
            self.answer = Answer::Reset;
        }
        reset
    }

    pub(crate) fn inform(&mut self, status: u16, fields: &dyn Fields) -> Result<bool, OpError> {
        let Answer::None(respond) = &mut self.answer else {
            return Err(EncodeError::AlreadyStarted.into());
        };
        let mut head = response_head(status, fields, b"", None)?;
        head.response.headers_mut().remove(header::DATE);
        // It fails on a stream that is over, whose reader has gone.
        Ok(respond.send_informational(head.response).is_ok())
    }

    pub(crate) fn respond(
        &mut self,
        status: u16,
        fields: &dyn Fields,
        body: Payload<'_>,
        date: &[u8],
        server: Option<&[u8]>,
    ) -> Result<usize, OpError> {
        let Answer::None(respond) = &mut self.answer else {
            return Err(EncodeError::AlreadyStarted.into());
        };
        let length = body.len();
        let mut head = response_head(status, fields, date, server)?;
        let bodiless = self.head_request || status == 204 || status == 304;
        match head.announced {
            Some(announced) if announced != length as u64 && !bodiless => {
                return Err(EncodeError::LengthMismatch.into());
            }
            None if status != 204 && status != 304 => {
                head.response
                    .headers_mut()
                    .insert(header::CONTENT_LENGTH, HeaderValue::from(length as u64));
            }
            _ => {}
        }
        let no_body = bodiless || length == 0;
        let sent = match respond.send_response(head.response, no_body) {
            Ok(mut send) if !no_body => {
                drop(send.send_data(body.into_bytes(), true));
                length
            }
            _ => 0,
        };
        self.complete();
        Ok(sent)
    }

    /// The answer is complete. What is still to come of the body is not wanted: with its last
    /// handle gone, the machine resets the stream with `NO_ERROR` behind the answer (RFC 9113,
    /// section 8.1).
    fn complete(&mut self) {
        self.recv = None;
        self.answer = Answer::Complete;
    }

    pub(crate) fn start(
        &mut self,
        status: u16,
        fields: &dyn Fields,
        end: bool,
        date: &[u8],
        server: Option<&[u8]>,
    ) -> Result<(), OpError> {
        let Answer::None(respond) = &mut self.answer else {
            return Err(EncodeError::AlreadyStarted.into());
        };
        let head = response_head(status, fields, date, server)?;
        self.no_body = self.head_request || status == 204 || status == 304;
        self.announced = head.announced;
        self.answer = match respond.send_response(head.response, end || self.no_body) {
            Ok(_) if end => Answer::Complete,
            Ok(send) => Answer::Streaming(send),
            Err(_) => Answer::Reset,
        };
        Ok(())
    }

    pub(crate) fn write(&mut self, data: Payload<'_>) -> Result<(), OpError> {
        match &self.answer {
            Answer::None(_) => return Err(EncodeError::NotStarted.into()),
            Answer::Reset => return Err(OpError::Closed("the peer reset the stream")),
            Answer::Complete => return Err(EncodeError::AlreadyEnded.into()),
            Answer::Streaming(_) if self.ending.is_some() => {
                return Err(EncodeError::AlreadyEnded.into());
            }
            Answer::Streaming(_) => {}
        }
        self.written += data.len() as u64;
        if self.no_body || data.len() == 0 {
            return Ok(());
        }
        if self
            .announced
            .is_some_and(|announced| self.written > announced)
        {
            self.reset(Reason::INTERNAL_ERROR);
            return Err(EncodeError::TooMuchBody.into());
        }
        self.queued += data.len();
        self.queue.push_back(data.into_bytes());
        Ok(())
    }

    pub(crate) fn end(&mut self, trailers: Option<&dyn Fields>) -> Result<(), OpError> {
        match &self.answer {
            Answer::None(_) => return Err(EncodeError::NotStarted.into()),
            Answer::Reset => return Err(OpError::Closed("the peer reset the stream")),
            Answer::Complete => return Err(EncodeError::AlreadyEnded.into()),
            Answer::Streaming(_) if self.ending.is_some() => {
                return Err(EncodeError::AlreadyEnded.into());
            }
            Answer::Streaming(_) => {}
        }
        if !self.no_body
            && self
                .announced
                .is_some_and(|announced| self.written < announced)
        {
            self.reset(Reason::INTERNAL_ERROR);
            return Err(EncodeError::TooLittleBody.into());
        }
        let mut map = None;
        if let Some(trailers) = trailers {
            let mut fields = HeaderMap::new();
            trailers.for_each(&mut |name, value| {
                let (name, value) = field(name, value)?;
                fields.append(name, value);
                Ok(())
            })?;
            map = (!fields.is_empty()).then_some(fields);
        }
        self.ending = Some(map.map_or(Ending::Plain, Ending::Trailers));
        Ok(())
    }

    /// Hand the machine what the peer's window allows.
    pub(crate) fn pump(&mut self, cx: &mut Context<'_>) {
        let Answer::Streaming(send) = &mut self.answer else {
            return;
        };
        while let Some(front) = self.queue.front_mut() {
            send.reserve_capacity(self.queued.min(1 << 20));
            let capacity = match send.capacity() {
                0 => match send.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(capacity))) => capacity,
                    Poll::Ready(_) => {
                        self.answer = Answer::Reset;
                        return;
                    }
                    Poll::Pending => return,
                },
                capacity => capacity,
            };
            let piece = front.split_to(capacity.min(front.len()));
            if front.is_empty() {
                self.queue.pop_front();
            }
            self.queued -= piece.len();
            let last = self.queue.is_empty() && matches!(self.ending, Some(Ending::Plain));
            if send.send_data(piece, last).is_err() {
                self.answer = Answer::Reset;
                return;
            }
            if last {
                self.answer = Answer::Complete;
                return;
            }
        }
        if let Some(trailers) = self.ending.take() {
            let ended = match trailers {
                Ending::Trailers(trailers) => send.send_trailers(trailers),
                // After a head that ended the stream itself there is nothing to say.
                Ending::Plain if self.no_body => Ok(()),
                Ending::Plain => send.send_data(Bytes::new(), true),
            };
            self.answer = if ended.is_ok() {
                Answer::Complete
            } else {
                Answer::Reset
            };
        }
    }
}

fn field(name: &[u8], value: &[u8]) -> Result<(HeaderName, HeaderValue), EncodeError> {
    let name_ok = HeaderName::from_bytes(name).map_err(|_| EncodeError::invalid_name(name))?;
    let value_ok = HeaderValue::from_bytes(value).map_err(|_| EncodeError::invalid_value(name))?;
    Ok((name_ok, value_ok))
}

/// An answer's head with the fields that every answer has.
pub(crate) fn response_head(
    status: u16,
    fields: &dyn Fields,
    date: &[u8],
    server: Option<&[u8]>,
) -> Result<Head, EncodeError> {
    let mut response = http::Response::new(());
    *response.status_mut() =
        http::StatusCode::from_u16(status).map_err(|_| EncodeError::invalid_status(status))?;
    *response.version_mut() = http::Version::HTTP_2;
    let map = response.headers_mut();
    let mut announced = None;
    fields.for_each(&mut |name, value| {
        let (name, value) = field(name, value)?;
        if name == header::TRANSFER_ENCODING {
            return Err(EncodeError::TransferEncoding);
        }
        // RFC 9113, section 8.2.2: fields of a connection have no place here.
        if name == header::CONNECTION
            || name == header::UPGRADE
            || name == "keep-alive"
            || name == "proxy-connection"
        {
            return Ok(());
        }
        if name == header::CONTENT_LENGTH {
            let length: u64 = value
                .to_str()
                .ok()
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse().ok())
                .ok_or(EncodeError::LengthMismatch)?;
            if announced.replace(length).is_some() {
                return Err(EncodeError::LengthMismatch);
            }
        }
        map.append(name, value);
        Ok(())
    })?;
    if !map.contains_key(header::DATE)
        && let Ok(date) = HeaderValue::from_bytes(date)
    {
        map.insert(header::DATE, date);
    }
    if let Some(server) = server
        && !map.contains_key(header::SERVER)
        && let Ok(server) = HeaderValue::from_bytes(server)
    {
        map.insert(header::SERVER, server);
    }
    Ok(Head {
        response,
        announced,
    })
}
