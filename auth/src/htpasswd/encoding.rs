//! From the bytes of a file to text: UTF-8, or the UTF-16 that Windows writes.

/// How the text was encoded in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, as everybody else writes it.
    Utf8,
    /// UTF-8 behind a byte order mark, which is dropped.
    Utf8Bom,
    /// UTF-16, little end first: what `>` of Windows PowerShell writes.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
}

/// Bytes that are not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct EncodingError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: EncodingProblem,
}

/// What is wrong with bytes that are not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodingProblem {
    /// A byte that UTF-8 does not allow there.
    #[error("expected UTF-8, found the byte 0x{byte:02x}")]
    NotUtf8 {
        /// The byte.
        byte: u8,
    },
    /// A NUL, which no text file contains.
    #[error("expected text, found a NUL byte")]
    Nul,
    /// Half of a surrogate pair, or half of a code unit at the end.
    #[error("expected UTF-16, found half a character")]
    NotUtf16,
}

/// Decodes the content of a file. Byte order marks are not part of the text.
pub(super) fn decode(bytes: &[u8]) -> Result<(String, Encoding), EncodingError> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok((utf8(rest)?, Encoding::Utf8Bom)),
        [0xff, 0xfe, rest @ ..] => Ok((utf16(rest, u16::from_le_bytes)?, Encoding::Utf16Le)),
        [0xfe, 0xff, rest @ ..] => Ok((utf16(rest, u16::from_be_bytes)?, Encoding::Utf16Be)),
        _ => match unmarked_utf16(bytes) {
            Some(Encoding::Utf16Be) => Ok((utf16(bytes, u16::from_be_bytes)?, Encoding::Utf16Be)),
            Some(_) => Ok((utf16(bytes, u16::from_le_bytes)?, Encoding::Utf16Le)),
            None => Ok((utf8(bytes)?, Encoding::Utf8)),
        },
    }
}

/// UTF-16 without a mark gives itself away by its NULs: names and hashes are
/// ASCII for the most part, so at least half of the code units have one, and
/// always on the same side.
fn unmarked_utf16(bytes: &[u8]) -> Option<Encoding> {
    let nuls = |side: usize| {
        bytes
            .iter()
            .skip(side)
            .step_by(2)
            .filter(|&&b| b == 0)
            .count()
    };
    let (high_first, low_first) = (nuls(0), nuls(1));
    let enough = (bytes.len() / 4).max(1);
    if low_first >= enough && low_first > high_first {
        Some(Encoding::Utf16Le)
    } else if high_first >= enough && high_first > low_first {
        Some(Encoding::Utf16Be)
    } else {
        None
    }
}

fn utf8(bytes: &[u8]) -> Result<String, EncodingError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        EncodingError {
            line: 1 + valid.iter().filter(|&&b| b == b'\n').count(),
            problem: EncodingProblem::NotUtf8 {
                byte: rest.first().copied().unwrap_or_default(),
            },
        }
    })?;
    checked(text)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, EncodingError> {
    let mut text = String::with_capacity(bytes.len() / 2);
    let (pairs, rest) = bytes.as_chunks::<2>();
    let broken = |text: &str| EncodingError {
        line: line_at(text, text.len()),
        problem: EncodingProblem::NotUtf16,
    };
    for char in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        text.push(char.map_err(|_| broken(&text))?);
    }
    if rest.is_empty() {
        checked(&text)
    } else {
        Err(broken(&text))
    }
}

fn checked(text: &str) -> Result<String, EncodingError> {
    match text.find('\0') {
        // There may be a second mark, and reading what was written from the
        // text would lose that one: then a user's name would be another.
        None => Ok(text.trim_start_matches('\u{feff}').to_owned()),
        Some(at) => Err(EncodingError {
            line: line_at(text, at),
            problem: EncodingProblem::Nul,
        }),
    }
}

fn line_at(text: &str, byte: usize) -> usize {
    1 + text[..byte].matches('\n').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn le(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn be(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    #[test]
    fn reads_every_encoding_with_and_without_mark() {
        let text = "# Jürgen\r\nalice:$2y$\r\n";
        let marked = |mark: &[u8], rest: Vec<u8>| [mark, &rest].concat();
        for (bytes, encoding) in [
            (text.as_bytes().to_vec(), Encoding::Utf8),
            (marked(b"\xef\xbb\xbf", text.into()), Encoding::Utf8Bom),
            (marked(b"\xff\xfe", le(text)), Encoding::Utf16Le),
            (marked(b"\xfe\xff", be(text)), Encoding::Utf16Be),
            (le(text), Encoding::Utf16Le),
            (be(text), Encoding::Utf16Be),
        ] {
            assert_eq!(decode(&bytes), Ok((text.to_owned(), encoding)));
        }
        assert_eq!(decode(b""), Ok((String::new(), Encoding::Utf8)));
    }

    #[test]
    fn no_mark_is_left_to_be_lost_later() {
        let text = "\u{feff}\u{feff}alice:x\n";
        for bytes in [text.as_bytes().to_vec(), le(text), be(text)] {
            assert_eq!(decode(&bytes).unwrap().0, "alice:x\n");
        }
    }

    #[test]
    fn names_the_line_of_what_is_not_text() {
        use EncodingProblem::{NotUtf8, NotUtf16, Nul};
        for (bytes, line, problem) in [
            (b"a:b\n\xe9".to_vec(), 2, NotUtf8 { byte: 0xe9 }),
            (b"alice:hash\nbob\0:hash\n".to_vec(), 2, Nul),
            (
                [&b"\xff\xfe"[..], &le("a\nb\n"), b"x"].concat(),
                3,
                NotUtf16,
            ),
            (b"\xff\xfe\x00\xd8\x0a\x00".to_vec(), 1, NotUtf16),
            (b"\xff\xfea\x00\x00\x00".to_vec(), 1, Nul),
        ] {
            assert_eq!(decode(&bytes), Err(EncodingError { line, problem }));
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in any::<Vec<u8>>()) {
            let _ = decode(&bytes);
        }

        #[test]
        fn utf16_with_a_mark_is_read_whatever_it_says(text in "[^\\x00\\u{feff}]{0,60}") {
            let marked = [&b"\xff\xfe"[..], &le(&text)].concat();
            prop_assert_eq!(decode(&marked), Ok((text.clone(), Encoding::Utf16Le)));
            let marked = [&b"\xfe\xff"[..], &be(&text)].concat();
            prop_assert_eq!(decode(&marked), Ok((text, Encoding::Utf16Be)));
        }
    }
}
