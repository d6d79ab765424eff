//! `Exchange`: one request and its answer, as Python sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eyewall_engine::{ConnInfo, ExchangeId, LocalAddr, OpError, ReadOutcome};
use eyewall_proto::ws::handshake;
use eyewall_proto::{Framing, RequestHead};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use pyo3::{IntoPyObjectExt, intern};

use crate::errors;
use crate::fields::{PyFields, latin1_str, with_payload};
use crate::reactor::{self, Missing};
use crate::websocket::{self, Receiver, Times, WebSocket};

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct Exchange {
    pub(crate) reactor: u64,
    pub(crate) id: ExchangeId,
    head: RequestHead,
    info: Arc<ConnInfo>,
    /// The answer was completed by this handle, so dropping it means nothing.
    done: AtomicBool,
}

impl Exchange {
    pub(crate) fn new(
        reactor: u64,
        id: ExchangeId,
        head: RequestHead,
        info: Arc<ConnInfo>,
    ) -> Self {
        Self {
            reactor,
            id,
            head,
            info,
            done: AtomicBool::new(false),
        }
    }

    /// The request as a log line names it.
    pub(crate) fn describe(&self) -> String {
        format!("{} {}", self.head.method(), self.head.target())
    }

    /// Answer 500, or cut what was begun.
    pub(crate) fn fail(&self) {
        if self.done.swap(true, Ordering::Relaxed) {
            return;
        }
        match reactor::find(self.reactor) {
            Ok(engine) => engine.dropped(self.id),
            Err(Missing::Elsewhere(mailbox)) => mailbox.post(self.id),
            Err(Missing::Gone) => {}
        }
    }

    fn failed(py: Python<'_>, fields: Option<&PyFields<'_>>, error: &OpError) -> PyErr {
        fields
            .and_then(PyFields::take_failure)
            .unwrap_or_else(|| errors::operation(py, error))
    }

    fn read_mode<'py>(
        &self,
        py: Python<'py>,
        callback: Py<PyAny>,
        whole: bool,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        match reactor::get(py, self.reactor)?.read(self.id, whole, || callback) {
            Ok(ReadOutcome::Ready(data)) => Ok(Some(PyBytes::new(py, &data))),
            Ok(ReadOutcome::Waiting) => Ok(None),
            Ok(ReadOutcome::Refused(error)) => Err(errors::protocol(py, &error)),
            Err(error) => Err(errors::operation(py, &error)),
        }
    }

    fn when(&self, py: Python<'_>, callback: Py<PyAny>, flushed: bool) -> PyResult<bool> {
        reactor::get(py, self.reactor)?
            .when_room(self.id, flushed, || callback)
            .map_err(|error| errors::operation(py, &error))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.fail();
    }
}

