//! Where everything lies on disk: distribution's layout, to the letter.
//!
//! Distribution's walks skip names that begin with `_` and that they do not
//! know, so that `_referrers`, `_aliases` and `_pulls`, which it does not have,
//! are invisible to it. Beside `blobs` and `repositories` it does not look at all.

use std::path::{Path, PathBuf};

use crate::oci::{Digest, RepoName, Tag};
use crate::store::UploadId;

/// Turns names into paths. Names are types, so that no path leaves the root.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// `<rootdirectory>/docker/registry/v2`
    base: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            base: root.join("docker/registry/v2"),
        }
    }

    /// What all of it is in.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Says that a tag of some repository was put by another digest than SHA-256.
    pub(super) fn aliased_mark(&self) -> PathBuf {
        self.base.join(ALIASED)
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.base.join("blobs")
    }

    pub(super) fn repositories(&self) -> PathBuf {
        self.base.join("repositories")
    }

    pub(super) fn repository(&self, repo: &RepoName) -> PathBuf {
        self.base.join(format!("repositories/{repo}"))
    }

    /// Something in a repository. Requests ask for several, so that the path is
    /// put together at once and in one piece of memory.
    fn in_repository(&self, repo: &RepoName, parts: &[&str]) -> PathBuf {
        let repository = ["repositories", repo.as_str()];
        let parts = repository.iter().chain(parts);
        let below: usize = parts.clone().map(|part| 1 + part.len()).sum();
        let mut path = PathBuf::with_capacity(self.base.as_os_str().len() + below);
        path.push(&self.base);
        path.extend(parts);
        path
    }

    /// The content itself, which all repositories share.
    pub(super) fn blob_data(&self, digest: &Digest) -> PathBuf {
        let (algorithm, hex) = (digest.algorithm().as_str(), digest.hex());
        self.base
            .join(format!("blobs/{algorithm}/{}/{hex}/data", &hex[..2]))
    }

    /// Says that a repository has a blob.
    pub(super) fn layer_link(&self, repo: &RepoName, digest: &Digest) -> PathBuf {
        digest.with_hex(|hex| {
            let algorithm = digest.algorithm().as_str();
            self.in_repository(repo, &["_layers", algorithm, hex, LINK])
        })
    }

    /// What says that a repository has, or once had, manifests.
    pub(super) fn manifests(&self, repo: &RepoName) -> PathBuf {
        self.base.join(format!("repositories/{repo}/_manifests"))
    }

    /// Says that a repository has a manifest.
    pub(super) fn revision_link(&self, repo: &RepoName, digest: &Digest) -> PathBuf {
        digest.with_hex(|hex| {
            let algorithm = digest.algorithm().as_str();
            let revisions = "_manifests/revisions";
            self.in_repository(repo, &[revisions, algorithm, hex, LINK])
        })
    }

    pub(super) fn tags(&self, repo: &RepoName) -> PathBuf {
        self.base
            .join(format!("repositories/{repo}/_manifests/tags"))
    }

    pub(super) fn tag(&self, repo: &RepoName, tag: &Tag) -> PathBuf {
        self.base
            .join(format!("repositories/{repo}/_manifests/tags/{tag}"))
    }

    /// Says what a tag points at.
    pub(super) fn tag_current_link(&self, repo: &RepoName, tag: &Tag) -> PathBuf {
        self.in_repository(repo, &["_manifests/tags", tag.as_str(), TAG_LINK])
    }

    /// Says what a tag ever pointed at.
    pub(super) fn tag_index_link(&self, repo: &RepoName, tag: &Tag, digest: &Digest) -> PathBuf {
        let link = link_to(digest);
        self.base.join(format!(
            "repositories/{repo}/_manifests/tags/{tag}/index/{link}"
        ))
    }

    /// The links that say what a tag ever pointed at.
    pub(super) fn tag_history(&self, repo: &RepoName, tag: &Tag) -> PathBuf {
        self.base
            .join(format!("repositories/{repo}/_manifests/tags/{tag}/index"))
    }

    /// The links of all manifests that have this subject.
    pub(super) fn referrers(&self, repo: &RepoName, subject: &Digest) -> PathBuf {
        let (algorithm, hex) = (subject.algorithm().as_str(), subject.hex());
        self.base
            .join(format!("repositories/{repo}/_referrers/{algorithm}/{hex}"))
    }

    /// Says that a manifest has a subject.
    pub(super) fn referrer_link(
        &self,
        repo: &RepoName,
        subject: &Digest,
        referrer: &Digest,
    ) -> PathBuf {
        self.referrers(repo, subject).join(link_to(referrer))
    }

    /// Says which content a manifest has that was pushed by another digest than
    /// SHA-256: distribution's collector would stumble over such a revision.
    pub(super) fn alias_link(&self, repo: &RepoName, digest: &Digest) -> PathBuf {
        self.aliases(repo).join(link_to(digest))
    }

    pub(super) fn aliases(&self, repo: &RepoName) -> PathBuf {
        self.base
            .join(format!("repositories/{repo}/_aliases/digests"))
    }

    /// Holds the digest by which a tag was put, if that is not SHA-256.
    pub(super) fn tag_alias(&self, repo: &RepoName, tag: &Tag) -> PathBuf {
        self.in_repository(repo, &["_aliases/tags", tag.as_str()])
    }

    /// A file that was written when a tag was last pulled.
    pub(super) fn pull(&self, repo: &RepoName, tag: &Tag) -> PathBuf {
        self.base.join(format!("repositories/{repo}/_pulls/{tag}"))
    }

    pub(super) fn layers(&self, repo: &RepoName) -> PathBuf {
        self.base.join(format!("repositories/{repo}/_layers"))
    }

    pub(super) fn revisions(&self, repo: &RepoName) -> PathBuf {
        self.base
            .join(format!("repositories/{repo}/_manifests/revisions"))
    }

    pub(super) fn all_referrers(&self, repo: &RepoName) -> PathBuf {
        self.base.join(format!("repositories/{repo}/_referrers"))
    }

    pub(super) fn uploads(&self, repo: &RepoName) -> PathBuf {
        self.base.join(format!("repositories/{repo}/{UPLOADS}"))
    }

    /// Where content lies that is not what its digest says.
    pub(super) fn quarantined(&self, digest: &Digest) -> PathBuf {
        let (algorithm, hex) = (digest.algorithm().as_str(), digest.hex());
        self.base.join(format!("_quarantine/{algorithm}/{hex}"))
    }

    pub(super) fn upload(&self, repo: &RepoName, id: UploadId) -> PathBuf {
        self.base
            .join(format!("repositories/{repo}/{UPLOADS}/{id}"))
    }
}

