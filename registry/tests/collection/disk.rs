//! What is on disk, found without the store that wrote it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tidegate_registry::oci::Algorithm;

/// A directory in memory, if there is one: a push then does not wait for a disk
/// that others use, and keeps within the grace.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Lets everything have been used ten days ago.
pub(crate) fn age(root: &Path) {
    let then = SystemTime::now() - Duration::from_secs(10 * 86_400);
    for path in below(root) {
        let (file, _) = fs_err::File::open(path).unwrap().into_parts();
        file.set_modified(then).unwrap();
    }
}

/// The files and directories below a directory.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(below(&path));
        }
        all.push(path);
    }
    all
}

/// The files of a registry that hold something, by their paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Left(BTreeSet<String>);

impl Left {
    /// All that is there: content, and what says that a repository has it.
    pub(crate) fn find(root: &Path) -> Self {
        let root = root.join("docker/registry/v2");
        let files = below(&root).into_iter().filter(|path| path.is_file());
        let paths = files.map(|path| {
            path.strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        });
        // What says what a tag was, and other digests, tell nothing of their own.
        let of_tags = [
            "/index/",
            "_aliases",
            "_tag_aliases",
            "_referrers",
            "_pulls",
        ];
        Self(
            paths
                .filter(|path| !of_tags.iter().any(|of| path.contains(of)))
                .collect(),
        )
    }

    pub(crate) fn tag(&mut self, repo: &str, tag: &str) {
        self.0.insert(format!(
            "repositories/{repo}/_manifests/tags/{tag}/current/link"
        ));
    }

    pub(crate) fn manifest(&mut self, repo: &str, manifest: &Bytes) {
        let hex = self.content(manifest);
        self.0.insert(format!(
            "repositories/{repo}/_manifests/revisions/sha256/{hex}/link"
        ));
    }

    pub(crate) fn blobs(&mut self, repo: &str, blobs: &[Bytes]) {
        for blob in blobs {
            let hex = self.content(blob);
            self.0
                .insert(format!("repositories/{repo}/_layers/sha256/{hex}/link"));
        }
    }

    fn content(&mut self, content: &Bytes) -> String {
        let hex = Algorithm::Sha256.digest(content).hex();
        self.0
            .insert(format!("blobs/sha256/{}/{hex}/data", &hex[..2]));
        hex
    }
}
