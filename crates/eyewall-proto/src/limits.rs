//! Every limit of a server, with its default.

use std::fmt;
use std::time::Duration;

/// Sizes, counts and times that a server allows its clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Longest request line, in bytes (414).
    pub request_line_bytes: usize,
    /// Longest header section, in bytes (431).
    pub header_bytes: usize,
    /// Most header fields (431).
    pub header_count: usize,
    /// Largest body, in bytes, after decoding (413).
    pub body_bytes: u64,
    /// Longest time from a request's first byte to the end of its head (408).
    pub header_timeout: Duration,
    /// Slowest body, in bytes a second (408); 0 turns the check off.
    pub body_rate_bytes_s: u64,
    /// The time over which the rate is taken.
    pub body_grace: Duration,
    /// Longest idle time between requests.
    pub keep_alive: Duration,
    /// Longest time in which a peer takes nothing of an answer.
    pub write_stall: Duration,
    /// What an answer may keep waiting before its writer is asked to wait.
    pub write_buffer_bytes: usize,
    /// Most connections of a server (503).
    pub connections: usize,
    /// Most streams of an HTTP/2 connection.
    pub streams: u32,
    /// Most streams that an HTTP/2 peer may reset in 10 seconds.
    pub resets: usize,
    /// Most control frames that an HTTP/2 peer may send in 10 seconds.
    pub control_frames: usize,
    /// Most requests of a connection; 0 means any number.
    pub keep_alive_requests: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line_bytes: 8 * 1024,
            header_bytes: 64 * 1024,
            header_count: 100,
            body_bytes: 100 * 1024 * 1024,
            header_timeout: Duration::from_secs(10),
            body_rate_bytes_s: 240,
            body_grace: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            write_stall: Duration::from_secs(60),
            write_buffer_bytes: 64 * 1024,
            connections: 100_000,
            streams: 128,
            resets: 200,
            control_frames: 1000,
            keep_alive_requests: 0,
        }
    }
}

/// A limit that cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError(String);

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LimitError {}

impl Limits {
    /// The limits' names in the contract with the host's language.
    pub const NAMES: &[&str] = &[
        "request_line_bytes",
        "header_bytes",
        "header_count",
        "body_bytes",
        "header_timeout_s",
        "body_rate_bytes_s",
        "body_grace_s",
        "keep_alive_s",
        "write_stall_s",
        "write_buffer_bytes",
        "connections",
        "streams",
        "resets",
        "control_frames",
        "keep_alive_requests",
    ];

    /// Set a limit by name; times are in seconds.
    ///
    /// # Errors
    ///
    /// An unknown name, or a value that is no number of 0 or more, or too large.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), LimitError> {
        if !(0.0..=1e15).contains(&value) {
            return Err(LimitError(format!(
                "limit {name} must be a number from 0 up, not {value}"
            )));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 1e15 was checked"
        )]
        let count = value as u64;
        let size = usize::try_from(count).unwrap_or(usize::MAX);
        let time = Duration::try_from_secs_f64(value.min(1e9)).unwrap_or(Duration::MAX);
        match name {
            "request_line_bytes" => self.request_line_bytes = size,
            "header_bytes" => self.header_bytes = size,
            "header_count" => self.header_count = size,
            "body_bytes" => self.body_bytes = count,
            "header_timeout_s" => self.header_timeout = time,
            "body_rate_bytes_s" => self.body_rate_bytes_s = count,
            "body_grace_s" => self.body_grace = time,
            "keep_alive_s" => self.keep_alive = time,
            "write_stall_s" => self.write_stall = time,
            "write_buffer_bytes" => self.write_buffer_bytes = size,
            "connections" => self.connections = size,
            "streams" => self.streams = u32::try_from(count).unwrap_or(u32::MAX),
            "resets" => self.resets = size,
            "control_frames" => self.control_frames = size,
            "keep_alive_requests" => self.keep_alive_requests = count,
            _ => {
                let names = Self::NAMES.join(", ");
                return Err(LimitError(format!(
                    "there is no limit {name:?}; there are {names}"
                )));
            }
        }
        Ok(())
    }

    /// A limit by name; times in seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "limits are far below 2**53")]
    pub fn get(&self, name: &str) -> Option<f64> {
        Some(match name {
            "request_line_bytes" => self.request_line_bytes as f64,
            "header_bytes" => self.header_bytes as f64,
            "header_count" => self.header_count as f64,
            "body_bytes" => self.body_bytes as f64,
            "header_timeout_s" => self.header_timeout.as_secs_f64(),
            "body_rate_bytes_s" => self.body_rate_bytes_s as f64,
            "body_grace_s" => self.body_grace.as_secs_f64(),
            "keep_alive_s" => self.keep_alive.as_secs_f64(),
            "write_stall_s" => self.write_stall.as_secs_f64(),
            "write_buffer_bytes" => self.write_buffer_bytes as f64,
            "connections" => self.connections as f64,
            "streams" => f64::from(self.streams),
            "resets" => self.resets as f64,
            "control_frames" => self.control_frames as f64,
            "keep_alive_requests" => self.keep_alive_requests as f64,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_can_be_set_and_read_back() {
        for name in Limits::NAMES {
            let mut limits = Limits::default();
            limits.set(name, 7.0).unwrap();
            assert_eq!(limits.get(name), Some(7.0), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_or_a_senseless_value_is_refused() {
        let mut limits = Limits::default();
        assert!(
            limits
                .set("nonsense", 1.0)
                .unwrap_err()
                .to_string()
                .contains("header_bytes")
        );
        for value in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(limits.set("header_bytes", value).is_err());
        }
        assert_eq!(limits, Limits::default());
    }
}
