//! Images in the form that `docker load` and skopeo read.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::harness::finish;
use crate::harness::image::sha256;

/// An image as `docker save` writes it.
pub(crate) struct Archive {
    dir: TempDir,
    name: String,
}

impl Archive {
    /// Each content becomes the one file of a layer.
    pub(crate) fn of(contents: &[bytes::Bytes]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut layers = vec![];
        let mut diff_ids = vec![];
        for (n, content) in contents.iter().enumerate() {
            let layer = format!("layer{n}.tar");
            fs_err::write(dir.path().join(format!("file{n}")), content).unwrap();
            tar(dir.path(), &layer, &[format!("file{n}")]);
            fs_err::remove_file(dir.path().join(format!("file{n}"))).unwrap();
            diff_ids.push(sha256(&fs_err::read(dir.path().join(&layer)).unwrap()));
            layers.push(layer);
        }
        // The last layer names the image, so that parallel tests do not meet.
        let name = format!(
            "tidegate-test/{}:latest",
            &diff_ids[diff_ids.len() - 1][7..19]
        );
        let mut history: Vec<_> = layers
            .iter()
            .map(|_| json!({"created": "2020-01-01T00:00:00Z", "created_by": "test"}))
            .collect();
        // As most images have: a step that changed no file.
        history.push(json!({
            "created": "2020-01-01T00:00:00Z",
            "created_by": "CMD <none> && true",
            "empty_layer": true,
        }));
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "created": "2020-01-01T00:00:00Z",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        });
        let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": layers}]);
        fs_err::write(dir.path().join("config.json"), config.to_string()).unwrap();
        fs_err::write(dir.path().join("manifest.json"), manifest.to_string()).unwrap();
        let mut members = vec!["manifest.json".to_owned(), "config.json".to_owned()];
        members.extend(layers);
        tar(dir.path(), "image.tar", &members);
        Self { dir, name }
    }

    pub(crate) fn path(&self) -> String {
        self.dir
            .path()
            .join("image.tar")
            .to_string_lossy()
            .into_owned()
    }

    pub(crate) fn source(&self) -> String {
        format!("docker-archive:{}", self.path())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

fn tar(dir: &Path, name: &str, members: &[String]) {
    let mut command = Command::new("tar");
    command
        .current_dir(dir)
        .args([
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mtime=@0",
            "-cf",
            name,
        ])
        .args(members);
    finish(command, "").assert_ok();
}
