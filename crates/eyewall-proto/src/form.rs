//! `application/x-www-form-urlencoded`: queries and forms (WHATWG URL, section 5.1).

use std::borrow::Cow;

/// The pairs of a form, encoded as they came; empty pairs are left out.
pub fn pairs(form: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    form.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                let (name, value) = pair.split_at(at);
                (name, value.get(1..).unwrap_or_default())
            }
            None => (pair, &[][..]),
        })
}

/// Whether a form has more than `most` pairs, counted by their separators.
#[must_use]
pub fn exceeds(form: &[u8], most: usize) -> bool {
    memchr::memchr_iter(b'&', form).count() >= most
}

/// A name or value, decoded; an escape that is none stands for itself.
#[must_use]
pub fn decode(part: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', part).is_none() {
        return Cow::Borrowed(part);
    }
    let mut decoded = Vec::with_capacity(part.len());
    let mut rest = part;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => match escaped(after) {
                Some(escaped) => {
                    decoded.push(escaped);
                    rest = after.get(2..).unwrap_or_default();
                }
                None => decoded.push(b'%'),
            },
            other => decoded.push(other),
        }
    }
    Cow::Owned(decoded)
}

/// The byte that two hexadecimal digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    Some(hex(*digits.first()?)? << 4 | hex(*digits.get(1)?)?)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(plain: &[u8]) -> Vec<u8> {
        plain
            .iter()
            .flat_map(|byte| format!("%{byte:02x}").into_bytes())
            .collect()
    }

    #[test]
    fn pairs_without_a_value_or_a_name_are_kept_and_empty_ones_are_not() {
        let all: Vec<_> = pairs(b"a=1&&b&=c&d==&").collect();
        let expected: Vec<(&[u8], &[u8])> =
            vec![(b"a", b"1"), (b"b", b""), (b"", b"c"), (b"d", b"=")];
        assert_eq!(all, expected);
    }

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        assert_eq!(&*decode(b"100%"), b"100%");
        assert_eq!(&*decode(b"%zz%4"), b"%zz%4");
        assert_eq!(&*decode(b"a+b%2Bc%41"), b"a b+cA");
    }

    #[test]
    fn too_many_pairs_are_noticed() {
        assert!(!exceeds(b"a&b", 2));
        assert!(exceeds(b"a&b&c", 2));
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(plain in proptest::collection::vec(any::<u8>(), 0..64)) {
            let encoded = encode(&plain);
            prop_assert_eq!(&*decode(&encoded), &plain[..]);
        }

        #[test]
        fn decoding_never_makes_text_longer(part in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(decode(&part).len() <= part.len());
        }
    }
}
