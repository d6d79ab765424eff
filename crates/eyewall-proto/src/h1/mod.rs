//! The HTTP/1.1 server codec.
//!
//! A [`Connection`] is two small state machines: one reads requests, one writes answers. Feed
//! input to [`Connection::receive`] again and again; it takes one element at a time. An answer
//! is begun with [`Connection::begin`], continued with [`Connection::data`] and closed with
//! [`Connection::end`]; when both sides are complete, [`Connection::finish_request`] makes the
//! connection ready for the next request.
//!
//! ```text
//! reading:  Head -> Length(n) | Chunked | Done      Done -> (answer complete) -> Head
//! writing:  Idle -> Length(n) | Chunked | UntilClose | NoBody -> Done -> (request read) -> Idle
//! upgrade:  both sides become Raw
//! ```
//!
//! Input behind a request is not looked at before its answer is complete, so no second request
//! is ever read out of the first one's body.

mod encode;
mod framing;
mod parse;
pub(crate) mod target;

use std::ops::Range;

use encode::status_line;
pub use encode::{BodySize, Defaults, EncodeError, Encoder, Fields, Visit, chunk, phrase};
pub(crate) use encode::{chunk_head, write_field};
pub(crate) use framing::{Chunk, ChunkDecoder};
pub(crate) use parse::is_token;
use parse::{Progress, parse_head};

use crate::{Error, Framing, Limits, RequestHead, Version};

/// Trailer fields: names and values.
pub type Trailers = Vec<(Vec<u8>, Vec<u8>)>;

/// The next element of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The input ends within an element; keep the rest, and call again with more.
    NeedMore,
    /// A request's head.
    Request(RequestHead),
    /// Body bytes: this part of the input.
    Data(Range<usize>),
    /// The body's end.
    End(Option<Trailers>),
    /// The request is read; input waits for its answer to be complete.
    Paused,
    /// Nothing more is read from this connection.
    Closed,
}

#[derive(Debug, PartialEq, Eq)]
enum Reading {
    Head {
        progress: Progress,
        empty_line_seen: bool,
    },
    Length(u64),
    Chunked(ChunkDecoder),
    Done,
    Raw,
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    Idle,
    Length(u64),
    Chunked,
    UntilClose,
    NoBody,
    Raw,
    Done,
}

/// How pieces of a body are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceFraming {
    /// Each is a chunk (RFC 9112, section 7.1).
    Chunk,
    /// They are sent as they are; the connection's end is the body's.
    Bare,
}

/// One server-side connection.
#[derive(Debug)]
pub struct Connection {
    reading: Reading,
    writing: Writing,
    version: Version,
    announced: Option<u64>,
    head_request: bool,
    keep_alive: bool,
    close: bool,
    continue_wanted: bool,
    upgrade_offered: bool,
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

const FRESH: Reading = Reading::Head {
    progress: Progress::NONE,
    empty_line_seen: false,
};

impl Connection {
    /// A connection of which no byte was seen.
    #[must_use]
    pub fn new() -> Self {
        Self {
            reading: FRESH,
            writing: Writing::Idle,
            version: Version::Http11,
            announced: None,
            head_request: false,
            keep_alive: true,
            close: false,
            continue_wanted: false,
            upgrade_offered: false,
        }
    }

    /// Take the next element of `input`; returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// The peer's mistake; nothing more can be read from the connection then.
    pub fn receive(&mut self, input: &[u8], limits: &Limits) -> Result<(usize, Event), Error> {
        let received = self.receive_inner(input, limits);
        if received.is_err() {
            self.reading = Reading::Broken;
            self.close = true;
        }
        received
    }

    fn receive_inner(&mut self, input: &[u8], limits: &Limits) -> Result<(usize, Event), Error> {
        match &mut self.reading {
            Reading::Head { .. } => self.receive_head(input, limits),
            Reading::Length(0) => {
                self.reading = Reading::Done;
                Ok((0, Event::End(None)))
            }
            Reading::Length(left) => {
                if input.is_empty() {
                    return Ok((0, Event::NeedMore));
                }
                let count = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *left -= count as u64;
                self.continue_wanted = false;
                Ok((count, Event::Data(0..count)))
            }
            Reading::Chunked(decoder) => {
                let (taken, chunk) = decoder.decode(input, limits)?;
                if !input.is_empty() {
                    self.continue_wanted = false;
                }
                let event = match chunk {
                    Chunk::NeedMore => Event::NeedMore,
                    Chunk::Data(range) => Event::Data(range),
                    Chunk::End(trailers) => {
                        self.reading = Reading::Done;
                        Event::End(trailers)
                    }
                };
                Ok((taken, event))
            }
            Reading::Done => Ok((0, Event::Paused)),
            Reading::Raw if input.is_empty() => Ok((0, Event::NeedMore)),
            Reading::Raw => Ok((input.len(), Event::Data(0..input.len()))),
            Reading::Broken => Ok((input.len(), Event::Closed)),
        }
    }

