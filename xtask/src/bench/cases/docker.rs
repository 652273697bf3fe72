//! What users wait for: `docker push` and `docker pull`.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::bench::args::Effort;
use crate::bench::blob::Blob;
use crate::bench::cases::Case;
use crate::bench::fixture::{AUTHORIZATION, Fixture};
use crate::bench::kind::Kind;
use crate::bench::meter::Meter;
use crate::bench::metric::{Aim, Metric};
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::daemon::{self, Daemon};
use crate::error::Error;
use crate::{install, process};

/// An image that neither the daemon nor the server has seen, pushed, removed
/// and pulled.
#[derive(Default)]
pub(crate) struct Docker {
    daemon: Option<Daemon>,
    measured: u64,
}

const LAYERS: usize = 5;

impl Case for Docker {
    fn heading(&self) -> Heading {
        const {
            Heading {
                name: "docker",
                title: "`docker push` and `docker pull` of an image with 5 layers of 16 MiB",
                metrics: &[
                    Metric::aimed("push, s", &[Aim::RatioAtMost(1.0)]),
                    Metric::plain("server CPU s of the push"),
                    Metric::aimed("pull, s", &[Aim::RatioAtMost(1.0)]),
                    Metric::plain("server CPU s of the pull"),
                ],
            }
        }
    }

    fn servers(&self) -> &'static [Kind] {
        Kind::PAIR
    }

    fn prepare(&mut self, server: &Server, fixture: &Fixture) -> Result<(), Error> {
        if self.daemon.is_none() {
            install::ensure(&daemon::PROGRAMS)?;
            self.daemon = Some(Daemon::start()?);
        }
        let config = fixture.path(&format!("docker-{}", server.kind.key()));
        fs_err::create_dir_all(&config)?;
        let credentials = AUTHORIZATION.trim_start_matches("Authorization: Basic ");
        let text = serde_json::json!({
            "auths": { server.address.to_string(): { "auth": credentials } }
        });
        Ok(fs_err::write(config.join("config.json"), text.to_string())?)
    }

    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        _effort: Effort,
    ) -> Result<Vec<f64>, Error> {
        let Some(daemon) = &self.daemon else {
            return Ok(Vec::new());
        };
        self.measured += 1;
        let docker = |args: &[&str]| {
            let mut command = process::command("docker");
            command
                .env(
                    "DOCKER_CONFIG",
                    fixture.path(&format!("docker-{}", server.kind.key())),
                )
                .env("DOCKER_HOST", &daemon.address)
                // A context chosen by the user would win over the address.
                .env_remove("DOCKER_CONTEXT")
                .args(args);
            process::output(&mut command)
        };
        let image = format!("{}/team/docker:v{}", server.address, self.measured);
        let directory = fixture.path("image");
        let archive = archive(&directory, &image, fixture.sizes.docker_layer)?;
        docker(&["load", "--quiet", "--input", &archive])?;
        fs_err::remove_dir_all(&directory)?;
        rustix::fs::sync();

        let timed = |args: &[&str]| {
            let meter = Meter::begin(server)?;
            let begun = Instant::now();
            docker(args)?;
            let seconds = begun.elapsed().as_secs_f64();
            Ok::<_, Error>((seconds, meter.spent()?.server))
        };
        let (push, push_cpu) = timed(&["push", "--quiet", &image])?;
        docker(&["rmi", "--force", &image])?;
        let (pull, pull_cpu) = timed(&["pull", "--quiet", &image])?;
        docker(&["rmi", "--force", &image])?;
        Ok(vec![push, push_cpu, pull, pull_cpu])
    }
}

/// What `docker load` takes: an image called `image`, with layers of bytes that
/// nothing can compress. Returns its path.
fn archive(directory: &Path, image: &str, layer: u64) -> Result<String, Error> {
    fs_err::create_dir_all(directory)?;
    let contents = Blob::many(&directory.join("contents"), LAYERS, layer)?;
    let mut names = Vec::new();
    let mut diff_ids = Vec::new();
    for (number, content) in contents.iter().enumerate() {
        let name = format!("{number}.tar");
        let file = directory.join(&name);
        tar(&file, &directory.join("contents"), &[&number.to_string()])?;
        fs_err::remove_file(&content.file)?;
        diff_ids.push(crate::bench::blob::digest(&file)?);
        names.push(name);
    }
    let config = serde_json::json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let manifest = serde_json::json!([
        { "Config": "config.json", "RepoTags": [image], "Layers": names }
    ]);
    fs_err::write(directory.join("config.json"), config.to_string())?;
    fs_err::write(directory.join("manifest.json"), manifest.to_string())?;
    let archive = directory.join("image.tar");
    let mut members: Vec<&str> = names.iter().map(String::as_str).collect();
    members.extend(["config.json", "manifest.json"]);
    tar(&archive, directory, &members)?;
    Ok(archive.to_string_lossy().into_owned())
}

fn tar(archive: &Path, directory: &Path, members: &[&str]) -> Result<(), Error> {
    let mut tar: Command = process::command("tar");
    tar.arg("--create")
        .arg("--file")
        .arg(archive)
        .arg("--directory")
        .arg(directory)
        .args(members);
    process::output(&mut tar).map(drop)
}

/// As Go calls it, or the daemon would warn that the image is for another one.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
