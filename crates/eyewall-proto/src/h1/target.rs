//! Request targets and hosts (RFC 9112, section 3.2, and RFC 3986).

use crate::Error;
use crate::head::{RequestHead, Span};

/// Where the parts of a target lie, relative to its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    resource: (usize, usize),
    path_end: usize,
    authority: Option<(usize, usize)>,
}

impl Form {
    /// Write the parts into a head whose target is set.
    pub(crate) fn apply(self, head: &mut RequestHead) {
        let base = head.target.start;
        let at = |offset: usize| base.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        head.resource = Span {
            start: at(self.resource.0),
            end: at(self.resource.1),
        };
        head.path_end = at(self.path_end);
        if let Some((start, end)) = self.authority {
            head.host = Span {
                start: at(start),
                end: at(end),
            };
        }
    }
}

/// What may stand in a path: pchar and "/" of RFC 3986.
const PATH: u8 = 1;
/// What may stand in a query: that, "?", and what browsers send there although it forbids it.
const QUERY: u8 = 2;
/// What may stand in a registered name; not the comma, which joins repeated fields.
const NAME: u8 = 4;

#[expect(
    clippy::indexing_slicing,
    reason = "a constant table; a wrong index would not compile"
)]
const TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut c = 0_u8;
    while c < 128 {
        let byte = c as usize;
        if c.is_ascii_alphanumeric() || is_one_of(c, b"-._~%!$&'()*+;=") {
            table[byte] = PATH | QUERY | NAME;
        } else if is_one_of(c, b":@/,") {
            table[byte] = PATH | QUERY;
        } else if is_one_of(c, b"?|^`{}[]\\") {
            table[byte] = QUERY;
        }
        c += 1;
    }
    table
};

#[expect(
    clippy::indexing_slicing,
    reason = "only called for one; a wrong index would not compile"
)]
const fn is_one_of(c: u8, set: &[u8]) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == c {
            return true;
        }
        at += 1;
    }
    false
}

fn all(bytes: &[u8], class: u8) -> bool {
    bytes.iter().all(|byte| {
        TABLE
            .get(usize::from(*byte))
            .is_some_and(|bits| bits & class != 0)
    })
}

/// Check a target against the forms that its method may have.
pub(crate) fn check(method: &[u8], target: &[u8]) -> Result<Form, Error> {
    const BAD: Error = Error::bad("the request target is malformed");
    if method == b"CONNECT" {
        check_host(target)?;
        let colon = memchr::memrchr(b':', target).ok_or(BAD)?;
        if target.get(colon + 1..).is_none_or(<[u8]>::is_empty) {
            return Err(Error::bad("a CONNECT target needs a port"));
        }
        return Ok(Form {
            resource: (0, 0),
            path_end: 0,
            authority: Some((0, target.len())),
        });
    }
    match target.first() {
        Some(b'/') => {
            let path_end = check_resource(target, 0)?;
            Ok(Form {
                resource: (0, target.len()),
                path_end,
                authority: None,
            })
        }
        Some(b'*') if target.len() == 1 => {
            if method == b"OPTIONS" {
                Ok(Form {
                    resource: (0, 1),
                    path_end: 1,
                    authority: None,
                })
            } else {
                Err(Error::bad("the target * is for OPTIONS only"))
            }
        }
        Some(_) => {
            let lower: Vec<u8> = target.iter().take(8).map(u8::to_ascii_lowercase).collect();
            let start = if lower.starts_with(b"http://") {
                7
            } else if lower.starts_with(b"https://") {
                8
            } else {
                return Err(BAD);
            };
            let rest = target.get(start..).unwrap_or_default();
            let length = rest
                .iter()
                .position(|byte| matches!(byte, b'/' | b'?'))
                .unwrap_or(rest.len());
            let authority = rest.get(..length).unwrap_or_default();
            if authority.is_empty() {
                return Err(BAD);
            }
            check_host(authority)?;
            let resource = start + length;
            let path_end = check_resource(target, resource)?;
            Ok(Form {
                resource: (resource, target.len()),
                path_end,
                authority: Some((start, resource)),
            })
        }
        None => Err(BAD),
    }
}

