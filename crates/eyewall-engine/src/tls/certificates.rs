//! A server's certificates: read from PEM, and chosen by the name that the client asks for.

use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::{TlsError, failed};

/// Read every certificate in the PEM; `what` names it in errors. Other PEM sections are skipped,
/// so that a key may stand in the same file.
pub(super) fn read_chain(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| failed(&format!("{what} is no valid PEM"), error))?;
    if chain.is_empty() {
        return Err(TlsError(format!("{what} holds no certificate")));
    }
    Ok(chain)
}

/// One certificate with the names that it is for.
#[derive(Debug)]
struct Certificate {
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Certificate {
    fn read(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = read_chain(chain, "the certificate file")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            failed(
                "the key file holds no usable private key (PKCS#8, PKCS#1 or SEC1, not encrypted)",
                error,
            )
        })?;
        let key = any_supported_type(&key)
            .map_err(|error| failed("the private key cannot be used", error))?;
        let names = chain.first().map(|leaf| names(leaf)).unwrap_or_default();
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => {
                return Err(TlsError(
                    "the private key does not belong to the certificate".to_owned(),
                ));
            }
            // Most often an X.509 version 1 certificate, which openssl signs when it is given
            // no extensions: clients would find no name in it.
            Err(error) => {
                return Err(failed(
                    "the certificate cannot be used (it must be X.509 version 3, \
                     with the server's names as subject alternative names)",
                    error,
                ));
            }
        }
        Ok(Self {
            names,
            key: Arc::new(key),
        })
    }

    fn is_named(&self, asked: &str) -> bool {
        self.names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(asked))
    }

    /// Whether a wildcard name covers what is asked for; it stands for one label
    /// (RFC 9525, section 6.3).
    fn covers(&self, asked: &str) -> bool {
        let Some((_, parent)) = asked.split_once('.') else {
            return false;
        };
        self.names
            .iter()
            .filter_map(|name| name.strip_prefix("*."))
            .any(|rest| rest.eq_ignore_ascii_case(parent))
    }
}

/// The DNS names in a certificate's subject alternative names.
fn names(leaf: &CertificateDer<'_>) -> Vec<String> {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
    let Ok((_, parsed)) = X509Certificate::from_der(leaf) else {
        return Vec::new();
    };
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    alternatives
        .value
        .general_names
        .iter()
        .filter_map(|name| {
            if let GeneralName::DNSName(name) = name {
                Some((*name).to_owned())
            } else {
                None
            }
        })
        .collect()
}

/// Chooses a certificate: one of the very name before a wildcard, else the first of all.
#[derive(Debug)]
pub(super) struct Certificates(Vec<Certificate>);

impl Certificates {
    pub(super) fn read(pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<Self, TlsError> {
        if pairs.is_empty() {
            return Err(TlsError("a TLS server needs a certificate".to_owned()));
        }
        pairs
            .iter()
            .map(|(chain, key)| Certificate::read(chain, key))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn choose(&self, asked: &str) -> Option<&Certificate> {
        self.0
            .iter()
            .find(|certificate| certificate.is_named(asked))
            .or_else(|| self.0.iter().find(|certificate| certificate.covers(asked)))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        hello
            .server_name()
            .and_then(|asked| self.choose(asked))
            .or(self.0.first())
            .map(|certificate| Arc::clone(&certificate.key))
    }
}
