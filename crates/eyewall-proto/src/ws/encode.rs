//! Messages as frames.

use super::deflate::{Deflater, Params, Strength};
use super::frame::{FrameHead, MaskSource, Opcode, mask};
use super::{Kind, Role};

/// Messages below this many bytes are sent as they are: deflate would only lengthen them.
pub const WORTH_DEFLATING: usize = 32;

/// Writes one side's frames.
#[derive(Debug)]
pub struct Encoder {
    masks: Option<Box<MaskSource>>,
    deflater: Option<Box<Deflater>>,
}

impl Encoder {
    /// An encoder for this side.
    #[must_use]
    pub fn new(role: Role, deflate: Option<&Params>) -> Self {
        Self {
            masks: (role == Role::Client).then(Box::default),
            deflater: deflate
                .and_then(|params| Deflater::new(params, role))
                .map(Box::new),
        }
    }

    /// Append a message as one frame.
    pub fn message(&mut self, out: &mut Vec<u8>, kind: Kind, data: &[u8]) {
        let opcode = match kind {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        };
        if let Some(deflater) = &mut self.deflater
            && data.len() >= WORTH_DEFLATING
        {
            let deflated = deflater.deflate(data);
            self.frame(out, opcode, true, &deflated);
        } else {
            self.frame(out, opcode, false, data);
        }
    }

    /// Append only the head of a message that is sent from where it lies; false when it has to
    /// be given to [`message`](Self::message), because it is masked or compressed.
    pub fn head(&mut self, out: &mut Vec<u8>, kind: Kind, length: usize) -> bool {
        if self.masks.is_some() || self.deflater.is_some() {
            return false;
        }
        let opcode = match kind {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        };
        FrameHead {
            fin: true,
            compressed: false,
            opcode,
            mask: None,
            length: length as u64,
        }
        .encode(out);
        true
    }

    /// Append a control frame; at most 125 bytes of `data` are sent.
    pub fn control(&mut self, out: &mut Vec<u8>, opcode: Opcode, data: &[u8]) {
        let data = data
            .get(..data.len().min(super::frame::CONTROL_BYTES))
            .unwrap_or_default();
        self.frame(out, opcode, false, data);
    }

    fn frame(&mut self, out: &mut Vec<u8>, opcode: Opcode, compressed: bool, data: &[u8]) {
        let key = self.masks.as_mut().map(|masks| masks.next_mask());
        FrameHead {
            fin: true,
            compressed,
            opcode,
            mask: key,
            length: data.len() as u64,
        }
        .encode(out);
        let from = out.len();
        out.extend_from_slice(data);
        if let Some(key) = key {
            mask(out.get_mut(from..).unwrap_or_default(), key, 0);
        }
    }

    /// How a message for many must be compressed; `None` without compression. The next message
    /// of this side alone begins a window of its own.
    pub fn share(&mut self) -> Option<Strength> {
        self.deflater.as_mut().map(|deflater| deflater.share())
    }

    /// Whether [`release`](Self::release) would give something back.
    #[must_use]
    pub fn is_releasable(&self) -> bool {
        self.deflater
            .as_ref()
            .is_some_and(|deflater| deflater.is_active())
    }

    /// Give back what is only needed while messages go.
    pub fn release(&mut self) {
        if let Some(deflater) = &mut self.deflater {
            deflater.release();
        }
    }
}

/// Append a message as a server's frame, for many connections.
pub fn frame(out: &mut Vec<u8>, kind: Kind, compressed: bool, data: &[u8]) {
    FrameHead {
        fin: true,
        compressed,
        opcode: match kind {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        },
        mask: None,
        length: data.len() as u64,
    }
    .encode(out);
    out.extend_from_slice(data);
}

/// The payload of a close frame; the reason is cut at a character so that it fits.
#[must_use]
pub fn close_payload(code: Option<u16>, reason: &str) -> Vec<u8> {
    let Some(code) = code else {
        return Vec::new();
    };
    let mut end = reason.len().min(super::frame::CONTROL_BYTES - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
    payload
}
