//! Bindings of the engine for Python: the module `eyewall._engine`.
//!
//! The contract, with its documentation, is `src/eyewall/_engine.pyi`; the docstrings there are
//! not repeated here. What Python holds are handles: an id and what was received, never a
//! connection. So a handle may be dropped anywhere, at any time.

mod client;
mod errors;
mod exchange;
mod fanout;
mod fields;
mod forms;
mod functions;
mod host;
mod reactor;
mod server;
mod tls;
mod websocket;
mod websocket_codec;

use pyo3::prelude::*;

#[pymodule]
mod _engine {
    #[pymodule_export]
    use super::client::{ClientConnection, ClientResponse, ClientTLS};
    #[pymodule_export]
    use super::exchange::Exchange;
    #[pymodule_export]
    use super::fanout::Fanout;
    #[pymodule_export]
    use super::forms::{find_cookie, find_field, parse_cookie, parse_form};
    #[pymodule_export]
    use super::functions::{escape_html, escape_value, etag, text_of};
    #[pymodule_export]
    use super::reactor::Reactor;
    #[pymodule_export]
    use super::server::Server;
    #[pymodule_export]
    use super::tls::TLSConfig;
    #[pymodule_export]
    use super::websocket::WebSocket;
    #[pymodule_export]
    use super::websocket_codec::WebSocketCodec;
    use super::{Bound, PyModule, PyModuleMethods, PyResult, errors, server};

    #[pymodule_init]
    fn init(m: &Bound<'_, PyModule>) -> PyResult<()> {
        m.add("__version__", env!("CARGO_PKG_VERSION"))?;
        m.add("DEFAULT_LIMITS", server::default_limits(m.py())?)?;
        errors::add_to(m)
    }
}
