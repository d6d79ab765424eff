//! An authority, certificates of it, and clients that trust it.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::super::{TlsConfig, TlsError, TlsOptions};

/// A certificate chain and its key in PEM.
pub(super) type Pem = (Vec<u8>, Vec<u8>);

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: Pem,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["authority.example".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        let pem = (
            certificate.pem().into_bytes(),
            key.serialize_pem().into_bytes(),
        );
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for a server, and as well for a client, of these names.
    pub(super) fn issue(&self, names: &[&str]) -> Pem {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (
            certificate.pem().into_bytes(),
            key.serialize_pem().into_bytes(),
        )
    }

    /// A client that trusts this authority.
    pub(super) fn client(&self) -> Arc<ClientConfig> {
        self.client_with(&[], None, rustls::ALL_VERSIONS)
    }

    pub(super) fn client_with(
        &self,
        alpn: &[&str],
        certificate: Option<&Pem>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(leaf(&self.pem)).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(pem) => builder
                .with_client_auth_cert(
                    vec![leaf(pem)],
                    PrivateKeyDer::from_pem_slice(&pem.1).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

/// The first certificate in DER.
pub(super) fn leaf(pem: &Pem) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&pem.0).unwrap()
}

/// A server's configuration that asks for no client certificate.
pub(super) fn try_server(certificates: &[Pem], alpn: &[&str]) -> Result<TlsConfig, TlsError> {
    let alpn: Vec<String> = alpn.iter().map(|&name| name.to_owned()).collect();
    TlsConfig::new(&TlsOptions {
        certificates,
        client_ca: None,
        client_auth_required: false,
        alpn: &alpn,
    })
}

pub(super) fn server(certificates: &[Pem]) -> TlsConfig {
    try_server(certificates, &[]).unwrap()
}

/// A server's configuration that asks for a client certificate of an authority.
pub(super) fn server_with_clients(certificate: Pem, ca: &Pem, required: bool) -> TlsConfig {
    TlsConfig::new(&TlsOptions {
        certificates: &[certificate],
        client_ca: Some(&ca.0),
        client_auth_required: required,
        alpn: &[],
    })
    .unwrap()
}
