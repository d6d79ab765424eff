//! The host's side of an HTTP/1.1 exchange: its answer, its body, and what is left to do.

use bytes::Bytes;
use eyewall_proto::h1::{BodySize, Defaults, Fields};
use eyewall_proto::{Error, Limits};

use super::body::ReadMode;
use super::{Closing, Conn, Proto};
use crate::config::LocalAddr;
use crate::exchange::{GONE, OpError, Payload, ReadOutcome};
use crate::host::Host;
use crate::listener::local_address;
use crate::reactor::Shared;

impl<C> Conn<C> {
    pub(crate) fn begin_h1<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        status: u16,
        reason: Option<&[u8]>,
        fields: &dyn Fields,
        size: BodySize,
    ) -> Result<bool, OpError> {
        let Proto::H1(h1) = &mut self.proto else {
            return Err(OpError::Closed(GONE));
        };
        let body_unread = h1.body.as_ref().is_some_and(|body| !body.ended);
        let requests = self.server.config.limits.keep_alive_requests;
        if self.server.draining.get()
            || self.peer_closed
            || (requests > 0 && u64::from(h1.stream) >= requests)
            || (body_unread && h1.codec.continue_wanted())
        {
            h1.codec.close_after_response();
        }
        let date = shared.date.borrow();
        let defaults = Defaults {
            date: date.as_bytes(),
            server: self.server.config.server_header.as_deref(),
        };
        let mut encoder = h1
            .codec
            .begin(self.out.tail(&shared.pool), status, reason, defaults)?;
        fields.for_each(&mut |name, value| encoder.field(name, value))?;
        Ok(encoder.finish(size)?)
    }

    pub(crate) fn respond_h1<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        status: u16,
        reason: Option<&[u8]>,
        fields: &dyn Fields,
        body: Payload<'_>,
    ) -> Result<usize, OpError> {
        let length = body.len();
        let with_body = self.begin_h1(
            shared,
            status,
            reason,
            fields,
            BodySize::Known(length as u64),
        )?;
        let Proto::H1(h1) = &mut self.proto else {
            return Err(OpError::Closed(GONE));
        };
        let mut sent = 0;
        if with_body && length > 0 {
            sent = length;
            let tail = self.out.tail(&shared.pool);
            match body {
                Payload::Borrowed(data) => h1.codec.data(tail, data)?,
                Payload::Owned(data) => {
                    if h1.codec.data_head(tail, length)? {
                        self.out.push(data);
                        h1.codec.data_tail(self.out.tail(&shared.pool));
                    }
                }
            }
        }
        self.end_h1(shared, None)?;
        Ok(sent)
    }

    pub(crate) fn end_h1<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        trailers: Option<&dyn Fields>,
    ) -> Result<(), OpError> {
        let Proto::H1(h1) = &mut self.proto else {
            return Err(OpError::Closed(GONE));
        };
        h1.codec.end(self.out.tail(&shared.pool), trailers)?;
        self.after_answer(shared);
        Ok(())
    }

    pub(crate) fn read_h1<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        mode: ReadMode,
        callback: impl FnOnce() -> C,
    ) -> Result<ReadOutcome, OpError> {
        self.decode_pending(shared);
        let Proto::H1(h1) = &mut self.proto else {
            return Err(OpError::Closed(GONE));
        };
        let Some(body) = &mut h1.body else {
            return Ok(ReadOutcome::Ready(Bytes::new()));
        };
        if let Some(length) = h1.codec.announced_length()
            && length > body.limit
        {
            body.fail(Error::body_too_large());
        }
        if let Some(taken) = body.take(mode) {
            return Ok(match taken {
                Ok(data) => ReadOutcome::Ready(data),
                Err(error) => {
                    h1.codec.close_after_response();
                    ReadOutcome::Refused(error)
                }
            });
        }
        if body.is_waited_for() {
            return Err(OpError::State("another read waits for this body already"));
        }
        if mode == ReadMode::All
            && let Some(length) = h1.codec.announced_length()
        {
            body.expect(length);
        }
        body.wait(mode, callback());
        if h1.codec.continue_wanted() {
            h1.codec.send_continue(self.out.tail(&shared.pool));
        }
        Ok(ReadOutcome::Waiting)
    }

    /// Whether the connection has input or an end to see to after an answer.
    pub(crate) fn has_more_to_do(&self) -> bool {
        !self.pending.is_empty() || self.readable || self.closing != Closing::No
    }

    pub(crate) fn body_wants_more(&self) -> bool {
        match &self.proto {
            Proto::H1(h1) => h1.body.as_ref().is_some_and(|body| body.wants_more()),
            Proto::H2(_) => true,
            Proto::Start(_) | Proto::Ws(_) => false,
        }
    }

    pub(crate) fn has_room(&self, stream: u32) -> bool {
        let limits: &Limits = &self.server.config.limits;
        match &self.proto {
            Proto::H2(h2) => h2.queued(stream) < limits.write_buffer_bytes,
            _ => self.out.len() < limits.write_buffer_bytes,
        }
    }

    pub(crate) fn is_flushed(&self, stream: u32) -> bool {
        match &self.proto {
            Proto::H2(h2) => h2.queued(stream) == 0,
            _ => self.out.is_empty(),
        }
    }

    pub(crate) fn local_address(&self) -> LocalAddr {
        // SAFETY: the descriptor belongs to this connection, which outlives the call.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(self.socket()) };
        rustix::net::getsockname(fd).map_or_else(|_| LocalAddr::Unix(String::new()), local_address)
    }
}