    fn receive_head(&mut self, input: &[u8], limits: &Limits) -> Result<(usize, Event), Error> {
        let Reading::Head {
            progress,
            empty_line_seen,
        } = &mut self.reading
        else {
            return Ok((0, Event::Paused));
        };
        // RFC 9112, section 2.2: an empty line before the request line is to be ignored.
        let mut skipped = 0;
        if !*empty_line_seen {
            match input {
                [] | [b'\r'] => return Ok((0, Event::NeedMore)),
                [b'\r', b'\n', ..] => {
                    *empty_line_seen = true;
                    skipped = 2;
                }
                _ => {}
            }
        }
        let rest = input.get(skipped..).unwrap_or_default();
        if rest.is_empty() {
            return Ok((skipped, Event::NeedMore));
        }
        let Some((head, length)) = parse_head(rest, limits, progress)? else {
            return Ok((skipped, Event::NeedMore));
        };
        self.version = head.version;
        self.head_request = head.method() == "HEAD";
        self.keep_alive = head.keep_alive;
        self.upgrade_offered = head.upgrade;
        self.announced = None;
        self.reading = match head.framing {
            Framing::None | Framing::Length(0) => Reading::Done,
            Framing::Length(length) => {
                self.announced = Some(length);
                Reading::Length(length)
            }
            Framing::Chunked => Reading::Chunked(ChunkDecoder::new()),
        };
        self.continue_wanted = head.expect_continue && self.reading != Reading::Done;
        Ok((skipped + length, Event::Request(head)))
    }

    /// The peer has closed its side; true when that was between messages.
    ///
    /// # Errors
    ///
    /// The message that was being read is incomplete.
    pub fn receive_eof(&mut self) -> Result<bool, Error> {
        match &self.reading {
            Reading::Head { progress, .. } if *progress == Progress::NONE => Ok(true),
            Reading::Done | Reading::Raw | Reading::Broken => Ok(false),
            Reading::Head { .. } | Reading::Length(_) | Reading::Chunked(_) => {
                self.reading = Reading::Broken;
                self.close = true;
                Err(Error::truncated())
            }
        }
    }

