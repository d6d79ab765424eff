//! The frame's head and the mask (RFC 6455, section 5).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::Fault;

/// Payload that a control frame may carry at most (RFC 6455, section 5.5).
pub const CONTROL_BYTES: usize = 125;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that was begun.
    Continuation,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// The end of the connection.
    Close,
    /// A question whether the peer is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// Whether the frame may stand between a message's fragments.
    #[must_use]
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// It is its message's last frame.
    pub fin: bool,
    /// The first reserved bit, which marks a compressed message.
    pub compressed: bool,
    /// What it carries.
    pub opcode: Opcode,
    /// The key that its payload is masked with.
    pub mask: Option<[u8; 4]>,
    /// Length of its payload in bytes.
    pub length: u64,
}

impl FrameHead {
    /// Longest head in bytes.
    pub const MAX: usize = 14;

    /// How many bytes the head has whose first two are these.
    #[must_use]
    pub fn size(second: u8) -> usize {
        let length = match second & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        length + if second & 0x80 == 0 { 0 } else { 4 }
    }

    /// Read a whole head.
    ///
    /// # Errors
    ///
    /// The peer's mistake, with close code 1002.
    pub fn parse(head: &[u8]) -> Result<Self, Fault> {
        let [first, second, rest @ ..] = head else {
            return Err(Fault::protocol("a frame's head is cut short"));
        };
        if first & 0x30 != 0 {
            return Err(Fault::protocol("a reserved bit is set"));
        }
        let opcode =
            Opcode::from_bits(first & 0x0f).ok_or(Fault::protocol("an opcode is unknown"))?;
        let (length, rest) = match (second & 0x7f, rest) {
            (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
            (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest)
            }
            (short, rest) => (u64::from(short), rest),
        };
        // RFC 6455, section 5.2: the shortest form, and the top bit is zero.
        if match second & 0x7f {
            126 => length < 126,
            127 => length < 1 << 16 || length >> 63 != 0,
            _ => false,
        } {
            return Err(Fault::protocol("a length is not in its shortest form"));
        }
        let fin = first & 0x80 != 0;
        let compressed = first & 0x40 != 0;
        if opcode.is_control() {
            if !fin {
                return Err(Fault::protocol("a control frame is fragmented"));
            }
            if length > CONTROL_BYTES as u64 {
                return Err(Fault::protocol("a control frame is longer than 125 bytes"));
            }
            if compressed {
                return Err(Fault::protocol("a control frame is compressed"));
            }
        }
        let mask = match rest {
            [a, b, c, d, ..] if second & 0x80 != 0 => Some([*a, *b, *c, *d]),
            _ => None,
        };
        Ok(Self {
            fin,
            compressed,
            opcode,
            mask,
            length,
        })
    }

    /// Append the head.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut head = [0_u8; Self::MAX];
        let first = (u8::from(self.fin) << 7) | (u8::from(self.compressed) << 6);
        let masked = u8::from(self.mask.is_some()) << 7;
        head[0] = first | self.opcode.bits();
        let mut size = 2;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "each arm's range was checked"
        )]
        match self.length {
            length @ 0..=125 => head[1] = masked | length as u8,
            length @ 126..=0xffff => {
                head[1] = masked | 0x7e;
                head[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                size = 4;
            }
            length => {
                head[1] = masked | 0x7f;
                head[2..10].copy_from_slice(&length.to_be_bytes());
                size = 10;
            }
        }
        out.extend_from_slice(head.get(..size).unwrap_or_default());
        if let Some(mask) = self.mask {
            out.extend_from_slice(&mask);
        }
    }
}

/// Mask or unmask `data`, whose first byte is the payload's byte number `offset`.
pub fn mask(data: &mut [u8], key: [u8; 4], offset: usize) {
    let turned: [u8; 4] = std::array::from_fn(|i| key.get((i + offset) & 3).copied().unwrap_or(0));
    let [a, b, c, d] = turned;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    // Sixteen bytes a step, which the compiler turns into vector instructions.
    let mut blocks = data.chunks_exact_mut(16);
    for block in &mut blocks {
        let (low, high) = block.split_at_mut(8);
        for half in [low, high] {
            let mut word = [0; 8];
            word.copy_from_slice(half);
            half.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
        }
    }
    for (byte, key) in blocks
        .into_remainder()
        .iter_mut()
        .zip(turned.iter().cycle())
    {
        *byte ^= key;
    }
}

/// Masks that a peer cannot foretell (RFC 6455, section 10.3).
#[derive(Clone, Debug, Default)]
pub struct MaskSource {
    // A keyed pseudo-random function whose key comes from the system.
    keys: RandomState,
    count: u64,
}

impl MaskSource {
    /// The next mask.
    pub fn next_mask(&mut self) -> [u8; 4] {
        self.count = self.count.wrapping_add(1);
        let [a, b, c, d, ..] = self.keys.hash_one(self.count).to_ne_bytes();
        [a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_as_it_was_written() {
        for length in [0, 1, 125, 126, 0xffff, 0x1_0000, 1 << 40] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let head = FrameHead {
                    fin: length != 1,
                    compressed: length == 126,
                    opcode: Opcode::Binary,
                    mask,
                    length,
                };
                let mut wire = Vec::new();
                head.encode(&mut wire);
                assert_eq!(FrameHead::size(wire[1]), wire.len());
                assert_eq!(FrameHead::parse(&wire), Ok(head));
            }
        }
    }

    #[test]
    fn heads_that_the_rfc_forbids_are_refused() {
        let bad: &[&[u8]] = &[
            &[0x91, 0],
            &[0xa1, 0],
            &[0x83, 0],
            &[0x8b, 0],
            &[0x09, 0],
            &[0x89, 126, 0, 126],
            &[0xc9, 0],
            &[0x81, 126, 0, 125],
            &[0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            &[0x81, 127, 0x80, 0, 0, 0, 0, 1, 0, 0],
        ];
        for head in bad {
            assert_eq!(FrameHead::parse(head).unwrap_err().code, 1002, "{head:x?}");
        }
    }

    #[test]
    fn masking_in_pieces_equals_masking_at_once() {
        let plain: Vec<u8> = (0..200).collect();
        let key = [7, 99, 250, 3];
        let slow: Vec<u8> = plain
            .iter()
            .zip(key.iter().cycle())
            .map(|(a, b)| a ^ b)
            .collect();
        for cut in 0..plain.len() {
            let mut data = plain.clone();
            let (head, tail) = data.split_at_mut(cut);
            mask(head, key, 0);
            mask(tail, key, cut);
            assert_eq!(data, slow, "cut at {cut}");
        }
    }

    #[test]
    fn masks_differ() {
        let mut source = MaskSource::default();
        let masks: std::collections::HashSet<_> = (0..100).map(|_| source.next_mask()).collect();
        assert!(masks.len() > 95);
    }
}
