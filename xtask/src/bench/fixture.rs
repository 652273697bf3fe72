//! What both servers are given: a user, and an image with one large layer.

use std::path::{Path, PathBuf};

use crate::bench::blob::Blob;
use crate::bench::client::{self, Protocol};
use crate::bench::kind::Kind;
use crate::bench::server::Server;
use crate::bench::sizes::Sizes;
use crate::error::Error;
use crate::process;

/// The only user.
pub(crate) const USER: &str = "bench";
/// Guards nothing: the servers listen on loopback and live for one run.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// [`USER`] and [`PASSWORD`] as `Authorization` carries them (RFC 7617).
pub(crate) const AUTHORIZATION: &str =
    "Authorization: Basic YmVuY2g6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==";
/// Where the image is.
pub(crate) const REPOSITORY: &str = "team/image";
/// What the image is called there.
pub(crate) const TAG: &str = "latest";
/// The media type of the image's manifest.
pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What asks for that type.
pub(crate) const ACCEPT_MANIFEST: &str = "Accept: application/vnd.oci.image.manifest.v1+json";

const SMALL_LAYERS: u64 = 5;
/// bcrypt's cost where nobody chose one: what `htpasswd -B` takes.
const BCRYPT_COST: &str = "5";

/// The files of a run.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    directory: PathBuf,
    /// How much work there is.
    pub(crate) sizes: Sizes,
    /// One line: the user, with a bcrypt hash.
    pub(crate) htpasswd: PathBuf,
    /// The large layer.
    pub(crate) layer: Blob,
    small: Vec<Blob>,
    /// The manifest's bytes.
    pub(crate) manifest: String,
    /// The program that pushes many blobs.
    pub(crate) pusher: PathBuf,
}

impl Fixture {
    /// Makes everything below `directory`, for `pusher` to push from.
    pub(crate) fn create(directory: &Path, sizes: Sizes, pusher: PathBuf) -> Result<Self, Error> {
        let htpasswd = directory.join("htpasswd");
        let line = process::output(process::command("htpasswd").args([
            "-nbB",
            "-C",
            BCRYPT_COST,
            USER,
            PASSWORD,
        ]))?;
        fs_err::write(&htpasswd, format!("{}\n", line.trim()))?;
        let layer = Blob::random(directory.join("layer"), sizes.layer)?;
        let mut small = vec![Blob::of(directory.join("config"), CONFIG.as_bytes())?];
        for number in 0..SMALL_LAYERS {
            let file = directory.join(format!("layer-{number}"));
            small.push(Blob::random(file, 4096 + number)?);
        }
        let manifest = manifest(&small[0], &small[1..], &layer);
        Ok(Self {
            directory: directory.to_owned(),
            sizes,
            htpasswd,
            layer,
            small,
            manifest,
            pusher,
        })
    }

    /// A path in the run's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The same files for servers whose own are to be apart, in a directory of
    /// that name.
    pub(crate) fn beneath(&self, name: &str) -> Result<Self, Error> {
        let directory = self.path(name);
        fs_err::create_dir_all(&directory)?;
        Ok(Self {
            directory,
            ..self.clone()
        })
    }

    /// Writes what curl needs to know to use a server with this authority.
    pub(crate) fn client_config(&self, name: &str, authority: &Path) -> Result<PathBuf, Error> {
        let file = self.path(name);
        let text = format!(
            "cacert = \"{}\"\nuser = \"{USER}:{PASSWORD}\"\n",
            authority.display()
        );
        fs_err::write(&file, text)?;
        Ok(file)
    }

    /// The image's blobs.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.small.iter().chain([&self.layer])
    }

    /// Pushes the image, if `server` takes images.
    pub(crate) fn push_image(&self, server: &Server) -> Result<(), Error> {
        if !Kind::REGISTRIES.contains(&server.kind) {
            return Ok(());
        }
        for blob in self.blobs() {
            blob.push(server, Protocol::Http1)?;
        }
        let url = server.url(&manifest_path());
        let content_type = format!("Content-Type: {MANIFEST_TYPE}");
        let options = ["-X", "PUT", "--header", &content_type];
        let body = ["--data-binary", &self.manifest];
        client::expect(server, &url, &[options.as_slice(), &body].concat(), 201)?;
        Ok(())
    }
}

/// The path of the image's manifest by its tag.
pub(crate) fn manifest_path() -> String {
    format!("/v2/{REPOSITORY}/manifests/{TAG}")
}

const CONFIG: &str =
    r#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;

fn manifest(config: &Blob, small: &[Blob], large: &Blob) -> String {
    let descriptor = |media_type: &str, blob: &Blob| {
        serde_json::json!({
            "mediaType": format!("application/vnd.oci.image.{media_type}"),
            "digest": blob.digest,
            "size": blob.size,
        })
    };
    let layers: Vec<_> = small
        .iter()
        .chain([large])
        .map(|blob| descriptor("layer.v1.tar", blob))
        .collect();
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor("config.v1+json", config),
        "layers": layers,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::{ACCEPT_MANIFEST, MANIFEST_TYPE, manifest};
    use crate::bench::blob::Blob;

    #[test]
    fn the_manifest_is_asked_for_by_its_type() {
        assert_eq!(ACCEPT_MANIFEST, format!("Accept: {MANIFEST_TYPE}"));
    }

    #[test]
    fn the_manifest_names_every_blob() {
        let dir = tempfile::tempdir().unwrap();
        let blob = |name: &str| Blob::of(dir.path().join(name), name.as_bytes()).unwrap();
        let (config, small, large) = (blob("config"), [blob("small")], blob("large"));
        let text = manifest(&config, &small, &large);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["config"]["digest"], config.digest);
        assert_eq!(json["layers"][0]["digest"], small[0].digest);
        assert_eq!(json["layers"][1]["size"], 5);
    }
}
