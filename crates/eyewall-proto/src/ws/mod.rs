//! The WebSocket codec: frames in, messages out, for both sides (RFC 6455, RFC 7692).
//!
//! A [`Decoder`] takes whatever bytes have come and never wants to see them again: a message
//! that lies whole in the input is unmasked where it lies, everything else is gathered, checked
//! and inflated as it comes, so that a mistake or a limit is noticed at its first byte.

pub mod deflate;
mod encode;
pub mod frame;
pub mod handshake;
pub mod negotiate;
pub mod utf8;

use std::fmt;
use std::ops::Range;

use deflate::{Inflater, Params};
pub use encode::{Encoder, WORTH_DEFLATING, close_payload, frame};
use frame::{FrameHead, Opcode, mask};
use utf8::Utf8;

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its frames are not masked, and its peer's are.
    Server,
    /// The other way round.
    Client,
}

/// The peer's mistake, with the close code to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// 1002, 1007 or 1009.
    pub code: u16,
    /// One clause for the close frame and the log.
    pub text: &'static str,
}

impl Fault {
    pub(crate) fn protocol(text: &'static str) -> Self {
        Self { code: 1002, text }
    }

    fn data(text: &'static str) -> Self {
        Self { code: 1007, text }
    }

    fn too_big() -> Self {
        Self {
            code: 1009,
            text: "message too big",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// The two kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8, which was checked.
    Text,
    /// Bytes.
    Binary,
}

/// Where an event's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the input, unmasked.
    Input(Range<usize>),
    /// Gathered from several frames or reads.
    Held(Vec<u8>),
}

/// What the peer has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole message.
    Message(Kind, Place),
    /// A question whether we are there.
    Ping(Vec<u8>),
    /// The answer to ours, or an unasked one.
    Pong(Vec<u8>),
    /// The end, with the code and the reason where they were given.
    Close(Option<(u16, String)>),
}

/// Reads one side's frames.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    max_message: usize,
    head: [u8; FrameHead::MAX],
    head_len: u8,
    /// The frame whose payload is coming.
    current: Option<Current>,
    /// The message whose first frame has come.
    message: Option<Message>,
    held: Vec<u8>,
    control: Vec<u8>,
    inflater: Option<Box<Inflater>>,
    closed: bool,
}

#[derive(Debug)]
struct Current {
    head: FrameHead,
    taken: u64,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    kind: Kind,
    compressed: bool,
    utf8: Utf8,
}

impl Decoder {
    /// A decoder for this side; messages beyond `max_message` bytes are refused.
    #[must_use]
    pub fn new(role: Role, max_message: usize, deflate: Option<&Params>) -> Self {
        Self {
            role,
            max_message,
            head: [0; FrameHead::MAX],
            head_len: 0,
            current: None,
            message: None,
            held: Vec::new(),
            control: Vec::new(),
            inflater: deflate.map(|params| Box::new(Inflater::new(params, role))),
            closed: false,
        }
    }

    /// Give back what is only needed while messages come.
    pub fn release(&mut self) {
        if self.message.is_none()
            && let Some(inflater) = &mut self.inflater
        {
            inflater.release();
        }
    }

    /// Whether [`release`](Self::release) would give something back.
    #[must_use]
    pub fn is_releasable(&self) -> bool {
        self.message.is_none()
            && self
                .inflater
                .as_ref()
                .is_some_and(|inflater| inflater.is_active())
    }

    /// Take some of `input`, up to the first event; returns how much.
    ///
    /// # Errors
    ///
    /// The peer's mistake; nothing more can be read from it then.
    pub fn receive(&mut self, input: &mut [u8]) -> Result<(usize, Option<Event>), Fault> {
        let mut at = 0;
        while !self.closed {
            if self.current.is_none() {
                let rest = input.get(at..).unwrap_or_default();
                let (taken, complete) = self.receive_head(rest)?;
                at += taken;
                if !complete {
                    return Ok((at, None));
                }
            }
            let (taken, event) = self.receive_payload(input, at)?;
            at += taken;
            if event.is_some() || self.current.is_some() {
                return Ok((at, event));
            }
        }
        // RFC 6455, section 1.4: what follows a close frame is not looked at.
        Ok((input.len(), None))
    }

