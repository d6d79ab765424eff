//! `TLSConfig`.

use eyewall_engine::{TlsConfig, TlsOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct TLSConfig {
    pub(crate) config: TlsConfig,
}

#[pymethods]
impl TLSConfig {
    #[new]
    #[pyo3(signature = (certificates, *, client_ca = None, client_auth = "required", alpn = None))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "what Python passes is converted into values"
    )]
    fn new(
        certificates: Vec<(Vec<u8>, Vec<u8>)>,
        client_ca: Option<Vec<u8>>,
        client_auth: &str,
        alpn: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let client_auth_required = match client_auth {
            "required" => true,
            "optional" => false,
            other => {
                return Err(PyValueError::new_err(format!(
                    "client_auth must be \"required\" or \"optional\", not {other:?}"
                )));
            }
        };
        let alpn = alpn.unwrap_or_else(|| vec!["h2".to_owned(), "http/1.1".to_owned()]);
        let options = TlsOptions {
            certificates: &certificates,
            client_ca: client_ca.as_deref(),
            client_auth_required,
            alpn: &alpn,
        };
        let config =
            TlsConfig::new(&options).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { config })
    }
}
