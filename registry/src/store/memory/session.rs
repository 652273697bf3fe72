//! An upload in the hands of its one writer.
//!
//! `uploads/<name>!<id>` is a record with all that another process needs to go
//! on: which parts there are, the state of their hash, and after the line the
//! bytes that are too few for a part. So what has come and what is known of it
//! change in one step.
//!
//! The record also says who writes and until when. Every change replaces the
//! record that the writer wrote itself: whoever has lost the upload to another
//! one finds out there, and a part that he sends late has a number that nobody
//! else uses, and is not among those that make up the object.
//!
//! What rests on time: that a call is not on its way for longer than
//! [`LEASE`]. A client of a real service sets its limit below that.

use std::time::{Duration, SystemTime};

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bucket::{Bucket, ETag, MultipartId, Part, PartNumber};
use super::keys;
use super::records::{self, ATTEMPTS, Seen, contended};
use crate::oci::{Algorithm, Digest, Hasher, RepoName};
use crate::store::{Missing, StoreError, UploadId};

/// How long a writer that is not heard of keeps others away.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// Every so many parts they become larger by the size of the first, so that
/// the most that there may be suffice for some 275 GiB.
const PARTS_OF_A_SIZE: u32 = 1000;

/// An upload as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    /// Of all bytes, in parts and after them, as [`Hasher::save`] gives it.
    hash: String,
    pub(super) multipart: Option<MultipartId>,
    pub(super) parts: Vec<Part>,
    /// How many bytes are in parts.
    in_parts: u64,
    /// The first part number that no writer, past or present, may be using.
    next: PartNumber,
    writer: Option<Lease>,
    /// The digest of all bytes, once they are all in parts and no more comes.
    pub(super) sealed: Option<Digest>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lease {
    token: Uuid,
    until: SystemTime,
}

/// The right to write to an upload, and what was written.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) bucket: Bucket,
    pub(super) repo: RepoName,
    pub(super) id: UploadId,
    pub(super) state: State,
    pub(super) hasher: Hasher,
    /// What is in no part yet.
    pub(super) tail: BytesMut,
    etag: ETag,
    token: Uuid,
    /// The part number that is this writer's own.
    number: PartNumber,
}

/// Reads an upload's record. `None` if there is no such upload.
pub(super) async fn read(
    bucket: &Bucket,
    repo: &RepoName,
    id: UploadId,
) -> Result<Option<Seen<State>>, StoreError> {
    records::read(bucket, &keys::upload(repo, id)).await
}

impl Seen<State> {
    /// How many bytes have been kept.
    pub(super) fn offset(&self) -> u64 {
        self.value.in_parts + self.body.len() as u64
    }

    pub(super) fn is_being_written(&self, now: SystemTime) -> bool {
        let lease = self.value.writer.as_ref();
        lease.is_some_and(|lease| lease.until > now)
    }
}

impl Session {
    /// Starts an upload.
    pub(super) async fn begin(bucket: Bucket, repo: RepoName) -> Result<Self, StoreError> {
        let (id, token) = (UploadId::random(), Uuid::new_v4());
        let hasher = Hasher::new(Algorithm::Sha256);
        let number = PartNumber::FIRST;
        let state = State {
            hash: hex::encode(hasher.save()),
            multipart: None,
            parts: Vec::new(),
            in_parts: 0,
            next: number.next(),
            writer: Some(Lease::until(&bucket, token)),
            sealed: None,
        };
        let key = keys::upload(&repo, id);
        let etag = records::create(&bucket, &key, &state, b"").await?;
        Ok(Self {
            etag: etag.ok_or_else(|| contended(&key))?,
            tail: BytesMut::new(),
            bucket,
            repo,
            id,
            state,
            hasher,
            token,
            number,
        })
    }

    /// Takes an upload up where it was left.
    pub(super) async fn resume(
        bucket: Bucket,
        repo: RepoName,
        id: UploadId,
    ) -> Result<Self, StoreError> {
        let key = keys::upload(&repo, id);
        for _ in 0..ATTEMPTS {
            let seen = read(&bucket, &repo, id).await?;
            let seen = seen.ok_or_else(|| missing(&repo, id))?;
            if seen.is_being_written(bucket.now()) {
                return Err(StoreError::UploadBusy(id));
            }
            if let Some(session) = Self::take(&bucket, &repo, id, seen).await? {
                return Ok(session);
            }
        }
        Err(contended(&key))
    }

