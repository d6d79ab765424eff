//! `WebSocketCodec`: a client's side of a WebSocket, without a connection.

use std::sync::{Mutex, MutexGuard};

use eyewall_engine::Payload;
use eyewall_proto::Limits;
use eyewall_proto::client::{self, Line, RequestBody, ResponseHead, encode_request};
use eyewall_proto::ws::frame::Opcode;
use eyewall_proto::ws::negotiate::{self, Wish};
use eyewall_proto::ws::{Decoder, Encoder, Event, Kind, Place, Role, close_payload, handshake};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::errors;
use crate::fields::{PyFields, latin1_str};
use crate::websocket::{check_close, check_control, message, wish, with_message};

/// What is kept of the content of a refusal.
const REFUSAL_BYTES: usize = 64 * 1024;

struct Inner {
    http: client::Codec,
    input: Vec<u8>,
    key: String,
    wish: Option<Wish>,
    max_message: usize,
    /// The head of a refusal whose content is coming.
    refusal: Option<ResponseHead>,
    content: Vec<u8>,
    halves: Option<(Decoder, Encoder)>,
    failed: bool,
}

/// What the server answered.
type Answer<'py> = (
    u16,
    Bound<'py, PyString>,
    Bound<'py, PyList>,
    Bound<'py, PyBytes>,
);

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct WebSocketCodec(Mutex<Inner>);

impl WebSocketCodec {
    fn inner(&self) -> PyResult<MutexGuard<'_, Inner>> {
        self.0
            .lock()
            .map_err(|_| PyRuntimeError::new_err("the codec is broken"))
    }
}

impl Inner {
    /// The server has agreed: check what it says (RFC 6455, section 4.1).
    fn agree(&mut self, head: &ResponseHead) -> Result<(), &'static str> {
        let field = |name: &[u8]| head.field(name).unwrap_or_default();
        if !field(b"upgrade").eq_ignore_ascii_case(b"websocket") {
            return Err("the server upgraded to something else");
        }
        let is_upgrade = field(b"connection")
            .split(|byte| *byte == b',')
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
        if !is_upgrade {
            return Err("the server's answer has no \"Connection: Upgrade\"");
        }
        let accept = handshake::accept_key(self.key.as_bytes());
        if field(b"sec-websocket-accept").trim_ascii() != accept.as_bytes() {
            return Err("the server's Sec-WebSocket-Accept does not fit the key");
        }
        let extensions = str::from_utf8(field(b"sec-websocket-extensions"))
            .map_err(|_| "the server's extensions cannot be read")?;
        let params = match &self.wish {
            Some(wish) => negotiate::confirm(extensions, wish)?,
            None if extensions.trim().is_empty() => None,
            None => return Err("the server chose an extension that was not offered"),
        };
        self.halves = Some((
            Decoder::new(Role::Client, self.max_message, params.as_ref()),
            Encoder::new(Role::Client, params.as_ref()),
        ));
        Ok(())
    }

    /// Read the server's answer; nothing where more is to come.
    fn answer(&mut self, eof: bool) -> Result<Option<ResponseHead>, String> {
        loop {
            let limits = Limits::default();
            let (taken, event) = self
                .http
                .receive(&self.input, &limits)
                .map_err(|error| error.to_string())?;
            let piece = match &event {
                client::Event::Data(range) => self.input.get(range.clone()).unwrap_or_default(),
                _ => &[],
            };
            self.content.extend_from_slice(piece);
            self.input.drain(..taken);
            match event {
                client::Event::Head(head) if head.status == 101 => {
                    self.agree(&head)?;
                    return Ok(Some(head));
                }
                client::Event::Head(head) => self.refusal = Some(head),
                client::Event::End(_) => return Ok(self.refusal.take()),
                client::Event::Data(_) if self.content.len() > REFUSAL_BYTES => {
                    return Ok(self.refusal.take());
                }
                client::Event::Interim(_) | client::Event::Data(_) => {}
                client::Event::NeedMore if !eof => return Ok(None),
                client::Event::NeedMore => {
                    return match self.refusal.take() {
                        Some(head) => Ok(Some(head)),
                        None => {
                            Err("the server closed the connection without an answer".to_owned())
                        }
                    };
                }
            }
        }
    }

    fn encoder(&mut self) -> PyResult<&mut Encoder> {
        self.halves
            .as_mut()
            .map(|(_, encoder)| encoder)
            .ok_or_else(|| PyRuntimeError::new_err("the opening handshake is not complete"))
    }

    fn control(&mut self, opcode: Opcode, data: &[u8]) -> PyResult<Vec<u8>> {
        let mut out = Vec::new();
        self.encoder()?.control(&mut out, opcode, data);
        Ok(out)
    }
}

