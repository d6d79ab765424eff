//! `ClientConnection`, `ClientResponse` and `ClientTLS`.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use eyewall_engine::{
    ClientBody, ClientConfig, ClientId, ClientRead, ClientRequest, ClientTls, ClientTlsOptions,
};
use eyewall_proto::Limits;
use eyewall_proto::client::{Line, ResponseHead};
use eyewall_proto::h1::Trailers;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::errors;
use crate::fields::{PyFields, latin1_str, with_payload};
use crate::reactor::{self, Missing, Reactor};

/// From so many bytes on content is read from the kernel into Python's own object.
const DIRECT: usize = 16 * 1024;

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct ClientTLS {
    tls: ClientTls,
}

#[pymethods]
impl ClientTLS {
    #[new]
    #[pyo3(signature = (
        authorities, *, revoked = None, verify = true, certificate = None, alpn = Vec::new()
    ))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "what Python passes is converted into values"
    )]
    fn new(
        authorities: &[u8],
        revoked: Option<&[u8]>,
        verify: bool,
        certificate: Option<(Vec<u8>, Vec<u8>)>,
        alpn: Vec<String>,
    ) -> PyResult<Self> {
        let options = ClientTlsOptions {
            authorities,
            revoked,
            verify,
            certificate: certificate
                .as_ref()
                .map(|(chain, key)| (chain.as_slice(), key.as_slice())),
            alpn: &alpn,
        };
        ClientTls::new(&options)
            .map(|tls| Self { tls })
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct ClientResponse {
    head: ResponseHead,
    #[pyo3(get)]
    body: Py<PyBytes>,
    trailers: Trailers,
}

impl ClientResponse {
    pub(crate) fn new(py: Python<'_>, response: eyewall_engine::ClientResponse) -> Self {
        Self {
            head: response.head,
            body: PyBytes::new(py, &response.body).unbind(),
            trailers: response.trailers.unwrap_or_default(),
        }
    }
}

/// Trailer fields as Python has them.
pub(crate) fn trailer_list<'py>(
    py: Python<'py>,
    trailers: &Trailers,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for (name, value) in trailers {
        list.append((latin1_str(py, name), latin1_str(py, value)))?;
    }
    Ok(list)
}

#[pymethods]
impl ClientResponse {
    #[getter]
    fn status(&self) -> u16 {
        self.head.status
    }

    #[getter]
    fn reason<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        latin1_str(py, self.head.reason())
    }

    #[getter]
    fn http_version(&self) -> &'static str {
        self.head.version.as_str()
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
    fn trailers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        trailer_list(py, &self.trailers)
    }

    fn header<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyString>> {
        self.head
            .field(name.as_bytes())
            .map(|value| latin1_str(py, value))
    }
}

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct ClientConnection {
    reactor: u64,
    id: ClientId,
}

impl Drop for ClientConnection {
    fn drop(&mut self) {
        match reactor::find(self.reactor) {
            Ok(engine) => engine.client_close(self.id),
            Err(Missing::Elsewhere(mailbox)) => mailbox.post_client(self.id),
            Err(Missing::Gone) => {}
        }
    }
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::ZERO)
}

