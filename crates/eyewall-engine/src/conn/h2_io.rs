//! The pipe between a connection's bytes and the HTTP/2 machine.
//!
//! The `h2` crate wants something to read from and write to. It gets two buffers: the reactor
//! fills one from the socket and empties the other into the connection's queue, so that
//! flushing, back-pressure and TLS are the same for every protocol.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the machine may have written and the connection not taken.
const OUTPUT_LIMIT: usize = 128 * 1024;

/// What may be read ahead of the machine.
const INPUT_LIMIT: usize = 128 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Pipe {
    input: Vec<u8>,
    input_start: usize,
    pub(crate) output: Vec<u8>,
    eof: bool,
    /// The machine had to stop writing.
    pub(crate) blocked: bool,
}

impl Pipe {
    pub(crate) fn feed(&mut self, data: &[u8]) {
        if self.input_start == self.input.len() {
            self.input.clear();
            self.input_start = 0;
        }
        self.input.extend_from_slice(data);
    }

    pub(crate) fn feed_eof(&mut self) {
        self.eof = true;
    }

    pub(crate) fn wants_input(&self) -> bool {
        !self.eof && self.input.len() - self.input_start < INPUT_LIMIT
    }

    /// Give memory back when there is nothing in it.
    pub(crate) fn shrink(&mut self) {
        if self.input_start == self.input.len() {
            self.input = Vec::new();
            self.input_start = 0;
        }
    }
}

/// The machine's end of the pipe.
#[derive(Clone, Debug, Default)]
pub(crate) struct H2Io(pub(crate) Rc<RefCell<Pipe>>);

impl AsyncRead for H2Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = self.0.borrow_mut();
        let waiting = pipe.input.get(pipe.input_start..).unwrap_or_default();
        if waiting.is_empty() {
            // The reactor polls the machine whenever it has fed the pipe, so no waker is kept.
            return if pipe.eof {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            };
        }
        let count = waiting.len().min(buf.remaining());
        buf.put_slice(waiting.get(..count).unwrap_or_default());
        pipe.input_start += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Io {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.borrow_mut();
        if pipe.output.len() >= OUTPUT_LIMIT {
            pipe.blocked = true;
            return Poll::Pending;
        }
        pipe.output.extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.borrow_mut();
        if pipe.output.len() >= OUTPUT_LIMIT {
            pipe.blocked = true;
            return Poll::Pending;
        }
        let mut count = 0;
        for slice in slices {
            pipe.output.extend_from_slice(slice);
            count += slice.len();
        }
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
