//! Eyewall's protocol codecs: bytes in, events out.
//!
//! Nothing here opens a socket or looks at a clock, so every rule can be tested with a slice of
//! bytes. The HTTP/1.1 codec follows RFC 9112 and RFC 9110 strictly: what they call invalid is
//! refused, because a server in front of others must not read a message differently than they do.

#![forbid(unsafe_code)]

pub mod client;
pub mod cookie;
mod error;
pub mod form;
pub mod forwarded;
pub mod h1;
pub mod h2;
mod head;
mod limits;
pub mod proxy;
pub mod ws;

pub use error::Error;
pub use forwarded::{Forwarded, TrustError, TrustedPeers};
pub use head::{Framing, HeadBuilder, RequestHead, Version};
pub use limits::{LimitError, Limits};
