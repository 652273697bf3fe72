//! From the name a client asks for to the certificates made for it.

use std::collections::HashMap;

/// Certificates by the names they cover (RFC 6125, section 6.4): exact names
/// first, then a wildcard for the left-most label, then whatever came first.
#[derive(Debug)]
pub(super) struct Names<T> {
    default: Vec<T>,
    exact: HashMap<String, Vec<T>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Vec<T>>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            default: Vec::new(),
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        }
    }
}

impl<T: Clone> Names<T> {
    pub(super) fn add(&mut self, certificate: T, names: &[String]) {
        if self.default.is_empty() {
            self.default.push(certificate.clone());
        }
        for name in names {
            let name = name.to_ascii_lowercase();
            let (table, name) = match name.strip_prefix("*.") {
                Some(parent) => (&mut self.wildcard, parent.to_owned()),
                None => (&mut self.exact, name),
            };
            table.entry(name).or_default().push(certificate.clone());
        }
    }

    /// The certificates for `asked`, in the order they were added.
    pub(super) fn candidates(&self, asked: Option<&str>) -> &[T] {
        let Some(asked) = asked else {
            return &self.default;
        };
        let asked = asked.to_ascii_lowercase();
        let parent = asked.split_once('.').map(|(_, parent)| parent);
        self.exact
            .get(&asked)
            .or_else(|| self.wildcard.get(parent?))
            .unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&'static str, &[&str])]) -> Names<&'static str> {
        let mut table = Names::default();
        for (certificate, names) in entries {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            table.add(*certificate, &names);
        }
        table
    }

    #[test]
    fn exact_then_wildcard_then_the_first() {
        let table = table(&[
            ("first", &["one.example.com"]),
            ("wild", &["*.example.com"]),
            ("exact", &["Two.Example.com", "example.com"]),
        ]);
        let pick = |asked| table.candidates(asked)[0];
        assert_eq!(pick(Some("one.example.com")), "first");
        assert_eq!(pick(Some("two.example.com")), "exact");
        assert_eq!(pick(Some("TWO.example.COM")), "exact");
        assert_eq!(pick(Some("three.example.com")), "wild");
        assert_eq!(pick(Some("example.com")), "exact");
        // A wildcard stands for one label.
        assert_eq!(pick(Some("a.b.example.com")), "first");
        assert_eq!(pick(Some("elsewhere.org")), "first");
        assert_eq!(pick(Some("localhost")), "first");
        assert_eq!(pick(None), "first");
    }

    #[test]
    fn one_name_may_have_several_certificates() {
        let table = table(&[("ecdsa", &["r.example.com"]), ("rsa", &["r.example.com"])]);
        assert_eq!(table.candidates(Some("r.example.com")), ["ecdsa", "rsa"]);
        assert_eq!(table.candidates(None), ["ecdsa"]);
    }
}
