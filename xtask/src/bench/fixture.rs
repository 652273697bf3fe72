//! What both servers are given: a user, and an image with one large layer.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::bench::client;
use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// The size of the large layer.
pub(crate) const LAYER_MIB: u64 = 512;
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

const SMALL_LAYERS: u64 = 5;
/// bcrypt's cost where nobody chose one: what `htpasswd -B` takes.
const BCRYPT_COST: &str = "5";

/// The files of a run.
#[derive(Debug)]
pub(crate) struct Fixture {
    directory: PathBuf,
    /// One line: the user, with a bcrypt hash.
    pub(crate) htpasswd: PathBuf,
    /// The large layer.
    pub(crate) layer: Blob,
    small: Vec<Blob>,
    /// The manifest's bytes.
    pub(crate) manifest: String,
}

/// A file and its digest.
#[derive(Debug)]
pub(crate) struct Blob {
    /// Where its bytes are.
    pub(crate) file: PathBuf,
    /// `sha256:` and 64 hexadecimal digits.
    pub(crate) digest: String,
    size: u64,
}

impl Fixture {
    /// Makes everything below `directory`.
    pub(crate) fn create(directory: &Path) -> Result<Self, Error> {
        let htpasswd = directory.join("htpasswd");
        let line = process::output(process::command("htpasswd").args([
            "-nbB",
            "-C",
            BCRYPT_COST,
            USER,
            PASSWORD,
        ]))?;
        fs_err::write(&htpasswd, format!("{}\n", line.trim()))?;
        let layer = Blob::random(directory.join("layer"), LAYER_MIB << 20)?;
        let mut small = vec![Blob::of(directory.join("config"), CONFIG.as_bytes())?];
        for number in 0..SMALL_LAYERS {
            let file = directory.join(format!("layer-{number}"));
            small.push(Blob::random(file, 4096 + number)?);
        }
        let manifest = manifest(&small[0], &small[1..], &layer);
        Ok(Self {
            directory: directory.to_owned(),
            htpasswd,
            layer,
            small,
            manifest,
        })
    }

    /// A path in the run's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
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

    /// Pushes the image.
    pub(crate) fn push_image(&self, server: &Server) -> Result<(), Error> {
        for blob in self.small.iter().chain([&self.layer]) {
            blob.push(server)?;
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

impl Blob {
    fn of(file: PathBuf, bytes: &[u8]) -> Result<Self, Error> {
        fs_err::write(&file, bytes)?;
        Ok(Self {
            digest: digest(&file)?,
            size: fs_err::metadata(&file)?.len(),
            file,
        })
    }

    /// `size` bytes that nothing can compress.
    pub(crate) fn random(file: PathBuf, size: u64) -> Result<Self, Error> {
        let mut source = fs_err::File::open("/dev/urandom")?.take(size);
        std::io::copy(&mut source, &mut fs_err::File::create(&file)?)?;
        Ok(Self {
            digest: digest(&file)?,
            file,
            size,
        })
    }

    /// Turns it into a blob that no server has seen: `number` goes over the
    /// first bytes.
    pub(crate) fn renew(&mut self, number: u64) -> Result<(), Error> {
        let mut file = fs_err::OpenOptions::new().write(true).open(&self.file)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&number.to_be_bytes())?;
        self.digest = digest(&self.file)?;
        Ok(())
    }

    /// Its path in the API.
    pub(crate) fn path(&self) -> String {
        format!("/v2/{REPOSITORY}/blobs/{}", self.digest)
    }

    /// Where a server keeps it below its `rootdirectory`.
    pub(crate) fn stored_in(&self, storage: &Path) -> PathBuf {
        let hex = self.digest.trim_start_matches("sha256:");
        storage
            .join("docker/registry/v2/blobs/sha256")
            .join(&hex[..2])
            .join(hex)
    }

    /// Pushes it as Docker does: POST, one PATCH of unknown length, PUT.
    /// Returns how long the three took, in seconds.
    pub(crate) fn push(&self, server: &Server) -> Result<f64, Error> {
        let begin = server.url(&format!("/v2/{REPOSITORY}/blobs/uploads/"));
        let post = client::expect(server, &begin, &["--http1.1", "-X", "POST"], 202)?;
        let file = self.file.to_string_lossy();
        let streamed = [
            "--http1.1",
            "-X",
            "PATCH",
            "--upload-file",
            &file,
            "--header",
            "Content-Type: application/octet-stream",
            "--header",
            "Transfer-Encoding: chunked",
            // Docker does not ask before it sends.
            "--header",
            "Expect:",
        ];
        let patch = client::expect(server, &location(server, &post)?, &streamed, 202)?;
        let mut end = location(server, &patch)?;
        end.push(if end.contains('?') { '&' } else { '?' });
        end.push_str(&format!("digest={}", self.digest));
        let put = client::expect(server, &end, &["--http1.1", "-X", "PUT"], 201)?;
        Ok(post.seconds + patch.seconds + put.seconds)
    }
}

/// The place that an answer sends the client to, which may lack the host.
fn location(server: &Server, answer: &client::Answer) -> Result<String, Error> {
    match answer.location.as_deref() {
        Some(path) if path.starts_with('/') => Ok(server.url(path)),
        Some(url) => Ok(url.to_owned()),
        None => Err(Error::Answer {
            command: format!("an upload to {}", server.name),
            got: format!("{} without Location", answer.status),
            expected: "Location".to_owned(),
        }),
    }
}

/// The SHA-256 of a file, as openssl computes it.
pub(crate) fn digest(file: &Path) -> Result<String, Error> {
    let mut openssl = process::command("openssl");
    openssl.args(["dgst", "-sha256", "-r"]).arg(file);
    let answer = process::output(&mut openssl)?;
    parse_digest(&answer).ok_or_else(|| Error::Answer {
        command: process::shown(&openssl),
        got: answer,
        expected: "64 hexadecimal digits".to_owned(),
    })
}

fn parse_digest(answer: &str) -> Option<String> {
    let hex = answer.split_whitespace().next()?;
    let good = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| format!("sha256:{hex}"))
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
    use std::path::Path;

    use super::{Blob, digest, manifest, parse_digest};

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_is_the_first_word() {
        let hex = EMPTY.trim_start_matches("sha256:");
        assert_eq!(parse_digest(&format!("{hex} *file")).unwrap(), EMPTY);
        assert_eq!(parse_digest("e3b0 *file"), None);
        assert_eq!(parse_digest(&format!("{}g *file", &hex[1..])), None);
        assert_eq!(parse_digest(""), None);
    }

    #[test]
    fn a_renewed_blob_has_another_digest_and_the_same_size() {
        let dir = tempfile::tempdir().unwrap();
        let mut blob = Blob::of(dir.path().join("blob"), &[0; 100]).unwrap();
        let before = blob.digest.clone();
        blob.renew(7).unwrap();
        assert_ne!(blob.digest, before);
        assert_eq!(blob.digest, digest(&blob.file).unwrap());
        assert_eq!(fs_err::metadata(&blob.file).unwrap().len(), 100);
    }

    #[test]
    fn a_blob_is_stored_as_distribution_does() {
        let dir = tempfile::tempdir().unwrap();
        let blob = Blob::of(dir.path().join("blob"), b"").unwrap();
        assert_eq!(blob.digest, EMPTY);
        assert_eq!(
            blob.stored_in(Path::new("/r")),
            Path::new("/r/docker/registry/v2/blobs/sha256/e3")
                .join(EMPTY.trim_start_matches("sha256:"))
        );
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
