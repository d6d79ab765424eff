//! What waits to be written on one connection.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};

use crate::reactor::BufferPool;
use crate::transport::Transport;

/// Bodies of at least this many bytes are sent from where they lie, without a copy.
pub(crate) const LARGE: usize = 16 * 1024;

const MAX_SLICES: usize = 16;

/// Bytes in order: frozen pieces first, then the tail that is still growing.
#[derive(Debug, Default)]
pub(crate) struct OutQueue {
    frozen: VecDeque<Bytes>,
    frozen_len: usize,
    tail: Vec<u8>,
    tail_start: usize,
}

impl OutQueue {
    pub(crate) fn len(&self) -> usize {
        self.frozen_len + self.tail.len() - self.tail_start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forget everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The growing end, for encoders that append.
    pub(crate) fn tail(&mut self, pool: &BufferPool) -> &mut Vec<u8> {
        if self.tail.capacity() == 0 {
            self.tail = pool.take();
        }
        &mut self.tail
    }

    /// Append a piece without copying it.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.freeze_tail();
        self.frozen_len += piece.len();
        self.frozen.push_back(piece);
    }

    /// Append a whole buffer and leave it empty.
    pub(crate) fn append(&mut self, buffer: &mut Vec<u8>, pool: &BufferPool) {
        if self.is_empty() {
            self.tail_start = 0;
            self.tail.clear();
            std::mem::swap(&mut self.tail, buffer);
        } else {
            self.tail(pool).extend_from_slice(buffer);
            buffer.clear();
        }
    }

    fn freeze_tail(&mut self) {
        if self.tail.len() > self.tail_start {
            let mut tail = Bytes::from(std::mem::take(&mut self.tail));
            tail.advance(self.tail_start);
            self.frozen_len += tail.len();
            self.frozen.push_back(tail);
        } else {
            self.tail.clear();
        }
        self.tail_start = 0;
    }

    /// Write as much as the transport takes; true when all has gone.
    pub(crate) fn flush(
        &mut self,
        transport: &mut Transport,
        pool: &BufferPool,
    ) -> io::Result<bool> {
        while !self.is_empty() {
            let written = if self.frozen.is_empty() {
                let rest = self.tail.get(self.tail_start..).unwrap_or_default();
                transport.write_vectored(&[IoSlice::new(rest)])
            } else {
                self.write_frozen(transport)
            };
            match written {
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if self.tail.capacity() > 0 {
            pool.give(std::mem::take(&mut self.tail));
            self.tail_start = 0;
        }
        if self.frozen.capacity() > 0 {
            self.frozen = VecDeque::new();
        }
        match transport.flush() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write_frozen(&self, transport: &mut Transport) -> io::Result<usize> {
        let tail = self.tail.get(self.tail_start..).unwrap_or_default();
        let mut slices: [IoSlice<'_>; MAX_SLICES] = std::array::from_fn(|_| IoSlice::new(&[]));
        let pieces = self
            .frozen
            .iter()
            .map(AsRef::as_ref)
            .chain(std::iter::once(tail));
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(pieces) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        transport.write_vectored(slices.get(..count).unwrap_or_default())
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let Some(front) = self.frozen.front_mut() else {
                self.tail_start += count;
                return;
            };
            let step = count.min(front.len());
            front.advance(step);
            self.frozen_len -= step;
            count -= step;
            if front.is_empty() {
                self.frozen.pop_front();
            }
        }
        while self.frozen.front().is_some_and(Bytes::is_empty) {
            self.frozen.pop_front();
        }
    }
}