#[pymethods]
impl ClientConnection {
    #[new]
    #[pyo3(signature = (
        reactor, fd, *, tls = None, server_name = "", on_ready = None, on_close = None,
        http2 = false, idle_s = 0.0, header_bytes = 65536, header_count = 256
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the keywords of one constructor in Python"
    )]
    fn new(
        py: Python<'_>,
        reactor: &Bound<'_, Reactor>,
        fd: i32,
        tls: Option<&Bound<'_, ClientTLS>>,
        server_name: &str,
        on_ready: Option<Py<PyAny>>,
        on_close: Option<Py<PyAny>>,
        http2: bool,
        idle_s: f64,
        header_bytes: usize,
        header_count: usize,
    ) -> PyResult<Self> {
        if fd < 0 {
            return Err(PyValueError::new_err(
                "the descriptor of a socket is not negative",
            ));
        }
        let reactor = reactor.get().id;
        let engine = reactor::get(py, reactor)?;
        // SAFETY: the caller keeps the descriptor open during this call; what is not one fails.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        let socket = borrowed
            .try_clone_to_owned()
            .map_err(|error| PyOSError::new_err(error.to_string()))?;
        let config = ClientConfig {
            limits: Limits {
                header_bytes,
                header_count,
                ..Limits::default()
            },
            idle: seconds(idle_s),
            http2,
        };
        let tls = tls.map(|tls| (&tls.get().tls, server_name));
        let id = engine
            .add_client(config, socket, tls, on_ready, on_close)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { reactor, id })
    }

    #[pyo3(signature = (
        method, target, authority, headers, body, on_response, *, scheme = "http",
        length = None, streamed = false, timeout_s = 0.0, max_body = u64::MAX,
        on_continue = None
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of a request, handed over in one call"
    )]
    fn start(
        &self,
        py: Python<'_>,
        method: &str,
        target: &str,
        authority: &str,
        headers: &Bound<'_, PyAny>,
        body: Option<&Bound<'_, PyAny>>,
        on_response: Py<PyAny>,
        scheme: &str,
        length: Option<i64>,
        streamed: bool,
        timeout_s: f64,
        max_body: u64,
        on_continue: Option<Py<PyAny>>,
    ) -> PyResult<u32> {
        let engine = reactor::get(py, self.reactor)?;
        let fields = PyFields::new(headers)?;
        let begin = |body: ClientBody<'_>| {
            let request = ClientRequest {
                line: Line {
                    method: method.as_bytes(),
                    target: target.as_bytes(),
                    authority: authority.as_bytes(),
                },
                scheme: scheme.as_bytes(),
                fields: &fields,
                body,
                timeout: seconds(timeout_s),
                streamed,
                max_body,
            };
            engine.client_start(self.id, request, on_response, on_continue)
        };
        let started = match (body, length) {
            (Some(body), None) => {
                with_payload(body, |payload| Ok(begin(ClientBody::Whole(payload))))?
            }
            (_, Some(length)) => begin(ClientBody::Stream(u64::try_from(length).ok())),
            (None, None) => begin(ClientBody::None),
        };
        started.map_err(|error| {
            fields
                .take_failure()
                .unwrap_or_else(|| errors::operation(py, &error))
        })
    }

    fn write(&self, py: Python<'_>, stream: u32, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        let engine = reactor::get(py, self.reactor)?;
        with_payload(data, |payload| {
            engine
                .client_write(self.id, stream, payload)
                .map_err(|error| errors::operation(py, &error))
        })
    }

    fn end(&self, py: Python<'_>, stream: u32) -> PyResult<()> {
        reactor::get(py, self.reactor)?
            .client_end(self.id, stream)
            .map_err(|error| errors::operation(py, &error))
    }

    fn when_writable(&self, py: Python<'_>, stream: u32, callback: Py<PyAny>) -> PyResult<()> {
        reactor::get(py, self.reactor)?
            .client_room(self.id, stream, callback)
            .map_err(|error| errors::operation(py, &error))
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        stream: u32,
        callback: Py<PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let engine = reactor::get(py, self.reactor)?;
        let direct = engine.client_direct(self.id, stream);
        if direct >= DIRECT {
            let mut count = 0;
            let data = PyBytes::new_with(py, direct, |buffer| {
                count = engine.client_receive(self.id, buffer);
                Ok(())
            })?;
            if count == direct {
                return Ok(Some(data.into_any()));
            }
            if count > 0 {
                let part = data.as_bytes().get(..count).unwrap_or_default();
                return Ok(Some(PyBytes::new(py, part).into_any()));
            }
        }
        let read = engine
            .client_read(self.id, stream, callback)
            .map_err(|error| errors::operation(py, &error))?;
        match read {
            ClientRead::Data(data) => Ok(Some(PyBytes::new(py, &data).into_any())),
            ClientRead::End(trailers) => {
                trailer_list(py, &trailers.unwrap_or_default()).map(|list| Some(list.into_any()))
            }
            ClientRead::Failed(failure) => Err(errors::request_failed(py, &failure)),
            ClientRead::Pending => Ok(None),
        }
    }

    fn cancel(&self, py: Python<'_>, stream: u32) -> PyResult<()> {
        match reactor::find(self.reactor) {
            Ok(engine) => engine.client_cancel(self.id, stream),
            Err(Missing::Gone) => {}
            Err(Missing::Elsewhere(_)) => return reactor::get(py, self.reactor).map(drop),
        }
        Ok(())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match reactor::find(self.reactor) {
            Ok(engine) => engine.client_close(self.id),
            Err(Missing::Gone) => {}
            Err(Missing::Elsewhere(_)) => return reactor::get(py, self.reactor).map(drop),
        }
        Ok(())
    }

    #[getter]
    fn capacity(&self) -> usize {
        reactor::find(self.reactor).map_or(0, |engine| engine.client_capacity(self.id))
    }

    #[getter]
    fn protocol(&self) -> &'static str {
        reactor::find(self.reactor)
            .ok()
            .and_then(|engine| engine.client_state(self.id))
            .map_or("", |state| state.protocol)
    }

    #[getter]
    fn tls<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let state = reactor::get(py, self.reactor)?.client_state(self.id);
        let Some(tls) = state.and_then(|state| state.tls) else {
            return Ok(None);
        };
        let dict = PyDict::new(py);
        dict.set_item("version", tls.version)?;
        dict.set_item("cipher", &tls.cipher)?;
        dict.set_item("alpn", &tls.alpn)?;
        let certificate = tls
            .client_certificate
            .as_ref()
            .map(|der| PyBytes::new(py, der));
        dict.set_item("certificate", certificate)?;
        Ok(Some(dict))
    }
}
