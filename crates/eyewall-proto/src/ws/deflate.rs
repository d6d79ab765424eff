//! Messages compressed with DEFLATE (RFC 7692): the contexts of both directions.
//!
//! A context is a few hundred kilobytes. A direction that keeps none between its messages
//! borrows one of the thread's spare ones for each; one that keeps its context can be asked to
//! give it back and remembers only the window's bytes, as far as the peer may refer to them.

use std::cell::RefCell;
use std::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::{Fault, Role};

/// How far back a compressed message may refer, at most.
const WINDOW: usize = 32 * 1024;

/// What a sync flush leaves at the end, and a message goes without (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Spare contexts of each kind that a thread keeps.
const SPARE: usize = 2;

/// The window of a compressor that there is no compressor for; its messages go as they are.
const TOO_SMALL: u8 = 8;

thread_local! {
    static INFLATES: RefCell<Vec<Inflate>> = const { RefCell::new(Vec::new()) };
    static DEFLATES: RefCell<Vec<(Strength, Deflate)>> = const { RefCell::new(Vec::new()) };
}

/// What was agreed on for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// The server's messages do not refer to earlier ones.
    pub server_no_context_takeover: bool,
    /// The client's messages do not refer to earlier ones.
    pub client_no_context_takeover: bool,
    /// The server's window, as a power of two.
    pub server_window_bits: u8,
    /// The client's window, as a power of two.
    pub client_window_bits: u8,
    /// How hard this side tries, 0 to 9.
    pub level: u8,
    /// How much memory this side's compressor takes, 1 to 9.
    pub mem_level: u8,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_window_bits: 15,
            client_window_bits: 15,
            level: 6,
            mem_level: 8,
        }
    }
}

/// What a compressed message depends on: equal strengths give equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Strength {
    window_bits: u8,
    level: u8,
    mem_level: u8,
}

impl Strength {
    /// Compress one message that refers to no other.
    #[must_use]
    pub fn deflate(self, data: &[u8]) -> Vec<u8> {
        let mut deflate = self.borrow();
        let out = run_deflate(&mut deflate, data);
        self.give_back(deflate);
        out
    }

    fn borrow(self) -> Deflate {
        DEFLATES
            .with_borrow_mut(|spare| {
                let at = spare.iter().position(|(strength, _)| *strength == self)?;
                Some(spare.swap_remove(at).1)
            })
            .unwrap_or_else(|| {
                Deflate::new_with_config(DeflateConfig {
                    level: i32::from(self.level),
                    window_bits: -i32::from(self.window_bits),
                    mem_level: i32::from(self.mem_level),
                    ..DeflateConfig::default()
                })
            })
    }

    fn give_back(self, mut deflate: Deflate) {
        DEFLATES.with_borrow_mut(|spare| {
            if spare.len() >= SPARE {
                spare.remove(0);
            }
            deflate.reset();
            spare.push((self, deflate));
        });
    }
}

fn run_deflate(deflate: &mut Deflate, mut data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() / 2 + 64);
    loop {
        let start = out.len();
        let room = (data.len() / 2).max(64);
        out.resize(start + room, 0);
        let (taken, given) = (deflate.total_in(), deflate.total_out());
        let target = out.get_mut(start..).unwrap_or_default();
        let done = deflate.compress(data, target, DeflateFlush::SyncFlush);
        let given = difference(deflate.total_out(), given);
        data = data
            .get(difference(deflate.total_in(), taken)..)
            .unwrap_or_default();
        out.truncate(start + given);
        if done.is_err() || (data.is_empty() && given < room) {
            break;
        }
    }
    if out.ends_with(&TAIL) {
        out.truncate(out.len() - TAIL.len());
    }
    if out.is_empty() {
        // RFC 7692, section 7.2.3.6: an empty message is one empty block.
        out.push(0);
    }
    out
}

fn difference(now: u64, before: u64) -> usize {
    usize::try_from(now - before).unwrap_or(usize::MAX)
}

/// The sending direction.
pub struct Deflater {
    strength: Strength,
    keeps_context: bool,
    state: Option<Box<Deflate>>,
}

impl Deflater {
    /// This side's compressor; none where its window is too small for one.
    #[must_use]
    pub fn new(params: &Params, role: Role) -> Option<Self> {
        let (window_bits, no_takeover) = match role {
            Role::Server => (params.server_window_bits, params.server_no_context_takeover),
            Role::Client => (params.client_window_bits, params.client_no_context_takeover),
        };
        let strength = Strength {
            window_bits,
            level: params.level,
            mem_level: params.mem_level,
        };
        (window_bits > TOO_SMALL).then_some(Self {
            strength,
            keeps_context: !no_takeover,
            state: None,
        })
    }

