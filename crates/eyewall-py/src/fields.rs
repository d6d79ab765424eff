//! Python's headers and bodies, as the engine takes them.

use std::cell::RefCell;

use bytes::Bytes;
use eyewall_engine::Payload;
use eyewall_proto::h1::{EncodeError, Fields, Visit};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::string::PyStringData;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PyString, PyTuple};

/// Header fields from a mapping or from pairs.
pub(crate) struct PyFields<'py> {
    source: Source<'py>,
    /// Fields of the engine's own, before Python's.
    own: Vec<(&'static str, String)>,
    /// What went wrong in Python's terms, while the engine only knows that something did.
    failure: RefCell<Option<PyErr>>,
}

enum Source<'py> {
    Dict(Bound<'py, PyDict>),
    Pairs(Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>),
}

impl<'py> PyFields<'py> {
    pub(crate) fn new(headers: &Bound<'py, PyAny>) -> PyResult<Self> {
        let source = if let Ok(dict) = headers.cast_exact::<PyDict>() {
            Source::Dict(dict.clone())
        } else if headers.is_exact_instance_of::<PyList>() {
            // Asking whether something is a mapping is dear; a list is none.
            Source::Pairs(pairs(headers)?)
        } else if let Ok(mapping) = headers.cast::<PyMapping>() {
            Source::Pairs(pairs(mapping.items()?.as_any())?)
        } else {
            Source::Pairs(pairs(headers)?)
        };
        Ok(Self {
            source,
            own: Vec::new(),
            failure: RefCell::new(None),
        })
    }

    /// Python's fields behind these.
    pub(crate) fn with_own(
        headers: &Bound<'py, PyAny>,
        own: Vec<(&'static str, String)>,
    ) -> PyResult<Self> {
        Ok(Self {
            own,
            ..Self::new(headers)?
        })
    }

    /// The Python error behind a failed operation, if Python's part failed.
    pub(crate) fn take_failure(&self) -> Option<PyErr> {
        self.failure.take()
    }

    fn field(
        &self,
        name: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        f: Visit<'_>,
    ) -> Result<(), EncodeError> {
        f(self.bytes(name)?, self.bytes(value)?)
    }

    fn bytes<'a>(&self, part: &'a Bound<'py, PyAny>) -> Result<&'a [u8], EncodeError> {
        if let Ok(text) = part.cast::<PyString>() {
            return self.latin1(text);
        }
        if let Ok(bytes) = part.cast::<PyBytes>() {
            return Ok(bytes.as_bytes());
        }
        *self.failure.borrow_mut() = Some(PyTypeError::new_err(
            "header names and values must be str, or bytes",
        ));
        Err(EncodeError::invalid_value(b""))
    }

    fn latin1<'a>(&self, text: &'a Bound<'py, PyString>) -> Result<&'a [u8], EncodeError> {
        // SAFETY: the string is ready and immutable, and borrowed for as long as the slice.
        if let Ok(PyStringData::Ucs1(bytes)) = unsafe { text.data() } {
            return Ok(bytes);
        }
        *self.failure.borrow_mut() = Some(PyValueError::new_err(
            "header names and values must be ISO-8859-1; encode other text, \
             for example with urllib.parse.quote()",
        ));
        Err(EncodeError::invalid_value(b""))
    }
}

fn pairs<'py>(items: &Bound<'py, PyAny>) -> PyResult<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    items
        .try_iter()?
        .map(|item| {
            let item = item?;
            if let Ok(tuple) = item.cast::<PyTuple>()
                && tuple.len() == 2
            {
                return Ok((tuple.get_item(0)?, tuple.get_item(1)?));
            }
            item.extract()
                .map_err(|_| PyTypeError::new_err("headers must be a mapping or pairs of str"))
        })
        .collect()
}

impl Fields for PyFields<'_> {
    fn for_each(&self, f: Visit<'_>) -> Result<(), EncodeError> {
        for (name, value) in &self.own {
            f(name.as_bytes(), value.as_bytes())?;
        }
        match &self.source {
            Source::Dict(dict) => dict
                .iter()
                .try_for_each(|(name, value)| self.field(&name, &value, f)),
            Source::Pairs(pairs) => pairs
                .iter()
                .try_for_each(|(name, value)| self.field(name, value, f)),
        }
    }
}

/// A body, with `f` run on it: small ones are borrowed, large ones kept alive and not copied.
pub(crate) fn with_payload<R>(
    body: &Bound<'_, PyAny>,
    f: impl FnOnce(Payload<'_>) -> PyResult<R>,
) -> PyResult<R> {
    if let Ok(bytes) = body.cast::<PyBytes>() {
        if bytes.as_bytes().len() < Payload::LARGE {
            return f(Payload::Borrowed(bytes.as_bytes()));
        }
        return f(Payload::Owned(Bytes::from_owner(PyBackedBytes::from(
            bytes.clone(),
        ))));
    }
    if let Ok(text) = body.cast::<PyString>() {
        let utf8 = text.to_str()?;
        if utf8.len() < Payload::LARGE {
            return f(Payload::Borrowed(utf8.as_bytes()));
        }
        let backed = PyBackedStr::try_from(text.clone())?;
        return f(Payload::Owned(Bytes::from_owner(Utf8(backed))));
    }
    // bytearray and memoryview may change under our hands, so they are copied.
    let copy = PyBuffer::<u8>::get(body)
        .and_then(|buffer| buffer.to_vec(body.py()))
        .map_err(|_| PyTypeError::new_err("a body must be bytes, bytearray, memoryview or str"))?;
    f(Payload::Owned(Bytes::from(copy)))
}

struct Utf8(PyBackedStr);

impl AsRef<[u8]> for Utf8 {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Bytes of HTTP as `str`: one character for each byte.
pub(crate) fn latin1_str<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    if bytes.is_ascii() {
        return PyString::new(py, str::from_utf8(bytes).unwrap_or_default());
    }
    PyString::new(
        py,
        &bytes.iter().copied().map(char::from).collect::<String>(),
    )
}
