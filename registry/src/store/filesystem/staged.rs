//! The bytes of an upload on disk, and their hash so far.
//!
//! Everything in here blocks.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fs_err::File;
use fs_err::os::unix::fs::FileExt;

use super::claims;
use super::disk;
use super::leases::{Checkpoint, Lease};
use crate::oci::{Algorithm, Digest, Hasher};
use crate::store::{StoreError, UploadId};

/// Bytes after which the disk begins to write, and not only when all are there and
/// somebody waits for it, and for which room is set aside from then on. In so many,
/// uploads at the same time still lie in pieces that are large.
const WRITE_OUT: u64 = 8 * 1024 * 1024;

/// Bytes read at once when a file is hashed again.
const REHASH_BUFFER: usize = 256 * 1024;

/// An open upload: the file, and the hash of exactly the bytes in it.
#[derive(Debug)]
pub(super) struct Staged {
    file: File,
    path: PathBuf,
    hasher: Hasher,
    offset: u64,
    /// Up to where the disk was told to write.
    written_out: u64,
    lease: Lease,
}

impl Staged {
    /// Takes a file up at its end. What the lease does not know the hash of is
    /// read and hashed: nothing, as a rule; the whole file after a restart.
    pub(super) fn open(
        file: File,
        path: PathBuf,
        id: UploadId,
        mut lease: Lease,
    ) -> Result<Self, StoreError> {
        // The lease keeps out other requests of this process, the lock those
        // of other processes with the same root. Where the file system has no
        // locks, there is no other process either that could be told apart.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(StoreError::UploadBusy(id));
        }
        // Somebody may have removed it before the lock was ours.
        if !claims::is_named(&file)? {
            return Err(io::Error::from(io::ErrorKind::NotFound).into());
        }
        let length = file.metadata()?.len();
        let checkpoint = lease
            .take()
            .filter(|checkpoint| checkpoint.offset <= length);
        let Checkpoint { mut hasher, offset } = checkpoint.unwrap_or_else(|| Checkpoint {
            hasher: Hasher::new(Algorithm::Sha256),
            offset: 0,
        });
        hash(&file, offset, length, &mut hasher)?;
        Ok(Self {
            file,
            path,
            hasher,
            offset: length,
            written_out: length,
            lease,
        })
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// See [`Lease::closing`].
    pub(super) fn closing(&self) -> Arc<AtomicBool> {
        self.lease.closing()
    }

    /// Adds bytes at the end.
    pub(super) fn append(&mut self, batch: &[u8]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        if let Err(error) = disk::write_at(&self.file, batch, self.offset) {
            // A part may have been written: the file must not be longer than
            // what the hash has seen.
            let _ = disk::truncate(&self.file, self.offset);
            return Err(error.into());
        }
        self.hasher.update(batch);
        self.offset += batch.len() as u64;
        if self.offset - self.written_out >= WRITE_OUT {
            disk::begin_to_write_out(&self.file, self.written_out..self.offset);
            self.written_out = self.offset;
            disk::set_room_aside(&self.file, self.offset, WRITE_OUT);
        }
        Ok(())
    }

    /// Makes the bytes durable, when no more are to come.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        if self.offset >= WRITE_OUT {
            // Gives back what was set aside and is not needed. That it stays is
            // no reason to refuse the upload.
            let _ = disk::truncate(&self.file, self.offset);
        }
        Ok(disk::sync(&self.file)?)
    }

    /// The SHA-256 digest of all bytes, which names the content.
    pub(super) fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    /// The digest of all bytes by another algorithm: reads them all.
    pub(super) fn digest_by(&self, algorithm: Algorithm) -> Result<Digest, StoreError> {
        if algorithm == Algorithm::Sha256 {
            return Ok(self.digest());
        }
        let mut hasher = Hasher::new(algorithm);
        hash(&self.file, 0, self.offset, &mut hasher)?;
        Ok(hasher.finish())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        self.lease.leave(Checkpoint {
            hasher: self.hasher.clone(),
            offset: self.offset,
        });
    }
}

/// The digest of a whole file.
pub(super) fn digest_of(file: &File, algorithm: Algorithm) -> io::Result<Digest> {
    let mut hasher = Hasher::new(algorithm);
    hash(file, 0, file.metadata()?.len(), &mut hasher)?;
    Ok(hasher.finish())
}

