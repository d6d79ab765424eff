//! The PROXY protocol, versions 1 and 2, as HAProxy's specification has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Error;

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// A version 1 header is at most this long, its CRLF included.
const V1_BYTES: usize = 107;

/// Bytes of a version 2 header before its addresses.
const V2_FIXED: usize = 16;

/// Longest address block of version 2 that is taken, with its extensions.
const V2_BYTES: usize = 4096;

const BAD: Error = Error::bad("the PROXY protocol header is malformed");

/// Source and destination of the proxied connection.
pub type Addresses = (SocketAddr, SocketAddr);

/// Parse the header at the start of `input`; `None` when it is incomplete.
///
/// The addresses are missing for health checks of the proxy itself, and for connections that
/// have none.
///
/// # Errors
///
/// The input begins with no PROXY header, or a malformed one.
pub fn parse(input: &[u8]) -> Result<Option<(usize, Option<Addresses>)>, Error> {
    let signature = input.len().min(V2_SIGNATURE.len());
    if input.get(..signature) == V2_SIGNATURE.get(..signature) {
        return if signature < V2_SIGNATURE.len() {
            Ok(None)
        } else {
            parse_v2(input)
        };
    }
    let prefix = input.len().min(6);
    if input.get(..prefix) == b"PROXY ".get(..prefix) {
        return parse_v1(input);
    }
    Err(Error::bad("the PROXY protocol header is missing"))
}

fn parse_v1(input: &[u8]) -> Result<Option<(usize, Option<Addresses>)>, Error> {
    let Some(end) = memchr::memmem::find(input, b"\r\n") else {
        return if input.len() > V1_BYTES {
            Err(BAD)
        } else {
            Ok(None)
        };
    };
    if end + 2 > V1_BYTES {
        return Err(BAD);
    }
    let line = input
        .get(..end)
        .and_then(|line| str::from_utf8(line).ok())
        .ok_or(BAD)?;
    let mut words = line.split(' ').skip(1);
    let family = words.next().ok_or(BAD)?;
    if family == "UNKNOWN" {
        return Ok(Some((end + 2, None)));
    }
    let mut word = || words.next().ok_or(BAD);
    let (source, destination, source_port, destination_port) = (word()?, word()?, word()?, word()?);
    if words.next().is_some() {
        return Err(BAD);
    }
    let address = |text: &str| -> Result<IpAddr, Error> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::from).map_err(|_| BAD),
            "TCP6" => text.parse::<Ipv6Addr>().map(IpAddr::from).map_err(|_| BAD),
            _ => Err(BAD),
        }
    };
    let port = |text: &str| -> Result<u16, Error> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BAD);
        }
        text.parse().map_err(|_| BAD)
    };
    let source = SocketAddr::new(address(source)?, port(source_port)?);
    let destination = SocketAddr::new(address(destination)?, port(destination_port)?);
    Ok(Some((end + 2, Some((source, destination)))))
}

fn parse_v2(input: &[u8]) -> Result<Option<(usize, Option<Addresses>)>, Error> {
    let Some(&[version_command, family, high, low]) =
        input.get(12..V2_FIXED).and_then(<[u8]>::first_chunk)
    else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if version_command >> 4 != 2 || length > V2_BYTES {
        return Err(BAD);
    }
    let Some(block) = input.get(V2_FIXED..V2_FIXED + length) else {
        return Ok(None);
    };
    let total = V2_FIXED + length;
    match version_command & 15 {
        0 => return Ok(Some((total, None))),
        1 => {}
        _ => return Err(BAD),
    }
    let addresses = match family {
        0x11 => {
            let [a, b, c, d, e, f, g, h, p, q, r, s] = *block.first_chunk::<12>().ok_or(BAD)?;
            Some((
                SocketAddr::from(([a, b, c, d], u16::from_be_bytes([p, q]))),
                SocketAddr::from(([e, f, g, h], u16::from_be_bytes([r, s]))),
            ))
        }
        0x21 => {
            let block = block.first_chunk::<36>().ok_or(BAD)?;
            let (source, rest) = block.split_first_chunk::<16>().ok_or(BAD)?;
            let (destination, ports) = rest.split_first_chunk::<16>().ok_or(BAD)?;
            let &[p, q, r, s] = ports.first_chunk::<4>().ok_or(BAD)?;
            Some((
                SocketAddr::from((*source, u16::from_be_bytes([p, q]))),
                SocketAddr::from((*destination, u16::from_be_bytes([r, s]))),
            ))
        }
        // Unspecified, datagrams, and Unix sockets, whose addresses nobody uses.
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => None,
        _ => return Err(BAD),
    };
    Ok(Some((total, addresses)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let mut header = V2_SIGNATURE.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(block.len()).unwrap().to_be_bytes());
        header.extend(block);
        header
    }

    #[test]
    fn both_versions_give_the_addresses() {
        let text = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\nGET";
        let (used, addresses) = parse(text).unwrap().unwrap();
        assert_eq!(&text[used..], b"GET");
        assert_eq!(addresses.unwrap().0, "192.0.2.1:1000".parse().unwrap());
        let text = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n";
        assert_eq!(
            parse(text).unwrap().unwrap().1.unwrap().1,
            "[2001:db8::2]:2".parse().unwrap()
        );
        let block = [192, 0, 2, 1, 192, 0, 2, 2, 3, 232, 1, 187, 4, 0, 1, 0];
        let (used, addresses) = parse(&v2(1, 0x11, &block)).unwrap().unwrap();
        assert_eq!(used, 32);
        assert_eq!(addresses.unwrap().1, "192.0.2.2:443".parse().unwrap());
    }

    #[test]
    fn local_and_unknown_connections_have_no_addresses() {
        assert_eq!(
            parse(b"PROXY UNKNOWN whatever\r\n").unwrap().unwrap().1,
            None
        );
        assert_eq!(parse(&v2(0, 0, b"")).unwrap().unwrap().1, None);
        assert_eq!(parse(&v2(1, 0x31, &[0; 216])).unwrap().unwrap().1, None);
    }

    #[test]
    fn an_incomplete_header_waits_and_a_malformed_one_is_refused() {
        let whole = v2(1, 0x11, &[0; 12]);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), Ok(None));
        }
        let text = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n";
        for length in 0..text.len() {
            assert_eq!(parse(&text[..length]), Ok(None));
        }
        for bad in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 70000\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
            b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
            &[b"PROXY "[..].to_vec(), vec![b'x'; 200]].concat(),
            &v2(1, 0x11, &[0; 8]),
            &v2(2, 0x11, &[0; 12]),
            &v2(1, 0x99, &[0; 12]),
        ] {
            assert!(parse(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
