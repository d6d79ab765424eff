//! UTF-8, checked as it arrives.

/// A check of text that comes in pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8 {
    /// The beginning of a character whose rest has not come.
    partial: [u8; 4],
    length: u8,
}

impl Utf8 {
    /// Take the next piece; false as soon as no text can begin like this.
    pub fn push(&mut self, mut data: &[u8]) -> bool {
        while self.length > 0 {
            let Some((first, rest)) = data.split_first() else {
                return true;
            };
            if let Some(slot) = self.partial.get_mut(usize::from(self.length)) {
                *slot = *first;
            }
            self.length += 1;
            data = rest;
            let begun = self
                .partial
                .get(..usize::from(self.length))
                .unwrap_or_default();
            match str::from_utf8(begun) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match str::from_utf8(data) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let rest = data.get(error.valid_up_to()..).unwrap_or_default();
                for (slot, byte) in self.partial.iter_mut().zip(rest) {
                    *slot = *byte;
                    self.length += 1;
                }
                true
            }
        }
    }

    /// Whether the text may end here; the next one begins.
    pub fn finish(&mut self) -> bool {
        std::mem::take(&mut self.length) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wrong_byte_is_seen_before_the_text_ends() {
        let mut check = Utf8::default();
        assert!(check.push(b"\xce\xba\xe1"));
        assert!(!check.push(b"\xff"));
        let mut surrogate = Utf8::default();
        assert!(surrogate.push(b"\xed"));
        assert!(!surrogate.push(b"\xa0"));
    }

    #[test]
    fn a_character_cut_off_at_the_end_is_wrong() {
        let mut check = Utf8::default();
        assert!(check.push(b"a\xe2\x82"));
        assert!(!check.finish());
        assert!(check.push(b"b") && check.finish());
    }

    proptest! {
        #[test]
        fn pieces_are_judged_like_the_whole(
            data in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                "\\PC{0,20}".prop_map(String::into_bytes),
            ],
            cuts in proptest::collection::vec(0_usize..40, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (data.len() + 1)).collect();
            cuts.push(data.len());
            cuts.sort_unstable();
            let mut check = Utf8::default();
            let mut from = 0;
            let mut good = true;
            for cut in cuts {
                good = good && check.push(&data[from..cut]);
                from = cut;
            }
            prop_assert_eq!(good && check.finish(), str::from_utf8(&data).is_ok());
        }
    }
}
