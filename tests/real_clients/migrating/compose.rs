//! What the document's compose files mean, done without a Docker daemon: the
//! programs of their images, on the volumes and ports that they name.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::document::Section;
use super::machine::{Machine, below, nginx};

/// Where the project lies.
const PROJECT: &str = "srv/registry";

/// What containers see; all of a file's see the same, since none hides from the
/// others.
const INSIDE: &str = "inside";

/// The document's two files, under the names that it gives them, and what their
/// volumes hold.
pub(super) fn install(machine: &Machine, section: &Section) {
    let mut files = section.of("yaml");
    for name in ["compose.yaml", "tidegate.yaml"] {
        let file = files.next().expect("two files").text();
        fs_err::create_dir_all(machine.path(PROJECT)).unwrap();
        fs_err::write(machine.path(PROJECT).join(name), file).unwrap();
    }
    assert!(files.next().is_none(), "a third compose file");
    machine.install_pair(&format!("{PROJECT}/auth/domain"));
    machine.install_users(&format!("{PROJECT}/auth/nginx.htpasswd"));
    let conf = include_str!("compose-nginx.conf");
    machine.install_in(
        &machine.path(INSIDE),
        &format!("{PROJECT}/auth/nginx.conf"),
        conf,
    );
    fs_err::create_dir_all(machine.path(PROJECT).join("data")).unwrap();
}

/// Starts the services of a file, a registry before what stands in front of it.
pub(super) fn up(machine: &mut Machine, file: &str) {
    let text = fs_err::read_to_string(machine.path(PROJECT).join(file)).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let services = file["services"].as_object().unwrap();
    let inside = machine.path(INSIDE);
    let _ = fs_err::remove_dir_all(&inside);
    for directory in ["var/lib/nginx", "run"] {
        fs_err::create_dir_all(inside.join(directory)).unwrap();
    }
    for service in services.values() {
        for volume in strings(&service["volumes"]) {
            mount(machine, &inside, &volume);
        }
    }
    let published = services
        .values()
        .flat_map(|service| strings(&service["ports"]));
    assert_eq!(published.collect::<Vec<_>>(), ["443:443"]);
    let mut services: Vec<_> = services.iter().collect();
    services.sort_by_key(|(_, service)| service["image"] == "nginx:alpine");
    for (name, service) in services {
        let (mut command, port) = program(machine, service);
        let environment = service["environment"].as_object();
        for (name, value) in environment.into_iter().flatten() {
            command.env(name, value.as_str().unwrap());
        }
        machine.launch(name, command, port);
    }
}

/// What the image of a service runs, and the port that it opens.
fn program(machine: &Machine, service: &Value) -> (Command, u16) {
    let inside = machine.path(INSIDE);
    let data = inside.join("var/lib/registry");
    let words = service["command"].as_str().unwrap_or_default();
    let words = below(&inside, &format!(" {words}"));
    match service["image"].as_str().unwrap() {
        "nginx:alpine" => {
            let mut command = Command::new("nginx");
            command.args(nginx(
                &inside.join("etc/nginx/nginx.conf").display().to_string(),
            ));
            (command, machine.https)
        }
        "registry:2" => {
            // The file in that image says no more than these two.
            let config = machine.path("image.yml");
            fs_err::write(&config, "version: 0.1\nstorage: filesystem\n").unwrap();
            let mut command = Command::new("docker-registry");
            command.arg("serve").arg(config);
            command.env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", data);
            command.env("REGISTRY_HTTP_ADDR", format!("127.0.0.1:{}", machine.plain));
            (command, machine.plain)
        }
        "tidegate" => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
            assert_eq!(entrypoint(), ["/usr/bin/tidegate"]);
            command.args(words.split_whitespace());
            // Where it is by default, inside.
            command.env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", data);
            (command, machine.https)
        }
        other => panic!("no image {other}"),
    }
}

/// What our image runs, to which `command` is appended.
fn entrypoint() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/Containerfile");
    let text = fs_err::read_to_string(file).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("ENTRYPOINT "));
    serde_json::from_str(line.unwrap()).unwrap()
}

/// `./auth:/etc/nginx/conf.d:ro`
fn mount(machine: &Machine, inside: &Path, volume: &str) {
    let mut parts = volume.split(':');
    let (from, to) = (parts.next().unwrap(), parts.next().unwrap());
    let from = machine.path(PROJECT).join(from.trim_start_matches("./"));
    assert!(from.exists(), "{volume}: there is no {}", from.display());
    let to = inside.join(to.trim_start_matches('/'));
    fs_err::create_dir_all(to.parent().unwrap()).unwrap();
    symlink(from, &to).unwrap_or_else(|error| panic!("{volume}: {error}"));
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}
