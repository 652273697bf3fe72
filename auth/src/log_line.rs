//! What the lines of logs in JSON have in common.

use std::fmt::Write as _;

use time::OffsetDateTime;

/// `2000-10-10T13:55:36.123Z` (RFC 3339), of a time in UTC.
#[must_use]
pub fn rfc3339(at: OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

/// The same JSON, in which those characters are escaped that are not `plain`. What
/// JSON lets stand as it is may end a line for another program, or move a terminal's
/// cursor. ASCII from the space to the tilde has to be plain: all that is outside of
/// strings is of it.
#[must_use]
pub fn escaped(json: String, plain: impl Fn(char) -> bool) -> String {
    if json.chars().all(&plain) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if plain(character) {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(escaped, "\\u{unit:04x}").expect("writing to a string cannot fail");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_have_milliseconds_and_are_of_one_length() {
        for (at, expected) in [
            (
                datetime!(2026-06-01 12:00:00.25 UTC),
                "2026-06-01T12:00:00.250Z",
            ),
            (
                datetime!(0987-01-02 03:04:05 UTC),
                "0987-01-02T03:04:05.000Z",
            ),
        ] {
            assert_eq!(rfc3339(at), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_says_the_same(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let ascii = escaped(json.clone(), |c| matches!(c, ' '..='~'));
            prop_assert!(ascii.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", ascii);
            prop_assert_eq!(serde_json::from_str::<String>(&ascii).unwrap(), text);
            prop_assert_eq!(escaped(json.clone(), |_| true), json);
        }
    }
}
