//! Content: the bytes that repositories refer to by their SHA-256 digest.
//!
//! `contents/<digest>` is a record. It holds the bytes themselves if they are
//! few, and else says which object holds them: so nothing is ever copied to
//! where its digest says, to claim content is to write a few bytes, and to
//! move it aside is to delete the record.
//!
//! To remove content, its record is first replaced by one that says so; then
//! the bytes go, then the record. Whoever finds such a record finishes the
//! removal: every object below `data/` belongs at any time to a content or to
//! an upload, and none is forgotten.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::bucket::{Bucket, BucketError, ETag, List};
use super::keys;
use super::records::{self, ATTEMPTS, Seen, contended};
use crate::oci::Digest;
use crate::store::{Blob, ByteStream, Content, Missing, Page, StoreError, UploadId};

/// Content of at most so many bytes lies in its record. It costs one call to
/// put and one to get, and most manifests and configurations are this small.
pub(super) const INLINE_BYTES: u64 = 64 * 1024;

/// A claim that is younger than this is not renewed: pushes ask for the same
/// blobs again and again. No collector may grant less.
pub(super) const RENEWED_AFTER: Duration = Duration::from_secs(1);

/// Bytes that a reader gets at once.
const FRAME: usize = 256 * 1024;

/// How many records are read at once for a list.
const AT_ONCE: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    size: u64,
    /// The upload that brought the bytes, if they are not in the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<UploadId>,
    /// Whether this is being removed, and counts as gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dying: bool,
}

/// Opens content. `None` if it is not there.
pub(super) async fn open(
    bucket: &Bucket,
    digest: &Digest,
) -> Result<Option<BucketBlob>, StoreError> {
    let seen = records::read::<Record>(bucket, &keys::content(digest)).await?;
    Ok(seen
        .filter(|seen| !seen.value.dying)
        .map(|seen| BucketBlob {
            bucket: bucket.clone(),
            size: seen.value.size,
            bytes: match seen.value.data {
                Some(id) => Place::Object(keys::data(id)),
                None => Place::Memory(seen.body),
            },
        }))
}

/// The object of an upload, which is no content yet.
pub(super) fn of_upload(bucket: &Bucket, id: UploadId, size: u64) -> BucketBlob {
    BucketBlob {
        bucket: bucket.clone(),
        size,
        bytes: Place::Object(keys::data(id)),
    }
}

/// Reads all of a content. `None` if it is not there.
pub(super) async fn read(bucket: &Bucket, digest: &Digest) -> Result<Option<Bytes>, StoreError> {
    match open(bucket, digest).await? {
        None => Ok(None),
        Some(BucketBlob {
            bytes: Place::Memory(bytes),
            ..
        }) => Ok(Some(bytes)),
        Some(BucketBlob {
            bytes: Place::Object(key),
            ..
        }) => Ok(Some(bucket.get(&key, None).await?.bytes)),
    }
}

/// Marks content as used now. False if it is not there.
pub(super) async fn claim(bucket: &Bucket, digest: &Digest) -> Result<bool, StoreError> {
    let key = keys::content(digest);
    for _ in 0..ATTEMPTS {
        let Some(seen) = records::read::<Record>(bucket, &key).await? else {
            return Ok(false);
        };
        if seen.value.dying {
            return Ok(false);
        }
        if is_recent(bucket, &seen) || touch(bucket, &key, &seen).await? {
            return Ok(true);
        }
    }
    Err(contended(&key))
}

/// Puts content that the caller has in memory, and counts as its use.
pub(super) async fn put(bucket: &Bucket, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
    let record = Record {
        size: bytes.len() as u64,
        data: None,
        dying: false,
    };
    settle(bucket, digest, record, bytes).await.map(drop)
}

/// Makes the object of an upload the bytes of a content, and counts as its
/// use. False if the content has others already: then they are not needed.
pub(super) async fn adopt(
    bucket: &Bucket,
    digest: &Digest,
    size: u64,
    id: UploadId,
) -> Result<bool, StoreError> {
    let record = Record {
        size,
        data: Some(id),
        dying: false,
    };
    settle(bucket, digest, record, b"").await
}

