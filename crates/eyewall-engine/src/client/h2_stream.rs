//! One request over HTTP/2.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use eyewall_proto::client::{Line, ResponseHead};
use eyewall_proto::h1::{EncodeError, Fields, Trailers};
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::call::{Call, Due};
use super::conn::Phase;
use super::h1::deadline;
use super::h2::failure;
use super::{ClientBody, ClientConn, ClientRead, ClientRequest};
use crate::exchange::{OpError, Payload};
use crate::host::{Host, Outcome};
use crate::reactor::Shared;

/// What may wait in a stream before its writer is asked to wait.
const WRITE_BUFFER: usize = 256 * 1024;

pub(super) struct Stream<C> {
    pub(super) call: Call<C>,
    waker: Waker,
    response: Option<ResponseFuture>,
    content: Option<RecvStream>,
    send: SendStream<Bytes>,
    /// Content that waits for the server's window.
    out: VecDeque<Bytes>,
    out_len: usize,
    /// Nothing is written any more.
    written: bool,
    /// The end was sent.
    ended: bool,
    /// Received and not taken: the window that the server gets back when it is.
    held: usize,
}

impl<C> Stream<C> {
    pub(super) fn new(
        call: Call<C>,
        waker: Waker,
        response: ResponseFuture,
        send: SendStream<Bytes>,
        ended: bool,
    ) -> Self {
        Self {
            call,
            waker,
            response: Some(response),
            content: None,
            send,
            out: VecDeque::new(),
            out_len: 0,
            written: ended,
            ended,
            held: 0,
        }
    }

    fn queue(&mut self, data: Bytes, end: bool) {
        if !data.is_empty() {
            self.out_len += data.len();
            self.out.push_back(data);
        }
        self.written |= end;
        self.waker.wake_by_ref();
    }

    pub(super) fn reset(&mut self) {
        self.send.send_reset(Reason::CANCEL);
    }

    pub(super) fn poll(&mut self, due: &mut Due<C>) {
        self.poll_send(due);
        self.poll_response(due);
        self.poll_content(due);
        self.call.hand_over(due);
        self.release();
    }

    fn poll_response(&mut self, due: &mut Due<C>) {
        let Some(response) = &mut self.response else {
            return;
        };
        let mut woken = Context::from_waker(&self.waker);
        while let Poll::Ready(Some(Ok(interim))) = response.poll_informational(&mut woken) {
            self.call.interim(interim.status().as_u16(), due);
        }
        match Pin::new(response).poll(&mut woken) {
            Poll::Pending => {}
            Poll::Ready(Err(error)) => {
                self.response = None;
                self.call.finish(Err(failure(&error)), due);
            }
            Poll::Ready(Ok(response)) => {
                self.response = None;
                let (parts, content) = response.into_parts();
                let fields = parts
                    .headers
                    .iter()
                    .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
                let head = ResponseHead::http2(parts.status.as_u16(), fields);
                let length = head
                    .field(b"content-length")
                    .and_then(|value| str::from_utf8(value).ok()?.parse().ok())
                    .filter(|_| !content.is_end_stream());
                self.content = Some(content);
                if let Err(failure) = self.call.head(head, length, due) {
                    self.reset();
                    self.call.finish(Err(failure), due);
                }
            }
        }
    }

    fn poll_content(&mut self, due: &mut Due<C>) {
        let waker = self.waker.clone();
        let mut context = Context::from_waker(&waker);
        while let Some(content) = &mut self.content {
            if self.call.has_ended() || self.call.is_full() {
                return;
            }
            let ended = match content.poll_data(&mut context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(data))) => {
                    self.held += data.len();
                    match self.call.data(&data) {
                        Ok(()) if self.call.streamed => continue,
                        Ok(()) => {
                            self.release();
                            continue;
                        }
                        Err(failure) => {
                            self.send.send_reset(Reason::CANCEL);
                            Err(failure)
                        }
                    }
                }
                Poll::Ready(Some(Err(error))) => Err(failure(&error)),
                Poll::Ready(None) => match content.poll_trailers(&mut context) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(trailers)) => Ok(trailers.map(|map| pairs(&map))),
                    Poll::Ready(Err(error)) => Err(failure(&error)),
                },
            };
            self.call.finish(ended, due);
            return;
        }
    }

    /// Give the server its window back for what was taken.
    fn release(&mut self) {
        if self.held > 0
            && !(self.call.streamed && self.call.is_full())
            && let Some(content) = &mut self.content
        {
            // The stream may be over, and then there is no window to give back.
            drop(content.flow_control().release_capacity(self.held));
            self.held = 0;
        }
    }

    fn poll_send(&mut self, due: &mut Due<C>) {
        let mut context = Context::from_waker(&self.waker);
        while let Some(front) = self.out.front_mut() {
            self.send.reserve_capacity(front.len());
            let room = self.send.capacity().min(front.len());
            if room == 0 {
                match self.send.poll_capacity(&mut context) {
                    Poll::Ready(Some(Ok(_))) => continue,
                    Poll::Pending => return,
                    Poll::Ready(_) => {
                        // The server wants no more of it; its response says why.
                        self.out.clear();
                        self.out_len = 0;
                        self.ended = true;
                        break;
                    }
                }
            }
            let data = front.split_to(room);
            let last = front.is_empty();
            if last {
                self.out.pop_front();
            }
            self.out_len -= data.len();
            let end = self.written && self.out.is_empty();
            self.ended |= end;
            if self.send.send_data(data, end).is_err() {
                self.out.clear();
                self.out_len = 0;
                self.ended = true;
            }
        }
        if self.written && !self.ended {
            self.ended = true;
            // A stream that the server has reset takes no end.
            drop(self.send.send_data(Bytes::new(), true));
        }
        if self.out_len < WRITE_BUFFER
            && let Some(room) = self.call.room.take()
        {
            due.push_back((room, Outcome::Room));
        }
    }
}