    fn receive_head(&mut self, input: &[u8]) -> Result<(usize, bool), Fault> {
        let mut taken = 0;
        loop {
            let have = usize::from(self.head_len);
            let want = if have < 2 {
                2
            } else {
                FrameHead::size(self.head[1])
            };
            if have == want {
                break;
            }
            let count = (want - have).min(input.len() - taken);
            if count == 0 {
                return Ok((taken, false));
            }
            if let (Some(to), Some(from)) = (
                self.head.get_mut(have..have + count),
                input.get(taken..taken + count),
            ) {
                to.copy_from_slice(from);
            }
            taken += count;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a head has at most 14 bytes"
            )]
            {
                self.head_len += count as u8;
            }
            if have < 2 && self.head_len >= 2 {
                self.check_mask_bit()?;
            }
        }
        let head = self
            .head
            .get(..usize::from(self.head_len))
            .unwrap_or_default();
        let head = FrameHead::parse(head)?;
        self.head_len = 0;
        self.begin(head)?;
        Ok((taken, true))
    }

    fn check_mask_bit(&self) -> Result<(), Fault> {
        match (self.role, self.head[1] & 0x80 != 0) {
            (Role::Server, false) => Err(Fault::protocol("a frame is not masked")),
            (Role::Client, true) => Err(Fault::protocol("a frame of the server is masked")),
            _ => Ok(()),
        }
    }

    /// A frame begins: is it one that may come now?
    fn begin(&mut self, head: FrameHead) -> Result<(), Fault> {
        if head.compressed && (self.inflater.is_none() || head.opcode == Opcode::Continuation) {
            return Err(Fault::protocol("a reserved bit is set"));
        }
        let kind = match (head.opcode, &self.message) {
            (Opcode::Continuation, None) => {
                return Err(Fault::protocol("a continuation continues nothing"));
            }
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Fault::protocol("a message begins within another one"));
            }
            (Opcode::Text, None) => Some(Kind::Text),
            (Opcode::Binary, None) => Some(Kind::Binary),
            _ => None,
        };
        if let Some(kind) = kind {
            self.message = Some(Message {
                kind,
                compressed: head.compressed,
                utf8: Utf8::default(),
            });
        }
        if !head.opcode.is_control() && self.message.is_some_and(|message| !message.compressed) {
            let room = self.max_message.saturating_sub(self.held.len());
            if head.length > room as u64 {
                return Err(Fault::too_big());
            }
        }
        self.current = Some(Current { head, taken: 0 });
        Ok(())
    }

    fn receive_payload(
        &mut self,
        input: &mut [u8],
        at: usize,
    ) -> Result<(usize, Option<Event>), Fault> {
        let Some(Current { head, taken }) = &mut self.current else {
            return Ok((0, None));
        };
        let left = usize::try_from(head.length - *taken).unwrap_or(usize::MAX);
        let count = left.min(input.len() - at);
        let payload = input.get_mut(at..at + count).unwrap_or_default();
        if let Some(key) = head.mask {
            mask(payload, key, usize::try_from(*taken & 3).unwrap_or(0));
        }
        let head = *head;
        let first = *taken == 0;
        *taken += count as u64;
        let complete = count == left;
        if complete {
            self.current = None;
        }
        if head.opcode.is_control() {
            self.control.extend_from_slice(payload);
            let event = if complete {
                Some(self.control_event(head.opcode)?)
            } else {
                None
            };
            return Ok((count, event));
        }
        let Some(message) = &mut self.message else {
            return Ok((count, None));
        };
        if message.compressed {
            let before = self.held.len();
            if let Some(inflater) = &mut self.inflater {
                inflater.push(payload, &mut self.held, self.max_message)?;
                if complete && head.fin {
                    inflater.finish(&mut self.held, self.max_message)?;
                }
            }
            let new = self.held.get(before..).unwrap_or_default();
            if message.kind == Kind::Text && !message.utf8.push(new) {
                return Err(Fault::data("a text is not UTF-8"));
            }
        } else {
            if message.kind == Kind::Text && !message.utf8.push(payload) {
                return Err(Fault::data("a text is not UTF-8"));
            }
            if !(complete && head.fin && first && self.held.is_empty()) {
                if self.held.is_empty() && head.fin {
                    // The announced length is believed only as far as it is not dear.
                    self.held.reserve(left.min(64 * 1024));
                }
                self.held.extend_from_slice(payload);
            }
        }
        if !(complete && head.fin) {
            return Ok((count, None));
        }
        if message.kind == Kind::Text && !message.utf8.finish() {
            return Err(Fault::data("a text is not UTF-8"));
        }
        let kind = message.kind;
        let in_place = !message.compressed && first && self.held.is_empty();
        self.message = None;
        let place = if in_place {
            Place::Input(at..at + count)
        } else {
            Place::Held(std::mem::take(&mut self.held))
        };
        Ok((count, Some(Event::Message(kind, place))))
    }

    fn control_event(&mut self, opcode: Opcode) -> Result<Event, Fault> {
        let payload = std::mem::take(&mut self.control);
        match opcode {
            Opcode::Ping => return Ok(Event::Ping(payload)),
            Opcode::Pong => return Ok(Event::Pong(payload)),
            _ => {}
        }
        self.closed = true;
        match payload.as_slice() {
            [] => Ok(Event::Close(None)),
            [_] => Err(Fault::protocol("a close frame has one byte")),
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                if !is_close_code(code) {
                    return Err(Fault::protocol("a close code is out of range"));
                }
                let reason = str::from_utf8(reason)
                    .map_err(|_| Fault::data("a close reason is not UTF-8"))?;
                Ok(Event::Close(Some((code, reason.to_owned()))))
            }
        }
    }
}

/// Whether a code may stand in a close frame (RFC 6455, section 7.4, and its registry).
#[must_use]
pub fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests;
