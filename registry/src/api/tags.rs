//! `/v2/<name>/tags/list`

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LINK};

use super::body::Body;
use super::error::ApiError;
use super::{Call, Response, headers, query};
use crate::oci::RepoName;
use crate::store::{Store, Tags};

/// 200 with the tags in byte order; `n` and `last` ask for a page. Without `n`
/// all tags are sent: scripts of many people rely on that. 404
/// `NAME_UNKNOWN` for a repository that never had a manifest.
pub(super) async fn list(
    store: &dyn Store,
    call: &Call,
    repo: &RepoName,
) -> Result<Response, ApiError> {
    let most = call.shared.tags_most;
    let count = call.query.count()?.map(|count| count.min(most));
    let last = call.query.last();
    let page = store
        .tags(repo, last.as_deref(), count.unwrap_or(usize::MAX))
        .await?;

    let mut response = Response::new(Body::full(document(repo, &page.items)));
    response.headers_mut().insert(CONTENT_TYPE, headers::JSON);
    if let (true, Some(count), Some(last)) = (page.more, count, page.items.iter().next_back()) {
        let link = query::next_page(&call.local(&format!("/v2/{repo}/tags/list")), last, count);
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// The list as JSON, with the end of line that distribution writes. Neither
/// repositories nor tags have anything in them that would have to be escaped.
fn document(repo: &RepoName, tags: &Tags) -> Bytes {
    const AROUND_A_TAG: usize = r#""","#.len();
    let text: usize = tags.iter().map(str::len).sum();
    let mut json = format!(r#"{{"name":"{repo}","tags":["#).into_bytes();
    json.reserve_exact(text + AROUND_A_TAG * tags.len() + "]}\n".len());
    for (number, tag) in tags.iter().enumerate() {
        json.extend_from_slice(if number == 0 { b"\"" } else { b",\"" });
        json.extend_from_slice(tag.as_bytes());
        json.push(b'"');
    }
    json.extend_from_slice(b"]}\n");
    json.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oci::Tag;

    proptest! {
        #[test]
        fn a_list_is_what_serde_would_write(
            repo in "[a-z0-9]{1,4}((\\.|_|__|-{1,3}|/)[a-z0-9]{1,4}){0,3}",
            tags in proptest::collection::btree_set("[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", 0..6),
        ) {
            let parsed: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            let written = document(&repo.parse().unwrap(), &Tags::sorted(&parsed).unwrap());
            let expected = json!({"name": repo, "tags": tags}).to_string();
            prop_assert_eq!(written, format!("{expected}\n"));
        }
    }
}
