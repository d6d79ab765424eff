//! A meter of HTTP/2 frames, against floods that are cheap to send and dear to serve.
//!
//! Rapid reset, PING, SETTINGS and PRIORITY floods consist of valid frames; only their number
//! gives them away. The meter reads nothing but the 9 bytes that each frame begins with
//! (RFC 9113, section 4.1), and counts over periods.

use crate::{Error, Limits};

const PREFACE_LEN: usize = 24;
const HEADER_LEN: usize = 9;

const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

/// Counts the frames of one connection.
#[derive(Debug)]
pub struct FrameMeter {
    /// Bytes to pass over before the next frame header.
    skip: usize,
    header: [u8; HEADER_LEN],
    have: usize,
    period: u64,
    resets: usize,
    control: usize,
}

impl Default for FrameMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameMeter {
    /// A meter for a connection of which no byte was seen.
    #[must_use]
    pub fn new() -> Self {
        Self {
            skip: PREFACE_LEN,
            header: [0; HEADER_LEN],
            have: 0,
            period: 0,
            resets: 0,
            control: 0,
        }
    }

    /// Count the frames that begin in `data`; counters start anew in each `period`.
    ///
    /// # Errors
    ///
    /// More resets or control frames than `limits` allow.
    pub fn feed(&mut self, mut data: &[u8], period: u64, limits: &Limits) -> Result<(), Error> {
        if period != self.period {
            self.period = period;
            self.resets = 0;
            self.control = 0;
        }
        while !data.is_empty() {
            let skipped = self.skip.min(data.len());
            self.skip -= skipped;
            data = data.get(skipped..).unwrap_or_default();
            let taken = (HEADER_LEN - self.have).min(data.len());
            let end = self.have + taken;
            if let (Some(into), Some(from)) =
                (self.header.get_mut(self.have..end), data.get(..taken))
            {
                into.copy_from_slice(from);
            }
            self.have = end;
            data = data.get(taken..).unwrap_or_default();
            if self.have == HEADER_LEN {
                self.have = 0;
                let [a, b, c, kind, ..] = self.header;
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.count(kind, limits)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, kind: u8, limits: &Limits) -> Result<(), Error> {
        match kind {
            RST_STREAM => self.resets += 1,
            PRIORITY | SETTINGS | PING | CONTINUATION => self.control += 1,
            _ => return Ok(()),
        }
        if self.resets > limits.resets {
            return Err(Error::new(400, "too many HTTP/2 streams were reset"));
        }
        if self.control > limits.control_frames {
            return Err(Error::new(400, "too many HTTP/2 control frames"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, len: usize) -> Vec<u8> {
        let mut frame = {
            let [high, low] = u16::try_from(len).unwrap().to_be_bytes();
            vec![0, high, low, kind, 0, 0, 0, 0, 1]
        };
        frame.resize(HEADER_LEN + len, 0xff);
        frame
    }

    fn stream(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0; PREFACE_LEN];
        bytes.extend(frames.concat());
        bytes
    }

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let limits = Limits {
            resets: 3,
            ..Limits::default()
        };
        let bytes = stream(&[
            frame(RST_STREAM, 4),
            frame(0, 300),
            frame(RST_STREAM, 4),
            frame(RST_STREAM, 4),
        ]);
        for size in 1..bytes.len() {
            let mut meter = FrameMeter::new();
            for piece in bytes.chunks(size) {
                meter.feed(piece, 0, &limits).unwrap();
            }
            assert!(
                meter.feed(&frame(RST_STREAM, 4), 0, &limits).is_err(),
                "cut by {size}"
            );
        }
    }

    #[test]
    fn a_new_period_starts_at_nothing() {
        let limits = Limits {
            control_frames: 1,
            ..Limits::default()
        };
        let mut meter = FrameMeter::new();
        meter.feed(&stream(&[frame(PING, 8)]), 0, &limits).unwrap();
        meter.feed(&frame(SETTINGS, 6), 1, &limits).unwrap();
        assert!(meter.feed(&frame(PRIORITY, 5), 1, &limits).is_err());
    }
}
