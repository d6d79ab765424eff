//! TLS towards servers: whom to trust, and what to show.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime,
};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, InvalidMessage, RootCertStore,
    SignatureScheme,
};

use super::certificates::read_chain;
use super::{Session, TlsError, failed};

/// How texts about a certificate that is not trusted begin.
pub(crate) const BAD_CERTIFICATE: &str = "the server's certificate ";

/// Trust and credentials of a client; cheap to clone.
#[derive(Clone, Debug)]
pub struct ClientTls(Arc<ClientConfig>);

/// What a [`ClientTls`] is made of.
#[derive(Clone, Copy, Debug)]
pub struct ClientTlsOptions<'a> {
    /// Authorities in PEM; ones that cannot be used are left out while one can.
    pub authorities: &'a [u8],
    /// Revocation lists in PEM; certificates on them are refused.
    pub revoked: Option<&'a [u8]>,
    /// Whether the server's certificate is checked at all.
    pub verify: bool,
    /// This client's certificate chain and key in PEM.
    pub certificate: Option<(&'a [u8], &'a [u8])>,
    /// Protocols offered, in order of preference.
    pub alpn: &'a [String],
}

impl ClientTls {
    /// Read authorities, certificate and key.
    ///
    /// # Errors
    ///
    /// Something in the options cannot be used; the text says what.
    pub fn new(options: &ClientTlsOptions<'_>) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = if options.verify {
            Arc::new(Verifier::new(options, &provider)?)
        } else {
            Arc::new(Anyone(Arc::clone(&provider)))
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed("TLS", error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match options.certificate {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = read_chain(chain, "the client's certificate file")?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| failed("the client's key file holds no usable key", error))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| failed("the client's certificate cannot be used", error))?
            }
        };
        config.alpn_protocols = options
            .alpn
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Ok(Self(Arc::new(config)))
    }

    /// A session with the server of that name.
    ///
    /// # Errors
    ///
    /// The name can be in no certificate.
    pub(crate) fn session(&self, name: &str) -> Result<Session, TlsError> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| failed("the host cannot be named in a certificate", error))?;
        Session::client(Arc::clone(&self.0), name).map_err(|error| failed("TLS", error))
    }
}

/// Trusts what the authorities have signed, and certificates that are among them themselves.
#[derive(Debug)]
struct Verifier {
    chain: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(
        options: &ClientTlsOptions<'_>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        const UNUSABLE: &str = "the authorities cannot be used";
        let trusted = read_chain(options.authorities, "the file of authorities")?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let mut builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        if let Some(pem) = options.revoked {
            let lists = CertificateRevocationListDer::pem_slice_iter(pem)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| failed("the revocation list is no valid PEM", error))?;
            builder = builder.with_crls(lists).allow_unknown_revocation_status();
        }
        let chain = builder.build().map_err(|error| failed(UNUSABLE, error))?;
        Ok(Self { chain, trusted })
    }

    /// A certificate that was named as trusted needs no signature, but its name and time count.
    fn verify_itself(
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        use x509_parser::prelude::{FromDer, X509Certificate};
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|_| Error::from(CertificateError::BadEncoding))?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now > parsed.validity().not_after.timestamp() {
            return Err(CertificateError::Expired.into());
        }
        if now < parsed.validity().not_before.timestamp() {
            return Err(CertificateError::NotValidYet.into());
        }
        let named = ParsedCertificate::try_from(certificate)?;
        rustls::client::verify_server_name(&named, name)?;
        Ok(ServerCertVerified::assertion())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trusted.iter().any(|known| known == certificate) {
            return Self::verify_itself(certificate, name, now);
        }
        self.chain
            .verify_server_cert(certificate, others, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Trusts every certificate, where the caller asked for just that.
struct Anyone(Arc<CryptoProvider>);

impl fmt::Debug for Anyone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anyone")
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What went wrong, in words that say what to look at.
pub(super) fn explain(error: &Error) -> String {
    let why = match error {
        Error::InvalidCertificate(certificate) => certificate,
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            return "the server does not speak TLS on this port".to_owned();
        }
        Error::AlertReceived(alert) => {
            return format!("the server ended the TLS handshake ({alert:?})");
        }
        _ => return error.to_string(),
    };
    let text = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet"
        }
        CertificateError::Revoked => "is revoked",
        CertificateError::UnknownIssuer => {
            "is signed by no authority that is trusted (or by itself)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another name"
        }
        CertificateError::BadSignature => "has a wrong signature",
        _ => return format!("{BAD_CERTIFICATE}cannot be trusted: {why}"),
    };
    format!("{BAD_CERTIFICATE}{text}")
}
