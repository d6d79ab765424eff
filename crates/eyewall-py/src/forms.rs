//! Forms and cookies as Python's dictionaries and strings.

use std::borrow::Cow;

use eyewall_proto::{cookie, form};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

/// An encoded form's bytes; characters of text stand for bytes.
fn form_bytes<'a>(form: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(bytes) = form.cast::<PyBytes>() {
        return Ok(Cow::Borrowed(bytes.as_bytes()));
    }
    let text = form
        .cast::<PyString>()
        .map_err(|_| PyTypeError::new_err("a form is bytes or str"))?
        .to_str()?;
    if text.is_ascii() {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    Ok(Cow::Owned(
        text.chars()
            .map(|c| u8::try_from(c).unwrap_or(b'?'))
            .collect(),
    ))
}

fn check_count(form: &[u8], max_fields: usize) -> PyResult<()> {
    if form::exceeds(form, max_fields) {
        let text = format!("a form has more than {max_fields} fields");
        return Err(PyValueError::new_err(text));
    }
    Ok(())
}

fn decode_name(name: &[u8]) -> PyResult<Cow<'_, str>> {
    let wrong = |_| PyValueError::new_err("a form field's name is not UTF-8");
    match form::decode(name) {
        Cow::Borrowed(name) => str::from_utf8(name).map(Cow::Borrowed).map_err(wrong),
        Cow::Owned(name) => String::from_utf8(name)
            .map(Cow::Owned)
            .map_err(|error| wrong(error.utf8_error())),
    }
}

/// The names and values of an urlencoded query or body.
#[pyfunction]
pub(crate) fn parse_form<'py>(
    py: Python<'py>,
    form: &Bound<'py, PyAny>,
    max_fields: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let form = form_bytes(form)?;
    check_count(&form, max_fields)?;
    let fields = PyDict::new(py);
    for (name, value) in form::pairs(&form) {
        let name = PyString::new(py, &decode_name(name)?);
        let value = PyBytes::new(py, &form::decode(value));
        match fields.get_item(&name)? {
            Some(values) => values.cast::<PyList>()?.append(value)?,
            None => fields.set_item(name, PyList::new(py, [value])?)?,
        }
    }
    Ok(fields)
}

/// The last value of a field as text, control characters made spaces; None where there is none.
#[pyfunction]
pub(crate) fn find_field<'py>(
    py: Python<'py>,
    form: &Bound<'py, PyAny>,
    name: &str,
    strip: bool,
    max_fields: usize,
) -> PyResult<Option<Bound<'py, PyString>>> {
    let form = form_bytes(form)?;
    check_count(&form, max_fields)?;
    let mut last = None;
    for (encoded, value) in form::pairs(&form) {
        if decode_name(encoded)? == name {
            last = Some(value);
        }
    }
    let Some(value) = last else {
        return Ok(None);
    };
    let decoded = form::decode(value);
    let text = str::from_utf8(&decoded).map_err(|_| {
        let shown = PyBytes::new(py, decoded.get(..40).unwrap_or(&decoded));
        PyValueError::new_err(format!("Invalid unicode in {name}: {shown:?}"))
    })?;
    let text = without_controls(text);
    Ok(Some(PyString::new(
        py,
        if strip { text.trim() } else { &text },
    )))
}

fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 14..=31)
}

fn without_controls(text: &str) -> Cow<'_, str> {
    if text.bytes().any(is_control) {
        let clean = |c: char| match u8::try_from(c) {
            Ok(byte) if is_control(byte) => ' ',
            _ => c,
        };
        return Cow::Owned(text.chars().map(clean).collect());
    }
    Cow::Borrowed(text)
}

/// The names and values of a `Cookie` field; of a repeated name the first value.
#[pyfunction]
pub(crate) fn parse_cookie<'py>(py: Python<'py>, field: &str) -> PyResult<Bound<'py, PyDict>> {
    let cookies = PyDict::new(py);
    for (name, value) in cookie::pairs(field) {
        if !cookies.contains(name)? {
            cookies.set_item(name, cookie::unquote(value))?;
        }
    }
    Ok(cookies)
}

/// The first value of a cookie; None where there is none.
#[pyfunction]
pub(crate) fn find_cookie<'py>(
    py: Python<'py>,
    field: &str,
    name: &str,
) -> Option<Bound<'py, PyString>> {
    cookie::pairs(field)
        .find(|(found, _)| *found == name)
        .map(|(_, value)| PyString::new(py, &cookie::unquote(value)))
}
