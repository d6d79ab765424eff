//! Agreeing on compression: the header `Sec-WebSocket-Extensions` (RFC 7692, section 7.1).

use super::deflate::Params;

const NAME: &str = "permessage-deflate";

/// What this side wants of compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Let messages refer to earlier ones, which costs a window's memory for each connection.
    pub context_takeover: bool,
    /// The largest window of the server, 8 to 15.
    pub server_window_bits: u8,
    /// The largest window of the client, 8 to 15.
    pub client_window_bits: u8,
    /// How hard this side tries, 0 to 9.
    pub level: u8,
    /// How much memory this side's compressor takes, 1 to 9.
    pub mem_level: u8,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            context_takeover: false,
            server_window_bits: 15,
            client_window_bits: 15,
            level: 6,
            mem_level: 8,
        }
    }
}

/// One extension's parameters as they were sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_window_bits: Option<u8>,
    client_window_bits: Option<u8>,
    /// The client's window is named without a value.
    any_client_window: bool,
}

/// A server's answer to a client's offers; `None` where there is none that it can take.
#[must_use]
pub fn accept(offers: &str, wish: &Wish) -> Option<(Params, String)> {
    let offer = offers.split(',').find_map(|offer| parse(offer, NAME))?;
    let server_window_bits = offer
        .server_window_bits
        .unwrap_or(15)
        .min(wish.server_window_bits);
    // A client that did not name its window cannot be told to make it smaller.
    let client_window_bits = match offer.client_window_bits {
        Some(bits) => bits.min(wish.client_window_bits),
        None if offer.any_client_window => wish.client_window_bits,
        None => 15,
    };
    let params = Params {
        server_no_context_takeover: offer.server_no_context_takeover || !wish.context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover || !wish.context_takeover,
        server_window_bits,
        client_window_bits,
        level: wish.level,
        mem_level: wish.mem_level,
    };
    let mut answer = NAME.to_owned();
    if params.server_no_context_takeover {
        answer.push_str("; server_no_context_takeover");
    }
    if params.client_no_context_takeover {
        answer.push_str("; client_no_context_takeover");
    }
    if server_window_bits < 15 {
        answer.push_str("; server_max_window_bits=");
        answer.push_str(&server_window_bits.to_string());
    }
    if client_window_bits < 15 {
        answer.push_str("; client_max_window_bits=");
        answer.push_str(&client_window_bits.to_string());
    }
    Some((params, answer))
}

/// A client's offer.
#[must_use]
pub fn offer(wish: &Wish) -> String {
    let mut offer = NAME.to_owned();
    if !wish.context_takeover {
        offer.push_str("; server_no_context_takeover; client_no_context_takeover");
    }
    if wish.server_window_bits < 15 {
        offer.push_str("; server_max_window_bits=");
        offer.push_str(&wish.server_window_bits.to_string());
    }
    offer.push_str("; client_max_window_bits");
    if wish.client_window_bits < 15 {
        offer.push('=');
        offer.push_str(&wish.client_window_bits.to_string());
    }
    offer
}

/// What a server's answer to [`offer`] means.
///
/// # Errors
///
/// It is not an answer to that offer (RFC 7692, section 5.2), in words.
pub fn confirm(answer: &str, wish: &Wish) -> Result<Option<Params>, &'static str> {
    if answer.trim().is_empty() {
        return Ok(None);
    }
    let sent = parse(answer, NAME)
        .filter(|sent| !sent.any_client_window)
        .ok_or("the server chose an extension that was not offered")?;
    let server_window_bits = sent.server_window_bits.unwrap_or(15);
    if server_window_bits > wish.server_window_bits
        || (!wish.context_takeover && !sent.server_no_context_takeover)
    {
        return Err("the server did not keep to the offered compression");
    }
    let client_window_bits = sent.client_window_bits.unwrap_or(15);
    Ok(Some(Params {
        server_no_context_takeover: sent.server_no_context_takeover,
        client_no_context_takeover: sent.client_no_context_takeover || !wish.context_takeover,
        server_window_bits,
        client_window_bits: client_window_bits.min(wish.client_window_bits),
        level: wish.level,
        mem_level: wish.mem_level,
    }))
}

