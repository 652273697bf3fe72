//! The path of a request as places see it, and as an upstream may.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The path cannot be one: an escape that is none, a NUL, or a step above the
/// root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path is malformed or leads above the root")]
pub(crate) struct BadPath;

/// Decodes a path and resolves `.`, `..` and doubled slashes, all as nginx does:
/// what is escaped counts as if it were not. What is not UTF-8 then is replaced.
pub(crate) fn normalize(raw: &str) -> Result<Cow<'_, str>, BadPath> {
    if !raw.starts_with('/') {
        // `OPTIONS *` has no path of its own.
        return Ok(Cow::Borrowed("/"));
    }
    if !raw.contains('%') && !raw.contains("//") && !raw.contains("/.") {
        return Ok(Cow::Borrowed(raw));
    }
    let decoded = decode(raw.as_bytes())?;
    let mut path: Vec<&[u8]> = Vec::new();
    let mut ends_open = false;
    for segment in decoded[1..].split(|&byte| byte == b'/') {
        ends_open = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                path.pop().ok_or(BadPath)?;
            }
            name => path.push(name),
        }
    }
    let mut resolved = Vec::with_capacity(decoded.len());
    for name in &path {
        resolved.push(b'/');
        resolved.extend_from_slice(name);
    }
    if ends_open || path.is_empty() {
        resolved.push(b'/');
    }
    Ok(Cow::Owned(String::from_utf8(resolved).unwrap_or_else(
        |error| String::from_utf8_lossy(error.as_bytes()).into_owned(),
    )))
}

fn decode(raw: &[u8]) -> Result<Vec<u8>, BadPath> {
    let digit = |byte: Option<&u8>| {
        let value = char::from(*byte.ok_or(BadPath)?).to_digit(16);
        value.and_then(|v| u8::try_from(v).ok()).ok_or(BadPath)
    };
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        let byte = match byte {
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            plain => plain,
        };
        if byte == 0 {
            return Err(BadPath);
        }
        decoded.push(byte);
    }
    Ok(decoded)
}

/// Escapes a decoded path, so that it can stand in a request: what nginx escapes
/// of one, and what cannot stand in a URI (RFC 3986, section 3.3).
pub(crate) fn escape(path: &str) -> Cow<'_, str> {
    escape_but(path, b"/-._~!$&'()*+,;=:@[]")
}

/// Escapes a decoded text, so that it means itself in a query, and nothing is parted
/// there.
pub(crate) fn escape_argument(text: &str) -> Cow<'_, str> {
    escape_but(text, b"/-._~!$'()*,=:@")
}

/// Escapes what cannot stand in a request, and leaves what means something there,
/// escapes among it.
pub(crate) fn without_foreign(target: &str) -> Cow<'_, str> {
    escape_but(target, b"/-._~!$&'()*+,;=:@[]?%")
}

fn escape_but<'p>(path: &'p str, others: &[u8]) -> Cow<'p, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
    if path.bytes().all(plain) {
        return Cow::Borrowed(path);
    }
    let mut escaped = String::with_capacity(path.len() + 8);
    for byte in path.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each tried with nginx 1.22 and `return 200 "$uri"`.
    #[test]
    fn paths_are_resolved_as_in_nginx() {
        for (raw, expected) in [
            ("/", "/"),
            ("*", "/"),
            ("/v2/a/tags/list", "/v2/a/tags/list"),
            ("/v2//a", "/v2/a"),
            ("//v2/", "/v2/"),
            ("/v2/./a", "/v2/a"),
            ("/v2/a/.", "/v2/a/"),
            ("/v2/a/..", "/v2/"),
            ("/v2/a/../b", "/v2/b"),
            ("/v2/%61", "/v2/a"),
            ("/v2%2Fa", "/v2/a"),
            ("/v2/%2e%2E/a", "/a"),
            ("/%2f%2fv2", "/v2"),
            ("/a%3Fb%23c%25", "/a?b#c%"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/..a/.b", "/..a/.b"),
            ("/%C3%A4", "/ä"),
        ] {
            assert_eq!(normalize(raw).as_deref(), Ok(expected), "{raw}");
        }
        for bad in ["/..", "/a/../..", "/%2e%2e/", "/%00", "/%", "/%4", "/%zz"] {
            assert_eq!(normalize(bad), Err(BadPath), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_path_is_resolved_once(raw in "/[a-c./%2eE25]{0,24}") {
            if let Ok(path) = normalize(&raw) {
                prop_assert!(path.starts_with('/'));
                prop_assert!(!path.contains("//"));
                prop_assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")));
                let again = escape(&path).into_owned();
                let again = normalize(&again);
                prop_assert_eq!(again.as_deref(), Ok(&*path));
            }
        }

        #[test]
        fn what_is_escaped_is_a_path(path in "/[^\\x00]{0,16}") {
            let escaped = escape(&path).into_owned();
            prop_assert!(escaped.parse::<http::Uri>().is_ok(), "{}", escaped);
        }
    }
}
