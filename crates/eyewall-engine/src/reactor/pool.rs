//! Spare buffers, so that an idle connection owns none.

use std::cell::RefCell;

const SPARE: usize = 64;
const INITIAL: usize = 4 * 1024;
const KEEP: usize = 64 * 1024;

/// Buffers that connections borrow while they have something in them.
#[derive(Debug, Default)]
pub(crate) struct BufferPool(RefCell<Vec<Vec<u8>>>);

impl BufferPool {
    /// An empty buffer with some room.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(INITIAL))
    }

    /// Give a buffer back; a very large one is freed.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        let mut spare = self.0.borrow_mut();
        if spare.len() < SPARE && buffer.capacity() > 0 && buffer.capacity() <= KEEP {
            buffer.clear();
            spare.push(buffer);
        }
    }
}
