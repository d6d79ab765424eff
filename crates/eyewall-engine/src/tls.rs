//! TLS sessions by rustls, towards a non-blocking transport.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

/// Encrypted bytes that may wait for the transport.
const OUTPUT_LIMIT: usize = 64 * 1024;

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

/// What a session came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// "TLSv1.3" or "TLSv1.2".
    pub version: &'static str,
    /// The cipher suite's name.
    pub cipher: String,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// The protocol agreed on.
    pub alpn: Option<String>,
    /// The client's certificate in DER.
    pub client_certificate: Option<Vec<u8>>,
}

impl TlsConfig {
    /// Read certificates and keys.
    ///
    /// # Errors
    ///
    /// Something in the PEM cannot be used; the text says what.
    pub fn new(options: &TlsOptions<'_>) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let certificates = options
            .certificates
            .iter()
            .map(|(chain, key)| Certificate::read(chain, key))
            .collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(TlsError("a TLS server needs a certificate".to_owned()));
        }
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed("TLS", error))?;
        let builder = match options.client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in read_chain(pem, "the client CA")? {
                    roots
                        .add(certificate)
                        .map_err(|error| failed("the client CA cannot be used", error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if options.client_auth_required {
                    verifier
                } else {
                    verifier.allow_unauthenticated()
                };
                let verifier = verifier
                    .build()
                    .map_err(|error| failed("the client CA cannot be used", error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(Certificates(certificates)));
        config.alpn_protocols = options
            .alpn
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        if let Ok(ticketer) = rustls::crypto::ring::Ticketer::new() {
            config.ticketer = ticketer;
        }
        Ok(Self(Arc::new(config)))
    }

    /// A session for a new connection.
    ///
    /// # Errors
    ///
    /// rustls refuses its own configuration, which it does not after [`new`](Self::new).
    pub fn session(&self) -> Result<Session, TlsError> {
        let mut connection =
            ServerConnection::new(Arc::clone(&self.0)).map_err(|error| failed("TLS", error))?;
        connection.set_buffer_limit(Some(OUTPUT_LIMIT));
        Ok(Session {
            connection,
            early: Vec::new(),
        })
    }
}

fn read_chain(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
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
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(_) => {
                return Err(TlsError(
                    "the private key does not belong to the certificate".to_owned(),
                ));
            }
        }
        Ok(Self {
            names,
            key: Arc::new(key),
        })
    }

    fn is_for(&self, asked: &str) -> bool {
        let parent = asked.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|name| {
            name.eq_ignore_ascii_case(asked)
                || name.strip_prefix("*.").is_some_and(|rest| {
                    parent.is_some_and(|parent| parent.eq_ignore_ascii_case(rest))
                })
        })
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

/// Chooses a certificate by the name that the client asks for.
#[derive(Debug)]
struct Certificates(Vec<Certificate>);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name();
        let chosen =
            asked.and_then(|name| self.0.iter().find(|certificate| certificate.is_for(name)));
        chosen
            .or(self.0.first())
            .map(|certificate| Arc::clone(&certificate.key))
    }
}

/// One connection's TLS.
#[derive(Debug)]
pub struct Session {
    connection: ServerConnection,
    /// Read before TLS began, and not taken by it yet.
    early: Vec<u8>,
}

impl Session {
    /// Whether a client's first bytes are a clear-text HTTP request.
    #[must_use]
    pub fn looks_like_http(first: &[u8]) -> bool {
        first.first().is_some_and(u8::is_ascii_uppercase)
    }

    /// Give the session bytes that were read before it began.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.early.extend_from_slice(bytes);
    }

    /// Read plaintext: `WouldBlock` when there is none yet, 0 at the peer's close.
    ///
    /// # Errors
    ///
    /// `InvalidData` for what is no TLS, `UnexpectedEof` for a close in the handshake, and the
    /// transport's.
    pub fn read<T: Read + Write>(&mut self, io: &mut T, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buf) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // A close without close_notify: HTTP's own framing tells a cut message.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            let count = if self.early.is_empty() {
                self.connection.read_tls(io)?
            } else {
                let mut early = self.early.as_slice();
                let count = self.connection.read_tls(&mut early)?;
                self.early.drain(..count);
                count
            };
            if let Err(error) = self.connection.process_new_packets() {
                // The alert that explains it is in the session now.
                drop(self.flush(io));
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            if self.connection.wants_write() {
                match self.flush(io) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            if count == 0 && self.connection.is_handshaking() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Encrypt and send; takes a part when the transport does not take all.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing was taken, and the transport's.
    pub fn write<T: Read + Write>(&mut self, io: &mut T, data: &[u8]) -> io::Result<usize> {
        let taken = self.connection.writer().write(data)?;
        match self.flush(io) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if taken == 0 && !data.is_empty() {
            let retried = self.connection.writer().write(data)?;
            if retried == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            return Ok(retried);
        }
        Ok(taken)
    }

    /// Send records that wait.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when some remain, and the transport's.
    pub fn flush<T: Read + Write>(&mut self, io: &mut T) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(io)?;
        }
        Ok(())
    }

    /// Whether the handshake is still going on.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Queue the alert that says that nothing more comes.
    pub fn close_notify(&mut self) {
        self.connection.send_close_notify();
    }

    /// What the session came to.
    #[must_use]
    pub fn info(&self) -> TlsInfo {
        let version = match self.connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        };
        let suite = self.connection.negotiated_cipher_suite();
        TlsInfo {
            version,
            cipher: suite.map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
            server_name: self.connection.server_name().map(str::to_owned),
            alpn: self
                .connection
                .alpn_protocol()
                .map(|name| String::from_utf8_lossy(name).into_owned()),
            client_certificate: self
                .connection
                .peer_certificates()
                .and_then(|chain| chain.first())
                .map(|certificate| certificate.to_vec()),
        }
    }
}
