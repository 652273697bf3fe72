//! The floors of the workspace: a crate may use those below it, never one
//! beside or above. `docs/ARCHITECTURE.md` says why.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// From the lowest floor up.
const FLOORS: [&[&str]; 5] = [
    &["tidegate-failure"],
    &["tidegate-config"],
    &["tidegate-auth"],
    &["tidegate-proxy", "tidegate-registry", "certs-tool"],
    &["tidegate"],
];

/// What builds before everything else, and what measures from outside.
const APART: [&str; 2] = ["xtask", "bench-client"];

/// Crates that only the one named may use, so that the choice can be undone in
/// one place.
const ONLY: [(&str, &str); 2] = [("pingora", "tidegate-proxy"), ("rcgen", "certs-tool")];

/// What the lowest floor must stay free of.
const NOT_IN_CONFIG: [&str; 5] = ["tokio", "pingora", "rustls", "http", "hyper"];

#[test]
fn imports_run_down_the_floors_only() {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let floor_of: BTreeMap<&str, usize> = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(floor, names)| names.iter().map(move |name| (*name, floor)))
        .collect();

    for package in &metadata.packages {
        let name = package.name.as_str();
        if APART.contains(&name) {
            assert!(
                package.dependencies.iter().all(|d| d.path.is_none()),
                "{name} stands apart and uses none of our crates"
            );
            continue;
        }
        let floor = *floor_of
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no floor: give it one here and in the docs"));
        for dependency in &package.dependencies {
            if dependency.kind == DependencyKind::Development {
                continue;
            }
            let used = dependency.name.as_str();
            if let Some(below) = floor_of.get(used) {
                assert!(*below < floor, "{name} must not use {used}");
            }
            for (restricted, user) in ONLY {
                assert!(
                    used != restricted || name == user,
                    "only {user} may use {used}"
                );
            }
            assert!(
                name != "tidegate-config" || !NOT_IN_CONFIG.contains(&used),
                "the lowest floor must not use {used}"
            );
        }
    }
}
