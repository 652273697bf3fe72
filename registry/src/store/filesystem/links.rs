//! Links: small files that hold a digest and nothing else.
//!
//! What a link says is where the content lies, which is always a SHA-256
//! digest; the path of the link says under which digest it is asked for.

use std::io;
use std::path::Path;

use super::base::Base;
use super::claims;
use super::durable::{self, Directories};
use super::quick::{self, Head};
use crate::oci::Digest;
use crate::store::StoreError;

/// Longer than any link, so that a file of this length is none.
const LONGEST: usize = 160;

/// Where a link leads, or `None` if it is not there.
///
/// # Errors
///
/// [`StoreError::Damaged`] for a link that is empty, as distribution up to 3.0
/// leaves it after a crash, or holds anything but a digest.
pub(super) async fn read(base: &Base, path: &Path) -> Result<Option<Digest>, StoreError> {
    parse(path, base.read::<LONGEST>(path).await)
}

/// As [`read`], where a broken link counts as none: to be told "not there" is
/// what makes a client send again what the link is about, and that writes it
/// anew. An error would stop every push.
pub(super) async fn read_sound(base: &Base, path: &Path) -> Result<Option<Digest>, StoreError> {
    match read(base, path).await {
        Err(StoreError::Damaged { location, problem }) => {
            tracing::warn!(
                store.link = location,
                problem,
                "broken link: what it is about counts as absent"
            );
            Ok(None)
        }
        result => result,
    }
}

/// As [`read`], for callers that may block.
pub(super) fn read_blocking(path: &Path) -> Result<Option<Digest>, StoreError> {
    parse(path, quick::read_blocking::<LONGEST>(path))
}

/// Makes a link lead to `target`, durably, and counts as its use. Blocks.
pub(super) fn put(
    directories: &Directories,
    path: &Path,
    target: &Digest,
) -> Result<(), StoreError> {
    // An unreadable link is replaced like a missing one: so a push mends it.
    if matches!(read_blocking(path), Ok(Some(current)) if current == *target)
        && claims::renew(path)?
    {
        return Ok(durable::sync_existing(path)?);
    }
    let content = target.to_string();
    Ok(durable::in_directory(directories, path, || {
        durable::write(path, content.as_bytes())
    })?)
}

fn parse(
    path: &Path,
    read: io::Result<Option<Head<LONGEST>>>,
) -> Result<Option<Digest>, StoreError> {
    let Some(head) = read? else {
        return Ok(None);
    };
    let digest = digest_in(head.as_bytes());
    digest
        .map(Some)
        .map_err(|problem| StoreError::damaged(path, problem))
}

/// Takes the digest and nothing else: no space, no end of line.
fn digest_in(content: &[u8]) -> Result<Digest, String> {
    if content.is_empty() {
        return Err("the link is empty, expected a digest".to_owned());
    }
    std::str::from_utf8(content)
        .map_err(|_| "the link is not text, expected a digest".to_owned())?
        .parse()
        .map_err(|error| format!("the link holds no digest: {error}"))
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use proptest::prelude::*;

    use super::*;
    use crate::oci::Algorithm;

    #[tokio::test]
    async fn a_link_holds_the_bare_digest() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/link");
        let digest = Algorithm::Sha256.digest(b"x");
        put(&Directories::default(), &path, &digest).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), digest.to_string());
        assert_eq!(fs::metadata(&path).unwrap().len(), 71);
        assert_eq!(
            read(&Base::new(root.path(), "mark"), &path).await.unwrap(),
            Some(digest)
        );
    }

    #[tokio::test]
    async fn a_missing_link_is_no_error_and_a_broken_one_is() {
        let root = tempfile::tempdir().unwrap();
        let (base, path) = (Base::new(root.path(), "mark"), root.path().join("link"));
        assert_eq!(read(&base, &path).await.unwrap(), None);
        for content in [
            "",
            "sha256:0",
            "\u{fffd}",
            &format!("{}\n", Algorithm::Sha256.digest(b"x")),
        ] {
            fs::write(&path, content).unwrap();
            let error = read(&base, &path).await.unwrap_err();
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "{content:?}: {error}"
            );
        }
    }

    #[test]
    fn putting_a_link_mends_a_broken_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("link");
        fs::write(&path, b"").unwrap();
        let digest = Algorithm::Sha256.digest(b"x");
        put(&Directories::default(), &path, &digest).unwrap();
        assert_eq!(read_blocking(&path).unwrap(), Some(digest));
    }

    proptest! {
        #[test]
        fn what_parses_is_the_whole_content(content in "(sha256:[0-9a-f]{64}|.{0,8})[ \n]?") {
            if let Ok(digest) = digest_in(content.as_bytes()) {
                prop_assert_eq!(digest.to_string(), content);
            }
        }

        #[test]
        fn never_panics(content: Vec<u8>) {
            let _ = digest_in(&content);
        }
    }
}
