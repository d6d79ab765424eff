//! What the host does with a connection, whatever it speaks.

use super::conn::Phase;
use super::{ClientConn, ClientRead, ClientRequest};
use crate::exchange::{OpError, Payload};
use crate::host::Host;
use crate::reactor::Shared;

impl<C> ClientConn<C> {
    pub(crate) fn start<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        request: ClientRequest<'_>,
        callbacks: (C, Option<C>),
    ) -> Result<u32, OpError> {
        if !self.is_open() {
            return Err(OpError::Closed("the server closed the connection"));
        }
        match self.phase {
            Phase::H2(_) => self.start_h2(shared, request, callbacks),
            Phase::H1(_) | Phase::Handshake => self.start_h1(shared, request, callbacks),
        }
    }

    pub(crate) fn write<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        stream: u32,
        data: Payload<'_>,
    ) -> Result<bool, OpError> {
        if !self.is_open() {
            return Err(OpError::Closed("the connection was closed"));
        }
        match self.phase {
            Phase::H2(_) => self.write_h2(stream, data),
            Phase::H1(_) | Phase::Handshake => self.write_h1(shared, stream, data),
        }
    }

    pub(crate) fn end_upload<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        stream: u32,
    ) -> Result<(), OpError> {
        match self.phase {
            Phase::H2(_) => self.end_h2(stream),
            Phase::H1(_) | Phase::Handshake => self.end_h1(shared, stream),
        }
    }

    pub(crate) fn room(&mut self, stream: u32, callback: C) -> Result<Option<C>, OpError> {
        if !self.is_open() {
            return Err(OpError::Closed("the connection was closed"));
        }
        match self.phase {
            Phase::H2(_) => self.room_h2(stream, callback),
            Phase::H1(_) | Phase::Handshake => self.room_h1(stream, callback),
        }
    }

    pub(crate) fn read_call(
        &mut self,
        stream: u32,
        callback: C,
    ) -> Result<(ClientRead, Option<C>), OpError> {
        let h1 = match &mut self.phase {
            Phase::H2(_) => return self.read_h2(stream, callback),
            Phase::Handshake => return Err(OpError::Closed("the request is over")),
            Phase::H1(h1) => h1,
        };
        let call = h1
            .call
            .as_mut()
            .filter(|call| call.stream == stream)
            .ok_or(OpError::Closed("the request is over"))?;
        let read = call.read(callback);
        if call.is_over() {
            h1.call = None;
        }
        Ok(read)
    }

    /// Nobody wants the response any more.
    pub(crate) fn cancel<H: Host<Callback = C>>(&mut self, shared: &Shared<H>, stream: u32) {
        match &mut self.phase {
            Phase::H2(_) => self.cancel_h2(shared, stream),
            Phase::Handshake => {}
            Phase::H1(h1) => {
                if h1.call.as_ref().is_some_and(|call| call.stream == stream)
                    && let Some(mut call) = h1.call.take()
                {
                    call.bury(shared);
                    // The rest of the response could only be read to be thrown away.
                    self.finish();
                }
            }
        }
    }

    /// Whether reading goes on only when somebody has read.
    pub(crate) fn wants_step(&self) -> bool {
        // A stream that has room again has woken the machine, which waits for a turn.
        let has_woken = matches!(self.phase, Phase::H2(_));
        has_woken || self.readable || self.has_due() || !self.is_open()
    }
}
