//! Small pure functions worth having natively.

use pyo3::exceptions::PyUnicodeDecodeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};
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

/// Where the first character stands that needs a reference.
fn special(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| reference(*byte).is_some())
}

/// `&`, `<`, `>`, `"` and `'` as character references.
#[pyfunction]
pub(crate) fn escape_html<'py>(text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    let plain = text.to_str()?;
    let Some(first) = special(plain.as_bytes()) else {
        return Ok(text.clone());
    };
    let mut escaped = String::with_capacity(plain.len() + plain.len() / 8 + 16);
    let mut rest = plain;
    let mut next = Some(first);
    while let Some(at) = next {
        let (clean, after) = rest.split_at(at);
        escaped.push_str(clean);
        let Some(byte) = after.bytes().next() else {
            break;
        };
        escaped.push_str(reference(byte).unwrap_or_default());
        rest = after.get(1..).unwrap_or_default();
        next = special(rest.as_bytes());
    }
    escaped.push_str(rest);
    Ok(PyString::new(text.py(), &escaped))
}

/// A value as text: bytes are UTF-8, everything else is what `str` makes of it.
#[pyfunction]
pub(crate) fn text_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Ok(text.clone());
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return match str::from_utf8(bytes.as_bytes()) {
            Ok(text) => Ok(PyString::new(value.py(), text)),
            Err(error) => {
                let raised = PyUnicodeDecodeError::new_utf8(value.py(), bytes.as_bytes(), error)?;
                Err(PyErr::from_value(raised.into_any()))
            }
        };
    }
    value.str()
}

/// A value as text that may stand in HTML; what has `__html__` says itself what may.
#[pyfunction]
pub(crate) fn escape_value<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return escape_html(text);
    }
    if value.is_exact_instance_of::<PyInt>() {
        return value.str();
    }
    if let Ok(method) = value.getattr(intern!(value.py(), "__html__")) {
        return method.call0()?.str();
    }
    escape_html(&text_of(value)?)
}
