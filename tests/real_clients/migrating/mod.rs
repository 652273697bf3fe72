//! `docs/MIGRATING.md`, replayed: what is typed in it is done, line by line, and
//! what is shown below each line has to come.
//!
//! The lines are run by a shell, with the files below a directory of their own and
//! ports that are free (`machine.rs`), except for those in [`STAND_INS`], which
//! need an init system or a daemon.

mod compose;
mod document;
mod machine;
mod network;
mod unit;

use std::collections::BTreeSet;

use document::{Section, Typed, is_shown};
use machine::{Kind, Machine};

use crate::missing;

/// Every section that shows something, and the machine that it begins on.
const SECTIONS: [(&str, Kind); 6] = [
    (
        "Coming from nginx and docker-registry, and going back",
        Kind::Recipe,
    ),
    ("From nginx in front of a registry", Kind::Recipe),
    ("As a service", Kind::Recipe),
    (
        "From a registry with its own TLS and htpasswd",
        Kind::Registry,
    ),
    ("From compose", Kind::Compose),
    ("A file of ours", Kind::Recipe),
];

/// What is done in place of a line that cannot be run here.
#[derive(Clone, Copy)]
enum Act {
    /// The services that Debian's units start.
    Start(&'static [&'static str]),
    Stop(&'static [&'static str]),
    /// The unit of `config/examples` with the section's override: systemd has to
    /// understand it, and what it starts is started.
    StartUnit,
    /// The services of a compose file: their programs with the volumes, the ports and
    /// the variables that it names.
    Up(&'static str),
    Down,
    /// Nothing depends on it without systemd.
    Nothing,
}

use Act::{Down, Nothing, Start, StartUnit, Stop, Up};

/// The lines that are not run as they stand, each with what takes its place.
const STAND_INS: [(&str, Act); 12] = [
    ("systemctl stop nginx", Stop(&["nginx"])),
    ("systemctl stop docker-registry", Stop(&["docker-registry"])),
    (
        "systemctl stop nginx docker-registry",
        Stop(&["nginx", "docker-registry"]),
    ),
    (
        "systemctl disable --now nginx docker-registry",
        Stop(&["nginx", "docker-registry"]),
    ),
    (
        "systemctl start docker-registry",
        Start(&["docker-registry"]),
    ),
    (
        "systemctl start docker-registry nginx",
        Start(&["docker-registry", "nginx"]),
    ),
    ("systemctl daemon-reload", Nothing),
    ("systemctl enable --now tidegate", StartUnit),
    ("docker compose down", Down),
    ("docker compose up -d", Up("compose.yaml")),
    ("docker compose -f tidegate.yaml down", Down),
    ("docker compose -f tidegate.yaml up -d", Up("tidegate.yaml")),
];

/// The programs of the lines that are run as they stand; no other touches the
/// machine that the tests run on.
const PROGRAMS: [&str; 4] = ["tidegate", "registry", "curl", "skopeo"];

#[test]
fn the_transcripts_of_the_document_come_true() {
    if missing(&["nginx", "docker-registry", "skopeo", "curl", "bash"]) {
        return;
    }
    let sections = document::read();
    let headings: Vec<&str> = sections.iter().map(|s| s.heading.as_str()).collect();
    assert_eq!(headings, SECTIONS.map(|(heading, _)| heading));
    let mut unused: BTreeSet<&str> = STAND_INS.iter().map(|(line, _)| *line).collect();
    for (section, (_, kind)) in sections.iter().zip(SECTIONS) {
        replay(section, kind, &mut unused);
    }
    assert!(unused.is_empty(), "not in the document: {unused:?}");
}

fn replay(section: &Section, kind: Kind, unused: &mut BTreeSet<&str>) {
    let mut machine = Machine::new(kind, section);
    for step in section.steps() {
        let heading = &section.heading;
        let output = match &step.typed {
            Typed::Interrupt => machine.interrupt(),
            Typed::Command(line) => match STAND_INS.iter().find(|(known, _)| known == line) {
                None => {
                    let program = line.split(' ').next().unwrap_or_default();
                    assert!(
                        PROGRAMS.contains(&program),
                        "{heading}: {line} is not known"
                    );
                    machine.run(line)
                }
                Some((known, act)) => {
                    unused.remove(known);
                    perform(&mut machine, *act, section);
                    Vec::new()
                }
            },
        };
        assert!(
            is_shown(&step.shown, &output),
            "{heading}: {:?} shows\n{}\nand it was\n{}",
            step.typed,
            step.shown.join("\n"),
            output.join("\n")
        );
    }
}

fn perform(machine: &mut Machine, act: Act, section: &Section) {
    match act {
        Start(names) => names.iter().for_each(|name| machine.start(name)),
        Stop(names) => names.iter().for_each(|name| machine.stop(name)),
        StartUnit => unit::start(machine, section),
        Up(file) => compose::up(machine, file),
        Down => machine.stop_all(),
        Nothing => {}
    }
}
