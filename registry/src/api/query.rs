//! What stands behind the question mark.

use std::borrow::Cow;

use http::HeaderValue;
use serde_json::json;

use super::error::{ApiError, Code};
use super::headers;

/// The parameters of a request. Of several with one name the first counts,
/// where there can be one only.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(String);

impl Query {
    pub(super) fn new(text: Option<&str>) -> Self {
        Self(text.unwrap_or_default().to_owned())
    }

    /// The value of a parameter.
    pub(super) fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.0.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// All values of a parameter, in the order in which they stand there.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        form_urlencoded::parse(self.0.as_bytes())
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// How many entries of a list are wanted: `n`, if it is there.
    pub(super) fn count(&self) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.value("n") else {
            return Ok(None);
        };
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            return Err(bad_count(&text));
        }
        // More than fits is more than there can be.
        Ok(Some(text.parse().unwrap_or(usize::MAX)))
    }

    /// The entry after which a list begins: `last`.
    pub(super) fn last(&self) -> Option<Cow<'_, str>> {
        self.value("last").filter(|last| !last.is_empty())
    }
}

/// The answer to a number of entries that is none, or too large.
pub(super) fn bad_count(text: &str) -> ApiError {
    ApiError::new(Code::PaginationNumberInvalid).detail(json!({ "n": text }))
}

/// The value of `Link` (RFC 8288) that leads to the next page of a list.
pub(super) fn next_page(path: &str, last: &str, count: usize) -> HeaderValue {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("last", last)
        .append_pair("n", &count.to_string())
        .finish();
    headers::value(format!("<{path}?{query}>; rel=\"next\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_of_several_counts_and_is_decoded() {
        let query = Query::new(Some("digest=sha256%3Aab&from=a%2Fb+c&digest=other&flag"));
        assert_eq!(query.value("digest").unwrap(), "sha256:ab");
        assert_eq!(query.value("from").unwrap(), "a/b c");
        assert_eq!(query.value("flag").unwrap(), "");
        assert_eq!(query.value("absent"), None);
        assert_eq!(Query::new(None).value("n"), None);
    }

    #[test]
    fn a_count_is_a_number() {
        let count = |text: &str| Query::new(Some(text)).count().ok();
        assert_eq!(count("last=x"), Some(None));
        assert_eq!(count("n=0"), Some(Some(0)));
        assert_eq!(count("n=17"), Some(Some(17)));
        assert_eq!(count("n=99999999999999999999999"), Some(Some(usize::MAX)));
        for bad in ["n=", "n=-1", "n=%2B1", "n=1.5", "n=ten"] {
            assert_eq!(count(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_link_is_that_of_distribution() {
        let link = next_page("/v2/_catalog", "a/b", 1);
        assert_eq!(link, "</v2/_catalog?last=a%2Fb&n=1>; rel=\"next\"");
    }

    proptest! {
        #[test]
        fn the_link_leads_back_to_the_same_place(last in "[a-z0-9A-Z._/-]{1,40}", count in 0..1000_usize) {
            let link = next_page("/v2/a/tags/list", &last, count);
            let target = link.to_str().unwrap().strip_prefix("</v2/a/tags/list?").unwrap();
            let query = Query::new(target.strip_suffix(">; rel=\"next\""));
            prop_assert_eq!(query.last().unwrap(), last);
            prop_assert_eq!(query.count().ok(), Some(Some(count)));
        }

        #[test]
        fn never_panics(text in ".{0,60}") {
            let query = Query::new(Some(&text));
            let _ = (query.value("n"), query.count().is_ok(), query.last());
        }
    }
}
