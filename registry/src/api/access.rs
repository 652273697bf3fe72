//! Whether a request may do what it asks for: between the route, which says
//! what that is, and the handler, which does it.

use std::time::Duration;

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;
use tidegate_auth::{Permit, Refused as NotPermitted, TokenFault};
use tidegate_config::access::Action;

use super::error::{ApiError, Code};
use super::headers;
use super::origin::Origin;
use super::route::Route;
use crate::health::{Health, Refused};
use crate::oci::RepoName;

/// What is allowed to everybody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// Manifests, tags and blobs may be deleted.
    pub(super) delete: bool,
    /// Nothing may be changed.
    pub(super) read_only: bool,
}

/// Refuses a request that the storage could not serve. `/` is there to find out
/// whether the process lives.
pub(super) fn check_health(health: &Health, route: &Route) -> Result<(), ApiError> {
    // A deletion makes room on a disk that is full.
    let writes = matches!(
        route,
        Route::PutManifest(..)
            | Route::StartUpload(_)
            | Route::AppendUpload(..)
            | Route::FinishUpload(..)
    );
    match health.refuses(writes) {
        Some(Refused::Full) => Err(ApiError::storage_full()),
        Some(Refused::Broken) if *route != Route::Root => Err(ApiError::new(Code::Unavailable)
            .detail("health check failed: please see /debug/health")),
        _ => Ok(()),
    }
}

/// Refuses a request that nobody may make.
pub(super) fn check(policy: Policy, route: &Route) -> Result<(), ApiError> {
    match route {
        Route::Root
        | Route::Base
        | Route::Catalog
        | Route::ListTags(_)
        | Route::ListReferrers(..)
        | Route::GetManifest(..)
        | Route::GetBlob(..)
        | Route::UploadStatus(..) => Ok(()),
        _ if policy.read_only => Err(ApiError::method("GET, HEAD")),
        Route::DeleteManifest(..) if !policy.delete => Err(ApiError::method("GET, HEAD, PUT")),
        Route::DeleteBlob(..) if !policy.delete => Err(ApiError::method("GET, HEAD")),
        Route::PutManifest(..)
        | Route::DeleteManifest(..)
        | Route::DeleteBlob(..)
        | Route::StartUpload(_)
        | Route::AppendUpload(..)
        | Route::FinishUpload(..)
        | Route::CancelUpload(..) => Ok(()),
    }
}

/// What a request does to which repository.
///
/// Looking whether something is there is pulling, also before a push. An upload
/// is its sender's own: breaking it off removes nothing that anybody else has.
fn does(route: &Route) -> Option<(Action, Option<&RepoName>)> {
    Some(match route {
        Route::Root | Route::Base => return None,
        Route::Catalog => (Action::Catalog, None),
        Route::ListTags(repo)
        | Route::ListReferrers(repo, _)
        | Route::GetManifest(repo, _)
        | Route::GetBlob(repo, _) => (Action::Pull, Some(repo)),
        Route::PutManifest(repo, _)
        | Route::StartUpload(repo)
        | Route::UploadStatus(repo, _)
        | Route::AppendUpload(repo, _)
        | Route::FinishUpload(repo, _)
        | Route::CancelUpload(repo, _) => (Action::Push, Some(repo)),
        Route::DeleteManifest(repo, _) | Route::DeleteBlob(repo, _) => (Action::Delete, Some(repo)),
    })
}

/// Refuses a request that its sender may not make. `/` is open: it is there to
/// find out whether the process lives.
pub(super) fn check_permit(
    permit: &Permit,
    origin: &Origin,
    route: &Route,
) -> Result<(), ApiError> {
    let (judged, asked) = match (does(route), route) {
        (_, Route::Root) => return Ok(()),
        (Some((action, repo)), _) => {
            let judged = permit.judge(action, repo.map(RepoName::as_str));
            (judged, Some((action, repo)))
        }
        (None, _) => (permit.judge_ping(), None),
    };
    judged.map_err(|why| not_permitted(permit, origin, asked, why))
}

/// Refuses a request that is for nothing that there is, if its sender may not even
/// hear that.
pub(super) fn check_nowhere(permit: &Permit, origin: &Origin) -> Result<(), ApiError> {
    let judged = permit.judge_nowhere();
    judged.map_err(|why| not_permitted(permit, origin, None, why))
}

fn not_permitted(
    permit: &Permit,
    origin: &Origin,
    asked: Asked<'_>,
    why: NotPermitted,
) -> ApiError {
    match why {
        NotPermitted::LogIn(fault) => unauthorized(permit, origin, asked, fault),
        NotPermitted::Denied => denied(permit, asked),
        NotPermitted::Throttled { retry_after } => throttled(retry_after),
    }
}

type Asked<'a> = Option<(Action, Option<&'a RepoName>)>;

/// 401 with what the client needs to know in order to log in.
fn unauthorized(
    permit: &Permit,
    origin: &Origin,
    asked: Asked<'_>,
    fault: Option<TokenFault>,
) -> ApiError {
    let scope = asked.map(scope).unwrap_or_default();
    let challenge = permit.challenge();
    let value = challenge.value(&origin.to_string(), &scope, fault);
    ApiError::new(Code::Unauthorized)
        .detail(detail(asked))
        .header(WWW_AUTHENTICATE, headers::value(value))
}

/// 403: logging in again would not help.
fn denied(permit: &Permit, asked: Asked<'_>) -> ApiError {
    let user = permit.user().map(|user| user.name());
    let what = match asked {
        Some((action, Some(repo))) => format!("{action} in {repo}"),
        Some((action, None)) => action.to_string(),
        None => "log in".to_owned(),
    };
    let who = user.unwrap_or("nobody in particular");
    ApiError::new(Code::Denied).detail(format!("`{who}` may not {what}"))
}

/// 429, to try again after a time that is rounded up to seconds.
fn throttled(retry_after: Duration) -> ApiError {
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    ApiError::new(Code::TooManyRequests)
        .detail("too many wrong passwords; try again later")
        .header(RETRY_AFTER, seconds.max(1).into())
}

/// What is asked for, in distribution's words: a push reads as well, and the
/// list of repositories is an action `*` on a thing named `catalog`.
fn scope((action, repo): (Action, Option<&RepoName>)) -> String {
    match (action, repo) {
        (Action::Catalog, _) | (_, None) => "registry:catalog:*".to_owned(),
        (Action::Push, Some(repo)) => format!("repository:{repo}:pull,push"),
        (action, Some(repo)) => format!("repository:{repo}:{action}"),
    }
}

/// The same as a list, as distribution has it in the detail of its 401.
fn detail(asked: Asked<'_>) -> serde_json::Value {
    let record = |kind: &str, name: &str, action: &str| json!({"Type": kind, "Class": "", "Name": name, "Action": action});
    match asked {
        None => serde_json::Value::Null,
        Some((Action::Catalog, _) | (_, None)) => json!([record("registry", "catalog", "*")]),
        Some((Action::Push, Some(repo))) => json!([
            record("repository", repo.as_str(), "pull"),
            record("repository", repo.as_str(), "push"),
        ]),
        Some((action, Some(repo))) => {
            json!([record("repository", repo.as_str(), action.as_str())])
        }
    }
}
