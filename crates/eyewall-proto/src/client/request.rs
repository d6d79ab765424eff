//! Requests on their way out (RFC 9112, section 3).
//!
//! Nothing that a caller passes can split a request: the method is a token, the target has no
//! spaces or controls, values hold no control characters, and the framing is the engine's.

use crate::h1::{EncodeError, Fields, chunk_head, is_token, write_field};

/// How a request's content is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// There is none.
    None,
    /// So many bytes follow.
    Length(u64),
    /// Chunks follow.
    Chunked,
}

/// A request's first line and host.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The target: a path with its query, an absolute URL for a proxy, or "*".
    pub target: &'a [u8],
    /// The host, with the port where it is not the scheme's.
    pub authority: &'a [u8],
}

impl Line<'_> {
    /// Refuse what could end the line or another part of it.
    ///
    /// # Errors
    ///
    /// The method is no token, or target or authority have bytes that a URL cannot have.
    pub fn check(&self) -> Result<(), EncodeError> {
        if self.method.is_empty() || !self.method.iter().copied().all(is_token) {
            return Err(EncodeError::invalid_name(self.method));
        }
        let clean = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_graphic);
        if !clean(self.target) {
            return Err(EncodeError::InvalidTarget);
        }
        if clean(self.authority) && !self.authority.iter().any(|byte| b"/?#@\\".contains(byte)) {
            Ok(())
        } else {
            Err(EncodeError::InvalidTarget)
        }
    }
}

/// Append a request's head.
///
/// `Host`, `Content-Length` and `Transfer-Encoding` among the fields are left out but for a
/// `Host` that differs: the engine writes them.
///
/// # Errors
///
/// Something cannot be sent; then `out` is as before.
pub fn encode_request(
    out: &mut Vec<u8>,
    line: &Line<'_>,
    fields: &dyn Fields,
    body: RequestBody,
) -> Result<(), EncodeError> {
    line.check()?;
    let begun_at = out.len();
    out.extend_from_slice(line.method);
    out.push(b' ');
    out.extend_from_slice(line.target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let result = encode_fields(out, line, fields);
    if result.is_err() {
        out.truncate(begun_at);
        return result;
    }
    match body {
        RequestBody::None => {}
        RequestBody::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        RequestBody::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn encode_fields(
    out: &mut Vec<u8>,
    line: &Line<'_>,
    fields: &dyn Fields,
) -> Result<(), EncodeError> {
    write_field(out, b"Host", line.authority)?;
    fields.for_each(&mut |name, value| {
        let framing = match name.len() {
            4 => name.eq_ignore_ascii_case(b"host"),
            14 => name.eq_ignore_ascii_case(b"content-length"),
            17 => name.eq_ignore_ascii_case(b"transfer-encoding"),
            _ => false,
        };
        if framing {
            Ok(())
        } else {
            write_field(out, name, value)
        }
    })
}

/// Append a chunk; an empty one would end the content, so it is left out.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        chunk_head(out, data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}
