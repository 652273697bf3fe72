//! Under which keys everything is kept.
//!
//! A repository's name ends at `!`, which no name holds and which sorts before
//! every character that one does: so names that are rolled up come in their
//! own byte order, and `a` is not mistaken for the beginning of `a/b`.
//!
//! | key | what |
//! |---|---|
//! | `catalog/<name>!revision/<digest>` | a manifest that the repository has |
//! | `catalog/<name>!tag/<tag>` | a tag |
//! | `aliases/<name>!<digest>` | another digest of a manifest |
//! | `tagged/<name>!<digest>!<life>!<tag>` | a tag that points at a manifest, or is about to, or did |
//! | `referrers/<name>!<subject>!<digest>` | a manifest with a subject |
//! | `pulls/<name>!<tag>` | when a tag was pulled last |
//! | `layers/<name>!<digest>` | a blob that the repository has |
//! | `uploads/<name>!<id>` | an upload, as far as it came |
//! | `contents/<digest>` | content that all repositories share |
//! | `data/<id>` | the bytes of content, under the identifier of its upload |
//! | `quarantine/<digest>!<id>` | content that is not what its digest says |
//!
//! The catalog has a tree of its own so that a list of it, rolled up, is the
//! list of the repositories that have a manifest or a tag.

use std::fmt::Display;

use uuid::Uuid;

use crate::oci::{Digest, RepoName, Tag};
use crate::store::UploadId;

/// Where the part of a key ends that is a name.
pub(super) const END: char = '!';

/// Sorts after everything that begins with a name and [`END`], and before all
/// that begins with a longer name.
pub(super) const AFTER_END: char = '"';

/// The trees in which repositories have something.
pub(super) const TREES: [&str; 7] = [CATALOG, ALIASES, TAGGED, REFERRERS, PULLS, LAYERS, UPLOADS];

pub(super) const CATALOG: &str = "catalog/";
pub(super) const ALIASES: &str = "aliases/";
pub(super) const TAGGED: &str = "tagged/";
pub(super) const REFERRERS: &str = "referrers/";
pub(super) const PULLS: &str = "pulls/";
pub(super) const LAYERS: &str = "layers/";
pub(super) const UPLOADS: &str = "uploads/";
pub(super) const CONTENTS: &str = "contents/";
pub(super) const DATA: &str = "data/";

/// What a repository has in a tree.
pub(super) fn of_repository(tree: &str, repo: &RepoName) -> String {
    format!("{tree}{repo}{END}")
}

pub(super) fn revisions(repo: &RepoName) -> String {
    format!("{CATALOG}{repo}{END}revision/")
}

pub(super) fn revision(repo: &RepoName, digest: &Digest) -> String {
    format!("{CATALOG}{repo}{END}revision/{digest}")
}

pub(super) fn tags(repo: &RepoName) -> String {
    format!("{CATALOG}{repo}{END}tag/")
}

pub(super) fn tag(repo: &RepoName, tag: &Tag) -> String {
    format!("{CATALOG}{repo}{END}tag/{tag}")
}

pub(super) fn alias(repo: &RepoName, digest: &Digest) -> String {
    format!("{ALIASES}{repo}{END}{digest}")
}

/// All tags that may point at a manifest.
pub(super) fn tagged_all(repo: &RepoName, digest: &Digest, life: Uuid) -> String {
    format!("{TAGGED}{repo}{END}{digest}{END}{life}{END}")
}

pub(super) fn tagged(repo: &RepoName, digest: &Digest, life: Uuid, tag: &Tag) -> String {
    format!("{TAGGED}{repo}{END}{digest}{END}{life}{END}{tag}")
}

/// All referrers of a subject.
pub(super) fn referrers(repo: &RepoName, subject: &Digest) -> String {
    format!("{REFERRERS}{repo}{END}{subject}{END}")
}

pub(super) fn referrer(repo: &RepoName, subject: &Digest, digest: &Digest) -> String {
    format!("{REFERRERS}{repo}{END}{subject}{END}{digest}")
}

pub(super) fn pull(repo: &RepoName, tag: &Tag) -> String {
    format!("{PULLS}{repo}{END}{tag}")
}

pub(super) fn layer(repo: &RepoName, digest: &Digest) -> String {
    format!("{LAYERS}{repo}{END}{digest}")
}

pub(super) fn upload(repo: &RepoName, id: UploadId) -> String {
    format!("{UPLOADS}{repo}{END}{id}")
}

pub(super) fn content(digest: &Digest) -> String {
    format!("{CONTENTS}{digest}")
}

pub(super) fn data(id: UploadId) -> String {
    format!("{DATA}{id}")
}

pub(super) fn quarantined(digest: &Digest, what: &impl Display) -> String {
    format!("quarantine/{digest}{END}{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_they_do_without_their_end() {
        let mut names = ["a", "a-b", "a.b", "a/b", "a/b/c", "a0", "a_b", "aa", "b"];
        names.sort_unstable();
        let keys = names.map(|name| of_repository(CATALOG, &name.parse().unwrap()));
        assert!(keys.is_sorted());
        for (name, key) in names.iter().zip(&keys) {
            let after = format!("{CATALOG}{name}{AFTER_END}");
            assert!(keys.iter().all(|other| (other > key) == (*other > after)));
        }
    }
}
