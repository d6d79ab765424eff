//! What proxies say of the client, and which of them are believed.

use std::fmt;
use std::net::IpAddr;

use crate::RequestHead;

/// Addresses and networks whose forwarding fields are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedPeers {
    everyone: bool,
    unix: bool,
    networks: Vec<(IpAddr, u8)>,
}

/// A name that is no address or network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustError(String);

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no address, network (10.0.0.0/8), \"unix\" or \"*\"",
            self.0
        )
    }
}

impl std::error::Error for TrustError {}

/// What is known of the client behind trusted proxies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// The client's address, where a trusted peer names one.
    pub ip: Option<IpAddr>,
    /// Whether the client came by TLS, where a trusted peer says so.
    pub https: Option<bool>,
}

impl TrustedPeers {
    /// Trust these addresses, networks, "unix" (all Unix sockets) or "*" (everyone).
    ///
    /// # Errors
    ///
    /// The first name that is none of these.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, TrustError> {
        let mut trusted = Self::default();
        for name in names
            .into_iter()
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            match name {
                "*" => trusted.everyone = true,
                "unix" => trusted.unix = true,
                _ => trusted
                    .networks
                    .push(network(name).ok_or_else(|| TrustError(name.to_owned()))?),
            }
        }
        Ok(trusted)
    }

    /// Whether this peer is believed; `None` is a Unix socket's.
    #[must_use]
    pub fn trusts(&self, peer: Option<IpAddr>) -> bool {
        let Some(peer) = peer else {
            return self.everyone || self.unix;
        };
        self.everyone
            || self
                .networks
                .iter()
                .any(|(network, bits)| contains(*network, *bits, peer.to_canonical()))
    }

    /// What a request says of its client, as far as `peer` is believed.
    #[must_use]
    pub fn client(&self, head: &RequestHead, peer: Option<IpAddr>) -> Forwarded {
        if !self.trusts(peer) {
            return Forwarded::default();
        }
        let (mut ip, mut https) = self.standard(head);
        if ip.is_none() {
            ip = self.stranger_in(head.get_all("x-forwarded-for").flat_map(split_list));
        }
        if ip.is_none() {
            ip = head.get_all("x-real-ip").last().and_then(address);
        }
        if https.is_none() {
            let said = head
                .get_all("x-forwarded-proto")
                .chain(head.get_all("x-scheme"))
                .flat_map(split_list)
                .last();
            https = said.and_then(scheme);
        }
        Forwarded { ip, https }
    }

    /// The last address in a chain that is not itself trusted, or the first one.
    fn stranger_in<'a>(&self, chain: impl Iterator<Item = &'a [u8]>) -> Option<IpAddr> {
        let chain: Vec<Option<IpAddr>> = chain.map(address).collect();
        let mut client = None;
        for named in chain.into_iter().rev() {
            // What stands before something unreadable could be anybody's word.
            let Some(named) = named else { break };
            client = Some(named);
            if !self
                .networks
                .iter()
                .any(|(network, bits)| contains(*network, *bits, named))
            {
                break;
            }
        }
        client
    }

    /// `Forwarded` of RFC 7239.
    fn standard(&self, head: &RequestHead) -> (Option<IpAddr>, Option<bool>) {
        let mut chain = Vec::new();
        let mut https = None;
        for element in head.get_all("forwarded").flat_map(split_list) {
            for pair in element.split(|byte| *byte == b';') {
                let pair = pair.trim_ascii();
                let Some(at) = memchr::memchr(b'=', pair) else {
                    continue;
                };
                let name = pair.get(..at).unwrap_or_default();
                let value = pair.get(at + 1..).unwrap_or_default().trim_ascii();
                let value = value
                    .strip_prefix(b"\"")
                    .and_then(|v| v.strip_suffix(b"\""))
                    .unwrap_or(value);
                if name.eq_ignore_ascii_case(b"for") {
                    chain.push(value);
                } else if name.eq_ignore_ascii_case(b"proto") {
                    https = scheme(value);
                }
            }
        }
        (self.stranger_in(chain.into_iter()), https)
    }
}

