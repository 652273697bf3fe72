//! Which place of a site a request is for, by its path.

use std::collections::HashMap;

use tidegate_config::site::{Action, Found, PathMatch, PerlExpression, Place};

/// The places of a site, by their indices.
#[derive(Debug, Default)]
pub(crate) struct Places {
    exact: HashMap<String, usize>,
    /// The longest first.
    prefixes: Vec<Prefix>,
    expressions: Vec<(PerlExpression, usize)>,
}

#[derive(Debug)]
struct Prefix {
    path: String,
    is_final: bool,
    /// Whether the path without its last slash is redirected to the path with
    /// it: nginx does where requests are proxied.
    adds_slash: bool,
    place: usize,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The place of that index.
    Place(usize),
    /// A redirect to the same path with a slash at its end.
    AddSlash,
    /// Nothing.
    Nowhere,
}

impl Places {
    pub(crate) fn of(places: &[Place]) -> Self {
        let mut found = Self::default();
        for (index, place) in places.iter().enumerate() {
            match &place.path {
                PathMatch::Exact(path) => {
                    found.exact.entry(path.clone()).or_insert(index);
                }
                PathMatch::Prefix { path, is_final } => found.prefixes.push(Prefix {
                    path: path.clone(),
                    is_final: *is_final,
                    adds_slash: path.len() > 1
                        && path.ends_with('/')
                        && place.action != Action::NotFound,
                    place: index,
                }),
                PathMatch::Expression(expression) => {
                    found.expressions.push((expression.clone(), index));
                }
            }
        }
        let longest = |prefix: &Prefix| std::cmp::Reverse(prefix.path.len());
        found.prefixes.sort_by_key(longest);
        found
    }

    /// What was found where the place is one of an expression.
    pub(crate) fn find(&self, place: usize, path: &str) -> Option<Found> {
        let mut expressions = self.expressions.iter();
        let (expression, _) = expressions.find(|(_, index)| *index == place)?;
        expression.find_in(path)
    }

    /// What answers for `path`, which is resolved.
    pub(crate) fn choose(&self, path: &str) -> Choice {
        if let Some(&place) = self.exact.get(path) {
            return Choice::Place(place);
        }
        let prefixes = self.prefixes.iter();
        let longest = prefixes.clone().find(|p| path.starts_with(&*p.path));
        let is_the_path = longest.is_some_and(|prefix| prefix.path == path);
        if !is_the_path
            && prefixes
                .filter(|prefix| prefix.adds_slash)
                .any(|prefix| prefix.path.strip_suffix('/') == Some(path))
        {
            return Choice::AddSlash;
        }
        if !longest.is_some_and(|prefix| prefix.is_final) {
            let mut expressions = self.expressions.iter();
            if let Some((_, place)) = expressions.find(|(e, _)| e.is_found_in(path)) {
                return Choice::Place(*place);
            }
        }
        longest.map_or(Choice::Nowhere, |prefix| Choice::Place(prefix.place))
    }
}

#[cfg(test)]
mod tests {
    use tidegate_config::site::Rules;

    use super::*;

    fn places(paths: &[&str], action: &Action) -> Places {
        let place = |path: &&str| Place {
            path: PathMatch::parse(path).unwrap(),
            rules: Rules::default(),
            action: action.clone(),
        };
        Places::of(&paths.iter().map(place).collect::<Vec<_>>())
    }

    /// As nginx 1.22 chooses among the same locations.
    #[test]
    fn paths_go_before_each_other_as_in_nginx() {
        let places = places(
            &[
                "/",
                "/v2/",
                "= /v2/",
                "^~ /v2/static/",
                "~ /manifests/",
                "~* \\.TXT$",
                "/v2/deep/",
                "~ ^/v2/deep/x",
            ],
            &Action::NotFound,
        );
        for (path, expected) in [
            ("/", 0),
            ("/x", 0),
            ("/v2", 0),
            ("/v2/", 2),
            ("/v2/a", 1),
            ("/v2/a/manifests/latest", 4),
            ("/v2/static/manifests/latest", 3),
            ("/robots.txt", 5),
            ("/v2/deep/x/manifests/y.txt", 4),
            ("/v2/deep/x", 7),
            ("/v2/deep/y", 6),
        ] {
            assert_eq!(places.choose(path), Choice::Place(expected), "{path}");
        }
    }

    #[test]
    fn what_no_place_is_about_is_nowhere() {
        let places = places(&["/v2/"], &Action::NotFound);
        assert_eq!(places.choose("/x"), Choice::Nowhere);
        assert_eq!(places.choose("/v2"), Choice::Nowhere);
    }

    #[test]
    fn a_slash_is_added_where_requests_are_passed_on() {
        let with = |paths: &[&str]| places(paths, &Action::Registry);
        assert_eq!(with(&["/v2/", "~ v2"]).choose("/v2"), Choice::AddSlash);
        assert_eq!(with(&["/", "/v2/"]).choose("/v2"), Choice::AddSlash);
        assert_eq!(with(&["/v2/", "/v2"]).choose("/v2"), Choice::Place(1));
        assert_eq!(with(&["/v2/", "= /v2"]).choose("/v2"), Choice::Place(1));
        assert_eq!(with(&["/"]).choose("/"), Choice::Place(0));
    }
}
