//! One WebSocket: what has come, what is to be said, and how far its end is.
//!
//! It knows nothing of the connection below: bytes are given to it, and what it wants to send
//! is appended to a buffer, so that the same code serves HTTP/1.1 connections and HTTP/2
//! streams.

mod ops;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use eyewall_proto::ws::deflate::{Params, Strength};
use eyewall_proto::ws::frame::Opcode;
use eyewall_proto::ws::{Decoder, Encoder, Event, Fault, Kind, Place, Role, close_payload};

use crate::host::Host;
use crate::timer::Waiting;

/// Messages that may be decoded ahead of the host.
const INBOX: usize = 64;

/// Bytes of messages that may be decoded ahead of the host.
const INBOX_BYTES: usize = 64 * 1024;

/// The log line for a peer that does not answer a ping.
pub(crate) const NO_PONG: &str = "WebSocket: no answer to a ping: closed with 1011";

/// The log line for a peer that does not answer a close frame.
pub(crate) const NO_CLOSE: &str = "WebSocket: no answer to a close frame: cut";

/// How long a compression context is kept without a message.
const CONTEXT_IDLE: Duration = Duration::from_secs(10);

/// What a WebSocket allows its peer.
#[derive(Clone, Debug)]
pub struct SocketConfig {
    /// Largest message in bytes, inflated (1009).
    pub max_message: usize,
    /// What may wait to be sent, in bytes; a peer for whom more waits is cut.
    pub max_queue: usize,
    /// Time between pings; zero sends none.
    pub ping_interval: Duration,
    /// How long a peer may be silent after a ping.
    pub ping_timeout: Duration,
    /// How long the peer's close frame is waited for after ours.
    pub close_timeout: Duration,
    /// The compression that was agreed on.
    pub deflate: Option<Params>,
}

/// What happens on a WebSocket.
#[derive(Debug)]
pub enum SocketEvent<C> {
    /// A message, as [`Host::message`] made it.
    Message(C),
    /// The peer asked whether we are there, and was answered.
    Ping(Vec<u8>),
    /// The peer's answer to a ping.
    Pong(Vec<u8>),
    /// There is room again for what the host wants to send.
    Room,
    /// It is over; nothing follows.
    Closed {
        /// The code of the first close frame, where there was one with a code.
        code: Option<u16>,
        /// Its reason.
        reason: String,
    },
}

/// Why it ended: what one of the close frames said, or what happened without.
#[derive(Debug)]
struct Why {
    code: Option<u16>,
    reason: String,
}