    /// Begin an answer's head; add fields to the encoder, and finish it.
    ///
    /// # Errors
    ///
    /// The answer was begun already, or status or reason cannot be sent.
    pub fn begin<'a>(
        &'a mut self,
        out: &'a mut Vec<u8>,
        status: u16,
        reason: Option<&[u8]>,
        defaults: Defaults<'a>,
    ) -> Result<Encoder<'a>, EncodeError> {
        match self.writing {
            Writing::Idle => Encoder::new(self, out, status, reason, defaults),
            Writing::Done => Err(EncodeError::AlreadyEnded),
            _ => Err(EncodeError::AlreadyStarted),
        }
    }

    /// Write a piece of the body.
    ///
    /// # Errors
    ///
    /// There is no head yet, the end was written, or it is more than was announced.
    pub fn data(&mut self, out: &mut Vec<u8>, data: &[u8]) -> Result<(), EncodeError> {
        if self.data_head(out, data.len())? {
            out.extend_from_slice(data);
            self.data_tail(out);
        }
        Ok(())
    }

    /// Write what stands before a piece of `length` bytes; true when the piece is to be sent.
    ///
    /// # Errors
    ///
    /// As [`data`](Self::data).
    pub fn data_head(&mut self, out: &mut Vec<u8>, length: usize) -> Result<bool, EncodeError> {
        match &mut self.writing {
            Writing::Idle => Err(EncodeError::NotStarted),
            Writing::Done => Err(EncodeError::AlreadyEnded),
            Writing::NoBody => Ok(false),
            Writing::Length(left) => {
                *left = left
                    .checked_sub(length as u64)
                    .ok_or(EncodeError::TooMuchBody)?;
                Ok(length > 0)
            }
            Writing::Chunked => {
                // An empty chunk would be the last one.
                if length > 0 {
                    chunk_head(out, length);
                }
                Ok(length > 0)
            }
            Writing::UntilClose | Writing::Raw => Ok(length > 0),
        }
    }

    /// How a piece of the body is framed, where that is the same for every piece and answer.
    #[must_use]
    pub fn piece_framing(&self) -> Option<PieceFraming> {
        match self.writing {
            Writing::Chunked => Some(PieceFraming::Chunk),
            Writing::UntilClose | Writing::Raw => Some(PieceFraming::Bare),
            Writing::Idle | Writing::Done | Writing::NoBody | Writing::Length(_) => None,
        }
    }

    /// Write what stands behind a piece of the body.
    pub fn data_tail(&mut self, out: &mut Vec<u8>) {
        if self.writing == Writing::Chunked {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Write the body's end.
    ///
    /// # Errors
    ///
    /// There is no head yet, the end was written, or less than announced was.
    pub fn end(
        &mut self,
        out: &mut Vec<u8>,
        trailers: Option<&dyn Fields>,
    ) -> Result<(), EncodeError> {
        match self.writing {
            Writing::Idle => return Err(EncodeError::NotStarted),
            Writing::Done => return Err(EncodeError::AlreadyEnded),
            Writing::Length(left) if left > 0 => return Err(EncodeError::TooLittleBody),
            Writing::Chunked => {
                let begun_at = out.len();
                out.extend_from_slice(b"0\r\n");
                if let Some(trailers) = trailers
                    && let Err(error) =
                        trailers.for_each(&mut |name, value| write_field(out, name, value))
                {
                    out.truncate(begun_at);
                    return Err(error);
                }
                out.extend_from_slice(b"\r\n");
            }
            Writing::UntilClose | Writing::Raw => self.close = true,
            Writing::Length(_) | Writing::NoBody => {}
        }
        self.writing = Writing::Done;
        Ok(())
    }

    /// Write an informational answer; false for a client that knows none.
    ///
    /// # Errors
    ///
    /// The final answer was begun, or status or fields cannot be sent.
    pub fn inform(
        &mut self,
        out: &mut Vec<u8>,
        status: u16,
        fields: &dyn Fields,
    ) -> Result<bool, EncodeError> {
        if self.writing != Writing::Idle {
            return Err(EncodeError::AlreadyStarted);
        }
        if !(100..200).contains(&status) || status == 101 {
            return Err(EncodeError::InvalidStatus(status));
        }
        // RFC 9110, section 15.2.
        if self.version == Version::Http10 {
            return Ok(false);
        }
        let begun_at = out.len();
        let written = status_line(out, status, None)
            .and_then(|()| fields.for_each(&mut |name, value| write_field(out, name, value)));
        if let Err(error) = written {
            out.truncate(begun_at);
            return Err(error);
        }
        out.extend_from_slice(b"\r\n");
        Ok(true)
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    #[must_use]
    pub fn continue_wanted(&self) -> bool {
        self.continue_wanted && self.writing == Writing::Idle
    }

    /// Write the `100 Continue` that the client waits for.
    pub fn send_continue(&mut self, out: &mut Vec<u8>) {
        self.continue_wanted = false;
        out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Answer 101; both sides are raw bytes from here on.
    ///
    /// # Errors
    ///
    /// The client offered no upgrade, the answer was begun, or fields cannot be sent.
    pub fn upgrade(&mut self, out: &mut Vec<u8>, fields: &dyn Fields) -> Result<(), EncodeError> {
        if self.writing != Writing::Idle {
            return Err(EncodeError::AlreadyStarted);
        }
        if !self.upgrade_offered {
            return Err(EncodeError::NoUpgrade);
        }
        let begun_at = out.len();
        let mut has_connection = false;
        let written = status_line(out, 101, None).and_then(|()| {
            fields.for_each(&mut |name, value| {
                has_connection |= name.eq_ignore_ascii_case(b"connection");
                write_field(out, name, value)
            })
        });
        if let Err(error) = written {
            out.truncate(begun_at);
            return Err(error);
        }
        if !has_connection {
            out.extend_from_slice(b"Connection: Upgrade\r\n");
        }
        out.extend_from_slice(b"\r\n");
        self.reading = Reading::Raw;
        self.writing = Writing::Raw;
        Ok(())
    }

    /// Answer nothing; both sides are raw bytes from here on, what is left of the body too.
    ///
    /// # Errors
    ///
    /// The answer was begun.
    pub fn detach(&mut self) -> Result<(), EncodeError> {
        if self.writing != Writing::Idle {
            return Err(EncodeError::AlreadyStarted);
        }
        self.continue_wanted = false;
        self.reading = Reading::Raw;
        self.writing = Writing::Raw;
        Ok(())
    }

    /// Whether the final answer's head was written.
    #[must_use]
    pub fn response_started(&self) -> bool {
        self.writing != Writing::Idle
    }

    /// The length that the current request announced for its body.
    #[must_use]
    pub fn announced_length(&self) -> Option<u64> {
        self.announced
    }

    /// Close the connection after the current answer.
    pub fn close_after_response(&mut self) {
        self.close = true;
    }

    /// Whether the connection may go on after the current answer, once the request is read.
    #[must_use]
    pub fn keep_alive_wanted(&self) -> bool {
        self.keep_alive && !self.close && self.reading != Reading::Broken
    }

    /// Make the connection ready for the next request; false when it must close.
    pub fn finish_request(&mut self) -> bool {
        if self.writing != Writing::Done
            || self.reading != Reading::Done
            || !self.keep_alive_wanted()
        {
            return false;
        }
        self.reading = FRESH;
        self.writing = Writing::Idle;
        true
    }
}
