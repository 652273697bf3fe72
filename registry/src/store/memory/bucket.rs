//! An object store in memory, with the semantics of S3 and nothing else: no
//! rename, no append, no directories, no locks.
//!
//! What it does is what the S3 API reference says of `PutObject`, `GetObject`,
//! `DeleteObject`, `ListObjectsV2` and the multipart calls, as AWS, MinIO,
//! Ceph and Garage keep it:
//!
//! - Every call is one step for everybody, and whoever reads afterwards sees
//!   it (strong consistency).
//! - An object is put whole or not at all. `If-None-Match: *` puts it only if
//!   there is none, `If-Match` only if it is the one that was seen.
//! - An ETag says what the bytes are and not when they came: the same bytes
//!   have the same ETag, so whoever relies on a change has to change them.
//! - Deleting what is not there succeeds, also with `If-Match`.
//!
//! - `calls`: how a call takes its time, and fails when a test wants it to
//! - `listing`: lists by prefix, delimiter and page
//! - `multipart`: objects that come in parts

mod calls;
mod listing;
mod multipart;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use self::calls::Calls;
pub use self::calls::{Fault, Gate};
pub(super) use self::listing::{List, Listed};
use self::multipart::Multipart;
pub(super) use self::multipart::{MultipartId, Part, PartNumber};
use crate::oci::Algorithm;

/// What differs between object stores, and how a test wants it.
#[derive(Debug, Clone)]
pub struct BucketOptions {
    /// The least that every part of a multipart upload but the last may hold,
    /// in bytes: 5 MiB on AWS.
    pub min_part: usize,
    /// To what `LastModified` is rounded down: a second on AWS. Zero is exact.
    pub resolution: Duration,
    /// The most entries that a list gives at once: 1000 on AWS.
    pub page: usize,
    /// How often a call yields at most before and after it has worked, so that
    /// others come in between.
    pub yields: u64,
    /// What the number of yields is drawn from.
    pub seed: u64,
}

impl Default for BucketOptions {
    fn default() -> Self {
        Self {
            min_part: 5 * 1024 * 1024,
            resolution: Duration::ZERO,
            page: 1000,
            yields: 1,
            seed: 0,
        }
    }
}

/// A client of an object store in memory.
///
/// Clones are the same client. [`Bucket::another_client`] makes one that fails
/// apart from this one, as another process would.
#[derive(Debug, Clone)]
pub struct Bucket {
    service: Arc<Service>,
    calls: Arc<Calls>,
}

/// What all clients share.
#[derive(Debug)]
struct Service {
    options: BucketOptions,
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    objects: BTreeMap<String, Object>,
    multiparts: BTreeMap<MultipartId, Multipart>,
    /// How far the service's clock is before that of the machine.
    advanced: Duration,
}

/// An object as the service keeps it, and as a reader gets it.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) head: Head,
}

/// What is known of an object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The length of the whole object, also if a range of it was asked for.
    pub(super) size: u64,
    pub(super) etag: ETag,
    /// When it was put, by the service's clock.
    pub(super) last_modified: SystemTime,
}

/// What tells one content of an object from another: RFC 9110 section 8.8.3.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct ETag(String);

/// What has to be so for an object to be put.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'a> {
    /// `If-None-Match: *`
    Absent,
    /// `If-Match`
    Match(&'a ETag),
}

/// Why a call did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BucketError {
    #[error("object {key}: it is not there")]
    NoSuchKey { key: String },
    #[error("object {key}: it is not the one that was expected")]
    PreconditionFailed { key: String },
    #[error("object {key}: bytes {} to {} were asked for, and it has {size}", .range.start, .range.end)]
    InvalidRange {
        key: String,
        range: Range<u64>,
        size: u64,
    },
    #[error("object {key}: multipart upload {id} is not there")]
    NoSuchUpload { key: String, id: MultipartId },
    #[error("object {key}: part {number} is not what was uploaded by this number")]
    InvalidPart { key: String, number: PartNumber },
    #[error("object {key}: the parts are not in the order of their numbers")]
    InvalidPartOrder { key: String },
    #[error("object {key}: part {number} has {size} bytes, expected at least {least}")]
    EntityTooSmall {
        key: String,
        number: PartNumber,
        size: usize,
        least: usize,
    },
    #[error("object {key}: part number {number} is not between 1 and {most}", most = PartNumber::MAX)]
    InvalidPartNumber { key: String, number: u32 },
    #[error("the object store does not answer")]
    Unavailable,
}

impl Default for Bucket {
    fn default() -> Self {
        Self::new(BucketOptions::default())
    }
}

impl Bucket {
    /// An empty bucket.
    pub fn new(options: BucketOptions) -> Self {
        let calls = Arc::new(Calls::new(options.yields, options.seed));
        Self {
            service: Arc::new(Service {
                options,
                contents: Mutex::default(),
            }),
            calls,
        }
    }

    /// A client of the same objects with troubles of its own.
    pub fn another_client(&self) -> Self {
        let BucketOptions { yields, seed, .. } = self.service.options;
        Self {
            service: Arc::clone(&self.service),
            calls: Arc::new(Calls::new(yields, seed)),
        }
    }

    /// Sets the service's clock forward.
    pub fn advance(&self, by: Duration) {
        self.lock().advanced += by;
    }

    /// Lets one call of this client fail: the `nth` from now, counted from 0.
    pub fn fail_call(&self, nth: u64, fault: Fault) {
        self.calls.fail_call(nth, fault);
    }

    /// Lets all calls of this client fail from the `nth` from now on, as if
    /// its process had died, until [`Bucket::heal`].
    pub fn fail_from(&self, nth: u64) {
        self.calls.fail_from(nth);
    }