#[pymethods]
impl WebSocketCodec {
    #[new]
    #[pyo3(signature = (*, compression = None, max_message_bytes = 10 << 20))]
    fn new(compression: Option<&Bound<'_, PyDict>>, max_message_bytes: usize) -> PyResult<Self> {
        Ok(Self(Mutex::new(Inner {
            http: client::Codec::new(),
            input: Vec::new(),
            key: handshake::new_key(),
            wish: wish(compression)?,
            max_message: max_message_bytes,
            refusal: None,
            content: Vec::new(),
            halves: None,
            failed: false,
        })))
    }

    fn request<'py>(
        &self,
        py: Python<'py>,
        target: &str,
        authority: &str,
        headers: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut inner = self.inner()?;
        let mut own = vec![
            ("Upgrade", "websocket".to_owned()),
            ("Connection", "Upgrade".to_owned()),
            ("Sec-WebSocket-Version", handshake::VERSION.to_owned()),
            ("Sec-WebSocket-Key", inner.key.clone()),
        ];
        if let Some(wish) = &inner.wish {
            own.push(("Sec-WebSocket-Extensions", negotiate::offer(wish)));
        }
        let fields = PyFields::with_own(headers, own)?;
        let line = Line {
            method: b"GET",
            authority: authority.as_bytes(),
            target: target.as_bytes(),
        };
        let mut out = Vec::new();
        encode_request(&mut out, &line, &fields, RequestBody::None).map_err(|error| {
            fields
                .take_failure()
                .unwrap_or_else(|| PyValueError::new_err(error.to_string()))
        })?;
        inner.http.expect_upgrade(b"GET");
        Ok(PyBytes::new(py, &out))
    }

    #[pyo3(signature = (data, *, eof = false))]
    fn handshake<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
        eof: bool,
    ) -> PyResult<Option<Answer<'py>>> {
        let mut inner = self.inner()?;
        inner.input.extend_from_slice(data);
        let head = match inner.answer(eof) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(None),
            Err(text) => return Err(errors::handshake(py, 502, &text)),
        };
        let fields = PyList::empty(py);
        for (name, value) in head.fields() {
            fields.append((latin1_str(py, name), latin1_str(py, value)))?;
        }
        let reason = latin1_str(py, head.reason());
        let content = PyBytes::new(py, &inner.content);
        Ok(Some((head.status, reason, fields, content)))
    }

    fn receive<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyList>> {
        let mut inner = self.inner()?;
        let events = PyList::empty(py);
        if inner.failed {
            return Ok(events);
        }
        let mut input = std::mem::take(&mut inner.input);
        input.extend_from_slice(data);
        let Some((decoder, _)) = &mut inner.halves else {
            return Err(PyRuntimeError::new_err(
                "the opening handshake is not complete",
            ));
        };
        let mut rest = input.as_mut_slice();
        while !rest.is_empty() {
            let (taken, event) = match decoder.receive(rest) {
                Ok(received) => received,
                Err(fault) => {
                    events.append((intern!(py, "error"), (fault.code, fault.text)))?;
                    inner.failed = true;
                    break;
                }
            };
            match event {
                None => {}
                Some(Event::Message(kind, place)) => {
                    let data: &[u8] = match &place {
                        Place::Input(range) => rest.get(range.clone()).unwrap_or_default(),
                        Place::Held(data) => data,
                    };
                    events.append((intern!(py, "message"), message(kind, data)))?;
                }
                Some(Event::Ping(data)) => {
                    events.append((intern!(py, "ping"), PyBytes::new(py, &data)))?;
                }
                Some(Event::Pong(data)) => {
                    events.append((intern!(py, "pong"), PyBytes::new(py, &data)))?;
                }
                Some(Event::Close(close)) => {
                    let (code, reason) = match close {
                        Some((code, reason)) => (Some(code), reason),
                        None => (None, String::new()),
                    };
                    events.append((intern!(py, "close"), (code, reason)))?;
                }
            }
            rest = rest.get_mut(taken..).unwrap_or_default();
        }
        Ok(events)
    }

    #[pyo3(signature = (data, binary = None))]
    fn message<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'_, PyAny>,
        binary: Option<bool>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut inner = self.inner()?;
        let encoder = inner.encoder()?;
        let mut out = Vec::new();
        with_message(data, binary, |kind: Kind, payload: Payload<'_>| {
            match payload {
                Payload::Borrowed(data) => encoder.message(&mut out, kind, data),
                Payload::Owned(data) => encoder.message(&mut out, kind, &data),
            }
            Ok(())
        })?;
        Ok(PyBytes::new(py, &out))
    }

    fn ping<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        check_control(data)?;
        let out = self.inner()?.control(Opcode::Ping, data)?;
        Ok(PyBytes::new(py, &out))
    }

    fn pong<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        check_control(data)?;
        let out = self.inner()?.control(Opcode::Pong, data)?;
        Ok(PyBytes::new(py, &out))
    }

    #[pyo3(signature = (code = None, reason = ""))]
    fn close<'py>(
        &self,
        py: Python<'py>,
        code: Option<u16>,
        reason: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        check_close(code, reason)?;
        let out = self
            .inner()?
            .control(Opcode::Close, &close_payload(code, reason))?;
        Ok(PyBytes::new(py, &out))
    }
}