impl Why {
    fn new(code: Option<u16>, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

/// How far the end has come.
#[derive(Debug)]
enum State {
    Open,
    /// Our close frame is out, the peer's is waited for.
    Closing(Why),
    /// The peer's close frame came; the host takes what came before, and may still answer it.
    PeerClosed {
        why: Why,
        answered: bool,
    },
    /// Nothing more comes; the host is told when it has taken what came.
    Over(Why),
    /// The host knows.
    Told,
}

/// One WebSocket of a server.
pub(crate) struct WebSocket<C> {
    /// The number of the exchange that it was.
    pub(crate) stream: u32,
    decoder: Decoder,
    encoder: Encoder,
    config: Rc<SocketConfig>,
    receiver: Rc<C>,
    inbox: VecDeque<SocketEvent<C>>,
    inbox_bytes: usize,
    state: State,
    /// The host takes no messages now.
    paused: bool,
    /// The host takes no messages any more.
    deaf: bool,
    /// A ping is out, and nothing has come since.
    awaiting_pong: bool,
    /// Ticks without what is awaited, where one timer serves several.
    missed: u8,
    /// Something came since the deadline was set.
    heard: bool,
    /// The host was told that there is no room.
    wants_room: bool,
    /// Reading stopped because too much waits to be written.
    pub(crate) stalled: bool,
    /// The only message that a slow reader is to get, once there is room.
    pub(crate) latest: Option<bytes::Bytes>,
}

impl<C> WebSocket<C> {
    pub(crate) fn new(stream: u32, config: Rc<SocketConfig>, receiver: C) -> Self {
        let deflate = config.deflate.as_ref();
        Self {
            stream,
            decoder: Decoder::new(Role::Server, config.max_message, deflate),
            encoder: Encoder::new(Role::Server, deflate),
            config,
            receiver: Rc::new(receiver),
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            state: State::Open,
            paused: false,
            deaf: false,
            awaiting_pong: false,
            missed: 0,
            heard: false,
            wants_room: false,
            stalled: false,
            latest: None,
        }
    }

    /// Decode as much as the host may have ahead; returns how much was taken.
    ///
    /// # Errors
    ///
    /// The peer's mistake, whose close frame is in `replies`; nothing more is read.
    pub(crate) fn receive<H: Host<Callback = C>>(
        &mut self,
        input: &mut [u8],
        replies: &mut Vec<u8>,
    ) -> Result<usize, Fault> {
        let mut taken = 0;
        self.heard = true;
        self.awaiting_pong = false;
        self.missed = 0;
        while taken < input.len() && self.wants_input() {
            let rest = input.get_mut(taken..).unwrap_or_default();
            let (count, event) = match self.decoder.receive(rest) {
                Ok(received) => received,
                Err(fault) => {
                    self.fail(fault, replies);
                    return Err(fault);
                }
            };
            match event {
                None => {}
                Some(Event::Message(..)) if self.deaf => {}
                Some(Event::Message(kind, Place::Input(range))) => {
                    let data = rest.get(range).unwrap_or_default();
                    self.inbox_bytes += data.len();
                    self.inbox
                        .push_back(SocketEvent::Message(H::message(kind, data)));
                }
                Some(Event::Message(kind, Place::Held(data))) => {
                    self.inbox_bytes += data.len();
                    self.inbox
                        .push_back(SocketEvent::Message(H::message(kind, &data)));
                }
                Some(Event::Ping(data)) => {
                    if let State::Open = self.state {
                        self.encoder.control(replies, Opcode::Pong, &data);
                    }
                    self.inbox.push_back(SocketEvent::Ping(data));
                }
                Some(Event::Pong(data)) => self.inbox.push_back(SocketEvent::Pong(data)),
                Some(Event::Close(close)) => {
                    self.closed_by_peer(close);
                    return Ok(input.len());
                }
            }
            taken += count;
        }
        Ok(taken)
    }

    fn fail(&mut self, fault: Fault, replies: &mut Vec<u8>) {
        if let State::Open = self.state {
            let payload = close_payload(Some(fault.code), fault.text);
            self.encoder.control(replies, Opcode::Close, &payload);
        }
        self.state = State::Over(Why::new(Some(fault.code), fault.text));
    }

    fn closed_by_peer(&mut self, close: Option<(u16, String)>) {
        // The first close frame is the one that says why.
        self.state = match std::mem::replace(&mut self.state, State::Told) {
            State::Closing(why) => State::PeerClosed {
                why,
                answered: true,
            },
            _ => State::PeerClosed {
                why: close.map_or_else(
                    || Why::new(None, ""),
                    |(code, reason)| Why::new(Some(code), reason),
                ),
                answered: false,
            },
        };
    }

    /// The transport has ended, or must; what came before is still delivered.
    pub(crate) fn lose(&mut self, reason: &str) {
        self.state = match std::mem::replace(&mut self.state, State::Told) {
            State::Open => State::Over(Why::new(None, reason)),
            State::Closing(why) => State::Over(why),
            other => other,
        };
    }

    /// Begin the closing handshake; false where it has begun already.
    pub(crate) fn close(&mut self, code: Option<u16>, reason: &str, out: &mut Vec<u8>) -> bool {
        match &mut self.state {
            State::Open => self.state = State::Closing(Why::new(code, reason)),
            State::PeerClosed { answered, .. } if !*answered => *answered = true,
            _ => return false,
        }
        self.encoder
            .control(out, Opcode::Close, &close_payload(code, reason));
        true
    }

    /// What the host is to be told next.
    pub(crate) fn next_event(&mut self, out: &mut Vec<u8>) -> Option<(Rc<C>, SocketEvent<C>)> {
        if self.paused {
            return None;
        }
        if let Some(event) = self.inbox.pop_front() {
            if self.inbox.is_empty() {
                self.inbox_bytes = 0;
                self.inbox = VecDeque::new();
            }
            return Some((Rc::clone(&self.receiver), event));
        }
        let why = match std::mem::replace(&mut self.state, State::Told) {
            State::PeerClosed { why, answered } => {
                if !answered {
                    // RFC 6455, section 5.5.1: the answer typically echoes the code.
                    let payload = close_payload(why.code, "");
                    self.encoder.control(out, Opcode::Close, &payload);
                }
                why
            }
            State::Over(why) => why,
            other => {
                self.state = other;
                return None;
            }
        };
        let Why { code, reason } = why;
        Some((
            Rc::clone(&self.receiver),
            SocketEvent::Closed { code, reason },
        ))
    }

    /// The last word to the host when the connection is gone for good.
    pub(crate) fn last_event(&mut self, reason: &str) -> Option<(Rc<C>, SocketEvent<C>)> {
        self.lose(reason);
        self.paused = false;
        self.inbox = VecDeque::new();
        self.next_event(&mut Vec::new())
    }

    /// Whether messages, or the news of the end, wait for the host.
    pub(crate) fn has_undelivered(&self) -> bool {
        self.paused || !self.inbox.is_empty()
    }

    pub(crate) fn wants_input(&self) -> bool {
        !self.paused
            && self.inbox.len() < INBOX
            && self.inbox_bytes < INBOX_BYTES
            && matches!(self.state, State::Open | State::Closing(_))
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Drop the messages that wait, and those that come.
    pub(crate) fn deafen(&mut self) {
        self.deaf = true;
        self.paused = false;
        self.inbox = VecDeque::new();
        self.inbox_bytes = 0;
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(
            self.state,
            State::Open
                | State::PeerClosed {
                    answered: false,
                    ..
                }
        )
    }

    /// The host knows of the end.
    pub(crate) fn is_told(&self) -> bool {
        matches!(self.state, State::Told)
    }

    pub(crate) fn max_queue(&self) -> usize {
        self.config.max_queue
    }

    /// Append a message.
    pub(crate) fn send(&mut self, out: &mut Vec<u8>, kind: Kind, data: &[u8]) {
        self.encoder.message(out, kind, data);
    }

    /// Append the head of a message that is sent from where it lies; false where it cannot be.
    pub(crate) fn send_head(&mut self, out: &mut Vec<u8>, kind: Kind, length: usize) -> bool {
        self.encoder.head(out, kind, length)
    }

    pub(crate) fn ping(&mut self, out: &mut Vec<u8>, data: &[u8]) {
        self.encoder.control(out, Opcode::Ping, data);
    }

    /// How a message for many must be compressed for this one.
    pub(crate) fn share(&mut self) -> Option<Strength> {
        self.encoder.share()
    }

    /// Remember that the host waits for room.
    pub(crate) fn ask_for_room(&mut self) {
        self.wants_room = true;
    }

    /// The news that there is room, where the host waits for it.
    pub(crate) fn room_event(&mut self) -> Option<(Rc<C>, SocketEvent<C>)> {
        std::mem::take(&mut self.wants_room).then(|| (Rc::clone(&self.receiver), SocketEvent::Room))
    }

    /// What the socket waits for, apart from room to write.
    pub(crate) fn waits_for(&self) -> (Waiting, Duration) {
        if let State::Closing(_) = self.state {
            return (Waiting::SocketClose, self.config.close_timeout);
        }
        if self.has_undelivered() {
            // Nothing is read now, so a silent peer may have spoken.
            return (Waiting::Nothing, Duration::ZERO);
        }
        match self.state {
            State::Open if self.awaiting_pong => (Waiting::Pong, self.config.ping_timeout),
            State::Open if !self.config.ping_interval.is_zero() => {
                (Waiting::Ping, self.config.ping_interval)
            }
            State::Open if self.decoder.is_releasable() || self.encoder.is_releasable() => {
                (Waiting::Ping, CONTEXT_IDLE)
            }
            _ => (Waiting::Nothing, Duration::ZERO),
        }
    }

    /// The interval between pings has passed.
    pub(crate) fn tick(&mut self, out: &mut Vec<u8>) {
        if !std::mem::take(&mut self.heard) {
            self.decoder.release();
            self.encoder.release();
        }
        if self.is_open() && !self.config.ping_interval.is_zero() {
            self.encoder.control(out, Opcode::Ping, b"");
            self.awaiting_pong = !self.config.ping_timeout.is_zero();
        }
    }

    /// As [`tick`](Self::tick), where one timer serves several: gives up, with a line for the
    /// log, what two ticks were waited for.
    pub(crate) fn tick_or_give_up(&mut self, out: &mut Vec<u8>) -> Option<&'static str> {
        let is_closing = matches!(self.state, State::Closing(_));
        if self.has_undelivered() && !is_closing {
            return None;
        }
        if !is_closing && !self.awaiting_pong {
            self.tick(out);
            return None;
        }
        self.missed += 1;
        if self.missed < 2 {
            return None;
        }
        if is_closing {
            self.deafen();
            self.lose("");
            return Some(NO_CLOSE);
        }
        self.close(Some(1011), "ping timed out", out);
        self.lose("ping timed out");
        Some(NO_PONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Conn;

    #[test]
    fn an_idle_websocket_takes_less_than_a_kibibyte() {
        // The callback of the host, a pointer, lies behind a counted one.
        let receiver = 3 * size_of::<usize>();
        let description = size_of::<crate::config::ConnInfo>() + 2 * size_of::<usize>();
        let slot = size_of::<usize>();
        let total = size_of::<Conn<usize>>() + size_of::<WebSocket<usize>>();
        assert!(total + receiver + description + slot < 1024, "{total}");
    }
}
