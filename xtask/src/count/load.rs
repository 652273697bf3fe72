//! The requests that are counted, as curl's configuration has them.

use std::fmt::Write as _;
use std::path::Path;

use crate::error::Error;
use crate::process;

/// The only user.
const USER: &str = "count";
/// Guards nothing: the server listens on loopback and lives for one run.
const PASSWORD: &str = "instructions";
/// The hash of [`PASSWORD`] by bcrypt at its lowest cost, 4: it is verified
/// once in each run and is not what is counted.
pub(super) const HTPASSWD: &str =
    "count:$2y$04$OtCdWPk7Qp3rLaHtX5vNt.RQH0miTw5OKAhIrjAg.BW3t7jzW5yzm\n";

/// So many blobs are there to be pushed.
const BLOBS: u32 = 48;
const BLOB_BYTES: usize = 64 * 1024;
/// The requests of every case in what each run begins with: so the first one,
/// which fills caches, is no case's.
const WARM_UP: u32 = 3;

/// One kind of request.
pub(super) struct Case {
    /// As it is recorded.
    pub(super) name: &'static str,
    /// How many of them are counted.
    pub(super) requests: u32,
    status: u16,
    /// curl's configuration for the request of that number.
    options: fn(&Load, u32) -> String,
}

/// From the smallest to the largest.
pub(super) const CASES: [Case; 8] = [
    Case {
        name: "ping without a password",
        requests: 200,
        status: 401,
        options: |_, _| "url = \"{base}/v2/\"\nhttp1.1\n".to_owned(),
    },
    Case {
        name: "ping over a new connection",
        requests: 40,
        status: 200,
        options: |_, _| {
            format!(
                "url = \"{{base}}/v2/\"\nhttp1.1\nno-sessionid\nheader = \"Connection: close\"\nuser = \"{USER}:{PASSWORD}\"\n"
            )
        },
    },
    Case {
        name: "manifest by tag",
        requests: 200,
        status: 200,
        options: |_, _| asked("manifests/latest", "http1.1"),
    },
    Case {
        name: "manifest by tag, HTTP/2",
        requests: 200,
        status: 200,
        options: |_, _| asked("manifests/latest", "http2"),
    },
    Case {
        name: "HEAD of a blob",
        requests: 200,
        status: 200,
        options: |load, _| format!("{}head\n", asked(&load.blob(0), "http1.1")),
    },
    Case {
        name: "blob of 64 KiB",
        requests: 100,
        status: 200,
        options: |load, _| asked(&load.blob(0), "http1.1"),
    },
    Case {
        name: "push of a blob of 64 KiB",
        requests: BLOBS - WARM_UP - 1,
        status: 201,
        // The first of them is the image's.
        options: |load, number| load.push_blob(number + 1),
    },
    Case {
        name: "push of a manifest by a new tag",
        requests: 50,
        status: 201,
        options: |load, number| load.push_manifest(&format!("tag-{number}")),
    },
];

/// What is pushed and pulled.
pub(super) struct Load {
    files: Vec<(String, String)>,
    manifest: String,
}