/// Check path and query from `start` on; returns where the path ends.
fn check_resource(target: &[u8], start: usize) -> Result<usize, Error> {
    let resource = target.get(start..).unwrap_or_default();
    let (path, query) = match memchr::memchr(b'?', resource) {
        Some(at) => resource.split_at(at),
        None => (resource, &[][..]),
    };
    if !all(path, PATH) || !all(query, QUERY) {
        return Err(Error::bad(
            "the request target has characters that are not allowed",
        ));
    }
    Ok(start + path.len())
}

/// Check a host with an optional port (RFC 9110, section 7.2).
pub(crate) fn check_host(host: &[u8]) -> Result<(), Error> {
    const BAD: Error = Error::bad("Host is malformed");
    let (name, port) = if host.first() == Some(&b'[') {
        let end = memchr::memchr(b']', host).ok_or(BAD)?;
        let address = host.get(1..end).unwrap_or_default();
        let known =
            str::from_utf8(address).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
        if !known {
            return Err(BAD);
        }
        match host.get(end + 1..).unwrap_or_default() {
            [] => return Ok(()),
            [b':', port @ ..] => (address, port),
            _ => return Err(BAD),
        }
    } else {
        match memchr::memchr(b':', host) {
            None => (host, &[][..]),
            Some(at) => (
                host.get(..at).unwrap_or_default(),
                host.get(at + 1..).unwrap_or_default(),
            ),
        }
    };
    if name.is_empty() {
        return Err(Error::bad("Host is empty"));
    }
    let bracketed = host.first() == Some(&b'[');
    if !bracketed && !all(name, NAME) {
        return Err(BAD);
    }
    let port_ok = port.iter().all(u8::is_ascii_digit)
        && (port.is_empty() || str::from_utf8(port).is_ok_and(|text| text.parse::<u16>().is_ok()));
    if port_ok { Ok(()) } else { Err(BAD) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_the_forms_of_their_methods() {
        let good: &[(&str, &str)] = &[
            ("GET", "/"),
            ("GET", "/a/b;c=d?e=f&g=%20|^{}`[]\\"),
            ("GET", "http://example.org"),
            ("GET", "HTTP://example.org:80/x?y"),
            ("GET", "https://[::1]:8443?x"),
            ("OPTIONS", "*"),
            ("OPTIONS", "/x"),
            ("CONNECT", "example.org:443"),
            ("CONNECT", "[::1]:443"),
        ];
        for (method, target) in good {
            assert!(
                check(method.as_bytes(), target.as_bytes()).is_ok(),
                "{method} {target}"
            );
        }
        let bad: &[(&str, &str)] = &[
            ("GET", ""),
            ("GET", "x"),
            ("GET", "*"),
            ("OPTIONS", "**"),
            ("GET", "/a#b"),
            ("GET", "/a\"b"),
            ("GET", "/<"),
            ("GET", "/{x}"),
            ("GET", "/\u{e9}"),
            ("GET", "http://"),
            ("GET", "http:///x"),
            ("GET", "http://u@example.org/"),
            ("GET", "ftp://example.org/"),
            ("GET", "example.org:443"),
            ("CONNECT", "/x"),
            ("CONNECT", "example.org"),
            ("CONNECT", "example.org:"),
            ("CONNECT", "example.org:99999"),
        ];
        for (method, target) in bad {
            assert!(
                check(method.as_bytes(), target.as_bytes()).is_err(),
                "{method} {target}"
            );
        }
    }

    #[test]
    fn hosts_are_names_addresses_and_ports() {
        for host in [
            "a",
            "a.example:80",
            "127.0.0.1",
            "[::1]",
            "[::1]:8080",
            "a_b-c.d",
            "x:",
        ] {
            assert!(check_host(host.as_bytes()).is_ok(), "{host}");
        }
        for host in [
            "", ":80", "a b", "u@h", "h/p", "h:x", "h:70000", "h:-1", "[::1", "[x]", "[]",
            "[::1]x", "a,b", "a:1:2", "h?q", "h#f", "\u{e9}",
        ] {
            assert!(check_host(host.as_bytes()).is_err(), "{host}");
        }
    }
}
