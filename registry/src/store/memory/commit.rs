//! From an upload to a blob, or to nothing.
//!
//! S3 cannot rename, and the key of a multipart upload has to be known when it
//! begins, before the digest is: so the bytes stay at `data/<id>`, and the
//! content's record leads there. Few bytes go into that record directly.
//!
//! The order is what makes it safe: the upload's record says that nothing more
//! comes, then the object is completed, then it becomes content, then the
//! repository has it, and only then is the upload's record gone. After a crash
//! in between the upload is there and can be committed again.

use futures_util::TryStreamExt;

use super::bucket::BucketError;
use super::contents::{self, INLINE_BYTES};
use super::session::Session;
use super::{blobs, keys};
use crate::oci::{Algorithm, Digest, Hasher};
use crate::store::{Blob, StoreError};

/// Makes an upload a blob of the repository under `digest`.
pub(super) async fn commit(mut session: Session, digest: &Digest) -> Result<(), StoreError> {
    match place(&mut session, digest).await {
        // About these the client has its answer: that something of the upload
        // stays behind does not change it.
        result @ (Ok(()) | Err(StoreError::DigestMismatch { .. })) => {
            let id = session.id;
            if let Err(error) = discard(&session).await {
                tracing::warn!(upload.id = %id, error = %error, "the rest of an upload stays behind");
            }
            result
        }
        Err(error) => {
            give_up(session).await;
            Err(error)
        }
    }
}

/// Lets others write to an upload after an error.
pub(super) async fn give_up(session: Session) {
    let id = session.id;
    if let Err(error) = session.release().await {
        tracing::debug!(upload.id = %id, error = %error, "an upload waits for its lease to end");
    }
}

/// Removes an upload and all that is left of it, its record last. What has
/// become content stays.
pub(super) async fn discard(session: &Session) -> Result<(), StoreError> {
    let (bucket, data) = (&session.bucket, keys::data(session.id));
    // Aborted before the object is deleted: then nobody completes it later.
    for open in bucket.list_multiparts(&data).await? {
        match bucket.abort_multipart(&open.key, open.id).await {
            Err(BucketError::NoSuchUpload { .. }) => {}
            result => result?,
        }
    }
    if let Some(content) = &session.state.sealed
        && !contents::has_adopted(bucket, content, session.id).await?
    {
        bucket.delete(&data, None).await?;
    }
    session.forget().await
}

async fn place(session: &mut Session, digest: &Digest) -> Result<(), StoreError> {
    let content = session.hasher.clone().finish();
    debug_assert_eq!(content.algorithm(), Algorithm::Sha256);
    if digest.algorithm() == Algorithm::Sha256 {
        expect(digest, content)?;
    }
    let is_small = session.state.parts.is_empty() && session.offset() <= INLINE_BYTES;
    if is_small {
        expect(digest, digest.algorithm().digest(&session.tail))?;
        contents::put(&session.bucket, &content, &session.tail).await?;
    } else {
        seal(session, content).await?;
        complete(session).await?;
        if digest.algorithm() == Algorithm::Sha512 {
            // Parts cannot be read before they are an object.
            expect(digest, hash(session, digest.algorithm()).await?)?;
        }
        // Whoever takes the upload over may throw the object away: this says
        // that nobody does for as long as it takes to make it content.
        session.save().await?;
        let (bucket, size) = (&session.bucket, session.offset());
        contents::adopt(bucket, &content, size, session.id).await?;
    }
    blobs::link(&session.bucket, &session.repo, &content, digest).await
}

/// Makes the rest a part, and says that no more comes.
async fn seal(session: &mut Session, content: Digest) -> Result<(), StoreError> {
    if session.state.sealed.is_some() {
        return Ok(());
    }
    if !session.tail.is_empty() {
        session.put_part(session.tail.len()).await?;
    }
    session.state.sealed = Some(content);
    session.save().await
}

/// Makes the parts an object, unless an earlier attempt has.
async fn complete(session: &Session) -> Result<(), StoreError> {
    let data = keys::data(session.id);
    match session.bucket.head(&data).await {
        Err(BucketError::NoSuchKey { .. }) => {}
        result => return Ok(result.map(drop)?),
    }
    if let Some(multipart) = session.state.multipart {
        let parts = &session.state.parts;
        session
            .bucket
            .complete_multipart(&data, multipart, parts)
            .await?;
    }
    Ok(())
}

async fn hash(session: &Session, algorithm: Algorithm) -> Result<Digest, StoreError> {
    let blob = contents::of_upload(&session.bucket, session.id, session.offset());
    let hasher = blob
        .read(0..blob.size())
        .try_fold(Hasher::new(algorithm), async |mut hasher, bytes| {
            hasher.update(&bytes);
            Ok(hasher)
        })
        .await?;
    Ok(hasher.finish())
}

fn expect(expected: &Digest, actual: Digest) -> Result<(), StoreError> {
    if actual == *expected {
        Ok(())
    } else {
        Err(StoreError::mismatch(*expected, actual))
    }
}