    /// Compress a message.
    pub fn deflate(&mut self, data: &[u8]) -> Vec<u8> {
        if !self.keeps_context {
            return self.strength.deflate(data);
        }
        let strength = self.strength;
        let state = self
            .state
            .get_or_insert_with(|| Box::new(strength.borrow()));
        run_deflate(state, data)
    }

    /// A message of this strength goes out that this compressor has not seen: what it sends
    /// next refers to nothing before that.
    pub fn share(&mut self) -> Strength {
        self.release();
        self.strength
    }

    /// Whether a context is held.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state.is_some()
    }

    /// Give the context back; the next message refers to nothing.
    pub fn release(&mut self) {
        if let Some(state) = self.state.take() {
            self.strength.give_back(*state);
        }
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("strength", &self.strength)
            .field("active", &self.is_active())
            .finish_non_exhaustive()
    }
}

/// The receiving direction.
pub struct Inflater {
    keeps_context: bool,
    state: Option<Box<Inflate>>,
    /// The last bytes of the messages so far, where the peer may refer to them.
    window: Vec<u8>,
}

impl Inflater {
    /// The other side's decompressor.
    #[must_use]
    pub fn new(params: &Params, role: Role) -> Self {
        let no_takeover = match role {
            Role::Server => params.client_no_context_takeover,
            Role::Client => params.server_no_context_takeover,
        };
        Self {
            keeps_context: !no_takeover,
            state: None,
            window: Vec::new(),
        }
    }

    /// Inflate a piece of a message onto `out`, which holds the message so far.
    ///
    /// # Errors
    ///
    /// The message grows beyond `max` bytes (1009), or is not DEFLATE (1007).
    pub fn push(&mut self, mut data: &[u8], out: &mut Vec<u8>, max: usize) -> Result<(), Fault> {
        loop {
            let state = self
                .state
                .get_or_insert_with(|| Box::new(new_inflate(&self.window)));
            let start = out.len();
            // One byte more than allowed, so that the limit is noticed without the rest.
            let room = (data.len() * 4).clamp(512, 64 * 1024).min(max + 1 - start);
            out.resize(start + room, 0);
            let (taken, given) = (state.total_in(), state.total_out());
            let target = out.get_mut(start..).unwrap_or_default();
            let done = state.decompress(data, target, InflateFlush::SyncFlush);
            let given = difference(state.total_out(), given);
            let taken = difference(state.total_in(), taken);
            data = data.get(taken..).unwrap_or_default();
            out.truncate(start + given);
            if out.len() > max {
                return Err(Fault::too_big());
            }
            match done {
                Err(_) => return Err(Fault::data("a message is not deflated correctly")),
                Ok(Status::StreamEnd) => {
                    // RFC 7692, section 7.2.3.5: a final block may stand within a message.
                    let mut window = std::mem::take(&mut self.window);
                    keep_last(&mut window, out);
                    give_back(&mut self.state);
                    self.state = Some(Box::new(new_inflate(&window)));
                    if data.is_empty() {
                        return Ok(());
                    }
                }
                Ok(_) if data.is_empty() && given < room => return Ok(()),
                Ok(_) if taken == 0 && given == 0 => return Ok(()),
                Ok(_) => {}
            }
        }
    }

    /// The message is complete.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn finish(&mut self, out: &mut Vec<u8>, max: usize) -> Result<(), Fault> {
        self.push(&TAIL, out, max)?;
        if self.keeps_context {
            keep_last(&mut self.window, out);
        } else {
            give_back(&mut self.state);
        }
        Ok(())
    }

    /// Whether a context is held.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state.is_some()
    }

    /// Give the context back; only the window's bytes stay.
    pub fn release(&mut self) {
        give_back(&mut self.state);
        self.window.shrink_to_fit();
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("keeps_context", &self.keeps_context)
            .field("active", &self.is_active())
            .finish_non_exhaustive()
    }
}

fn new_inflate(window: &[u8]) -> Inflate {
    let mut state = INFLATES
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Inflate::new(false, 15));
    if !window.is_empty() {
        // It fails only on a stream with a header, and this one has none.
        let _ = state.set_dictionary(window);
    }
    state
}

fn give_back(state: &mut Option<Box<Inflate>>) {
    if let Some(mut state) = state.take() {
        INFLATES.with_borrow_mut(|spare| {
            if spare.len() < SPARE {
                state.reset(false);
                spare.push(*state);
            }
        });
    }
}

