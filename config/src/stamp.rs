//! Whether a file has changed since it was last read.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells one state of a file from another without reading it: device,
/// inode, size, and the times of the last change of content and of inode.
///
/// Polling a stamp works where change notification does not: on network file
/// systems, and on the symbolic links that Kubernetes swaps to update a secret.
/// A file that is missing has a stamp too, so that its return is a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp(Option<[i64; 7]>);

impl FileStamp {
    /// The present state of the file at `path`, links followed.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self(fs_err::metadata(path).ok().map(|m| {
            [
                m.dev().cast_signed(),
                m.ino().cast_signed(),
                m.size().cast_signed(),
                m.mtime(),
                m.mtime_nsec(),
                // A restored mtime (cp -p, rsync -t) still moves the ctime.
                m.ctime(),
                m.ctime_nsec(),
            ]
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_change_moves_the_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let missing = FileStamp::of(&path);
        fs_err::write(&path, "one").unwrap();
        let first = FileStamp::of(&path);
        assert_ne!(missing, first);
        assert_eq!(first, FileStamp::of(&path));

        let next = dir.path().join("next");
        fs_err::write(&next, "two").unwrap();
        fs_err::rename(&next, &path).unwrap();
        let replaced = FileStamp::of(&path);
        assert_ne!(first, replaced);

        fs_err::remove_file(&path).unwrap();
        assert_eq!(missing, FileStamp::of(&path));
    }
}
