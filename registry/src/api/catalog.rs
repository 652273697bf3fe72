//! `/v2/_catalog`

use http::header::{CONTENT_TYPE, LINK};
use serde::Serialize;

use super::body::Body;
use super::error::ApiError;
use super::{Call, Response, headers, query};
use crate::oci::RepoName;
use crate::store::{Page, Store, StoreError};

/// Entries of one page if the client does not say how many it wants.
const USUAL: usize = 100;

#[derive(Serialize)]
struct List<'a> {
    repositories: Vec<&'a str>,
}

/// 200 with the repositories that have a manifest or a tag, in byte order, a
/// page at a time; 400 `PAGINATION_NUMBER_INVALID`.
///
/// A repository of which everything was deleted is not listed, nor is one to
/// which only layers were pushed, or from which the caller may not pull.
pub(super) async fn list(store: &dyn Store, call: &Call) -> Result<Response, ApiError> {
    let most = call.shared.catalog_most;
    let count = call.query.count()?.unwrap_or(USUAL.min(most));
    if count > most {
        return Err(query::bad_count(&count.to_string()));
    }
    let last = call.query.last();
    let page = visible(store, call, last.as_deref(), count).await?;

    let repositories = page.items.iter().map(RepoName::as_str).collect();
    let mut response = Response::new(Body::full(headers::json(&List { repositories })));
    response.headers_mut().insert(CONTENT_TYPE, headers::JSON);
    if let (true, Some(last)) = (page.more, page.items.last()) {
        let link = query::next_page(&call.local("/v2/_catalog"), last.as_str(), count);
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// How many repositories are looked at together for those that may be seen.
const LOOKED_AT: usize = 1000;

/// A page of the repositories that the caller may pull from.
async fn visible(
    store: &dyn Store,
    call: &Call,
    last: Option<&str>,
    count: usize,
) -> Result<Page<RepoName>, StoreError> {
    let Some(permit) = call
        .permit
        .as_ref()
        .filter(|permit| !permit.sees_everything())
    else {
        return store.repositories(last, count).await;
    };
    let mut items = Vec::new();
    let mut last = last.map(str::to_owned);
    loop {
        let page = store.repositories(last.as_deref(), LOOKED_AT).await?;
        last = page.items.last().map(|repo| repo.as_str().to_owned());
        items.extend(
            page.items
                .into_iter()
                .filter(|repo| permit.sees(repo.as_str())),
        );
        // One more than asked for says that there are more.
        let more = items.len() > count;
        if more || !page.more {
            items.truncate(count);
            return Ok(Page { items, more });
        }
    }
}
