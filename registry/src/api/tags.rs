//! `/v2/<name>/tags/list`

use http::header::{CONTENT_TYPE, LINK};
use serde::Serialize;

use super::body::Body;
use super::error::ApiError;
use super::{Call, Response, headers, query};
use crate::oci::{RepoName, Tag};
use crate::store::Store;

#[derive(Serialize)]
struct List<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
}

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

    let tags = page.items.iter().map(Tag::as_str).collect();
    let mut response = Response::new(Body::full(headers::json(&List {
        name: repo.as_str(),
        tags,
    })));
    response.headers_mut().insert(CONTENT_TYPE, headers::JSON);
    if let (true, Some(count), Some(last)) = (page.more, count, page.items.last()) {
        let link = query::next_page(
            &call.local(&format!("/v2/{repo}/tags/list")),
            last.as_str(),
            count,
        );
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}
