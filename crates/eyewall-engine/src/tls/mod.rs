//! TLS by rustls: what a server shows and demands, and the sessions made of it.
//!
//! A [`TlsConfig`] is immutable. A reload makes a new one; sessions that run keep theirs, and
//! tickets given out under the old one lead to a full handshake, so that a client that is no
//! longer trusted cannot come back by resumption.

mod certificates;
mod client;
mod session;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use certificates::{Certificates, read_chain};
pub(crate) use client::BAD_CERTIFICATE;
pub use client::{ClientTls, ClientTlsOptions};
pub(crate) use session::Session;
pub use session::TlsInfo;

/// Certificates and policy of a server; cheap to clone.
#[derive(Clone, Debug)]
pub struct TlsConfig(Arc<ServerConfig>);

/// What a [`TlsConfig`] is made of.
#[derive(Clone, Copy, Debug)]
pub struct TlsOptions<'a> {
    /// Certificate chains and private keys in PEM; the first is the default.
    pub certificates: &'a [(Vec<u8>, Vec<u8>)],
    /// Authorities in PEM that client certificates are checked against.
    pub client_ca: Option<&'a [u8]>,
    /// Whether a client without a certificate is refused.
    pub client_auth_required: bool,
    /// Protocols offered, in order of preference.
    pub alpn: &'a [String],
}

/// Certificates or keys that cannot be used.
#[derive(Debug)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

fn failed(what: &str, why: impl fmt::Display) -> TlsError {
    TlsError(format!("{what}: {why}"))
}

impl TlsConfig {
    /// Read certificates and keys.
    ///
    /// # Errors
    ///
    /// Something in the options cannot be used; the text says what.
    pub fn new(options: &TlsOptions<'_>) -> Result<Self, TlsError> {
        let certificates = Certificates::read(options.certificates)?;
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed("TLS", error))?;
        let builder = match options.client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => builder
                .with_client_cert_verifier(client_verifier(pem, options.client_auth_required)?),
        };
        let mut config = builder.with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = options
            .alpn
            .iter()
            .map(|name| match name.len() {
                1..=255 => Ok(name.as_bytes().to_vec()),
                // RFC 7301, section 3.1.
                _ => Err(TlsError(format!(
                    "an ALPN protocol name is 1 to 255 bytes long, not {}",
                    name.len()
                ))),
            })
            .collect::<Result<_, _>>()?;
        // Tickets keep a session's state at the client, so that a reconnect is cheap in every
        // connection, whatever the server has forgotten.
        config.ticketer = rustls::crypto::ring::Ticketer::new()
            .map_err(|error| failed("TLS session tickets", error))?;
        Ok(Self(Arc::new(config)))
    }

    /// A session for a new connection.
    ///
    /// # Errors
    ///
    /// rustls refuses its own configuration, which it does not after [`new`](Self::new).
    pub(crate) fn session(&self) -> Result<Session, TlsError> {
        Session::new(Arc::clone(&self.0)).map_err(|error| failed("TLS", error))
    }
}

fn client_verifier(ca_pem: &[u8], required: bool) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    const UNUSABLE: &str = "the client CA cannot be used";
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(ca_pem, "the client CA")? {
        roots
            .add(certificate)
            .map_err(|error| failed(UNUSABLE, error))?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    let builder = if required {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder.build().map_err(|error| failed(UNUSABLE, error))
}
