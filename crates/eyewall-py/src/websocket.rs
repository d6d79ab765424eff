//! `WebSocket`: the handle of one, and the way of its events to Python.

use std::rc::Rc;
use std::time::Duration;

use eyewall_engine::{ExchangeId, Payload, SocketConfig, SocketEvent};
use eyewall_proto::ws::deflate::Params;
use eyewall_proto::ws::negotiate::{self, Wish};
use eyewall_proto::ws::{Kind, is_close_code};
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use pyo3::{IntoPyObjectExt, intern};

use crate::errors;
use crate::fields::with_payload;
use crate::reactor::{self, Missing};

/// Payload that a control frame may carry.
const CONTROL_BYTES: usize = 125;

/// Where a WebSocket's events go: one callable for messages, one for everything else.
#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct Receiver {
    on_message: Py<PyAny>,
    on_event: Py<PyAny>,
}

impl Receiver {
    pub(crate) fn new(on_message: Py<PyAny>, on_event: Py<PyAny>) -> Self {
        Self {
            on_message,
            on_event,
        }
    }

    /// Tell Python; an error is one of the callables'.
    pub(crate) fn tell(&self, py: Python<'_>, event: SocketEvent<Py<PyAny>>) -> PyResult<()> {
        let told = |kind: &Bound<'_, PyString>, value: Bound<'_, PyAny>| {
            self.on_event.call1(py, (kind, value)).map(drop)
        };
        match event {
            SocketEvent::Message(message) => match self.on_message.call1(py, (message,)) {
                Ok(result) if result.is_none(py) => Ok(()),
                Ok(result) => told(intern!(py, "waiting"), result.into_bound(py)),
                Err(error)
                    if !error.is_instance_of::<PyKeyboardInterrupt>(py)
                        && !error.is_instance_of::<PySystemExit>(py) =>
                {
                    told(
                        intern!(py, "error"),
                        error.into_value(py).into_bound(py).into_any(),
                    )
                }
                Err(error) => Err(error),
            },
            SocketEvent::Ping(data) => {
                told(intern!(py, "ping"), PyBytes::new(py, &data).into_any())
            }
            SocketEvent::Pong(data) => {
                told(intern!(py, "pong"), PyBytes::new(py, &data).into_any())
            }
            SocketEvent::Room => told(intern!(py, "room"), py.None().into_bound(py)),
            SocketEvent::Closed { code, reason } => {
                told(intern!(py, "close"), (code, reason).into_bound_py_any(py)?)
            }
        }
    }
}

/// A message as Python has it.
pub(crate) fn message(kind: Kind, data: &[u8]) -> Py<PyAny> {
    Python::attach(|py| match kind {
        // It was checked as it came.
        Kind::Text => PyString::new(py, str::from_utf8(data).unwrap_or_default())
            .into_any()
            .unbind(),
        Kind::Binary => PyBytes::new(py, data).into_any().unbind(),
    })
}

/// What keyword arguments say of compression.
pub(crate) fn wish(options: Option<&Bound<'_, PyDict>>) -> PyResult<Option<Wish>> {
    let Some(options) = options else {
        return Ok(None);
    };
    let mut wish = Wish::default();
    for (name, value) in options {
        let name: String = name.extract()?;
        let within = |low: u8, high: u8| -> PyResult<u8> {
            value
                .extract::<u8>()
                .ok()
                .filter(|value| (low..=high).contains(value))
                .ok_or_else(|| {
                    PyValueError::new_err(format!("{name} must be a number from {low} to {high}"))
                })
        };
        match name.as_str() {
            "context_takeover" => wish.context_takeover = value.is_truthy()?,
            "compression_level" => wish.level = within(0, 9)?,
            "mem_level" => wish.mem_level = within(1, 9)?,
            "server_max_window_bits" => wish.server_window_bits = within(8, 15)?,
            "client_max_window_bits" => wish.client_window_bits = within(8, 15)?,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "unknown compression option {name:?}; there are context_takeover, \
                     compression_level, mem_level, server_max_window_bits and \
                     client_max_window_bits"
                )));
            }
        }
    }
    Ok(Some(wish))
}

pub(crate) fn duration(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        PyValueError::new_err(format!("{name} must be a number of seconds, 0 or more"))
    })
}

/// The limits and times of a WebSocket, from keyword arguments.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) max_message: usize,
    pub(crate) max_queue: usize,
    pub(crate) ping_interval_s: f64,
    pub(crate) ping_timeout_s: f64,
    pub(crate) close_timeout_s: f64,
}

impl Times {
    pub(crate) fn config(self, deflate: Option<Params>) -> PyResult<Rc<SocketConfig>> {
        Ok(Rc::new(SocketConfig {
            max_message: self.max_message,
            max_queue: self.max_queue,
            ping_interval: duration("ping_interval_s", self.ping_interval_s)?,
            ping_timeout: duration("ping_timeout_s", self.ping_timeout_s)?,
            close_timeout: duration("close_timeout_s", self.close_timeout_s)?,
            deflate,
        }))
    }
}

