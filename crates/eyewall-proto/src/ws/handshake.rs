//! The opening handshake, both sides (RFC 6455, section 4, and RFC 8441).

use std::fmt;

use sha1::{Digest, Sha1};

use super::frame::MaskSource;
use crate::{RequestHead, Version};

/// The only version of the protocol that is in use.
pub const VERSION: &str = "13";

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request is no opening handshake, with the status to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 405 or 426.
    pub status: u16,
    /// One clause for the client.
    pub text: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

fn refusal<T>(status: u16, text: &'static str) -> Result<T, Refusal> {
    Err(Refusal { status, text })
}

/// Check an opening handshake; returns the key to answer, which HTTP/2 has none of.
///
/// # Errors
///
/// What is wrong with it (RFC 6455, section 4.2.1; RFC 8441, section 5).
pub fn check(head: &RequestHead) -> Result<Option<Vec<u8>>, Refusal> {
    let http2 = head.version == Version::Http2;
    if head.method() != if http2 { "CONNECT" } else { "GET" } {
        return refusal(405, "a WebSocket is opened with GET");
    }
    if head.version == Version::Http10 {
        return refusal(400, "a WebSocket needs HTTP/1.1");
    }
    // A `:protocol` of HTTP/2 is this field of the head (RFC 8441, section 4).
    if !has_token(head, "upgrade", b"websocket") {
        return refusal(400, "\"Upgrade: websocket\" is missing");
    }
    if !http2 && !has_token(head, "connection", b"upgrade") {
        return refusal(400, "\"Connection: Upgrade\" is missing");
    }
    match head.get("sec-websocket-version").as_deref() {
        Some(version) if version == VERSION.as_bytes() => {}
        Some(_) => return refusal(426, "only version 13 of WebSocket is spoken"),
        None => return refusal(400, "\"Sec-WebSocket-Version\" is missing"),
    }
    if http2 {
        return Ok(None);
    }
    match head.get("sec-websocket-key") {
        Some(key) if is_key(&key) => Ok(Some(key.to_vec())),
        Some(_) => refusal(400, "\"Sec-WebSocket-Key\" is not 16 bytes in base64"),
        None => refusal(400, "\"Sec-WebSocket-Key\" is missing"),
    }
}

fn has_token(head: &RequestHead, name: &str, token: &[u8]) -> bool {
    head.get(name).is_some_and(|value| {
        value
            .split(|byte| *byte == b',')
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
    })
}

/// 16 bytes are 22 characters and two signs of equality.
fn is_key(key: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    matches!(key.split_last_chunk::<2>(), Some((digits, b"==")) if digits.len() == 22
        && digits.iter().all(is_base64))
}

/// What `Sec-WebSocket-Accept` says to a key (RFC 6455, section 4.2.2).
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    base64(&hash.finalize())
}

/// A client's key: 16 bytes that differ each time.
#[must_use]
pub fn new_key() -> String {
    let mut source = MaskSource::default();
    let bytes: Vec<u8> = (0..4).flat_map(|_| source.next_mask()).collect();
    base64(&bytes)
}

/// Base64 with padding (RFC 4648, section 4).
#[must_use]
pub fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(data.len().div_ceil(3) * 4);
    for group in data.chunks(3) {
        let mut bits = 0_usize;
        for index in 0..3 {
            bits = (bits << 8) | group.get(index).copied().map_or(0, usize::from);
        }
        for index in 0..4_usize {
            if index <= group.len() {
                let digit = DIGITS.get((bits >> (18 - index * 6)) & 63).copied();
                text.push(char::from(digit.unwrap_or(b'A')));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Framing, HeadBuilder};

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        let mut builder = HeadBuilder::new("GET", "/", Version::Http11);
        builder.field(b"host", b"a");
        for (name, value) in fields {
            builder.field(name.as_bytes(), value.as_bytes());
        }
        builder.build(Framing::None).unwrap()
    }

    const GOOD: [(&str, &str); 4] = [
        ("Upgrade", "WebSocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn the_example_of_the_rfc_is_answered_as_it_says() {
        let key = check(&head(&GOOD)).unwrap().unwrap();
        assert_eq!(accept_key(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn base64_pads() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foo"), "Zm9v");
    }

    #[test]
    fn each_missing_field_is_named() {
        for (index, (name, _)) in GOOD.iter().enumerate() {
            let mut fields = GOOD.to_vec();
            fields.remove(index);
            let refusal = check(&head(&fields)).unwrap_err();
            assert_eq!(refusal.status, 400);
            assert!(refusal.text.contains(name), "{refusal}");
        }
    }

    #[test]
    fn another_version_and_a_short_key_are_refused() {
        let mut fields = GOOD;
        fields[2].1 = "8";
        assert_eq!(check(&head(&fields)).unwrap_err().status, 426);
        let mut fields = GOOD;
        fields[3].1 = "dGhlIHNhbXBsZQ==";
        assert_eq!(check(&head(&fields)).unwrap_err().status, 400);
    }
}
