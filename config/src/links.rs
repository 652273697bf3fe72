//! Where an API lies, and the URLs by which it is reached.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// How the URLs begin that clients are sent to, as in `Location`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Links {
    /// With the scheme and host by which the client came.
    #[default]
    AsReached,
    /// With the path: distribution's `http.relativeurls`.
    Relative,
    /// With this, in place of scheme, host and [`PathPrefix`]: distribution's
    /// `http.host`.
    Below(PublicUrl),
}

impl FromStr for Links {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "as-reached" => Ok(Self::AsReached),
            "relative" => Ok(Self::Relative),
            url => url.parse().map(Self::Below),
        }
    }
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsReached => "as-reached",
            Self::Relative => "relative",
            Self::Below(url) => url.as_str(),
        })
    }
}

/// A URL by which a registry is reached, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| "this is no URL")?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("a registry is reached by http:// or https://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL that everybody is shown has no user in it");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("what paths are put behind has neither query nor fragment");
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

/// The path under which an API is served: nothing, or `/registry`, without a
/// slash at its end. Distribution's `http.prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// As what stands in front of a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PathPrefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim_matches('/');
        if trimmed.is_empty() {
            return Ok(Self::default());
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        let is_step = |step: &str| !matches!(step, "" | "." | "..");
        if trimmed.chars().all(is_plain) && trimmed.split('/').all(is_step) {
            Ok(Self(format!("/{trimmed}")))
        } else {
            Err("a prefix is made of letters, digits, `-`, `.`, `_`, `~` and single slashes")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slashes_around_do_not_matter() {
        for (text, prefix) in [("", ""), ("/", ""), ("a", "/a"), ("/a/b/", "/a/b")] {
            assert_eq!(text.parse::<PathPrefix>().unwrap().as_str(), prefix);
        }
        for text in ["a//b", "/../", "a/./b", "a b", "é", "a%20"] {
            assert!(text.parse::<PathPrefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn links_are_written_as_they_are_read() {
        for text in ["as-reached", "relative", "https://reg.example:5000/sub"] {
            assert_eq!(text.parse::<Links>().unwrap().to_string(), text);
        }
        let url: PublicUrl = "HTTPS://Reg.Example/".parse().unwrap();
        assert_eq!(url.as_str(), "https://reg.example");
        for text in [
            "",
            "reg.example",
            "reg.example:5000",
            "ftp://h/",
            "https://u:p@h/",
            "https://h/?a",
            "https://h/#a",
        ] {
            assert!(text.parse::<Links>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_prefix_is_the_front_of_a_path(text in "[a-z/.%~ ]{0,12}") {
            if let Ok(prefix) = text.parse::<PathPrefix>() {
                let url = Url::parse(&format!("http://h{}/v2/", prefix.as_str())).unwrap();
                prop_assert_eq!(url.path(), format!("{}/v2/", prefix.as_str()));
            }
        }
    }
}
