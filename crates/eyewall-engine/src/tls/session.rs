//! One connection's TLS, towards a non-blocking transport.
//!
//! The caller reads until `WouldBlock`, as an edge-triggered poll demands: rustls may hold
//! plaintext that the socket's readiness no longer tells of.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

/// Encrypted bytes that may wait for the transport.
pub(super) const OUTPUT_LIMIT: usize = 64 * 1024;

/// What a peer may still send after a fatal alert before it is cut.
pub(super) const DISCARD_LIMIT: usize = 256 * 1024;

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

/// One connection's TLS.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    /// Read before TLS began, and not taken by it yet.
    early: Vec<u8>,
    /// After a fatal error: what came since and was dropped.
    discarded: Option<usize>,
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        let mut connection = Connection::from(ServerConnection::new(config)?);
        connection.set_buffer_limit(Some(OUTPUT_LIMIT));
        Ok(Self {
            connection,
            early: Vec::new(),
            discarded: None,
        })
    }

    /// A session with the server of that name.
    pub(super) fn client(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, Error> {
        let mut connection = Connection::from(ClientConnection::new(config, name)?);
        connection.set_buffer_limit(Some(OUTPUT_LIMIT));
        Ok(Self {
            connection,
            early: Vec::new(),
            discarded: None,
        })
    }

    /// Whether HTTP/2 was agreed on.
    pub(crate) fn is_http2(&self) -> bool {
        self.connection.alpn_protocol() == Some(b"h2")
    }

    /// Whether a client's first bytes are a clear-text HTTP request.
    ///
    /// TLS begins with the byte 22 (RFC 8446, section 5.1), which begins no method.
    pub(crate) fn looks_like_http(first: &[u8]) -> bool {
        first.first().is_some_and(u8::is_ascii_uppercase)
    }

    /// Give the session bytes that were read before it began.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.early.extend_from_slice(bytes);
    }

    /// Read plaintext: `WouldBlock` when there is none yet, 0 at the peer's close.
    ///
    /// A close without `close_notify` counts as a close too: HTTP's own framing tells a message
    /// that was cut.
    ///
    /// # Errors
    ///
    /// `InvalidData` for what is no TLS or cannot be agreed on, after which the alert that says
    /// why waits to be flushed; `UnexpectedEof` for a close in the handshake; and the
    /// transport's.
    pub(crate) fn read<T: Read + Write>(
        &mut self,
        io: &mut T,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        if let Some(discarded) = self.discarded {
            return self.discard(io, buf, discarded);
        }
        loop {
            match self.connection.reader().read(buf) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            let count = self.read_records(io)?;
            if let Err(error) = self.connection.process_new_packets() {
                let text = match &self.connection {
                    Connection::Client(_) => super::client::explain(&error),
                    Connection::Server(_) => explain(&error, self.connection.is_handshaking()),
                };
                self.discarded = Some(0);
                self.early = Vec::new();
                // What the transport does not take now is flushed when it is writable.
                drop(self.flush(io));
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            self.flush_some(io)?;
            if count == 0 && self.connection.is_handshaking() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn read_records<T: Read>(&mut self, io: &mut T) -> io::Result<usize> {
        if self.early.is_empty() {
            return self.connection.read_tls(io);
        }
        let mut early = self.early.as_slice();
        let count = self.connection.read_tls(&mut early)?;
        self.early.drain(..count);
        if self.early.is_empty() {
            self.early = Vec::new();
        }
        Ok(count)
    }

    /// Drop what comes after a fatal error. A socket closed with input unread resets the
    /// connection, and then the peer may never see the alert.
    fn discard<T: Read>(
        &mut self,
        io: &mut T,
        buf: &mut [u8],
        mut discarded: usize,
    ) -> io::Result<usize> {
        while discarded < DISCARD_LIMIT {
            let count = io.read(buf)?;
            if count == 0 {
                return Ok(0);
            }
            discarded += count;
            self.discarded = Some(discarded);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the peer goes on after a fatal TLS alert",
        ))
    }

    /// Encrypt and send; takes a part when the transport does not take all. The slices share
    /// records, so that a head and a short body make one.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing was taken, and the transport's.
    pub(crate) fn write_vectored<T: Write>(
        &mut self,
        io: &mut T,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.flush_some(io)?;
        let taken = self.connection.writer().write_vectored(slices)?;
        if taken == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.flush_some(io)?;
        Ok(taken)
    }

    /// Send records that wait.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when some remain, and the transport's.
    pub(crate) fn flush<T: Write>(&mut self, io: &mut T) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(io)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Send what the transport takes now.
    fn flush_some<T: Write>(&mut self, io: &mut T) -> io::Result<()> {
        match self.flush(io) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    /// Whether the handshake is still going on.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Queue the alert that says that nothing more comes.
    pub(crate) fn close_notify(&mut self) {
        self.connection.send_close_notify();
    }

    /// What the session came to.
    pub(crate) fn info(&self) -> TlsInfo {
        let version = match self.connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        };
        let suite = self.connection.negotiated_cipher_suite();
        TlsInfo {
            version,
            cipher: suite.map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
            server_name: match &self.connection {
                Connection::Server(server) => server.server_name().map(str::to_owned),
                Connection::Client(_) => None,
            },
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

/// What went wrong, in words that say what to look at.
fn explain(error: &Error, handshaking: bool) -> String {
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) if handshaking => {
            "clear text on a TLS port, or another protocol".to_owned()
        }
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown,
        ) => format!("the client does not accept the server's certificate ({error})"),
        Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the client's certificate is an authority's, as plain `openssl req -x509` makes them \
             (CA:TRUE); a client needs one that an authority signed"
                .to_owned()
        }
        _ => error.to_string(),
    }
}
