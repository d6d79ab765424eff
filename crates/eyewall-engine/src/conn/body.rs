//! A request's body on its way to the host, the same for every protocol.

use bytes::Bytes;
use eyewall_proto::Error;

use crate::host::Outcome;

/// What is kept ready while nobody asks for the body.
pub(crate) const READ_AHEAD: usize = 64 * 1024;

/// How the host wants the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadMode {
    /// Whole, when it has ended.
    All,
    /// In pieces, as they come.
    Piece,
}

/// Trailer fields: names and values.
pub(crate) type TrailerList = Vec<(Vec<u8>, Vec<u8>)>;

/// The body of one request.
#[derive(Debug)]
pub(crate) struct Body<C> {
    buf: Vec<u8>,
    waiter: Option<(ReadMode, C)>,
    pub(crate) limit: u64,
    pub(crate) received: u64,
    /// `received` when the rate was last looked at.
    pub(crate) marked: u64,
    pub(crate) ended: bool,
    failed: Option<Error>,
    pub(crate) trailers: TrailerList,
}

impl<C> Body<C> {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            buf: Vec::new(),
            waiter: None,
            limit,
            received: 0,
            marked: 0,
            ended: false,
            failed: None,
            trailers: Vec::new(),
        }
    }

    /// Make room at once for an announced length, within reason.
    pub(crate) fn expect(&mut self, length: u64) {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(1 << 20);
        self.buf
            .reserve_exact(length.saturating_sub(self.buf.len()));
    }

    pub(crate) fn push(&mut self, data: &[u8]) {
        self.received += data.len() as u64;
        if self.failed.is_some() {
            return;
        }
        if self.received > self.limit {
            self.fail(Error::body_too_large());
            return;
        }
        self.buf.extend_from_slice(data);
    }

    /// Forget what has come; nobody will ask for it.
    pub(crate) fn discard(&mut self) {
        self.buf = Vec::new();
    }

    pub(crate) fn fail(&mut self, error: Error) {
        self.buf = Vec::new();
        self.failed.get_or_insert(error);
    }

    pub(crate) fn failed(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    /// Whether more should be read from the peer now.
    pub(crate) fn wants_more(&self) -> bool {
        !self.ended
            && self.failed.is_none()
            && (self.waiter.is_some() || self.buf.len() < READ_AHEAD)
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiter.is_some()
    }

    /// Leave a callback; false when another one waits already.
    pub(crate) fn wait(&mut self, mode: ReadMode, callback: C) -> bool {
        if self.waiter.is_some() {
            return false;
        }
        self.waiter = Some((mode, callback));
        true
    }

    /// What can be given at once in this mode.
    pub(crate) fn take(&mut self, mode: ReadMode) -> Option<Result<Bytes, Error>> {
        if let Some(error) = &self.failed {
            return Some(Err(error.clone()));
        }
        let ready = self.ended || (mode == ReadMode::Piece && !self.buf.is_empty());
        ready.then(|| Ok(Bytes::from(std::mem::take(&mut self.buf))))
    }

    /// The waiting callback and what to tell it, when there is something.
    pub(crate) fn deliver(&mut self) -> Option<(C, Outcome)> {
        let (mode, _) = self.waiter.as_ref()?;
        let outcome = match self.take(*mode)? {
            Ok(data) => Outcome::Body(data),
            Err(error) => Outcome::Refused(error),
        };
        self.waiter.take().map(|(_, callback)| (callback, outcome))
    }

    /// The waiting callback, for a connection that ends.
    pub(crate) fn take_waiter(&mut self) -> Option<C> {
        self.waiter.take().map(|(_, callback)| callback)
    }
}
