//! The unit of `config/examples` with the document's override.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::document::Section;
use super::machine::{Machine, below};
use crate::harness::finish;

/// Has systemd look at it, if it is there, and starts what it starts.
pub(super) fn start(machine: &mut Machine, section: &Section) {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/tidegate.service");
    let unit = fs_err::read_to_string(unit).unwrap();
    let with = section.of("ini").next().expect("an override").text();
    verify(machine, &unit, &with);
    let whole = format!("{unit}\n{with}");
    for (key, is_served) in [("ExecStartPre=", false), ("ExecStart=", true)] {
        let lines = commands(&whole, key);
        let [line] = &lines[..] else {
            panic!("{key}{lines:?}");
        };
        let line = below(&machine.path(""), line);
        let args = line.strip_prefix("/usr/bin/tidegate ").expect("ours");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(args.split_whitespace());
        if is_served {
            machine.launch("tidegate", command, machine.https);
        } else {
            finish(command, "").assert_ok();
        }
    }
}

/// What a list of a unit holds in the end: an empty assignment clears it
/// (systemd.service(5)).
fn commands(unit: &str, key: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for value in unit.lines().filter_map(|line| line.strip_prefix(key)) {
        match value {
            "" => commands.clear(),
            command => commands.push(command.to_owned()),
        }
    }
    commands
}

fn verify(machine: &Machine, unit: &str, with: &str) {
    // What it starts has to be there.
    let there = |text: &str| text.replace("/usr/bin/tidegate", "/bin/true");
    let directory = machine.path("etc/systemd/system");
    fs_err::create_dir_all(directory.join("tidegate.service.d")).unwrap();
    fs_err::write(directory.join("tidegate.service"), there(unit)).unwrap();
    let override_conf = directory.join("tidegate.service.d/override.conf");
    fs_err::write(override_conf, there(with)).unwrap();
    let mut command = Command::new("systemd-analyze");
    command
        .arg("verify")
        .arg(directory.join("tidegate.service"));
    match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let _ = writeln!(std::io::stderr(), "skipped: systemd-analyze not found");
        }
        result => {
            let verified = result.unwrap();
            let said = String::from_utf8_lossy(&verified.stderr);
            assert!(verified.status.success(), "{said}");
            for file in ["tidegate.service", "override.conf"] {
                assert!(!said.contains(file), "{said}");
            }
        }
    }
}
