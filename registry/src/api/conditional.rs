//! Requests that depend on what the client has (RFC 9110 §13).

use http::HeaderMap;
use http::header::{IF_NONE_MATCH, IF_RANGE};

use super::headers;
use crate::oci::Digest;

/// Whether the client has the content already: `If-None-Match` names its
/// digest. Clients write it as an entity tag, weak or strong, or bare.
pub(super) fn is_unchanged(headers: &HeaderMap, digest: &Digest) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH);
    if tags.iter().next().is_none() {
        return false;
    }
    let wanted = digest.to_string();
    tags.iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'))
        .any(|tag| tag == "*" || tag == wanted)
}

/// Whether a `Range` may be honoured: there is no `If-Range`, or it names this
/// very content. A date never does, since content has none.
pub(super) fn is_range_valid(headers: &HeaderMap, digest: &Digest) -> bool {
    headers
        .get(IF_RANGE)
        .is_none_or(|tag| *tag == headers::etag(digest))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn every_spelling_of_the_tag_matches() {
        let digest = Algorithm::Sha256.digest(b"x");
        for value in [
            format!("\"{digest}\""),
            format!("W/\"{digest}\""),
            digest.to_string(),
            format!("\"other\", \"{digest}\""),
            "*".to_owned(),
        ] {
            let headers =
                HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::try_from(&value).unwrap())]);
            assert!(is_unchanged(&headers, &digest), "{value}");
        }
        for value in ["", "\"\"", "\"sha256:12\"", "W/"] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(value))]);
            assert!(!is_unchanged(&headers, &digest), "{value}");
        }
        assert!(!is_unchanged(&HeaderMap::new(), &digest));
    }

    #[test]
    fn a_range_needs_the_same_content() {
        let digest = Algorithm::Sha256.digest(b"x");
        let with =
            |value: &str| HeaderMap::from_iter([(IF_RANGE, HeaderValue::try_from(value).unwrap())]);
        assert!(is_range_valid(&HeaderMap::new(), &digest));
        assert!(is_range_valid(&with(&format!("\"{digest}\"")), &digest));
        assert!(!is_range_valid(&with(&format!("W/\"{digest}\"")), &digest));
        assert!(!is_range_valid(
            &with("Sat, 29 Oct 1994 19:43:31 GMT"),
            &digest
        ));
    }
}
