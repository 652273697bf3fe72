//! Garbage collection of a registry of 100,000 blobs, half of them nobody's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::bench::args::Effort;
use crate::bench::cases::Case;
use crate::bench::fixture::Fixture;
use crate::bench::kind::Kind;
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// Layers of each manifest; as many again are nobody's.
const LAYERS: usize = 100;

/// The command of each, on a directory of its own that nobody serves.
pub(crate) struct Collect;

impl Case for Collect {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "collect",
                title: "garbage collection of 100,000 blobs, 50,000 of them nobody's",
                metrics: &[
                    Metric::aimed("seconds", &[Aim::RatioAtMost(1.0)]),
                    Metric::plain("blobs left (500 manifests, 50,000 layers)"),
                ],
            }
        }
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::PAIR
    }

    /// Each round needs a new tree, which takes longer than the collection.
    fn rounds(&self, effort: Effort) -> usize {
        effort.rounds.min(2)
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let root = fixture.path("collected");
        if root.exists() {
            fs_err::remove_dir_all(&root)?;
        }
        fill(&root, fixture.sizes.collected_manifests)?;
        let config = root.join("config.yml");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n",
            root.display()
        );
        fs_err::write(&config, text)?;
        let mut command = Command::new(&server.program);
        match server.kind {
            Kind::Tidegate => command.args(["registry", "garbage-collect", "--quiet"]),
            _ => command.arg("garbage-collect"),
        };
        command.arg(&config);
        let begun = Instant::now();
        process::output(&mut command)?;
        let seconds = begun.elapsed().as_secs_f64();
        let left = blobs(&root.join("docker/registry/v2/blobs/sha256"))?;
        Ok(vec![seconds, left as f64])
    }
}

/// Writes the tree, as it would be after pushes that are long past.
fn fill(root: &Path, manifests: usize) -> Result<(), Error> {
    let base = root.join("docker/registry/v2");
    let repository = base.join("repositories/app");
    let mut number = 0_usize;
    for tag in 0..manifests {
        let mut layers = Vec::with_capacity(LAYERS);
        for nobodys in [false, true] {
            for _ in 0..LAYERS {
                // Spread as digests are; nobody hashes them here.
                let hex = format!(
                    "{:016x}",
                    (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                )
                .repeat(4);
                number += 1;
                old(
                    &base.join(format!("blobs/sha256/{}/{hex}/data", &hex[..2])),
                    "x",
                )?;
                let link = repository.join(format!("_layers/sha256/{hex}/link"));
                old(&link, &format!("sha256:{hex}"))?;
                if !nobodys {
                    layers.push(format!(
                        r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":1,"digest":"sha256:{hex}"}}"#
                    ));
                }
            }
        }
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
            layers[0],
            layers.join(",")
        );
        let hex = sha256(root, &manifest)?;
        let digest = format!("sha256:{hex}");
        old(
            &base.join(format!("blobs/sha256/{}/{hex}/data", &hex[..2])),
            &manifest,
        )?;
        let manifests = repository.join("_manifests");
        for link in [
            manifests.join(format!("revisions/sha256/{hex}/link")),
            manifests.join(format!("tags/v{tag}/current/link")),
            manifests.join(format!("tags/v{tag}/index/sha256/{hex}/link")),
        ] {
            old(&link, &digest)?;
        }
    }
    Ok(())
}

/// Writes a file that looks two days old.
fn old(path: &Path, content: &str) -> Result<(), Error> {
    if let Some(directory) = path.parent() {
        fs_err::create_dir_all(directory)?;
    }
    fs_err::write(path, content)?;
    let then = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    fs_err::OpenOptions::new()
        .write(true)
        .open(path)?
        .set_modified(then)?;
    Ok(())
}

fn sha256(scratch: &Path, text: &str) -> Result<String, Error> {
    let file: PathBuf = scratch.join("hashed");
    fs_err::write(&file, text)?;
    let said = process::output(process::command("sha256sum").arg(&file))?;
    Ok(said.chars().take(64).collect())
}

fn blobs(directory: &Path) -> Result<usize, Error> {
    let mut found = 0;
    for letters in fs_err::read_dir(directory)? {
        for blob in fs_err::read_dir(letters?.path())? {
            found += usize::from(blob?.path().join("data").exists());
        }
    }
    Ok(found)
}
