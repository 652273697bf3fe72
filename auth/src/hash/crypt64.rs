//! The base 64 of crypt(3): `./0-9A-Za-z`, the low bits first, no padding.

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Appends bytes, six bits a character.
pub(super) fn push(text: &mut String, bytes: impl IntoIterator<Item = u8>) {
    let (mut bits, mut count) = (0_u32, 0);
    for byte in bytes {
        bits |= u32::from(byte) << count;
        count += 8;
        while count >= 6 {
            text.push(character(bits));
            bits >>= 6;
            count -= 6;
        }
    }
    if count > 0 {
        text.push(character(bits));
    }
}

/// The character of the lowest six bits.
pub(super) fn character(bits: u32) -> char {
    char::from(ALPHABET[bits as usize & 63])
}

/// The six bits of a character.
pub(super) fn value(character: u8) -> Option<u32> {
    let value = match character {
        b'.' | b'/' => character - b'.',
        b'0'..=b'9' => character - b'0' + 2,
        b'A'..=b'Z' => character - b'A' + 12,
        b'a'..=b'z' => character - b'a' + 38,
        _ => return None,
    };
    Some(value.into())
}

/// Whether this is what [`push`] makes of so many bytes: as long, and the bits
/// beyond them zero. Nothing else can be the text of a digest.
pub(super) fn is_text_of(bytes: usize, text: &str) -> bool {
    let rest = (bytes * 8) % 6;
    text.len() == (bytes * 8).div_ceil(6)
        && text.bytes().all(|b| value(b).is_some())
        && (rest == 0
            || text
                .bytes()
                .last()
                .and_then(value)
                .is_some_and(|v| v >> rest == 0))
}

/// The text of so many random bytes.
pub(super) fn random(bytes: usize) -> String {
    let mut text = String::new();
    push(&mut text, (0..bytes).map(|_| rand::random()));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_character_has_its_value() {
        for (value, &character) in (0..).zip(ALPHABET) {
            assert_eq!(super::value(character), Some(value));
            assert_eq!(super::character(value), char::from(character));
        }
        let known = (0..=u8::MAX).filter(|&b| value(b).is_some()).count();
        assert_eq!(known, 64);
    }

    #[test]
    fn bits_beyond_the_bytes_are_zero() {
        // 16 bytes are 21 characters and two bits.
        let digest = |last| is_text_of(16, &format!("{}{last}", "z".repeat(21)));
        assert!(digest('.') && digest('1') && !digest('2') && !digest('$'));
        assert!(!is_text_of(16, &"z".repeat(21)));
        assert!(is_text_of(12, &"z".repeat(16)));
    }

    proptest! {
        #[test]
        fn what_is_made_is_known_again(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            let mut text = String::new();
            push(&mut text, bytes.iter().copied());
            prop_assert!(is_text_of(bytes.len(), &text));
            prop_assert_eq!(random(bytes.len()).len(), text.len());
        }
    }
}
