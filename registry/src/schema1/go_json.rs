//! JSON as Go's `encoding/json` writes it.
//!
//! A converted manifest is known by the digest of its text, and a client that
//! pulled one from distribution expects the same digest here. Go differs from
//! others in what it escapes: `<`, `>` and `&`, the line ends U+2028 and
//! U+2029, and the two control characters that have short forms it does not
//! use.

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::value::RawValue;

/// A value on one line.
pub(super) fn line(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(escaped(&serde_json::to_string(value)?))
}

/// A value with one field or element on each line.
pub(super) fn indented(value: &impl Serialize, indent: &str) -> Result<String, serde_json::Error> {
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut text, formatter,
    ))?;
    Ok(escaped(&String::from_utf8_lossy(&text)))
}

/// A value as it was written, apart from the white space between tokens. Its
/// numbers and escapes stay what they are.
pub(super) fn compact(raw: &RawValue) -> String {
    let mut compact = String::with_capacity(raw.get().len());
    let (mut in_text, mut after_backslash) = (false, false);
    for letter in raw.get().chars() {
        if in_text {
            push(&mut compact, letter);
            in_text = letter != '"' || after_backslash;
            after_backslash = letter == '\\' && !after_backslash;
        } else if !letter.is_ascii_whitespace() {
            compact.push(letter);
            in_text = letter == '"';
        }
    }
    compact
}

/// What `serde_json` wrote, with the escapes of Go.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    let mut letters = json.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            push(&mut escaped, letter);
            continue;
        }
        match letters.next() {
            Some('b') => escaped.push_str("\\u0008"),
            Some('f') => escaped.push_str("\\u000c"),
            other => {
                escaped.push('\\');
                escaped.extend(other);
            }
        }
    }
    escaped
}

/// Outside of texts, JSON has none of the characters that are escaped here.
fn push(json: &mut String, letter: char) {
    match letter {
        '<' => json.push_str("\\u003c"),
        '>' => json.push_str("\\u003e"),
        '&' => json.push_str("\\u0026"),
        '\u{2028}' => json.push_str("\\u2028"),
        '\u{2029}' => json.push_str("\\u2029"),
        other => json.push(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn escapes_what_go_escapes() {
        let value = json!("<a> & \u{2028}\u{2029}\u{8}\u{c}\n\u{1f}\\b \"é\u{7f}");
        assert_eq!(
            line(&value).unwrap(),
            "\"\\u003ca\\u003e \\u0026 \\u2028\\u2029\\u0008\\u000c\\n\\u001f\\\\b \\\"é\u{7f}\""
        );
        assert_eq!(
            indented(&json!({"a": ["<"]}), "  ").unwrap(),
            "{\n  \"a\": [\n    \"\\u003c\"\n  ]\n}"
        );
    }

    #[test]
    fn only_white_space_between_tokens_goes() {
        let text = "{ \"a b\" :\t[1.50e+3 ,\r\n null, \" \\\" \\\\\" , \"\\b<\" ] }";
        assert_eq!(
            compact(&raw(text)),
            "{\"a b\":[1.50e+3,null,\" \\\" \\\\\",\"\\b\\u003c\"]}"
        );
    }

    proptest! {
        #[test]
        fn nothing_but_the_spelling_changes(key in any::<String>(), text in any::<String>()) {
            let value = json!({ key: [text, 1, null] });
            let spellings = [
                line(&value).unwrap(),
                indented(&value, " ").unwrap(),
                compact(&raw(&serde_json::to_string_pretty(&value).unwrap())),
            ];
            for spelling in spellings {
                prop_assert_eq!(&serde_json::from_str::<Value>(&spelling).unwrap(), &value);
                let escaped = ['<', '>', '&', '\u{2028}', '\u{2029}'];
                prop_assert!(!spelling.contains(escaped), "{spelling}");
            }
        }
    }
}