fn pairs(map: &HeaderMap) -> Trailers {
    map.iter()
        .map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// The head of a request, with what HTTP/2 forbids left out (RFC 9113, section 8.2.2).
fn head(
    line: &Line<'_>,
    scheme: &[u8],
    fields: &dyn Fields,
    length: Option<u64>,
) -> Result<http::Request<()>, EncodeError> {
    line.check()?;
    let uri = http::Uri::builder()
        .scheme(scheme)
        .authority(line.authority)
        .path_and_query(line.target)
        .build()
        .map_err(|_| EncodeError::InvalidTarget)?;
    let mut map = HeaderMap::new();
    fields.for_each(&mut |name, value| {
        let lower = name.to_ascii_lowercase();
        let left_out = matches!(
            lower.as_slice(),
            b"host"
                | b"connection"
                | b"keep-alive"
                | b"proxy-connection"
                | b"te"
                | b"upgrade"
                | b"transfer-encoding"
                | b"content-length"
        );
        let name_ok =
            HeaderName::from_bytes(&lower).map_err(|_| EncodeError::invalid_name(name))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| EncodeError::invalid_value(name))?;
        if !left_out {
            map.append(name_ok, value);
        }
        Ok(())
    })?;
    if let Some(length) = length {
        map.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut request = http::Request::new(());
    *request.method_mut() = http::Method::from_bytes(line.method)
        .map_err(|_| EncodeError::invalid_name(line.method))?;
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = map;
    Ok(request)
}

impl<C> ClientConn<C> {
    pub(super) fn start_h2<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        request: ClientRequest<'_>,
        callbacks: (C, Option<C>),
    ) -> Result<u32, OpError> {
        self.produce_h2(shared);
        let until = deadline(shared, request.timeout);
        let Phase::H2(h2) = &mut self.phase else {
            return Err(OpError::Closed("the connection is not ready"));
        };
        let (length, end) = match &request.body {
            ClientBody::None => (None, true),
            ClientBody::Whole(payload) => (Some(payload.len() as u64), payload.len() == 0),
            ClientBody::Stream(length) => (*length, false),
        };
        let head = head(&request.line, request.scheme, request.fields, length)?;
        let stream = h2
            .open(self.id, head, end, callbacks)
            .map_err(OpError::Closed)?;
        stream.call.limit(request.max_body, until, request.streamed);
        if let ClientBody::Whole(payload) = request.body
            && !end
        {
            stream.queue(payload.into_bytes(), true);
        }
        stream.poll(&mut self.due);
        Ok(stream.call.stream)
    }

    fn stream_h2(&mut self, number: u32) -> Result<&mut Stream<C>, OpError> {
        let Phase::H2(h2) = &mut self.phase else {
            return Err(OpError::Closed("the request is over"));
        };
        h2.get(number).ok_or(OpError::Closed("the request is over"))
    }

    pub(super) fn write_h2(&mut self, number: u32, data: Payload<'_>) -> Result<bool, OpError> {
        let stream = self.stream_h2(number)?;
        if stream.written {
            return Err(EncodeError::TooMuchBody.into());
        }
        stream.queue(data.into_bytes(), false);
        Ok(stream.out_len < WRITE_BUFFER)
    }

    pub(super) fn end_h2(&mut self, number: u32) -> Result<(), OpError> {
        self.stream_h2(number)?.queue(Bytes::new(), true);
        Ok(())
    }

    pub(super) fn room_h2(&mut self, number: u32, callback: C) -> Result<Option<C>, OpError> {
        let stream = self.stream_h2(number)?;
        let before = stream.call.room.replace(callback);
        stream.waker.wake_by_ref();
        Ok(before)
    }

    pub(super) fn read_h2(
        &mut self,
        number: u32,
        callback: C,
    ) -> Result<(ClientRead, Option<C>), OpError> {
        let stream = self.stream_h2(number)?;
        let read = stream.call.read(callback);
        stream.release();
        stream.waker.wake_by_ref();
        if let Phase::H2(h2) = &mut self.phase {
            h2.sweep();
        }
        Ok(read)
    }

    pub(super) fn cancel_h2<H: Host<Callback = C>>(&mut self, shared: &Shared<H>, number: u32) {
        if let Ok(stream) = self.stream_h2(number) {
            stream.reset();
            stream.call.bury(shared);
            stream.call.forget();
        }
        if let Phase::H2(h2) = &mut self.phase {
            h2.sweep();
        }
    }
}