/// One extension's parameters; `None` when it is another one, or they are malformed.
fn parse(extension: &str, name: &str) -> Option<Sent> {
    let mut parts = extension.split(';').map(str::trim);
    if parts.next() != Some(name) {
        return None;
    }
    let mut sent = Sent::default();
    let mut has_client_window = false;
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(unquote(value.trim_start()))),
            None => (part, None),
        };
        match (name, value) {
            ("server_no_context_takeover", None) if !sent.server_no_context_takeover => {
                sent.server_no_context_takeover = true;
            }
            ("client_no_context_takeover", None) if !sent.client_no_context_takeover => {
                sent.client_no_context_takeover = true;
            }
            ("server_max_window_bits", Some(value)) if sent.server_window_bits.is_none() => {
                sent.server_window_bits = Some(bits(value)?);
            }
            ("client_max_window_bits", value) if !has_client_window => {
                has_client_window = true;
                match value {
                    Some(value) => sent.client_window_bits = Some(bits(value)?),
                    None => sent.any_client_window = true,
                }
            }
            _ => return None,
        }
    }
    Some(sent)
}

fn unquote(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value)
}

fn bits(value: &str) -> Option<u8> {
    let value: u8 = value
        .parse()
        .ok()
        .filter(|_| !value.starts_with(['0', '+']))?;
    (8..=15).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taking_over() -> Wish {
        Wish {
            context_takeover: true,
            ..Wish::default()
        }
    }

    #[test]
    fn what_browsers_offer_is_accepted() {
        let offer = "permessage-deflate; client_max_window_bits";
        let (params, answer) = accept(offer, &taking_over()).unwrap();
        assert_eq!(answer, "permessage-deflate");
        assert_eq!(params, Params::default());
        let (params, answer) = accept(offer, &Wish::default()).unwrap();
        assert_eq!(
            answer,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        );
        assert!(params.client_no_context_takeover);
    }

    #[test]
    fn the_first_offer_that_can_be_taken_is() {
        let offers = "x-other, permessage-deflate; unknown, permessage-deflate; \
                      server_max_window_bits=\"10\", permessage-deflate";
        let (params, answer) = accept(offers, &taking_over()).unwrap();
        assert_eq!(params.server_window_bits, 10);
        assert_eq!(answer, "permessage-deflate; server_max_window_bits=10");
    }

    #[test]
    fn malformed_offers_are_declined() {
        for offer in [
            "",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=09",
            "permessage-deflate; client_max_window_bits=+9",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; x=1",
            "permessage-deflate;",
        ] {
            assert_eq!(accept(offer, &Wish::default()), None, "{offer:?}");
        }
    }

    #[test]
    fn both_sides_mean_the_same() {
        for context_takeover in [true, false] {
            for (server_window_bits, client_window_bits) in [(15, 15), (9, 12), (12, 8)] {
                let wish = Wish {
                    context_takeover,
                    server_window_bits,
                    client_window_bits,
                    ..Wish::default()
                };
                let (params, answer) = accept(&offer(&wish), &taking_over()).unwrap();
                assert_eq!(confirm(&answer, &wish), Ok(Some(params)));
            }
        }
    }

    #[test]
    fn an_answer_to_another_offer_is_refused() {
        let wish = Wish {
            server_window_bits: 10,
            ..taking_over()
        };
        assert_eq!(confirm("", &wish), Ok(None));
        for answer in [
            "x-other",
            "permessage-deflate",
            "permessage-deflate; server_max_window_bits=11",
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        ] {
            assert!(confirm(answer, &wish).is_err(), "{answer:?}");
        }
        assert!(confirm("permessage-deflate", &Wish::default()).is_err());
    }
}