/// Whether the object of an upload is the bytes of a content, or of one that
/// was moved aside.
pub(super) async fn has_adopted(
    bucket: &Bucket,
    digest: &Digest,
    id: UploadId,
) -> Result<bool, StoreError> {
    for key in [keys::content(digest), keys::quarantined(digest, &id)] {
        let seen = records::read::<Record>(bucket, &key).await?;
        if seen.is_some_and(|seen| seen.value.data == Some(id)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes content that was last used before `unused_since`, and returns how
/// many bytes that freed. `None` if it is used, or gone.
pub(super) async fn expire(
    bucket: &Bucket,
    digest: &Digest,
    unused_since: SystemTime,
) -> Result<Option<u64>, StoreError> {
    let key = keys::content(digest);
    let Some(mut seen) = records::read::<Record>(bucket, &key).await? else {
        return Ok(None);
    };
    if !seen.value.dying {
        if seen.written >= unused_since {
            return Ok(None);
        }
        let dying = Record {
            dying: true,
            ..seen.value
        };
        // Whoever claimed it since has changed it.
        match records::replace(bucket, &key, &seen.etag, &dying, b"").await? {
            Some(etag) => seen.etag = etag,
            None => return Ok(None),
        }
        seen.value = dying;
    }
    let size = seen.value.size;
    Ok(bury(bucket, &key, &seen).await?.then_some(size))
}

/// Lets content be gone without its bytes being so, unless they are right.
/// Returns where they are.
pub(super) async fn quarantine(
    bucket: &Bucket,
    digest: &Digest,
) -> Result<Option<String>, StoreError> {
    let key = keys::content(digest);
    for _ in 0..ATTEMPTS {
        let seen = records::read::<Record>(bucket, &key).await?;
        let Some(seen) = seen.filter(|seen| !seen.value.dying) else {
            return Err(StoreError::NotFound(Missing::Content(*digest)));
        };
        // The object of an upload is written once: as long as the record stays,
        // so do the bytes that were looked at.
        if is_right(bucket, digest, &seen).await? {
            return Ok(None);
        }
        // First the record that the bytes belong to from now on.
        let aside = match seen.value.data {
            Some(id) => keys::quarantined(digest, &id),
            None => keys::quarantined(digest, &UploadId::random()),
        };
        records::create(bucket, &aside, &seen.value, &seen.body).await?;
        if records::remove(bucket, &key, &seen.etag).await? {
            return Ok(Some(seen.value.data.map_or(aside, keys::data)));
        }
        if seen.value.data.is_none() {
            bucket.delete(&aside, None).await?;
        }
    }
    Err(contended(&key))
}

/// Whether the bytes of a record are what its digest says. Bytes that are gone
/// are not.
async fn is_right(
    bucket: &Bucket,
    digest: &Digest,
    seen: &Seen<Record>,
) -> Result<bool, StoreError> {
    let algorithm = digest.algorithm();
    match seen.value.data {
        None => Ok(algorithm.digest(&seen.body) == *digest),
        Some(id) => match bucket.get(&keys::data(id), None).await {
            Err(BucketError::NoSuchKey { .. }) => Ok(false),
            result => Ok(algorithm.digest(&result?.bytes) == *digest),
        },
    }
}

/// Lists content, in the order of the digests.
pub(super) async fn list(
    bucket: &Bucket,
    after: Option<&Digest>,
    limit: usize,
) -> Result<Page<Content>, StoreError> {
    let start_after = after.map(keys::content);
    let mut found = Vec::new();
    let mut continuation = None;
    loop {
        let page = bucket
            .list(List {
                prefix: keys::CONTENTS,
                start_after: start_after.as_deref(),
                continuation,
                max_keys: Some((limit - found.len()).saturating_add(1)),
                ..List::default()
            })
            .await?;
        for object in page.objects {
            if found.len() == limit {
                let items = sized(bucket, found).await?;
                return Ok(Page { items, more: true });
            }
            if let Ok(digest) = object.key[keys::CONTENTS.len()..].parse::<Digest>() {
                found.push((digest, object.last_modified + bucket.resolution()));
            }
        }
        continuation = page.next;
        if continuation.is_none() {
            let items = sized(bucket, found).await?;
            return Ok(Page { items, more: false });
        }
    }
}

/// Adds the sizes, which the records know. What has gone meanwhile is left out.
async fn sized(
    bucket: &Bucket,
    found: Vec<(Digest, SystemTime)>,
) -> Result<Vec<Content>, StoreError> {
    stream::iter(found)
        .map(async |(digest, used)| {
            let seen = records::read::<Record>(bucket, &keys::content(&digest)).await?;
            Ok(seen.map(|seen| Content {
                digest,
                size: seen.value.size,
                used,
            }))
        })
        .buffered(AT_ONCE)
        .try_filter_map(async |content| Ok(content))
        .try_collect()
        .await
}

/// Creates a record, or claims the one that is there. False in that case.
async fn settle(
    bucket: &Bucket,
    digest: &Digest,
    record: Record,
    body: &[u8],
) -> Result<bool, StoreError> {
    let key = keys::content(digest);
    for _ in 0..ATTEMPTS {
        let Some(seen) = records::read::<Record>(bucket, &key).await? else {
            if records::create(bucket, &key, &record, body)
                .await?
                .is_some()
            {
                return Ok(true);
            }
            continue;
        };
        if seen.value.dying {
            bury(bucket, &key, &seen).await?;
        } else if seen.value == record && record.data.is_some() {
            // An earlier attempt of the same commit was not told.
            return Ok(true);
        } else if is_recent(bucket, &seen) || touch(bucket, &key, &seen).await? {
            return Ok(false);
        }
    }
    Err(contended(&key))
}

/// Finishes a removal. False if somebody else has.
async fn bury(bucket: &Bucket, key: &str, seen: &Seen<Record>) -> Result<bool, StoreError> {
    if let Some(id) = seen.value.data {
        bucket.delete(&keys::data(id), None).await?;
    }
    records::remove(bucket, key, &seen.etag).await
}

/// Writes the record anew. False if it is another one by now.
async fn touch(bucket: &Bucket, key: &str, seen: &Seen<Record>) -> Result<bool, StoreError> {
    let written: Option<ETag> =
        records::replace(bucket, key, &seen.etag, &seen.value, &seen.body).await?;
    Ok(written.is_some())
}

/// Whether a record was written so lately that writing it again says nothing.
pub(super) fn is_recent<T>(bucket: &Bucket, seen: &Seen<T>) -> bool {
    let age = bucket.now().duration_since(seen.written);
    age.is_ok_and(|age| age < RENEWED_AFTER)
}

/// An open content.
pub(super) struct BucketBlob {
    bucket: Bucket,
    size: u64,
    bytes: Place,
}

enum Place {
    Memory(Bytes),
    Object(String),
}

impl Blob for BucketBlob {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, range: Range<u64>) -> ByteStream {
        if range.is_empty() {
            return stream::empty().boxed();
        }
        let fetched: ByteStream = match &self.bytes {
            Place::Memory(bytes) => {
                // The range lies within the size, and the size within memory.
                let range = usize::try_from(range.start).unwrap_or(usize::MAX)
                    ..usize::try_from(range.end).unwrap_or(usize::MAX);
                stream::iter([Ok(bytes.slice(range))]).boxed()
            }
            Place::Object(key) => {
                let (bucket, key) = (self.bucket.clone(), key.clone());
                stream::once(async move {
                    let object = bucket.get(&key, Some(range)).await;
                    Ok(object.map_err(std::io::Error::other)?.bytes)
                })
                .boxed()
            }
        };
        fetched
            .map_ok(|bytes| stream::iter(frames(bytes).map(Ok)))
            .try_flatten()
            .boxed()
    }
}

fn frames(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let frame = bytes.split_to(bytes.len().min(FRAME));
        (!frame.is_empty()).then_some(frame)
    })
}