/// Keep the last bytes of what is there and `data`.
fn keep_last(window: &mut Vec<u8>, data: &[u8]) {
    let data = data
        .get(data.len().saturating_sub(WINDOW)..)
        .unwrap_or_default();
    let surplus = (window.len() + data.len()).saturating_sub(WINDOW);
    window.drain(..surplus);
    window.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LARGE: usize = 1 << 20;

    fn pair(params: Params) -> (Deflater, Inflater) {
        (
            Deflater::new(&params, Role::Client).unwrap(),
            Inflater::new(&params, Role::Server),
        )
    }

    fn inflate(inflater: &mut Inflater, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        inflater.push(data, &mut out, LARGE).unwrap();
        inflater.finish(&mut out, LARGE).unwrap();
        out
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let mut inflater = Inflater::new(&Params::default(), Role::Server);
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(inflate(&mut inflater, &hello), b"Hello");
        // The second message refers to the first.
        let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
        assert_eq!(inflate(&mut inflater, &again), b"Hello");
        // A block without compression, a final block, and two blocks.
        let stored = [
            0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
        ];
        assert_eq!(inflate(&mut inflater, &stored), b"Hello");
        let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        assert_eq!(inflate(&mut inflater, &last), b"Hello");
        let two = [
            0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
        ];
        assert_eq!(inflate(&mut inflater, &two), b"Hello");
        assert_eq!(inflate(&mut inflater, &[0x00]), b"");
    }

    #[test]
    fn a_kept_context_makes_the_second_message_shorter() {
        let (mut deflater, mut inflater) = pair(Params::default());
        let text: Vec<u8> = (0..2000_u32).flat_map(|i| (i * i).to_le_bytes()).collect();
        let first = deflater.deflate(&text);
        let second = deflater.deflate(&text);
        assert!(second.len() * 4 < first.len());
        assert_eq!(inflate(&mut inflater, &first), text);
        inflater.release();
        assert!(!inflater.is_active());
        assert_eq!(inflate(&mut inflater, &second), text);
    }

    #[test]
    fn a_shared_message_between_own_ones_is_read() {
        let (mut deflater, mut inflater) = pair(Params::default());
        let text = b"the same words, the same words, the same words";
        let first = deflater.deflate(text);
        let shared = deflater.share().deflate(text);
        let second = deflater.deflate(text);
        let third = deflater.deflate(text);
        for message in [first, shared, second, third] {
            assert_eq!(inflate(&mut inflater, &message), text);
        }
    }

    #[test]
    fn a_bomb_is_noticed_at_the_limit() {
        let bomb = pair(Params::default()).0.deflate(&vec![0; 50 << 20]);
        assert!(bomb.len() < 64 * 1024);
        let mut inflater = Inflater::new(&Params::default(), Role::Server);
        let mut out = Vec::new();
        let fault = inflater.push(&bomb, &mut out, 1000).unwrap_err();
        assert_eq!(fault.code, 1009);
        assert!(out.len() <= 1001);
    }

    #[test]
    fn rubbish_is_refused() {
        let mut inflater = Inflater::new(&Params::default(), Role::Server);
        let fault = inflater
            .push(&[0x07, 0xff, 0xff, 0x01], &mut Vec::new(), LARGE)
            .unwrap_err();
        assert_eq!(fault.code, 1007);
    }

    #[test]
    fn a_window_of_256_bytes_sends_as_it_is() {
        let params = Params {
            server_window_bits: 8,
            ..Params::default()
        };
        assert!(Deflater::new(&params, Role::Server).is_none());
    }

    proptest! {
        #[test]
        fn messages_come_back_as_they_went(
            messages in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..300),
                    "[a-c]{0,3000}".prop_map(String::into_bytes),
                ],
                1..6,
            ),
            no_takeover: bool,
            bits in 9_u8..=15,
            cut in 1_usize..50,
        ) {
            let params = Params {
                client_no_context_takeover: no_takeover,
                client_window_bits: bits,
                ..Params::default()
            };
            let (mut deflater, mut inflater) = pair(params);
            for message in &messages {
                let deflated = deflater.deflate(message);
                let mut out = Vec::new();
                for piece in deflated.chunks(cut) {
                    inflater.push(piece, &mut out, LARGE).unwrap();
                }
                inflater.finish(&mut out, LARGE).unwrap();
                prop_assert_eq!(&out, message);
            }
        }

        #[test]
        fn no_input_panics(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut inflater = Inflater::new(&Params::default(), Role::Server);
            let mut out = Vec::new();
            if inflater.push(&data, &mut out, 5000).is_ok() {
                let _ = inflater.finish(&mut out, 5000);
            }
            prop_assert!(out.len() <= 5001);
        }
    }
}
