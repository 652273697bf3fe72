//! A blob of a run: a file that servers are given, and asked for.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::bench::client::{self, Protocol};
use crate::bench::fixture::REPOSITORY;
use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// A file and its digest.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    /// Where its bytes are.
    pub(crate) file: PathBuf,
    /// `sha256:` and 64 hexadecimal digits.
    pub(crate) digest: String,
    /// How many bytes.
    pub(crate) size: u64,
}

impl Blob {
    /// `bytes` in a file.
    pub(crate) fn of(file: PathBuf, bytes: &[u8]) -> Result<Self, Error> {
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

    /// `size` bytes of which all but the first are zero, and take no room on the
    /// disk.
    pub(crate) fn hollow(file: PathBuf, size: u64) -> Result<Self, Error> {
        fs_err::File::create(&file)?.set_len(size)?;
        Ok(Self {
            digest: digest(&file)?,
            file,
            size,
        })
    }

    /// So many in `directory`, of `size` bytes that nothing can compress.
    pub(crate) fn many(directory: &Path, count: usize, size: u64) -> Result<Vec<Self>, Error> {
        fs_err::create_dir_all(directory)?;
        let files: Vec<_> = (0..count)
            .map(|number| directory.join(number.to_string()))
            .collect();
        let mut source = fs_err::File::open("/dev/urandom")?;
        for file in &files {
            let mut bytes = (&mut source).take(size);
            std::io::copy(&mut bytes, &mut fs_err::File::create(file)?)?;
        }
        // One process for all of them.
        let mut openssl = process::command("openssl");
        openssl.args(["dgst", "-sha256", "-r"]).args(&files);
        let answer = process::output(&mut openssl)?;
        let digests: Option<Vec<_>> = answer.lines().map(parse_digest).collect();
        match digests {
            Some(digests) if digests.len() == count => Ok(files
                .into_iter()
                .zip(digests)
                .map(|(file, digest)| Self { file, digest, size })
                .collect()),
            _ => Err(Error::Answer {
                command: "openssl dgst".to_owned(),
                got: answer.chars().take(200).collect(),
                expected: format!("{count} digests"),
            }),
        }
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

    /// Checks that `server` has all of it on its disk, and takes it away: a
    /// long run would fill the disk, and writing out old pushes would slow
    /// down new ones.
    pub(crate) fn take_from(&self, server: &Server) -> Result<(), Error> {
        let stored = self.stored_in(&server.storage);
        let data = stored.join("data");
        let size = fs_err::metadata(&data)?.len();
        if size != self.size {
            return Err(Error::File {
                path: data,
                got: format!("{size} bytes"),
                expected: "all the bytes that were pushed",
            });
        }
        Ok(fs_err::remove_dir_all(stored)?)
    }

    /// Pushes it as Docker does: POST, one PATCH of unknown length, PUT.
    /// Returns how long the three took, in seconds.
    pub(crate) fn push(&self, server: &Server, protocol: Protocol) -> Result<f64, Error> {
        let option = protocol.option();
        let begin = server.url(&format!("/v2/{REPOSITORY}/blobs/uploads/"));
        let post = client::expect(server, &begin, &[option, "-X", "POST"], 202)?;
        let file = self.file.to_string_lossy();
        let streamed = [
            option,
            "-X",
            "PATCH",
            "--upload-file",
            &file,
            "--header",
            "Content-Type: application/octet-stream",
            "--header",
            protocol.unknown_length(),
            // Docker does not ask before it sends.
            "--header",
            "Expect:",
        ];
        let patch = client::expect(server, &location(server, &post)?, &streamed, 202)?;
        let end = ended(&location(server, &patch)?, &self.digest);
        let put = client::expect(server, &end, &[option, "-X", "PUT"], 201)?;
        for answer in [&post, &patch, &put] {
            answer.must_be(protocol, server)?;
        }
        Ok(post.seconds + patch.seconds + put.seconds)
    }
}

/// The place that an answer sends the client to, which may lack the host.
pub(crate) fn location(server: &Server, answer: &client::Answer) -> Result<String, Error> {
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

/// The URL that ends the upload at `location` with a blob of that digest.
pub(crate) fn ended(location: &str, digest: &str) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={digest}")
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Blob, digest, ended, parse_digest};

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
    fn each_of_many_has_its_own_digest() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blob::many(&dir.path().join("many"), 3, 10).unwrap();
        assert_eq!(blobs.len(), 3);
        for blob in &blobs {
            assert_eq!(blob.digest, digest(&blob.file).unwrap());
            assert_eq!(fs_err::metadata(&blob.file).unwrap().len(), 10);
        }
        assert_ne!(blobs[0].digest, blobs[1].digest);
    }

    #[test]
    fn a_hollow_blob_becomes_another_as_any() {
        let dir = tempfile::tempdir().unwrap();
        let mut blob = Blob::hollow(dir.path().join("blob"), 100).unwrap();
        let empty = blob.digest.clone();
        blob.renew(1).unwrap();
        assert_ne!(blob.digest, empty);
        assert_eq!(fs_err::metadata(&blob.file).unwrap().len(), 100);
    }

    #[test]
    fn an_upload_ends_where_the_server_says() {
        assert_eq!(
            ended("https://h/u/1", "sha256:0"),
            "https://h/u/1?digest=sha256:0"
        );
        assert_eq!(
            ended("https://h/u?_state=a", "d:0"),
            "https://h/u?_state=a&digest=d:0"
        );
    }
}
