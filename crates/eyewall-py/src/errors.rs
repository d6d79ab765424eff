//! Rust errors as Python exceptions.

use eyewall_engine::{Failure, OpError};
use eyewall_proto::Error;
use pyo3::exceptions::{PyConnectionError, PyException, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

pyo3::create_exception!(eyewall._engine, EngineError, PyException);
pyo3::create_exception!(eyewall._engine, ProtocolError, EngineError);
pyo3::create_exception!(eyewall._engine, RequestFailedError, EngineError);

/// `StreamClosedError` has two bases, which the macro cannot give it.
fn stream_closed_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let made = TYPE.get_or_try_init(py, || {
        let bases = PyTuple::new(
            py,
            [
                py.get_type::<EngineError>(),
                py.get_type::<PyConnectionError>(),
            ],
        )?;
        let members = PyDict::new(py);
        members.set_item("__module__", "eyewall._engine")?;
        // Streams say in it what closed them.
        members.set_item("real_error", py.None())?;
        let made = py
            .get_type::<PyType>()
            .call1(("StreamClosedError", bases, members))?;
        Ok::<_, PyErr>(made.cast_into::<PyType>()?.unbind())
    })?;
    Ok(made.bind(py))
}

pub(crate) fn add_to(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = m.py();
    m.add("EngineError", py.get_type::<EngineError>())?;
    m.add("ProtocolError", py.get_type::<ProtocolError>())?;
    m.add("RequestFailedError", py.get_type::<RequestFailedError>())?;
    m.add("StreamClosedError", stream_closed_type(py)?)
}

/// The connection or the stream is over.
pub(crate) fn closed(py: Python<'_>, text: &str) -> PyErr {
    match stream_closed_type(py) {
        Ok(class) => PyErr::from_type(class.clone(), text.to_owned()),
        Err(error) => error,
    }
}

/// The peer broke the protocol or a limit.
pub(crate) fn protocol(py: Python<'_>, error: &Error) -> PyErr {
    let raised = ProtocolError::new_err(error.to_string());
    match raised
        .value(py)
        .setattr(pyo3::intern!(py, "status"), error.status())
    {
        Ok(()) => raised,
        Err(error) => error,
    }
}

/// A request to a server came to nothing.
pub(crate) fn request_failed(py: Python<'_>, failure: &Failure) -> PyErr {
    let raised = RequestFailedError::new_err(failure.text.clone());
    let value = raised.value(py);
    let told = value
        .setattr(pyo3::intern!(py, "kind"), failure.kind.as_str())
        .and_then(|()| value.setattr(pyo3::intern!(py, "unprocessed"), failure.unprocessed));
    match told {
        Ok(()) => raised,
        Err(error) => error,
    }
}

/// A request that is no opening handshake of a WebSocket.
pub(crate) fn handshake(py: Python<'_>, status: u16, text: &str) -> PyErr {
    let raised = ProtocolError::new_err(text.to_owned());
    match raised
        .value(py)
        .setattr(pyo3::intern!(py, "status"), status)
    {
        Ok(()) => raised,
        Err(error) => error,
    }
}

/// An operation that was not done.
pub(crate) fn operation(py: Python<'_>, error: &OpError) -> PyErr {
    match error {
        OpError::Invalid(encode) if encode.is_state() => {
            PyRuntimeError::new_err(encode.to_string())
        }
        OpError::Invalid(encode) => PyValueError::new_err(encode.to_string()),
        OpError::State(_) | OpError::Busy => PyRuntimeError::new_err(error.to_string()),
        OpError::Closed(text) => closed(py, text),
    }
}

/// A second answer, or more of one that is over.
pub(crate) fn already_answered() -> PyErr {
    PyRuntimeError::new_err("the request is answered already; an exchange takes one answer")
}