impl Load {
    /// Makes the files below `directory`.
    pub(super) fn create(directory: &Path) -> Result<Self, Error> {
        let mut openssl = process::command("openssl");
        openssl.args(["dgst", "-sha256", "-r"]);
        let mut paths = Vec::new();
        for number in 0..BLOBS {
            let path = directory.join(format!("blob-{number}"));
            let bytes = [number.to_be_bytes().as_slice(), &[7; BLOB_BYTES - 4]].concat();
            fs_err::write(&path, bytes)?;
            openssl.arg(&path);
            paths.push(path.to_string_lossy().into_owned());
        }
        let answer = process::output(&mut openssl)?;
        let digests = answer.lines().filter_map(|line| line.split(' ').next());
        let files: Vec<_> = paths.into_iter().zip(digests.map(str::to_owned)).collect();
        let manifest = directory.join("manifest");
        let image = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor("config.v1+json", &files[0].1),
            "layers": [descriptor("layer.v1.tar", &files[0].1)],
        });
        fs_err::write(&manifest, image.to_string())?;
        Ok(Self {
            files,
            manifest: manifest.to_string_lossy().into_owned(),
        })
    }

    /// The requests that every run begins with, and the statuses they must
    /// have, for a server at `base` with this authority.
    pub(super) fn beginning(&self, base: &str, authority: &Path) -> Requests {
        let mut requests = Requests::new(base, authority);
        requests.add(&self.push_blob(0), 201);
        requests.add(&self.push_manifest("latest"), 201);
        for case in &CASES {
            for number in 0..WARM_UP {
                requests.add(&(case.options)(self, number), case.status);
            }
        }
        requests
    }

    /// Adds the requests of a case.
    pub(super) fn add(&self, case: &Case, requests: &mut Requests) {
        for number in WARM_UP..WARM_UP + case.requests {
            requests.add(&(case.options)(self, number), case.status);
        }
    }

    fn blob(&self, number: usize) -> String {
        format!("blobs/sha256:{}", self.files[number].1)
    }

    /// In one request, which every registry of OCI's specification may offer.
    fn push_blob(&self, number: u32) -> String {
        let (file, digest) = &self.files[number as usize];
        format!(
            "{}request = POST\ndata-binary = \"@{file}\"\nheader = \"Content-Type: application/octet-stream\"\nheader = \"Expect:\"\n",
            asked(&format!("blobs/uploads/?digest=sha256:{digest}"), "http1.1")
        )
    }

    fn push_manifest(&self, tag: &str) -> String {
        format!(
            "{}request = PUT\ndata-binary = \"@{}\"\nheader = \"Content-Type: {MANIFEST_TYPE}\"\n",
            asked(&format!("manifests/{tag}"), "http1.1"),
            self.manifest
        )
    }
}

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

fn descriptor(media_type: &str, hex: &str) -> serde_json::Value {
    serde_json::json!({
        "mediaType": format!("application/vnd.oci.image.{media_type}"),
        "digest": format!("sha256:{hex}"),
        "size": BLOB_BYTES,
    })
}

/// A request with the password.
fn asked(what: &str, version: &str) -> String {
    format!("url = \"{{base}}/v2/team/image/{what}\"\n{version}\nuser = \"{USER}:{PASSWORD}\"\n")
}

/// Requests in the order in which one curl makes them.
pub(super) struct Requests {
    base: String,
    authority: String,
    /// curl's configuration file.
    pub(super) text: String,
    /// What must become of each of them.
    pub(super) statuses: Vec<u16>,
}

impl Requests {
    fn new(base: &str, authority: &Path) -> Self {
        Self {
            base: base.to_owned(),
            authority: authority.display().to_string(),
            text: String::new(),
            statuses: Vec::new(),
        }
    }

    fn add(&mut self, options: &str, status: u16) {
        if !self.text.is_empty() {
            self.text.push_str("next\n");
        }
        self.text.push_str(&options.replace("{base}", &self.base));
        let _ = write!(
            self.text,
            "cacert = \"{}\"\noutput = /dev/null\nwrite-out = \"%{{http_code}}\\n\"\nsilent\nshow-error\nnoproxy = \"*\"\n",
            self.authority
        );
        self.statuses.push(status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_blob_is_pushed_twice() {
        let directory = tempfile::tempdir().unwrap();
        let load = Load::create(directory.path()).unwrap();
        let case = CASES
            .iter()
            .find(|case| case.name.starts_with("push of a blob"))
            .unwrap();
        let mut requests = load.beginning("https://h", Path::new("/ca"));
        load.add(case, &mut requests);
        let mut pushed: Vec<_> = requests
            .text
            .lines()
            .filter(|line| line.contains("?digest="))
            .collect();
        assert_eq!(pushed.len(), BLOBS as usize);
        pushed.sort_unstable();
        pushed.dedup();
        assert_eq!(pushed.len(), BLOBS as usize);
    }
}
