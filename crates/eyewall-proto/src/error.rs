//! What a peer can do wrong, and the status that answers it.

use std::fmt;

/// A peer's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: u16,
    text: &'static str,
}

impl Error {
    pub(crate) const fn new(status: u16, text: &'static str) -> Self {
        Self { status, text }
    }

    pub(crate) const fn bad(text: &'static str) -> Self {
        Self::new(400, text)
    }

    /// The status to answer with.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The head of a request did not come in time.
    #[must_use]
    pub const fn timeout_head() -> Self {
        Self::new(408, "the request's head did not arrive in time")
    }

    /// The body of a request comes too slowly.
    #[must_use]
    pub const fn timeout_body() -> Self {
        Self::new(408, "the request's body arrives too slowly")
    }

    /// The body is larger than allowed.
    #[must_use]
    pub const fn body_too_large() -> Self {
        Self::new(413, "the request's body is larger than allowed")
    }

    /// The peer closed in the middle of a message.
    #[must_use]
    pub const fn truncated() -> Self {
        Self::bad("the connection was closed in the middle of a request")
    }

    /// There are too many connections.
    #[must_use]
    pub const fn overloaded() -> Self {
        Self::new(503, "too many connections")
    }

    /// A TLS port was spoken to in clear text.
    #[must_use]
    pub const fn clear_text_on_tls() -> Self {
        Self::bad("a clear-text request on a TLS port")
    }

    /// HTTP/1.x is switched off.
    #[must_use]
    pub const fn http1_not_served() -> Self {
        Self::new(505, "HTTP/1.x is not served here")
    }

    /// More header fields than allowed.
    #[must_use]
    pub const fn too_many_fields() -> Self {
        Self::new(431, "too many header fields")
    }

    /// A longer target than allowed.
    #[must_use]
    pub const fn target_too_long() -> Self {
        Self::new(414, "the request line is longer than allowed")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl std::error::Error for Error {}
