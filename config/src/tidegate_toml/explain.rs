//! What serde and the TOML reader say, in our own words.

use std::path::Path;

use super::value;
use crate::diagnostic::Diagnostic;

/// Turns what the TOML reader says into our own words.
pub(super) fn explain(path: &Path, text: &str, error: &toml::de::Error) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let said = error.message();
    match said.strip_prefix("unknown field ") {
        Some(rest) => {
            // serde: "`key`, expected one of `a`, `b`" or "…, expected `a` or `b`".
            let mut quoted = rest.split('`').skip(1).step_by(2);
            let key = quoted.next().unwrap_or_default().to_owned();
            let known: Vec<&str> = quoted.collect();
            let hint = nearest(&key, &known);
            Diagnostic::new(path, text, span, format!("unknown key `{key}`")).with_hint(hint)
        }
        None => {
            // Our own values end their message with the hint on a line of its own.
            let (message, hint) = match said.split_once("\nhint: ") {
                Some((message, hint)) => (message, Some(hint.trim_end().to_owned())),
                None => (said, None),
            };
            let diagnostic = Diagnostic::new(path, text, span, message.trim_end().to_owned());
            match hint
                .as_deref()
                .and_then(|hint| hint.strip_suffix(value::SECRET))
            {
                Some(hint) => diagnostic.without_line().with_hint(Some(hint.to_owned())),
                None => diagnostic.with_hint(hint),
            }
        }
    }
}

/// The known key that `key` was most likely meant to be, and the others.
pub(super) fn nearest(key: &str, known: &[&str]) -> Option<String> {
    let best = known
        .iter()
        .map(|k| (strsim::normalized_damerau_levenshtein(key, k), *k))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(if best.0 >= 0.4 {
        format!("did you mean `{}`?", best.1)
    } else {
        format!("nearest is `{}`; known here: {}", best.1, known.join(", "))
    })
}
