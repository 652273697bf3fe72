//! What became of a request on its way to a place: the path that it goes on with,
//! and what expressions found.

use std::borrow::Cow;

use http::Uri;
use http::uri::PathAndQuery;
use tidegate_config::site::Found;

use super::path::{escape, normalize, without_foreign};

/// How far a request has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// What is asked for in place of what the client asked for.
    pub(crate) target: Option<Target>,
    /// What the groups of expressions found.
    pub(crate) found: Captures,
    /// Whether anything at the site tells of that.
    pub(crate) is_asked_for: bool,
    /// Whether the path goes on whole, whatever part of it the place matched: after
    /// a `break`, as in nginx.
    pub(crate) keeps_path: bool,
}

/// Path and query of a request after a `rewrite`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Not escaped.
    pub(crate) path: String,
    /// Without its question mark.
    pub(crate) query: Option<String>,
}

/// What the groups of expressions found: by number of the last one, by name of all.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    numbered: Vec<String>,
    named: Vec<(String, String)>,
}

impl Captures {
    /// Nothing yet.
    pub(crate) const NONE: Self = Self {
        numbered: Vec::new(),
        named: Vec::new(),
    };

    /// Takes note of what another expression found.
    pub(crate) fn take(&mut self, found: Found) {
        self.numbered = found.numbered;
        for (name, text) in found.named {
            self.named.retain(|(known, _)| *known != name);
            self.named.push((name, text));
        }
    }

    /// `$1` to `$9`; empty for a group that there is not.
    pub(crate) fn numbered(&self, group: u8) -> &str {
        let index = usize::from(group).checked_sub(1);
        let found = index.and_then(|index| self.numbered.get(index));
        found.map_or("", String::as_str)
    }

    /// A group by its name; empty if no expression that has one was found.
    pub(crate) fn named(&self, name: &str) -> &str {
        let found = self.named.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, text)| text)
    }
}

impl From<Found> for Captures {
    fn from(found: Found) -> Self {
        let mut captures = Self::NONE;
        captures.take(found);
        captures
    }
}

impl Target {
    /// As it stands in a request.
    pub(crate) fn written(&self) -> Option<PathAndQuery> {
        let path = escape(&self.path);
        let text = match &self.query {
            Some(query) => format!("{path}?{}", without_foreign(query)),
            None => path.into_owned(),
        };
        text.parse().ok()
    }
}

/// The path that a request is for, not escaped.
pub(crate) fn path_of<'a>(target: Option<&'a Target>, uri: &'a Uri) -> Cow<'a, str> {
    match target {
        Some(target) => Cow::Borrowed(&target.path),
        // It was resolved when the place was chosen.
        None => normalize(uri.path()).unwrap_or_default(),
    }
}

/// Its query.
pub(crate) fn query_of<'a>(target: Option<&'a Target>, uri: &'a Uri) -> Option<&'a str> {
    match target {
        Some(target) => target.query.as_deref(),
        None => uri.query(),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_config::site::PerlExpression;

    use super::*;

    #[test]
    fn numbers_are_of_the_last_and_names_of_all() {
        let find = |expression: &str, text: &str| {
            let expression = PerlExpression::new(expression, false).unwrap();
            expression.find_in(text).unwrap()
        };
        let mut captures = Captures::from(find("(?<a>x)(y)", "xy"));
        captures.take(find("(?<b>z)", "z"));
        assert_eq!(captures.numbered(1), "z");
        assert_eq!(captures.numbered(2), "");
        assert_eq!((captures.named("a"), captures.named("b")), ("x", "z"));
        assert_eq!((captures.named("c"), captures.numbered(0)), ("", ""));
        captures.take(find("(?<a>q)", "q"));
        assert_eq!(captures.named("a"), "q");
    }

    #[test]
    fn a_target_is_written_so_that_it_can_be_sent() {
        let written = |path: &str, query: Option<&str>| {
            let target = Target {
                path: path.to_owned(),
                query: query.map(str::to_owned),
            };
            target.written().unwrap().as_str().to_owned()
        };
        assert_eq!(written("/v2/a b?", None), "/v2/a%20b%3F");
        assert_eq!(
            written("/v2/", Some("a=b%20c d\r\n")),
            "/v2/?a=b%20c%20d%0D%0A"
        );
    }
}