#[pymethods]
impl Exchange {
    #[getter]
    fn method<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        match self.head.method() {
            "GET" => intern!(py, "GET").clone(),
            "POST" => intern!(py, "POST").clone(),
            "HEAD" => intern!(py, "HEAD").clone(),
            other => PyString::new(py, other),
        }
    }

    #[getter]
    fn target(&self) -> &str {
        self.head.target()
    }

    #[getter]
    fn path(&self) -> &str {
        self.head.path()
    }

    #[getter]
    fn query(&self) -> &str {
        self.head.query()
    }

    #[getter]
    fn http_version(&self) -> &str {
        self.head.version.as_str()
    }

    #[getter]
    fn scheme(&self) -> &str {
        let forwarded = self
            .info
            .config
            .trusted
            .client(&self.head, self.info.peer.map(|peer| peer.ip()));
        if forwarded.https.unwrap_or(self.info.tls.is_some()) {
            "https"
        } else {
            "http"
        }
    }

    #[getter]
    fn host(&self) -> &str {
        self.head.host()
    }

    #[getter]
    fn remote_ip(&self) -> String {
        let forwarded = self
            .info
            .config
            .trusted
            .client(&self.head, self.info.peer.map(|peer| peer.ip()));
        forwarded
            .ip
            .or_else(|| self.info.peer.map(|peer| peer.ip()))
            .map_or_else(String::new, |ip| ip.to_string())
    }

    #[getter]
    fn peer(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        address(py, self.info.peer)
    }

    #[getter]
    fn local(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let known = self.info.local.get().cloned();
        let local = match known {
            Some(local) => Some(local),
            None => reactor::get(py, self.reactor)?.local(self.id),
        };
        match local {
            Some(LocalAddr::Tcp(local)) => address(py, Some(local)),
            Some(LocalAddr::Unix(path)) => path.into_py_any(py),
            None => address(py, None),
        }
    }

    #[getter]
    fn tls<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(tls) = &self.info.tls else {
            return Ok(None);
        };
        let dict = PyDict::new(py);
        dict.set_item("version", tls.version)?;
        dict.set_item("cipher", &tls.cipher)?;
        dict.set_item("server_name", &tls.server_name)?;
        dict.set_item("alpn", &tls.alpn)?;
        let certificate = tls
            .client_certificate
            .as_ref()
            .map(|der| PyBytes::new(py, der));
        dict.set_item("client_certificate", certificate)?;
        Ok(Some(dict))
    }

    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (name, value) in self.head.fields() {
            list.append((latin1_str(py, name), latin1_str(py, value)))?;
        }
        Ok(list)
    }

    #[getter]
    fn raw_headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let pairs = self
            .head
            .fields()
            .map(|(name, value)| {
                let lower = PyBytes::new_with(py, name.len(), |place| {
                    place.copy_from_slice(name);
                    place.make_ascii_lowercase();
                    Ok(())
                })?;
                (lower, PyBytes::new(py, value)).into_pyobject(py)
            })
            .collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, pairs)
    }

    #[getter]
    fn trailers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (name, value) in reactor::get(py, self.reactor)?.trailers(self.id) {
            list.append((latin1_str(py, &name), latin1_str(py, &value)))?;
        }
        Ok(list)
    }

    fn header<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyString>> {
        self.head.get(name).map(|value| latin1_str(py, &value))
    }

    #[getter]
    fn has_body(&self) -> bool {
        !matches!(self.head.framing, Framing::None | Framing::Length(0))
    }

    #[getter]
    fn content_length(&self) -> Option<u64> {
        match self.head.framing {
            Framing::Length(length) => Some(length),
            _ => None,
        }
    }

    #[getter]
    fn connected(&self, py: Python<'_>) -> PyResult<bool> {
        match reactor::find(self.reactor) {
            Ok(engine) => Ok(engine.is_connected(self.id)),
            Err(Missing::Gone) => Ok(false),
            Err(Missing::Elsewhere(_)) => reactor::get(py, self.reactor).map(|_| false),
        }
    }

    #[getter]
    fn responded(&self, py: Python<'_>) -> PyResult<bool> {
        if self.done.load(Ordering::Relaxed) {
            return Ok(true);
        }
        match reactor::find(self.reactor) {
            Ok(engine) => Ok(engine.is_responded(self.id)),
            Err(Missing::Gone) => Ok(true),
            Err(Missing::Elsewhere(_)) => reactor::get(py, self.reactor).map(|_| true),
        }
    }

    fn set_body_limit(&self, py: Python<'_>, max_bytes: u64) -> PyResult<()> {
        match reactor::get(py, self.reactor)?.set_body_limit(self.id, max_bytes) {
            // The limit of a body that nobody sends any more is of no interest.
            Ok(()) | Err(OpError::Closed(_)) => Ok(()),
            Err(error) => Err(errors::operation(py, &error)),
        }
    }

    fn read_all<'py>(
        &self,
        py: Python<'py>,
        callback: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.read_mode(py, callback, true)
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        callback: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.read_mode(py, callback, false)
    }

    #[pyo3(signature = (status, headers, body, reason = None))]
    fn respond(
        &self,
        py: Python<'_>,
        status: u16,
        headers: &Bound<'_, PyAny>,
        body: &Bound<'_, PyAny>,
        reason: Option<&str>,
    ) -> PyResult<usize> {
        let engine = reactor::get(py, self.reactor)?;
        let fields = PyFields::new(headers)?;
        let answered = with_payload(body, |payload| {
            Ok(engine.respond(self.id, status, reason.map(str::as_bytes), &fields, payload))
        })?;
        match answered {
            Ok(sent) => {
                self.done.store(true, Ordering::Relaxed);
                Ok(sent)
            }
            Err(OpError::Closed(_)) if !self.done.swap(true, Ordering::Relaxed) => Ok(0),
            Err(OpError::Closed(_)) => Err(errors::already_answered()),
            Err(error) => Err(Self::failed(py, Some(&fields), &error)),
        }
    }

    #[pyo3(signature = (status, headers, reason = None, *, end = false))]
    fn start(
        &self,
        py: Python<'_>,
        status: u16,
        headers: &Bound<'_, PyAny>,
        reason: Option<&str>,
        end: bool,
    ) -> PyResult<()> {
        if self.done.load(Ordering::Relaxed) {
            return Err(errors::already_answered());
        }
        let fields = PyFields::new(headers)?;
        reactor::get(py, self.reactor)?
            .start(self.id, status, reason.map(str::as_bytes), &fields, end)
            .map_err(|error| Self::failed(py, Some(&fields), &error))?;
        if end {
            self.done.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn write(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        if self.done.load(Ordering::Relaxed) {
            return Err(errors::already_answered());
        }
        let engine = reactor::get(py, self.reactor)?;
        with_payload(data, |payload| {
            engine
                .write(self.id, payload)
                .map_err(|error| errors::operation(py, &error))
        })
    }

    fn when_writable(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<bool> {
        self.when(py, callback, false)
    }

    fn when_flushed(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<bool> {
        if self.done.load(Ordering::Relaxed) {
            return Ok(true);
        }
        self.when(py, callback, true)
    }

    #[pyo3(signature = (trailers = None))]
    fn end(&self, py: Python<'_>, trailers: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        if self.done.load(Ordering::Relaxed) {
            return Err(errors::already_answered());
        }
        let engine = reactor::get(py, self.reactor)?;
        let fields = trailers.map(PyFields::new).transpose()?;
        let ended = engine.end(self.id, fields.as_ref().map(|fields| fields as _));
        match ended {
            Ok(()) => {
                self.done.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(Self::failed(py, fields.as_ref(), &error)),
        }
    }

    fn inform(&self, py: Python<'_>, status: u16, headers: &Bound<'_, PyAny>) -> PyResult<bool> {
        let fields = PyFields::new(headers)?;
        match reactor::get(py, self.reactor)?.inform(self.id, status, &fields) {
            Ok(sent) => Ok(sent),
            Err(OpError::Closed(_)) => Ok(false),
            Err(error) => Err(Self::failed(py, Some(&fields), &error)),
        }
    }

    fn upgrade(&self, py: Python<'_>, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        let fields = PyFields::new(headers)?;
        reactor::get(py, self.reactor)?
            .upgrade(self.id, &fields)
            .map_err(|error| Self::failed(py, Some(&fields), &error))
    }

    fn detach(&self, py: Python<'_>) -> PyResult<()> {
        reactor::get(py, self.reactor)?
            .detach(self.id)
            .map_err(|error| Self::failed(py, None, &error))
    }

    #[pyo3(signature = (
        headers, on_message, on_event, *, compression = None, max_message_bytes = 10 << 20,
        max_queue_bytes = 16 << 20, ping_interval_s = 0.0, ping_timeout_s = 0.0,
        close_timeout_s = 5.0
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the keywords of one method in Python"
    )]
    fn upgrade_websocket<'py>(
        &self,
        py: Python<'py>,
        headers: &Bound<'_, PyAny>,
        on_message: Py<PyAny>,
        on_event: Py<PyAny>,
        compression: Option<&Bound<'_, PyDict>>,
        max_message_bytes: usize,
        max_queue_bytes: usize,
        ping_interval_s: f64,
        ping_timeout_s: f64,
        close_timeout_s: f64,
    ) -> PyResult<Bound<'py, WebSocket>> {
        let key = handshake::check(&self.head)
            .map_err(|refusal| errors::handshake(py, refusal.status, refusal.text))?;
        let wish = websocket::wish(compression)?;
        let offers = self.head.get("sec-websocket-extensions");
        let offers = offers
            .as_deref()
            .map(|offers| str::from_utf8(offers).unwrap_or(""));
        let (params, extensions) = websocket::negotiated(offers, wish.as_ref()).unzip();
        let config = Times {
            max_message: max_message_bytes,
            max_queue: max_queue_bytes,
            ping_interval_s,
            ping_timeout_s,
            close_timeout_s,
        }
        .config(params)?;
        let mut own = Vec::with_capacity(3);
        if let Some(key) = key {
            own.push(("Upgrade", "websocket".to_owned()));
            own.push(("Sec-WebSocket-Accept", handshake::accept_key(&key)));
        }
        if let Some(extensions) = &extensions {
            own.push(("Sec-WebSocket-Extensions", extensions.clone()));
        }
        let fields = PyFields::with_own(headers, own)?;
        let receiver = Bound::new(py, Receiver::new(on_message, on_event))?;
        reactor::get(py, self.reactor)?
            .upgrade_websocket(self.id, &fields, config, || receiver.into_any().unbind())
            .map_err(|error| Self::failed(py, Some(&fields), &error))?;
        self.done.store(true, Ordering::Relaxed);
        Bound::new(py, WebSocket::new(self.reactor, self.id, extensions))
    }

    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        let engine = match reactor::find(self.reactor) {
            Ok(engine) => engine,
            Err(Missing::Gone) => return Ok(()),
            Err(Missing::Elsewhere(_)) => return reactor::get(py, self.reactor).map(drop),
        };
        if !self.done.swap(true, Ordering::Relaxed) {
            engine.abort(self.id);
        }
        Ok(())
    }

    fn on_disconnect(&self, py: Python<'_>, callback: Option<Py<PyAny>>) -> PyResult<()> {
        match reactor::get(py, self.reactor)?.on_disconnect(self.id, callback) {
            // Nobody is there whose going could be told.
            Ok(()) | Err(OpError::Closed(_)) => Ok(()),
            Err(error) => Err(errors::operation(py, &error)),
        }
    }

    fn __repr__(&self) -> String {
        format!("<Exchange {}>", self.describe())
    }
}

fn address(py: Python<'_>, address: Option<SocketAddr>) -> PyResult<Py<PyAny>> {
    match address {
        Some(address) => (address.ip().to_string(), address.port()).into_py_any(py),
        None => "".into_py_any(py),
    }
}