/// There once a tag was put by another digest than SHA-256, for good.
pub(super) const ALIASED: &str = "_aliased";
/// Where a repository's uploads are.
pub(super) const UPLOADS: &str = "_uploads";
/// What an upload's directory holds.
pub(super) const UPLOAD_DATA: &str = "data";
/// When the upload began: RFC 3339, UTC, whole seconds.
pub(super) const UPLOAD_STARTED_AT: &str = "startedat";
/// The file in which every kind of link keeps its digest.
pub(super) const LINK: &str = "link";
/// What says in the directory of a tag what it points at.
pub(super) const TAG_LINK: &str = "current/link";

fn link_to(digest: &Digest) -> String {
    format!("{}/{}/{LINK}", digest.algorithm().as_str(), digest.hex())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn paths_are_those_of_distribution() {
        let layout = Layout::new(Path::new("/r"));
        let repo: RepoName = "library/alpine".parse().unwrap();
        let tag: Tag = "3.20".parse().unwrap();
        let digest = Algorithm::Sha256.digest(b"abc");
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let v2 = "/r/docker/registry/v2";
        let alpine = format!("{v2}/repositories/library/alpine");
        for (path, expected) in [
            (
                layout.blob_data(&digest),
                format!("{v2}/blobs/sha256/ba/{hex}/data"),
            ),
            (
                layout.layer_link(&repo, &digest),
                format!("{alpine}/_layers/sha256/{hex}/link"),
            ),
            (
                layout.revision_link(&repo, &digest),
                format!("{alpine}/_manifests/revisions/sha256/{hex}/link"),
            ),
            (
                layout.tag_current_link(&repo, &tag),
                format!("{alpine}/_manifests/tags/3.20/current/link"),
            ),
            (
                layout.tag_index_link(&repo, &tag, &digest),
                format!("{alpine}/_manifests/tags/3.20/index/sha256/{hex}/link"),
            ),
        ] {
            assert_eq!(path, Path::new(&expected));
        }
    }
}
