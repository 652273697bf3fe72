//! Whether a request may do what it asks for: between the route, which says
//! what that is, and the handler, which does it.

use super::error::ApiError;
use super::route::Route;

/// What is allowed to everybody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// Manifests, tags and blobs may be deleted.
    pub(super) delete: bool,
    /// Nothing may be changed.
    pub(super) read_only: bool,
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
