//! Answers to requests that never became exchanges.

use eyewall_proto::Error;

use super::{Closing, Conn};
use crate::host::Host;
use crate::reactor::Shared;

/// The standard phrase of a status that the engine itself answers with.
pub(crate) fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

/// A whole HTTP/1.1 answer that ends the connection.
pub(crate) fn encode(out: &mut Vec<u8>, status: u16, date: &[u8]) {
    let phrase = phrase(status);
    let body = format!("{status} {phrase}\n");
    let retry = if status == 503 {
        "Retry-After: 1\r\n"
    } else {
        ""
    };
    let head = format!(
        "HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n{retry}Date: ",
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(date);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body.as_bytes());
}

impl<C> Conn<C> {
    /// Answer a broken request, log it, and close once the answer has gone.
    pub(crate) fn refuse<H: Host<Callback = C>>(&mut self, shared: &Shared<H>, error: &Error) {
        self.refused_notice(shared, error);
        let date = shared.date.borrow();
        encode(self.out.tail(&shared.pool), error.status(), date.as_bytes());
        self.pending = Vec::new();
        self.closing = Closing::AfterFlush { linger: true };
    }
}