fn hash(file: &File, from: u64, to: u64, hasher: &mut Hasher) -> io::Result<()> {
    if from == to {
        return Ok(());
    }
    let mut buffer = vec![0; REHASH_BUFFER];
    let mut at = from;
    while at < to {
        let wanted = usize::try_from(to - at)
            .unwrap_or(REHASH_BUFFER)
            .min(REHASH_BUFFER);
        file.read_exact_at(&mut buffer[..wanted], at)?;
        hasher.update(&buffer[..wanted]);
        at += wanted as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::leases::Leases;
    use super::*;

    async fn open(
        root: &tempfile::TempDir,
        leases: &Leases,
        id: UploadId,
    ) -> Result<Staged, StoreError> {
        let (path, repo) = (root.path().join("data"), "a/b".parse().unwrap());
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        Staged::open(file.unwrap(), path, id, leases.acquire(&repo, id).await?)
    }

    #[tokio::test]
    async fn goes_on_where_it_was_left() {
        let (root, leases, id) = (
            tempfile::tempdir().unwrap(),
            Leases::default(),
            UploadId::random(),
        );
        open(&root, &leases, id)
            .await
            .unwrap()
            .append(b"ab")
            .unwrap();
        let mut staged = open(&root, &leases, id).await.unwrap();
        staged.append(b"c").unwrap();
        assert_eq!(staged.offset(), 3);
        assert_eq!(staged.digest(), Algorithm::Sha256.digest(b"abc"));
        assert_eq!(
            staged.digest_by(Algorithm::Sha512).unwrap(),
            Algorithm::Sha512.digest(b"abc")
        );
    }

    #[tokio::test]
    async fn what_is_written_out_early_is_whole() {
        let (root, leases, id) = (
            tempfile::tempdir().unwrap(),
            Leases::default(),
            UploadId::random(),
        );
        let mut staged = open(&root, &leases, id).await.unwrap();
        let batch: Vec<_> = (0..WRITE_OUT / 3 + 5).map(|at| (at % 251) as u8).collect();
        for _ in 0..7 {
            staged.append(&batch).unwrap();
        }
        assert!(staged.written_out > WRITE_OUT);
        staged.sync().unwrap();
        let content = batch.repeat(7);
        assert!(fs_err::read(staged.path()).unwrap() == content);
        assert_eq!(staged.digest(), Algorithm::Sha256.digest(&content));
    }

    #[tokio::test]
    async fn room_that_is_not_needed_is_given_back() {
        use std::os::unix::fs::MetadataExt as _;

        let (root, leases, id) = (
            tempfile::tempdir().unwrap(),
            Leases::default(),
            UploadId::random(),
        );
        let mut staged = open(&root, &leases, id).await.unwrap();
        let room = |staged: &Staged| staged.file().metadata().unwrap().blocks() * 512;
        staged
            .append(&vec![1; WRITE_OUT.try_into().unwrap()])
            .unwrap();
        if disk::is_on_ext4(staged.file()) {
            assert!(room(&staged) >= 2 * WRITE_OUT);
        }
        staged.append(b"the end").unwrap();
        staged.sync().unwrap();
        assert_eq!(staged.file().metadata().unwrap().len(), WRITE_OUT + 7);
        assert!(room(&staged) < WRITE_OUT + WRITE_OUT / 8);
    }

    #[tokio::test]
    async fn hashes_what_it_does_not_know() {
        let (root, id) = (tempfile::tempdir().unwrap(), UploadId::random());
        open(&root, &Leases::default(), id)
            .await
            .unwrap()
            .append(b"ab")
            .unwrap();
        // A new process, and then one that went on behind this one's back.
        let leases = Leases::default();
        let digest = open(&root, &leases, id).await.unwrap().digest();
        assert_eq!(digest, Algorithm::Sha256.digest(b"ab"));
        fs_err::write(root.path().join("data"), b"abcd").unwrap();
        let digest = open(&root, &leases, id).await.unwrap().digest();
        assert_eq!(digest, Algorithm::Sha256.digest(b"abcd"));
        fs_err::write(root.path().join("data"), b"x").unwrap();
        let digest = open(&root, &leases, id).await.unwrap().digest();
        assert_eq!(digest, Algorithm::Sha256.digest(b"x"));
    }

    #[tokio::test]
    async fn another_process_is_kept_out() {
        let (root, id) = (tempfile::tempdir().unwrap(), UploadId::random());
        let _writer = open(&root, &Leases::default(), id).await.unwrap();
        let second = open(&root, &Leases::default(), id).await;
        assert!(matches!(second, Err(StoreError::UploadBusy(_))));
    }
}