    /// Lets one call of this client wait before it works: the `nth` from now,
    /// counted from 0.
    pub fn hold_call(&self, nth: u64) -> Arc<Gate> {
        self.calls.hold_call(nth)
    }

    /// Lets no call fail any more, and none wait that has not begun.
    pub fn heal(&self) {
        self.calls.heal();
    }

    /// How many calls this client has made.
    pub fn calls(&self) -> u64 {
        self.calls.made()
    }

    /// All keys, in order. No call: for tests that look at what is kept.
    pub fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// All objects at one moment. No call.
    #[cfg(test)]
    pub(super) fn snapshot(&self) -> BTreeMap<String, Bytes> {
        let contents = self.lock();
        let objects = contents.objects.iter();
        objects
            .map(|(key, object)| (key.clone(), object.bytes.clone()))
            .collect()
    }

    /// Replaces the bytes of an object as a failing service would. No call.
    #[cfg(test)]
    pub(super) fn overwrite(&self, key: &str, bytes: Bytes) {
        let mut contents = self.lock();
        let etag = ETag::of(&bytes);
        contents.insert(key, bytes, etag, &self.service.options);
    }

    /// How many multipart uploads are neither completed nor aborted. No call.
    pub fn open_multiparts(&self) -> usize {
        self.lock().multiparts.len()
    }

    /// `PutObject`
    pub(super) async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Option<Condition<'_>>,
    ) -> Result<ETag, BucketError> {
        self.call(|contents, options| {
            contents.check(key, condition)?;
            let etag = ETag::of(&bytes);
            contents.insert(key, bytes, etag.clone(), options);
            Ok(etag)
        })
        .await
    }

    /// `GetObject`, of a range if there is one.
    pub(super) async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<Object, BucketError> {
        self.call(|contents, _| {
            let mut object = contents.object(key)?.clone();
            if let Some(range) = range {
                object.bytes = slice(&object.bytes, &range).ok_or(BucketError::InvalidRange {
                    key: key.to_owned(),
                    range,
                    size: object.head.size,
                })?;
            }
            Ok(object)
        })
        .await
    }

    /// `HeadObject`
    pub(super) async fn head(&self, key: &str) -> Result<Head, BucketError> {
        self.call(|contents, _| Ok(contents.object(key)?.head.clone()))
            .await
    }

    /// `DeleteObject`, with `If-Match` if there is an ETag. It succeeds if
    /// there is no such object.
    pub(super) async fn delete(
        &self,
        key: &str,
        if_match: Option<&ETag>,
    ) -> Result<(), BucketError> {
        self.call(|contents, _| {
            if let (Some(etag), true) = (if_match, contents.objects.contains_key(key)) {
                contents.check(key, Some(Condition::Match(etag)))?;
            }
            contents.objects.remove(key);
            Ok(())
        })
        .await
    }

    /// The service's clock, which every answer's `Date` tells: RFC 9110
    /// section 6.6.1.
    pub(super) fn now(&self) -> SystemTime {
        self.lock().now()
    }

    /// How much younger an object may be than its `LastModified` says.
    pub(super) fn resolution(&self) -> Duration {
        self.service.options.resolution
    }

    /// The least that a part may hold, the last one aside.
    pub(super) fn min_part(&self) -> usize {
        self.service.options.min_part
    }

    /// A call: it works in one step, and takes its time before and after.
    async fn call<T>(
        &self,
        work: impl FnOnce(&mut Contents, &BucketOptions) -> Result<T, BucketError>,
    ) -> Result<T, BucketError> {
        let call = self.calls.begin();
        call.set_out().await;
        call.arrive(Fault::Refused)?;
        let result = work(&mut self.lock(), &self.service.options);
        call.travel().await;
        call.arrive(Fault::AnswerLost)?;
        result
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Nothing in a call panics between two changes that belong together.
        self.service
            .contents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn now(&self) -> SystemTime {
        SystemTime::now() + self.advanced
    }

    fn object(&self, key: &str) -> Result<&Object, BucketError> {
        self.objects
            .get(key)
            .ok_or_else(|| BucketError::NoSuchKey { key: key.into() })
    }

    fn check(&self, key: &str, condition: Option<Condition<'_>>) -> Result<(), BucketError> {
        let holds = match condition {
            None => true,
            Some(Condition::Absent) => !self.objects.contains_key(key),
            Some(Condition::Match(etag)) => self.object(key)?.head.etag == *etag,
        };
        holds
            .then_some(())
            .ok_or_else(|| BucketError::PreconditionFailed { key: key.into() })
    }

    fn insert(&mut self, key: &str, bytes: Bytes, etag: ETag, options: &BucketOptions) {
        let head = Head {
            size: bytes.len() as u64,
            etag,
            last_modified: rounded(self.now(), options.resolution),
        };
        self.objects.insert(key.to_owned(), Object { bytes, head });
    }
}

impl ETag {
    fn of(bytes: &[u8]) -> Self {
        Self(Algorithm::Sha256.digest(bytes).hex())
    }

    /// That of an object that came in parts: it says so, as S3's does.
    fn of_parts(parts: &[Part]) -> Self {
        let all: String = parts.iter().map(|part| part.etag.0.as_str()).collect();
        Self(format!("{}-{}", Self::of(all.as_bytes()).0, parts.len()))
    }
}

fn slice(bytes: &Bytes, range: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).ok()?;
    (start < end && end <= bytes.len()).then(|| bytes.slice(start..end))
}

fn rounded(time: SystemTime, resolution: Duration) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    match (since, resolution.as_nanos()) {
        (Ok(since), 1..) => {
            let rest = since.as_nanos() % resolution.as_nanos();
            // A remainder is less than what it is a remainder of.
            time - Duration::from_nanos(u64::try_from(rest).unwrap_or_default())
        }
        _ => time,
    }
}
