//! Multipart uploads: an object that comes in parts and is there when they
//! are completed. What has been uploaded cannot be read before.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Bucket, BucketError, Contents, ETag};

/// What a multipart upload is known by, together with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::store::memory) struct MultipartId(Uuid);

/// Where a part comes: 1 to 10,000. Numbers may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::store::memory) struct PartNumber(u32);

/// A part that was uploaded, as it is named to complete the upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::memory) struct Part {
    pub(in crate::store::memory) number: PartNumber,
    pub(in crate::store::memory) etag: ETag,
}

/// An upload that is neither completed nor aborted, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store::memory) struct OpenMultipart {
    pub(in crate::store::memory) key: String,
    pub(in crate::store::memory) id: MultipartId,
    pub(in crate::store::memory) initiated: SystemTime,
}

#[derive(Debug)]
pub(super) struct Multipart {
    key: String,
    initiated: SystemTime,
    parts: BTreeMap<PartNumber, (ETag, Bytes)>,
}

impl PartNumber {
    pub(in crate::store::memory) const MAX: u32 = 10_000;
    pub(in crate::store::memory) const FIRST: Self = Self(1);

    pub(in crate::store::memory) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for MultipartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

impl Bucket {
    /// `CreateMultipartUpload`
    pub(in crate::store::memory) async fn create_multipart(
        &self,
        key: &str,
    ) -> Result<MultipartId, BucketError> {
        self.call(|contents, _| {
            let id = MultipartId(Uuid::new_v4());
            let multipart = Multipart {
                key: key.to_owned(),
                initiated: contents.now(),
                parts: BTreeMap::new(),
            };
            contents.multiparts.insert(id, multipart);
            Ok(id)
        })
        .await
    }

    /// `UploadPart`. A part of the same number is replaced.
    pub(in crate::store::memory) async fn upload_part(
        &self,
        key: &str,
        id: MultipartId,
        number: PartNumber,
        bytes: Bytes,
    ) -> Result<Part, BucketError> {
        self.call(|contents, _| {
            if !(1..=PartNumber::MAX).contains(&number.0) {
                return Err(BucketError::InvalidPartNumber {
                    key: key.to_owned(),
                    number: number.0,
                });
            }
            let etag = ETag::of(&bytes);
            let parts = &mut contents.multipart(key, id)?.parts;
            parts.insert(number, (etag.clone(), bytes));
            Ok(Part { number, etag })
        })
        .await
    }

    /// `CompleteMultipartUpload`: the parts that are named become the object,
    /// and the upload is gone.
    pub(in crate::store::memory) async fn complete_multipart(
        &self,
        key: &str,
        id: MultipartId,
        parts: &[Part],
    ) -> Result<ETag, BucketError> {
        self.call(|contents, options| {
            let joined = contents.multipart(key, id)?.join(parts, options.min_part)?;
            let etag = ETag::of_parts(parts);
            contents.multiparts.remove(&id);
            contents.insert(key, joined, etag.clone(), options);
            Ok(etag)
        })
        .await
    }

    /// `AbortMultipartUpload`
    pub(in crate::store::memory) async fn abort_multipart(
        &self,
        key: &str,
        id: MultipartId,
    ) -> Result<(), BucketError> {
        self.call(|contents, _| {
            contents.multipart(key, id)?;
            contents.multiparts.remove(&id);
            Ok(())
        })
        .await
    }

    /// `ListMultipartUploads`, of the keys that begin with `prefix`.
    pub(in crate::store::memory) async fn list_multiparts(
        &self,
        prefix: &str,
    ) -> Result<Vec<OpenMultipart>, BucketError> {
        self.call(|contents, _| {
            let open = contents.multiparts.iter();
            Ok(open
                .filter(|(_, multipart)| multipart.key.starts_with(prefix))
                .map(|(id, multipart)| OpenMultipart {
                    key: multipart.key.clone(),
                    id: *id,
                    initiated: multipart.initiated,
                })
                .collect())
        })
        .await
    }
}

impl Contents {
    fn multipart(&mut self, key: &str, id: MultipartId) -> Result<&mut Multipart, BucketError> {
        self.multiparts
            .get_mut(&id)
            .filter(|multipart| multipart.key == key)
            .ok_or_else(|| BucketError::NoSuchUpload {
                key: key.to_owned(),
                id,
            })
    }
}

impl Multipart {
    fn join(&self, parts: &[Part], least: usize) -> Result<Bytes, BucketError> {
        let key = || self.key.clone();
        if !parts.is_sorted_by(|one, next| one.number < next.number) {
            return Err(BucketError::InvalidPartOrder { key: key() });
        }
        let mut joined = BytesMut::new();
        for (at, Part { number, etag }) in parts.iter().enumerate() {
            let (number, uploaded) = (*number, self.parts.get(number));
            let Some((_, bytes)) = uploaded.filter(|(uploaded, _)| uploaded == etag) else {
                return Err(BucketError::InvalidPart { key: key(), number });
            };
            if at + 1 < parts.len() && bytes.len() < least {
                return Err(BucketError::EntityTooSmall {
                    key: key(),
                    number,
                    size: bytes.len(),
                    least,
                });
            }
            joined.extend_from_slice(bytes);
        }
        Ok(joined.freeze())
    }
}
