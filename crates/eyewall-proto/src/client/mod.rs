//! The client's side of HTTP/1.1 (RFC 9112), without sockets and clocks.
//!
//! ```text
//! Idle -> Head -> Length(n) | Chunked | UntilClose -> Idle
//! ```
//!
//! A connection carries one request at a time. Bytes that come while none is under way belong to
//! no response, and end the connection.

mod head;
mod request;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::h1::{Chunk, ChunkDecoder, Trailers};
use crate::{Error, Limits};

pub use head::{BodyFraming, ResponseHead};
pub use request::{Line, RequestBody, chunk, encode_request};

/// Interim responses that one request may be sent before its final one.
const INTERIM: usize = 10;

/// The next element of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more can be said without more input.
    NeedMore,
    /// An interim response (1xx).
    Interim(u16),
    /// The final response's head.
    Head(ResponseHead),
    /// Content, in this range of the input.
    Data(Range<usize>),
    /// The response is complete.
    End(Option<Trailers>),
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Idle,
    Head,
    Length(u64),
    Chunked(ChunkDecoder),
    UntilClose,
}

/// Reads the responses of one connection.
#[derive(Debug)]
pub struct Codec {
    state: State,
    progress: head::Progress,
    /// The request was HEAD: its response has no content.
    head_only: bool,
    connect: bool,
    /// The request asked for another protocol.
    upgrade: bool,
    interim: usize,
    keep_alive: bool,
}

impl Default for Codec {
    fn default() -> Self {
        Self::new()
    }
}

impl Codec {
    /// The codec of a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Idle,
            progress: head::Progress::default(),
            head_only: false,
            connect: false,
            upgrade: false,
            interim: 0,
            keep_alive: true,
        }
    }

    /// A request with this method was sent.
    pub fn expect(&mut self, method: &[u8]) {
        self.state = State::Head;
        self.progress = head::Progress::default();
        self.head_only = method == b"HEAD";
        self.connect = method == b"CONNECT";
        self.upgrade = false;
        self.interim = 0;
    }

    /// A request was sent that asks for another protocol: 101 is its final response, and what
    /// follows that is not this codec's.
    pub fn expect_upgrade(&mut self, method: &[u8]) {
        self.expect(method);
        self.upgrade = true;
    }

    /// Whether a response is awaited or under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.state != State::Idle
    }

    /// Whether another request may follow on this connection.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Take the next element; returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// The server breaks the protocol or a limit.
    pub fn receive(&mut self, input: &[u8], limits: &Limits) -> Result<(usize, Event), Error> {
        match &mut self.state {
            State::Idle | State::UntilClose if input.is_empty() => Ok((0, Event::NeedMore)),
            State::Idle => Err(Error::bad("the server sent what nobody asked for")),
            State::Head => self.receive_head(input, limits),
            State::Length(0) => {
                self.state = State::Idle;
                Ok((0, Event::End(None)))
            }
            State::Length(left) => {
                if input.is_empty() {
                    return Ok((0, Event::NeedMore));
                }
                let count = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *left -= count as u64;
                Ok((count, Event::Data(0..count)))
            }
            State::Chunked(decoder) => {
                let (taken, chunk) = decoder.decode(input, limits)?;
                let event = match chunk {
                    Chunk::NeedMore => Event::NeedMore,
                    Chunk::Data(range) => Event::Data(range),
                    Chunk::End(trailers) => {
                        self.state = State::Idle;
                        Event::End(trailers)
                    }
                };
                Ok((taken, event))
            }
            State::UntilClose => Ok((input.len(), Event::Data(0..input.len()))),
        }
    }

    fn receive_head(&mut self, input: &[u8], limits: &Limits) -> Result<(usize, Event), Error> {
        let Some((mut head, length)) = head::parse(input, limits, &mut self.progress)? else {
            return Ok((0, Event::NeedMore));
        };
        self.progress = head::Progress::default();
        if head.status < 200 {
            self.interim += 1;
            if head.status == 101 && self.upgrade {
                self.state = State::Idle;
                self.keep_alive = false;
                return Ok((length, Event::Head(head)));
            }
            if head.status == 101 {
                return Err(Error::bad(
                    "the server switched protocols without being asked",
                ));
            }
            if self.interim > INTERIM {
                return Err(Error::bad("the server sends interim responses without end"));
            }
            return Ok((length, Event::Interim(head.status)));
        }
        if self.head_only || matches!(head.status, 204 | 304) {
            head.framing = BodyFraming::Length(0);
        } else if self.connect && head.status < 300 {
            head.framing = BodyFraming::UntilClose;
        }
        self.keep_alive &= head.keep_alive && head.framing != BodyFraming::UntilClose;
        self.state = match head.framing {
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::Chunked(ChunkDecoder::new()),
            BodyFraming::UntilClose => State::UntilClose,
        };
        Ok((length, Event::Head(head)))
    }

    /// How much of what comes next is nothing but content; nothing where that is not known.
    #[must_use]
    pub fn direct(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::UntilClose => Some(u64::MAX),
            _ => None,
        }
    }

    /// So much of [`direct`](Self::direct) content was read past this codec.
    pub fn take_direct(&mut self, count: usize) {
        if let State::Length(left) = &mut self.state {
            *left = left.saturating_sub(count as u64);
        }
    }

    /// The server has closed its side.
    ///
    /// Returns whether that completes a response.
    ///
    /// # Errors
    ///
    /// A response was under way whose end had not come.
    pub fn receive_eof(&mut self) -> Result<bool, Error> {
        self.keep_alive = false;
        match self.state {
            State::Idle => Ok(false),
            State::UntilClose | State::Length(0) => {
                self.state = State::Idle;
                Ok(true)
            }
            State::Head | State::Length(_) | State::Chunked(_) => Err(Error::bad(
                "the connection was closed in the middle of a response",
            )),
        }
    }
}
