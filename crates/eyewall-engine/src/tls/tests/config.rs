//! What can be made into a configuration, and what is said of the rest.

use super::super::{TlsConfig, TlsOptions};
use super::pki::{Authority, Pem, try_server};

fn refusal(certificates: &[Pem], alpn: &[&str]) -> String {
    try_server(certificates, alpn).unwrap_err().to_string()
}

#[test]
fn a_server_without_a_certificate_is_refused() {
    assert_eq!(refusal(&[], &[]), "a TLS server needs a certificate");
}

#[test]
fn a_file_without_a_certificate_is_named() {
    let (chain, key) = Authority::new().issue(&["h.example"]);
    let said = refusal(&[(key.clone(), key.clone())], &[]);
    assert_eq!(said, "the certificate file holds no certificate");
    let cut = chain[..chain.len() / 2].to_vec();
    assert!(refusal(&[(cut, key)], &[]).starts_with("the certificate file is no valid PEM"));
}

#[test]
fn a_file_without_a_key_is_named() {
    let (chain, _) = Authority::new().issue(&["h.example"]);
    let said = refusal(&[(chain.clone(), chain)], &[]);
    assert!(said.starts_with("the key file holds no usable private key"));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let authority = Authority::new();
    let (chain, _) = authority.issue(&["h.example"]);
    let (_, key) = authority.issue(&["h.example"]);
    assert_eq!(
        refusal(&[(chain, key)], &[]),
        "the private key does not belong to the certificate"
    );
}

#[test]
fn a_certificate_that_is_no_certificate_is_not_called_a_wrong_key() {
    let (_, key) = Authority::new().issue(&["h.example"]);
    let chain = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".to_vec();
    assert!(refusal(&[(chain, key)], &[]).starts_with("the certificate cannot be used"));
}

#[test]
fn a_key_may_stand_in_the_file_of_its_certificate() {
    let (chain, key) = Authority::new().issue(&["h.example"]);
    let both = [key, chain].concat();
    try_server(&[(both.clone(), both)], &[]).unwrap();
}

#[test]
fn a_self_signed_authority_serves() {
    try_server(&[Authority::new().pem], &[]).unwrap();
}

#[test]
fn protocol_names_have_the_lengths_of_rfc_7301() {
    let pair = Authority::new().issue(&["h.example"]);
    let long = "x".repeat(256);
    for name in ["", &long] {
        assert!(refusal(std::slice::from_ref(&pair), &[name]).contains("1 to 255 bytes"));
    }
    try_server(&[pair], &[&long[1..]]).unwrap();
}

#[test]
fn a_client_authority_that_is_none_is_named() {
    let error = TlsConfig::new(&TlsOptions {
        certificates: &[Authority::new().issue(&["h.example"])],
        client_ca: Some(b"nothing"),
        client_auth_required: true,
        alpn: &[],
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "the client CA holds no certificate");
}
