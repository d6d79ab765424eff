//! Small pure functions worth having natively.

use pyo3::prelude::*;
use pyo3::types::PyString;
use sha1::{Digest, Sha1};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A strong entity tag: the SHA-1 of the body in double quotes.
#[pyfunction]
pub(crate) fn etag<'py>(py: Python<'py>, body: &[u8]) -> Bound<'py, PyString> {
    let hash = Sha1::digest(body);
    let mut tag = String::with_capacity(42);
    tag.push('"');
    for byte in &hash {
        for half in [byte >> 4, byte & 15] {
            tag.push(HEX.get(usize::from(half)).copied().map_or('0', char::from));
        }
    }
    tag.push('"');
    PyString::new(py, &tag)
}

fn reference(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some("&quot;"),
        b'\'' => Some("&#x27;"),
        _ => None,
    }
}

/// `&`, `<`, `>`, `"` and `'` as character references.
#[pyfunction]
pub(crate) fn escape_html<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    let plain = text.to_str()?;
    if !plain.bytes().any(|byte| reference(byte).is_some()) {
        return Ok(text.clone());
    }
    let mut escaped = String::with_capacity(plain.len() + plain.len() / 8 + 16);
    let mut rest = plain;
    while let Some(at) = rest.bytes().position(|byte| reference(byte).is_some()) {
        let (clean, special) = rest.split_at(at);
        escaped.push_str(clean);
        let Some(byte) = special.bytes().next() else {
            break;
        };
        escaped.push_str(reference(byte).unwrap_or_default());
        rest = special.get(1..).unwrap_or_default();
    }
    escaped.push_str(rest);
    Ok(PyString::new(text.py(), &escaped))
}
