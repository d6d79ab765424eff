//! `Server`.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use eyewall_engine::{ServerConfig, ServerKey};
use eyewall_proto::{Limits, TrustedPeers};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::reactor::{self, Reactor};
use crate::tls::TLSConfig;

/// The names and defaults of all limits.
pub(crate) fn default_limits(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let limits = Limits::default();
    let dict = PyDict::new(py);
    for name in Limits::NAMES {
        dict.set_item(name, limits.get(name))?;
    }
    Ok(dict)
}

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct Server {
    reactor: u64,
    key: ServerKey,
}

/// What the keyword arguments say, checked.
fn config(
    protocols: Option<Vec<String>>,
    proxy_protocol: bool,
    trusted: &[String],
    server_header: Option<String>,
    limits: Option<&Bound<'_, PyDict>>,
) -> PyResult<ServerConfig> {
    let invalid = |text: String| PyValueError::new_err(text);
    let mut config = ServerConfig {
        limits: Limits::default(),
        http1: protocols.is_none(),
        http2: protocols.is_none(),
        proxy_protocol,
        trusted: TrustedPeers::new(trusted.iter().map(String::as_str))
            .map_err(|error| invalid(error.to_string()))?,
        server_header: server_header.map(String::into_bytes),
    };
    for protocol in protocols.unwrap_or_default() {
        match protocol.as_str() {
            "http/1.1" => config.http1 = true,
            "h2" => config.http2 = true,
            other => {
                return Err(invalid(format!(
                    "unknown protocol {other:?}: \"http/1.1\" and \"h2\" exist"
                )));
            }
        }
    }
    if let Some(limits) = limits {
        for (name, value) in limits {
            let name: String = name.extract()?;
            config
                .limits
                .set(&name, value.extract()?)
                .map_err(|error| invalid(error.to_string()))?;
        }
    }
    if let Some(header) = &config.server_header
        && header.iter().any(|byte| !(b' '..0x7f).contains(byte))
    {
        return Err(invalid("server_header must be printable ASCII".to_owned()));
    }
    Ok(config)
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (
        reactor, fds, on_exchange, *, on_notice = None, tls = None, protocols = None,
        proxy_protocol = false, trusted = Vec::new(), server_header = None, limits = None
    ))]
    #[expect(
        clippy::needless_pass_by_value,
        clippy::too_many_arguments,
        reason = "the keywords of one constructor in Python"
    )]
    fn new(
        py: Python<'_>,
        reactor: &Bound<'_, Reactor>,
        fds: Vec<i32>,
        on_exchange: Py<PyAny>,
        on_notice: Option<Py<PyAny>>,
        tls: Option<&Bound<'_, TLSConfig>>,
        protocols: Option<Vec<String>>,
        proxy_protocol: bool,
        trusted: Vec<String>,
        server_header: Option<String>,
        limits: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        if !on_exchange.bind(py).is_callable() {
            return Err(PyTypeError::new_err("on_exchange must be callable"));
        }
        let id = reactor.get().id;
        let engine = reactor::get(py, id)?;
        let config = config(protocols, proxy_protocol, &trusted, server_header, limits)?;
        let sockets = fds
            .into_iter()
            .map(duplicate)
            .collect::<PyResult<Vec<OwnedFd>>>()?;
        let key = engine.add_server(config, tls.map(|tls| tls.get().config.clone()), sockets)?;
        engine.host().add_server(key, on_exchange, on_notice);
        Ok(Self { reactor: id, key })
    }

    fn set_tls(&self, py: Python<'_>, tls: &Bound<'_, TLSConfig>) -> PyResult<()> {
        reactor::get(py, self.reactor)?.set_tls(self.key, tls.get().config.clone());
        Ok(())
    }

    fn set_on_exchange(&self, py: Python<'_>, on_exchange: Py<PyAny>) -> PyResult<()> {
        if !on_exchange.bind(py).is_callable() {
            return Err(PyTypeError::new_err("on_exchange must be callable"));
        }
        let engine = reactor::get(py, self.reactor)?;
        engine.host().set_on_exchange(self.key, on_exchange);
        Ok(())
    }

    fn stop_accepting(&self, py: Python<'_>) -> PyResult<()> {
        reactor::get(py, self.reactor)?.stop_accepting(self.key);
        Ok(())
    }

    fn drain(&self, py: Python<'_>, deadline_s: f64, on_done: Py<PyAny>) -> PyResult<()> {
        let deadline = Duration::try_from_secs_f64(deadline_s).map_err(|_| {
            PyValueError::new_err("deadline_s must be a number of seconds, 0 or more")
        })?;
        reactor::get(py, self.reactor)?.drain(self.key, deadline, on_done);
        Ok(())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let Ok(engine) = reactor::find(self.reactor) {
            engine.remove_server(self.key);
            engine.host().remove_server(self.key);
            return Ok(());
        }
        match reactor::find(self.reactor) {
            Err(reactor::Missing::Gone) => Ok(()),
            _ => reactor::get(py, self.reactor).map(drop),
        }
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = reactor::get(py, self.reactor)?.server_stats(self.key);
        let dict = PyDict::new(py);
        dict.set_item("connections", stats.connections)?;
        dict.set_item("exchanges", stats.exchanges)?;
        dict.set_item("requests", stats.requests)?;
        dict.set_item("refused", stats.refused)?;
        Ok(dict)
    }
}

fn duplicate(fd: i32) -> PyResult<OwnedFd> {
    if fd < 0 {
        return Err(PyValueError::new_err(format!("{fd} is not a descriptor")));
    }
    // SAFETY: the descriptor is only used for the duration of this call; when the caller's
    // number is no open descriptor, duplicating it fails with EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(borrowed.try_clone_to_owned()?)
}
