//! Small blobs that all servers have from the beginning.

use std::path::Path;

use crate::bench::blob::Blob;
use crate::bench::fixture::{Fixture, REPOSITORY};
use crate::bench::kind::Kind;
use crate::bench::server::Server;
use crate::error::Error;

const BYTES: u64 = 10 << 10;

/// Blobs of 10 KiB.
#[derive(Debug)]
pub(crate) struct SmallBlobs(Vec<Blob>);

impl SmallBlobs {
    /// Those in `kept`, or new ones that are kept there.
    pub(crate) fn once<'a>(
        kept: &'a mut Option<Self>,
        fixture: &Fixture,
    ) -> Result<&'a Self, Error> {
        Ok(match kept {
            Some(blobs) => blobs,
            none => none.insert(Self(Blob::many(
                &fixture.path("small"),
                fixture.sizes.small_blobs,
                BYTES,
            )?)),
        })
    }

    /// Puts them into `server`'s directory as pushes would have.
    pub(crate) fn place(&self, server: &Server) -> Result<(), Error> {
        let base = server.storage.join("docker/registry/v2/repositories");
        let layers = base.join(REPOSITORY).join("_layers/sha256");
        for blob in &self.0 {
            if server.kind == Kind::Static {
                link(
                    &blob.file,
                    &server.storage.join("root").join(&blob.path()[1..]),
                )?;
                continue;
            }
            link(&blob.file, &blob.stored_in(&server.storage).join("data"))?;
            let layer = layers.join(blob.digest.trim_start_matches("sha256:"));
            fs_err::create_dir_all(&layer)?;
            fs_err::write(layer.join("link"), &blob.digest)?;
        }
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Blob> {
        self.0.iter()
    }
}

fn link(from: &Path, to: &Path) -> Result<(), Error> {
    if let Some(directory) = to.parent() {
        fs_err::create_dir_all(directory)?;
    }
    if !to.exists() {
        fs_err::copy(from, to)?;
    }
    Ok(())
}