    /// Becomes the writer of an upload that was seen to have none. `None` if
    /// it was changed since.
    pub(super) async fn take(
        bucket: &Bucket,
        repo: &RepoName,
        id: UploadId,
        seen: Seen<State>,
    ) -> Result<Option<Self>, StoreError> {
        let key = keys::upload(repo, id);
        let saved = hex::decode(&seen.value.hash).ok();
        let hasher = saved.and_then(|saved| Hasher::restore(Algorithm::Sha256, &saved));
        let hasher = hasher.ok_or_else(|| StoreError::Damaged {
            location: key.clone(),
            problem: "the state of the hash cannot be read".to_owned(),
        })?;
        let (token, number) = (Uuid::new_v4(), seen.value.next);
        let state = State {
            next: number.next(),
            writer: Some(Lease::until(bucket, token)),
            ..seen.value
        };
        let written = records::replace(bucket, &key, &seen.etag, &state, &seen.body).await?;
        Ok(written.map(|etag| Self {
            bucket: bucket.clone(),
            repo: repo.clone(),
            id,
            state,
            hasher,
            tail: BytesMut::from(&seen.body[..]),
            etag,
            token,
            number,
        }))
    }

    /// How many bytes were taken.
    pub(super) fn offset(&self) -> u64 {
        self.state.in_parts + self.tail.len() as u64
    }

    /// Takes bytes, and keeps what is enough for a part.
    pub(super) async fn append(&mut self, pieces: Vec<Bytes>) -> Result<(), StoreError> {
        if self.state.sealed.is_some() && !pieces.is_empty() {
            return Err(StoreError::Io(std::io::Error::other(format!(
                "upload {} was to be committed, and takes no more bytes",
                self.id
            ))));
        }
        for piece in pieces {
            self.hasher.update(&piece);
            self.tail.extend_from_slice(&piece);
            while self.tail.len() >= self.part_size() {
                self.put_part(self.part_size()).await?;
                self.save().await?;
            }
        }
        if self.is_half_over() {
            self.save().await?;
        }
        Ok(())
    }

    /// Makes a part of the first bytes that are in none. The caller saves.
    pub(super) async fn put_part(&mut self, size: usize) -> Result<(), StoreError> {
        let key = keys::data(self.id);
        let multipart = match self.state.multipart {
            Some(multipart) => multipart,
            None => {
                let created = self.bucket.create_multipart(&key).await?;
                *self.state.multipart.insert(created)
            }
        };
        let bytes = Bytes::copy_from_slice(&self.tail[..size]);
        let part = self.bucket.upload_part(&key, multipart, self.number, bytes);
        self.state.parts.push(part.await?);
        self.state.in_parts += size as u64;
        self.tail.advance(size);
        self.number = self.state.next;
        self.state.next = self.number.next();
        Ok(())
    }

    /// Writes down how far the upload has come, and goes on writing.
    ///
    /// # Errors
    ///
    /// [`StoreError::UploadBusy`] if another writer has taken over, and
    /// [`StoreError::NotFound`] if the upload is gone.
    pub(super) async fn save(&mut self) -> Result<(), StoreError> {
        let lease = Lease::until(&self.bucket, self.token);
        self.write_down(Some(lease)).await
    }

    /// Writes down how far the upload has come, and lets others write.
    pub(super) async fn release(mut self) -> Result<u64, StoreError> {
        self.write_down(None).await?;
        Ok(self.offset())
    }

    /// Removes the upload's record, and with it the upload.
    pub(super) async fn forget(&self) -> Result<(), StoreError> {
        let key = keys::upload(&self.repo, self.id);
        records::remove(&self.bucket, &key, &self.etag).await?;
        Ok(())
    }

    async fn write_down(&mut self, writer: Option<Lease>) -> Result<(), StoreError> {
        self.state.hash = hex::encode(self.hasher.save());
        self.state.writer = writer;
        let key = keys::upload(&self.repo, self.id);
        for _ in 0..ATTEMPTS {
            let replaced =
                records::replace(&self.bucket, &key, &self.etag, &self.state, &self.tail).await?;
            if let Some(etag) = replaced {
                self.etag = etag;
                return Ok(());
            }
            // It may be a change of our own of which we were not told.
            let seen = read(&self.bucket, &self.repo, self.id).await?;
            let seen = seen.ok_or_else(|| missing(&self.repo, self.id))?;
            let writer = seen.value.writer.map(|lease| lease.token);
            if writer != Some(self.token) {
                return Err(StoreError::UploadBusy(self.id));
            }
            self.etag = seen.etag;
        }
        Err(contended(&key))
    }

    fn part_size(&self) -> usize {
        let size = 1 + self.state.parts.len() / PARTS_OF_A_SIZE as usize;
        size * self.bucket.min_part().max(1)
    }

    fn is_half_over(&self) -> bool {
        let lease = self.state.writer.as_ref();
        lease.is_none_or(|lease| lease.until < self.bucket.now() + LEASE / 2)
    }
}

impl Lease {
    fn until(bucket: &Bucket, token: Uuid) -> Self {
        Self {
            token,
            until: bucket.now() + LEASE,
        }
    }
}

pub(super) fn missing(repo: &RepoName, id: UploadId) -> StoreError {
    StoreError::NotFound(Missing::Upload(repo.clone(), id))
}
