//! What stands in patterns for what is only known of a request.

use tidegate_config::auth_config::{AclPattern, Conditions, Labels, Matcher};

use super::AuthRequest;

/// Placeholders with what stands in their place. Of two with one text, the first
/// counts.
pub(super) type Values = Vec<(String, String)>;

/// The conditions whose groups can be referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Account,
    Kind,
    Name,
    Service,
}

/// A placeholder for what a group of another condition's expression holds:
/// `${account:1}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    text: String,
    field: Field,
    group: usize,
}

/// `${account}`, `${type}`, `${name}` and `${service}`, with what has a meaning in
/// expressions made to mean itself: globs read it in the same way.
pub(super) fn of_request(request: &AuthRequest<'_>) -> Values {
    let named = [
        ("${account}", request.account),
        ("${type}", request.kind),
        ("${name}", request.name),
        ("${service}", request.service),
    ];
    named
        .map(|(placeholder, value)| (placeholder.to_owned(), quoted(value)))
        .into()
}

/// Puts values in the place of placeholders. What has none stays as it is, and
/// what was put in is not looked at again.
pub(super) fn replaced(pattern: &str, values: &[(String, String)]) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let known = values.iter().find_map(|(placeholder, value)| {
            let after = from.strip_prefix(placeholder.as_str())?;
            Some((after, value))
        });
        rest = match known {
            Some((after, value)) => {
                out.push_str(value);
                after
            }
            None => {
                out.push('$');
                &from[1..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// The references in the conditions of a rule, in their order.
pub(super) fn references(conditions: &Conditions) -> Vec<Reference> {
    let patterns = [
        &conditions.account,
        &conditions.kind,
        &conditions.name,
        &conditions.service,
    ];
    let patterns = patterns.into_iter().flatten();
    patterns
        .flat_map(|pattern| references_in(pattern.as_str()))
        .collect()
}

impl Reference {
    /// What the group holds, where that condition is an expression that is found
    /// in the request and has such a group. It is put in as it is, whatever it
    /// means in a pattern.
    pub(super) fn value(
        &self,
        conditions: &Conditions,
        request: &AuthRequest<'_>,
    ) -> Option<(String, String)> {
        let (pattern, text) = match self.field {
            Field::Account => (&conditions.account, request.account),
            Field::Kind => (&conditions.kind, request.kind),
            Field::Name => (&conditions.name, request.name),
            Field::Service => (&conditions.service, request.service),
        };
        let Matcher::Regexp(expression) = pattern.as_ref()?.unchanged() else {
            return None;
        };
        let held = expression.group(text, self.group)?;
        Some((self.text.clone(), held.to_owned()))
    }
}

/// What docker_auth finds by `\$\{(.+?):(\d+)\}`: a reference goes from the first
/// `${` to the next `:1}`, whatever is between. So one that follows another
/// placeholder, as in `${type}-${name:1}`, refers to nothing.
fn references_in(pattern: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut rest = pattern;
    while let Some(at) = rest.find("${") {
        let from = &rest[at..];
        let Some((name, digits, length)) = reference_at(from) else {
            rest = &from[2..];
            continue;
        };
        if let (Some(field), Ok(group)) = (field(name), digits.parse()) {
            found.push(Reference {
                text: from[..length].to_owned(),
                field,
                group,
            });
        }
        rest = &from[length..];
    }
    found
}

/// Name, number and length of what begins with `${`.
fn reference_at(text: &str) -> Option<(&str, &str, usize)> {
    let body = &text[2..];
    for (at, c) in body.char_indices() {
        // The name has one character at least.
        if c == ':' && at > 0 {
            let after = &body[at + 1..];
            let end = after.find(|c: char| !c.is_ascii_digit());
            let end = end.filter(|end| *end > 0 && after[*end..].starts_with('}'));
            if let Some(end) = end {
                let length = 2 + at + 1 + end + 1;
                return Some((&body[..at], &after[..end], length));
            }
        }
        if c == '\n' {
            return None;
        }
    }
    None
}

fn field(name: &str) -> Option<Field> {
    let fields = [
        ("account", Field::Account),
        ("type", Field::Kind),
        ("name", Field::Name),
        ("service", Field::Service),
    ];
    let is_meant = |(known, _): &&(&str, Field)| name.eq_ignore_ascii_case(known);
    fields.iter().find(is_meant).map(|(_, field)| *field)
}

/// Each combination of a user's labels that a pattern has placeholders for: one
/// text of each. None if there are no such placeholders, or a label has no text.
pub(super) fn combinations(pattern: &AclPattern, labels: &Labels) -> impl Iterator<Item = Values> {
    let placeholder = |(name, values)| (format!("${{labels:{name}}}"), values);
    let used: Vec<(String, &Vec<String>)> = labels
        .iter()
        .map(placeholder)
        .filter(|(placeholder, _)| pattern.as_str().contains(placeholder.as_str()))
        .collect();
    let count: usize = match used.as_slice() {
        [] => 0,
        used => used.iter().map(|(_, values)| values.len()).product(),
    };
    (0..count).map(move |mut number| {
        let one = |(placeholder, values): &(String, &Vec<String>)| {
            let value = &values[number % values.len()];
            number /= values.len();
            (placeholder.clone(), value.clone())
        };
        used.iter().map(one).collect()
    })
}

/// A text as an expression that means it, by Go's `regexp.QuoteMeta`.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_config::auth_config::Glob;

    use super::*;

    #[test]
    fn references_are_found_as_go_finds_them() {
        let one = |text: &str, field, group| Reference {
            text: text.to_owned(),
            field,
            group,
        };
        for (pattern, expected) in [
            (
                "${account:1}/*",
                vec![one("${account:1}", Field::Account, 1)],
            ),
            (
                "${ACCOUNT:01}",
                vec![one("${ACCOUNT:01}", Field::Account, 1)],
            ),
            (
                "${name:1}${type:22}",
                vec![
                    one("${name:1}", Field::Name, 1),
                    one("${type:22}", Field::Kind, 22),
                ],
            ),
            ("${service:0}", vec![one("${service:0}", Field::Service, 0)]),
            ("${account}", vec![]),
            ("${type}-${name:1}", vec![]),
            ("${x${name:1}", vec![]),
            ("${:1}", vec![]),
            ("${::1}", vec![]),
            ("${name:}", vec![]),
            ("${name:1", vec![]),
            ("${name:a}${name:2}", vec![]),
            ("${ip:1}${labels:1}", vec![]),
            ("${a\n${name:1}", vec![one("${name:1}", Field::Name, 1)]),
            ("${name:99999999999999999999}", vec![]),
        ] {
            assert_eq!(references_in(pattern), expected, "{pattern:?}");
        }
    }

    #[test]
    fn what_is_put_in_is_not_looked_at_again() {
        let values = [("${a}", "${b}"), ("${b}", "$"), ("${a}", "second")];
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(replaced("${a}-${b}{a}$", &values), "${b}-${a}$");
        assert_eq!(replaced("$${b}${c}", &values), "$$${c}");
        assert_eq!(replaced("", &values), "");
    }

    #[test]
    fn labels_are_combined() {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let labels = Labels::from([
            ("a".to_owned(), list(&["1", "2"])),
            ("b".to_owned(), list(&["x", "y", "z"])),
            ("none".to_owned(), Vec::new()),
        ]);
        let made = |text: &str| {
            let pattern = AclPattern::new(text).unwrap();
            let values = combinations(&pattern, &labels);
            values
                .map(|values| replaced(text, &values))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            made("${labels:a}-${labels:b}"),
            ["1-x", "2-x", "1-y", "2-y", "1-z", "2-z"]
        );
        assert_eq!(made("${labels:a}${labels:a}"), ["11", "22"]);
        assert_eq!(made("${labels:c}").len(), 0);
        assert_eq!(made("${labels:a}${labels:none}").len(), 0);
        assert_eq!(made("a").len(), 0);
    }

    proptest! {
        #[test]
        fn a_quoted_text_means_itself(text in "\\PC{0,16}", other in "\\PC{0,16}") {
            let quoted = quoted(&text);
            let glob = Glob::parse(&quoted).unwrap();
            prop_assert!(glob.matches(&text));
            prop_assert_eq!(glob.matches(&other), text == other);
            let expression = Matcher::new(&format!("/^{quoted}$/"));
            prop_assert!(expression.matches(&text));
            prop_assert_eq!(expression.matches(&other), text == other);
        }

        #[test]
        fn no_pattern_panics(pattern in "[${}:a-z0-9é\n]{0,24}") {
            references_in(&pattern);
            let _ = replaced(&pattern, &[("${a}".to_owned(), "b".to_owned())]);
        }
    }
}
