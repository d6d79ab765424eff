//! The `Cookie` field (RFC 6265, sections 4.2 and 5.4).

use std::borrow::Cow;

/// The names and values of a `Cookie` field in their order, repeated names too.
///
/// Browsers send what is no pair as well; it is passed over, as servers do.
pub fn pairs(field: &str) -> impl Iterator<Item = (&str, &str)> {
    field.split(';').filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        let name = name.trim();
        (!name.is_empty()).then(|| (name, value.trim()))
    })
}

/// A value freed from its quotes, and from `\"` and `\012` within them.
#[must_use]
pub fn unquote(value: &str) -> Cow<'_, str> {
    let Some(inner) = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return Cow::Borrowed(value);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        let (clean, escaped) = rest.split_at(at);
        plain.push_str(clean);
        let escaped = escaped.get(1..).unwrap_or_default();
        if let Some(character) = octal(escaped) {
            plain.push(character);
            rest = escaped.get(3..).unwrap_or_default();
            continue;
        }
        let mut characters = escaped.chars();
        plain.push(characters.next().unwrap_or('\\'));
        rest = characters.as_str();
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Three octal digits, as `\303` for one byte.
fn octal(text: &str) -> Option<char> {
    let digits = text.get(..3)?;
    if !digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit)) {
        return None;
    }
    u8::from_str_radix(digits, 8).ok().map(char::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_pair_is_passed_over() {
        let all: Vec<_> = pairs("a=1; junk;=x; b = \"2\" ;;c=d=e").collect();
        assert_eq!(all, [("a", "1"), ("b", "\"2\""), ("c", "d=e")]);
    }

    #[test]
    fn quotes_and_escapes_are_removed() {
        assert_eq!(unquote(r#""a\"b\012\\c""#), "a\"b\n\\c");
        assert_eq!(unquote(r#""\999""#), "999");
        assert_eq!(unquote("\""), "\"");
        assert_eq!(unquote("plain\\"), "plain\\");
        assert_eq!(unquote(r#""end\""#), "end\\");
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in ".*") {
            for (_, value) in pairs(&text) {
                prop_assert!(unquote(value).len() <= 2 * value.len());
            }
        }
    }
}