fn split_list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn scheme(value: &[u8]) -> Option<bool> {
    if value.eq_ignore_ascii_case(b"https") {
        Some(true)
    } else if value.eq_ignore_ascii_case(b"http") {
        Some(false)
    } else {
        None
    }
}

/// An address with or without port and brackets.
fn address(value: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(value).ok()?.trim();
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (inner, port) = rest.split_once(']')?;
        let port_ok = port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok());
        return inner.parse::<IpAddr>().ok().filter(|_| port_ok);
    }
    let (host, port) = text.split_once(':')?;
    port.parse::<u16>().ok()?;
    host.parse::<std::net::Ipv4Addr>().ok().map(IpAddr::from)
}

fn network(name: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match name.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (name, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= most)?,
        None => most,
    };
    Some((address, bits))
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Framing, HeadBuilder, Version};

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        let mut builder = HeadBuilder::new("GET", "/", Version::Http2);
        builder.field(b"host", b"h");
        for (name, value) in fields {
            builder.field(name.as_bytes(), value.as_bytes());
        }
        builder.build(Framing::None).unwrap()
    }

    fn ip(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn only_trusted_peers_are_believed() {
        let trusted = TrustedPeers::new(["10.0.0.0/8", "::1"]).unwrap();
        let head = head(&[
            ("X-Forwarded-For", "192.0.2.7"),
            ("X-Forwarded-Proto", "https"),
        ]);
        let told = trusted.client(&head, ip("10.1.2.3"));
        assert_eq!(
            told,
            Forwarded {
                ip: ip("192.0.2.7"),
                https: Some(true)
            }
        );
        assert_eq!(trusted.client(&head, ip("11.1.2.3")), Forwarded::default());
        assert_eq!(trusted.client(&head, None), Forwarded::default());
        assert!(trusted.trusts(ip("::ffff:10.0.0.1")));
        assert!(TrustedPeers::new(["unix"]).unwrap().trusts(None));
    }

    #[test]
    fn a_forged_chain_ends_at_the_first_stranger() {
        let trusted = TrustedPeers::new(["10.0.0.0/8"]).unwrap();
        let cases: &[(&[(&str, &str)], &str)] = &[
            (
                &[("X-Forwarded-For", "1.1.1.1, 2.2.2.2, 10.0.0.9")],
                "2.2.2.2",
            ),
            (
                &[
                    ("X-Forwarded-For", "1.1.1.1"),
                    ("X-Forwarded-For", "2.2.2.2"),
                ],
                "2.2.2.2",
            ),
            (&[("X-Forwarded-For", "10.0.0.8, 10.0.0.9")], "10.0.0.8"),
            (
                &[("X-Forwarded-For", "1.1.1.1, unknown, 10.0.0.9")],
                "10.0.0.9",
            ),
            (
                &[("Forwarded", "for=\"[2001:db8::1]:80\";proto=https")],
                "2001:db8::1",
            ),
            (&[("Forwarded", "for=1.2.3.4:99, for=10.0.0.1")], "1.2.3.4"),
            (&[("X-Real-IP", "3.3.3.3")], "3.3.3.3"),
        ];
        for (fields, expected) in cases {
            assert_eq!(
                trusted.client(&head(fields), ip("10.0.0.1")).ip,
                ip(expected),
                "{fields:?}"
            );
        }
        assert_eq!(
            trusted
                .client(&head(&[("X-Forwarded-For", "junk")]), ip("10.0.0.1"))
                .ip,
            None
        );
        assert_eq!(
            trusted
                .client(&head(&[("X-Forwarded-Proto", "gopher")]), ip("10.0.0.1"))
                .https,
            None
        );
    }

    #[test]
    fn names_that_are_no_networks_are_refused() {
        for name in [
            "localhost",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "300.1.1.1",
            "::/129",
        ] {
            assert!(
                TrustedPeers::new([name])
                    .unwrap_err()
                    .to_string()
                    .contains(name)
            );
        }
    }
}