/// Run `f` on what a message's argument is: text by its type unless `binary` says otherwise.
pub(crate) fn with_message<R>(
    data: &Bound<'_, PyAny>,
    binary: Option<bool>,
    f: impl FnOnce(Kind, Payload<'_>) -> PyResult<R>,
) -> PyResult<R> {
    let is_text = data.is_instance_of::<PyString>();
    let kind = if binary.unwrap_or(!is_text) {
        Kind::Binary
    } else {
        Kind::Text
    };
    with_payload(data, |payload| {
        if kind == Kind::Text && !is_text {
            let bytes: &[u8] = match &payload {
                Payload::Borrowed(data) => data,
                Payload::Owned(data) => data,
            };
            if str::from_utf8(bytes).is_err() {
                return Err(PyValueError::new_err(
                    "a text message must be UTF-8; send other bytes with binary=True",
                ));
            }
        }
        f(kind, payload)
    })
    .map_err(|error| {
        if error.is_instance_of::<PyTypeError>(data.py()) {
            PyTypeError::new_err("a message must be str, bytes, bytearray or memoryview")
        } else {
            error
        }
    })
}

/// The code and the reason of a close frame, checked.
pub(crate) fn check_close(code: Option<u16>, reason: &str) -> PyResult<()> {
    if let Some(code) = code
        && !is_close_code(code)
    {
        return Err(PyValueError::new_err(format!(
            "{code} cannot be sent as a close code; use 1000 to 1003, 1007 to 1014 or 3000 to 4999"
        )));
    }
    if reason.len() > CONTROL_BYTES - 2 {
        return Err(PyValueError::new_err(
            "a close reason is at most 123 bytes of UTF-8",
        ));
    }
    Ok(())
}

pub(crate) fn check_control(data: &[u8]) -> PyResult<()> {
    if data.len() > CONTROL_BYTES {
        return Err(PyValueError::new_err("a ping carries at most 125 bytes"));
    }
    Ok(())
}

/// What a server answers to a client's offers of compression.
pub(crate) fn negotiated(offers: Option<&str>, wish: Option<&Wish>) -> Option<(Params, String)> {
    negotiate::accept(offers?, wish?)
}

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct WebSocket {
    pub(crate) reactor: u64,
    pub(crate) id: ExchangeId,
    #[pyo3(get)]
    extensions: Option<String>,
}

impl WebSocket {
    pub(crate) fn new(reactor: u64, id: ExchangeId, extensions: Option<String>) -> Self {
        Self {
            reactor,
            id,
            extensions,
        }
    }
}

#[pymethods]
impl WebSocket {
    #[pyo3(signature = (data, binary = None))]
    fn send(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        binary: Option<bool>,
    ) -> PyResult<bool> {
        let engine = reactor::get(py, self.reactor)?;
        with_message(data, binary, |kind, payload| {
            engine
                .ws_send(self.id, kind, payload)
                .map_err(|error| errors::operation(py, &error))
        })
    }

    fn ping(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        check_control(data)?;
        reactor::get(py, self.reactor)?
            .ws_ping(self.id, data)
            .map_err(|error| errors::operation(py, &error))
    }

    #[pyo3(signature = (code = None, reason = "", *, discard = false))]
    fn close(
        &self,
        py: Python<'_>,
        code: Option<u16>,
        reason: &str,
        discard: bool,
    ) -> PyResult<()> {
        check_close(code, reason)?;
        match reactor::find(self.reactor) {
            Ok(engine) => {
                engine.ws_close(self.id, code, reason);
                if discard {
                    engine.ws_deafen(self.id);
                }
            }
            Err(Missing::Gone) => {}
            Err(Missing::Elsewhere(_)) => return reactor::get(py, self.reactor).map(drop),
        }
        Ok(())
    }

    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        match reactor::find(self.reactor) {
            Ok(engine) => engine.ws_abort(self.id),
            Err(Missing::Gone) => {}
            Err(Missing::Elsewhere(_)) => return reactor::get(py, self.reactor).map(drop),
        }
        Ok(())
    }

    fn pause(&self, py: Python<'_>) -> PyResult<()> {
        reactor::get(py, self.reactor)?.ws_pause(self.id, true);
        Ok(())
    }

    fn resume(&self) {
        // Nobody is there to go on with when the loop has ended.
        if let Ok(engine) = reactor::find(self.reactor) {
            engine.ws_pause(self.id, false);
        }
    }

    fn set_nodelay(&self, py: Python<'_>, value: bool) -> PyResult<()> {
        reactor::get(py, self.reactor)?.ws_set_nodelay(self.id, value);
        Ok(())
    }

    #[getter]
    fn open(&self) -> bool {
        reactor::find(self.reactor).is_ok_and(|engine| engine.ws_is_open(self.id))
    }

    #[getter]
    fn buffered(&self) -> usize {
        reactor::find(self.reactor)
            .ok()
            .and_then(|engine| engine.ws_queued(self.id))
            .unwrap_or(0)
    }
}
