//! Whether a request may do what it asks for: between the route, which says
//! what that is, and the handler, which does it.

use super::error::{ApiError, Code};
use super::route::Route;
use crate::health::{Health, Refused};

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
