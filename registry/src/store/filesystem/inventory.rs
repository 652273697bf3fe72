//! All that a repository's directory holds, for whoever keeps it in order.
//! Everything in here blocks.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;

use super::durable::is_absent;
use super::layout::{LINK, Layout, UPLOAD_DATA};
use super::{links, walk};
use crate::oci::{Algorithm, Digest, RepoName};
use crate::store::{
    Damage, Inventory, LayerEntry, ManifestEntry, Part, ReferrerEntry, StoreError, TagEntry,
    UploadEntry,
};

/// Reads it all. What vanishes meanwhile was not there.
pub(super) fn of(layout: &Layout, repo: &RepoName) -> Result<Inventory, StoreError> {
    let mut reader = Reader {
        layout,
        repo,
        found: Inventory::default(),
    };
    reader.layers()?;
    reader.manifests()?;
    reader.aliases()?;
    reader.tags()?;
    reader.referrers()?;
    reader.uploads()?;
    Ok(reader.found)
}

/// When anything was last written to an upload: to its data, or by whoever
/// else works in its directory. `None` if it is not there.
pub(super) fn last_active(upload: &Path) -> Result<Option<SystemTime>, StoreError> {
    let Some(mut active) = modified(upload)? else {
        return Ok(None);
    };
    if let Some(written) = modified(&upload.join(UPLOAD_DATA))? {
        active = active.max(written);
    }
    Ok(Some(active))
}

struct Reader<'a> {
    layout: &'a Layout,
    repo: &'a RepoName,
    found: Inventory,
}

impl Reader<'_> {
    fn layers(&mut self) -> Result<(), StoreError> {
        for (digest, link) in self.links_below(&self.layout.layers(self.repo))? {
            let part = Part::Layer(digest);
            if let Some((content, used)) = self.follow(&link, part)? {
                self.found.layers.push(LayerEntry {
                    digest,
                    content,
                    used,
                });
            }
        }
        Ok(())
    }

    fn manifests(&mut self) -> Result<(), StoreError> {
        for (digest, link) in self.links_below(&self.layout.revisions(self.repo))? {
            let part = Part::Manifest(digest);
            let Some((content, used)) = self.follow(&link, part.clone())? else {
                continue;
            };
            if content == digest {
                self.found.manifests.push(ManifestEntry {
                    digest,
                    aliases: Vec::new(),
                    used,
                });
            } else {
                self.damage(part, &link, format!("the link leads to {content}"));
            }
        }
        Ok(())
    }

    fn aliases(&mut self) -> Result<(), StoreError> {
        for (digest, link) in self.links_below(&self.layout.aliases(self.repo))? {
            let Some((content, _)) = self.follow(&link, Part::Manifest(digest))? else {
                continue;
            };
            let manifests = self.found.manifests.iter_mut();
            for manifest in manifests.filter(|manifest| manifest.digest == content) {
                manifest.aliases.push(digest);
            }
        }
        Ok(())
    }

    fn tags(&mut self) -> Result<(), StoreError> {
        for tag in walk::tag_names(self.layout, self.repo)? {
            let link = self.layout.tag_current_link(self.repo, &tag);
            let Some((target, pushed)) = self.follow(&link, Part::Tag(tag.clone()))? else {
                continue;
            };
            let pulled = modified(&self.layout.pull(self.repo, &tag))?;
            self.found.tags.push(TagEntry {
                tag,
                target,
                pushed,
                pulled,
            });
        }
        Ok(())
    }

    fn referrers(&mut self) -> Result<(), StoreError> {
        let directory = self.layout.all_referrers(self.repo);
        for (subject, below) in self.digests_below(&directory)? {
            for (referrer, link) in self.links_below(&below)? {
                let part = Part::Referrer { subject, referrer };
                if let Some((_, used)) = self.follow(&link, part)? {
                    self.found.referrers.push(ReferrerEntry {
                        subject,
                        referrer,
                        used,
                    });
                }
            }
        }
        Ok(())
    }

    fn uploads(&mut self) -> Result<(), StoreError> {
        let directory = self.layout.uploads(self.repo);
        for name in walk::directory_names(&directory)? {
            let path = directory.join(&name);
            let Ok(id) = name.parse() else {
                self.damage(Part::Unknown, &path, "no upload has such a name".to_owned());
                continue;
            };
            if let Some(active) = last_active(&path)? {
                let bytes = match fs::metadata(path.join(UPLOAD_DATA)) {
                    Err(error) if is_absent(&error) => 0,
                    result => result?.len(),
                };
                self.found.uploads.push(UploadEntry { id, bytes, active });
            }
        }
        Ok(())
    }

    /// What a link leads to, and when it was last used. `None` if it is not
    /// there or cannot be read, which is then reported.
    fn follow(
        &mut self,
        link: &Path,
        part: Part,
    ) -> Result<Option<(Digest, SystemTime)>, StoreError> {
        match links::read_blocking(link) {
            Ok(Some(target)) if target.algorithm() == Algorithm::Sha256 => {
                Ok(modified(link)?.map(|used| (target, used)))
            }
            Ok(Some(target)) => {
                self.damage(part, link, format!("content is not kept under {target}"));
                Ok(None)
            }
            Ok(None) => Ok(None),
            Err(StoreError::Damaged { problem, .. }) => {
                self.damage(part, link, problem);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The links in a directory that has them by digest, there or not.
    fn links_below(&mut self, directory: &Path) -> Result<Vec<(Digest, PathBuf)>, StoreError> {
        let mut found = self.digests_below(directory)?;
        for (_, path) in &mut found {
            path.push(LINK);
        }
        Ok(found)
    }

    /// The directories `<algorithm>/<hex>`.
    fn digests_below(&mut self, directory: &Path) -> Result<Vec<(Digest, PathBuf)>, StoreError> {
        let mut found = Vec::new();
        for algorithm in walk::directory_names(directory)? {
            let below = directory.join(&algorithm);
            for hex in walk::directory_names(&below)? {
                let path = below.join(&hex);
                match format!("{algorithm}:{hex}").parse() {
                    Ok(digest) => found.push((digest, path)),
                    Err(error) => {
                        self.damage(Part::Unknown, &path, format!("no digest: {error}"));
                    }
                }
            }
        }
        Ok(found)
    }

    fn damage(&mut self, part: Part, location: &Path, problem: String) {
        self.found.damaged.push(Damage {
            part,
            location: location.display().to_string(),
            problem,
        });
    }
}

fn modified(path: &Path) -> Result<Option<SystemTime>, StoreError> {
    match fs::metadata(path) {
        Err(error) if is_absent(&error) => Ok(None),
        result => Ok(Some(result?.modified()?)),
    }
}
