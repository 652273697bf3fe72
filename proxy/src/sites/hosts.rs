//! Which site a request is for, by the name of its host.

use std::borrow::Cow;
use std::collections::HashMap;

use tidegate_config::site::{Found, PerlExpression, ServerName, Site};

/// The sites of one listener, by their indices.
#[derive(Debug)]
pub(crate) struct Hosts {
    exact: HashMap<String, usize>,
    /// `.example.org`, the longest first.
    leading: Vec<(String, usize)>,
    /// `registry.`, the longest first.
    trailing: Vec<(String, usize)>,
    expressions: Vec<(PerlExpression, usize)>,
    default: usize,
}

impl Hosts {
    /// A listener with one site, whatever the name.
    pub(crate) fn only(site: usize) -> Self {
        Self {
            exact: HashMap::new(),
            leading: Vec::new(),
            trailing: Vec::new(),
            expressions: Vec::new(),
            default: site,
        }
    }

    /// The names that lead to `sites` at the listener of that index; `None` if
    /// none of them is served there. Of two with the same name the first has it.
    pub(crate) fn of(listener: usize, sites: &[Site]) -> Option<Self> {
        let attached = |site: &Site| {
            let mut here = site.attachments.iter().filter(|at| at.listener == listener);
            let first = here.next()?;
            Some(first.is_default || here.any(|at| at.is_default))
        };
        let mut default = None;
        let mut hosts = Self::only(0);
        for (index, site) in sites.iter().enumerate() {
            let Some(is_default) = attached(site) else {
                continue;
            };
            match default {
                Some((_, true)) => {}
                Some((_, false)) if !is_default => {}
                _ => default = Some((index, is_default)),
            }
            for name in &site.names {
                match name {
                    ServerName::Exact(name) => {
                        hosts.exact.entry(name.clone()).or_insert(index);
                    }
                    ServerName::Leading(end) => hosts.leading.push((end.clone(), index)),
                    ServerName::Trailing(start) => hosts.trailing.push((start.clone(), index)),
                    ServerName::Expression(expression) => {
                        hosts.expressions.push((expression.clone(), index));
                    }
                }
            }
        }
        (hosts.default, _) = default?;
        // Stable: of two that are alike the first stays first.
        let longest = |(name, _): &(String, usize)| std::cmp::Reverse(name.len());
        hosts.leading.sort_by_key(longest);
        hosts.trailing.sort_by_key(longest);
        Some(hosts)
    }

    /// The site for those who name no host.
    pub(crate) fn default(&self) -> usize {
        self.default
    }

    /// The site for `host`, which is without a port.
    pub(crate) fn choose(&self, host: &str) -> usize {
        let host = lower(host.strip_suffix('.').unwrap_or(host));
        let by_name = self.by_name(&host);
        let by_expression = || self.by_expression(&host).map(|(_, site)| *site);
        by_name.or_else(by_expression).unwrap_or(self.default)
    }

    /// What was found where an expression chooses the site for `host`.
    pub(crate) fn find(&self, host: &str) -> Option<Found> {
        let host = lower(host.strip_suffix('.').unwrap_or(host));
        if self.by_name(&host).is_some() {
            return None;
        }
        let (expression, _) = self.by_expression(&host)?;
        expression.find_in(&host)
    }

    fn by_expression(&self, host: &str) -> Option<&(PerlExpression, usize)> {
        self.expressions.iter().find(|(e, _)| e.is_found_in(host))
    }

    fn by_name(&self, host: &str) -> Option<usize> {
        if let Some(&site) = self.exact.get(host) {
            return Some(site);
        }
        let longer = |name: &str| host.len() > name.len();
        let leading = self.leading.iter();
        let mut leading = leading.filter(|(end, _)| longer(end) && host.ends_with(end.as_str()));
        let trailing = self.trailing.iter();
        let mut trailing =
            trailing.filter(|(start, _)| longer(start) && host.starts_with(start.as_str()));
        let found = leading.next().or_else(|| trailing.next());
        found.map(|(_, site)| *site)
    }
}

/// In lower case; most clients write it so.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_config::site::{Attachment, Rules};

    use super::*;

    fn site(at: &[(usize, bool)], names: &[&str]) -> Site {
        let attachments = at.iter().map(|&(listener, is_default)| Attachment {
            listener,
            is_default,
        });
        Site {
            attachments: attachments.collect(),
            names: names
                .iter()
                .map(|name| ServerName::parse(name).unwrap())
                .collect(),
            http2: None,
            client_auth: None,
            rewrites: Vec::new(),
            places: Vec::new(),
            elsewhere: Rules::default(),
        }
    }

    /// As nginx 1.22 chooses among the same names.
    #[test]
    fn names_go_before_each_other_as_in_nginx() {
        let sites = [
            site(&[(0, false)], &["~^reg"]),
            site(&[(0, false)], &["registry.*"]),
            site(&[(0, false)], &["registry.eu.*"]),
            site(&[(0, false)], &["*.example.org"]),
            site(&[(0, false)], &["*.eu.example.org"]),
            site(&[(0, false)], &["registry.example.org", "example.org"]),
            site(&[(0, true)], &["other"]),
            site(&[(1, false)], &["elsewhere.example.org"]),
            site(&[(0, false)], &["~^registry2"]),
        ];
        let hosts = Hosts::of(0, &sites).unwrap();
        for (host, expected) in [
            ("registry.example.org", 5),
            ("REGISTRY.Example.org", 5),
            ("registry.example.org.", 5),
            ("example.org", 5),
            ("a.example.org", 3),
            ("a.b.example.org", 3),
            ("registry.eu.example.org", 4),
            ("registry.eu.example.com", 2),
            ("registry.us.example.com", 1),
            ("registry2.example.com", 0),
            ("registry", 0),
            ("example.com", 6),
            ("elsewhere.example.org", 3),
            ("[::1]", 6),
        ] {
            assert_eq!(hosts.choose(host), expected, "{host}");
        }
        assert_eq!(Hosts::of(1, &sites).unwrap().choose("x"), 7);
        assert!(Hosts::of(2, &sites).is_none());
    }

    #[test]
    fn without_a_default_the_first_is_it() {
        let sites = [site(&[], &["a"]), site(&[(0, false)], &["b"])];
        assert_eq!(Hosts::of(0, &sites).unwrap().choose("a"), 1);
    }
}
