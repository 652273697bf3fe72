//! Files of somebody else that get an entry of ours.

use proptest::prelude::*;
use tidegate_failure::Explain as _;

use super::*;

#[test]
fn buildkitd_toml_says_what_buildkit_reads() {
    let lab = Lab::new();
    lab.write(
        BUILDKITD,
        "# a\n[registry.\"docker.io\"]\n  mirrors = [\"m\"] # b\n",
    );
    lab.install(Store::Buildkit).unwrap();
    let text = lab.read(BUILDKITD);
    assert!(
        text.starts_with("# a\n[registry.\"docker.io\"]\n  mirrors = [\"m\"] # b\n"),
        "{text}"
    );
    let settings: toml::Table = text.parse().unwrap();
    let ours = "/etc/buildkit/certs/reg.lan:5043/tidegate-ca.crt";
    assert_eq!(
        settings["registry"]["reg.lan:5043"]["ca"][0].as_str(),
        Some(ours)
    );
    assert!(lab.at(&ours[1..]).is_file());
}

#[test]
fn files_that_cannot_be_merged_with_certainty_stay() {
    let theirs = "configs:\n  \"reg.lan:5043\":\n    tls:\n      ca_file: /theirs\n";
    for (store, path, content, part) in [
        (Store::Buildkit, BUILDKITD, "registry = 1\n", "is no table"),
        (Store::Buildkit, BUILDKITD, "a = [\n", "not TOML"),
        (Store::Containerd, HOSTS, "ca = 1\n", "unknown here"),
        (Store::Containerd, HOSTS, "= 1\n", "not TOML"),
        (
            Store::K3s,
            REGISTRIES,
            "configs: {\"a\": {}}\n",
            "in one line",
        ),
        (
            Store::K3s,
            REGISTRIES,
            theirs,
            "has set tls for reg.lan:5043",
        ),
        (Store::K3s, REGISTRIES, "a: [\n", "not YAML"),
        (Store::K3s, REGISTRIES, "- 1\n- 2\n", "with certainty"),
    ] {
        let lab = Lab::new();
        lab.write(path, content);
        let before = lab.tree();
        let error = lab.install(store).unwrap_err();
        assert!(error.to_string().contains(part), "{content}: {error}");
        assert!(error.hint().is_some());
        assert_eq!(lab.tree(), before, "{content}");
    }
}

#[test]
fn an_entry_of_k3s_that_somebody_changed_is_not_removed() {
    let lab = Lab::new();
    lab.install(Store::K3s).unwrap();
    let changed = lab.read(REGISTRIES) + "      insecure_skip_verify: true\n";
    lab.write(REGISTRIES, &changed);
    let error = lab.remove(Store::K3s).unwrap_err();
    assert!(
        error.to_string().contains("somebody has changed"),
        "{error}"
    );
    assert_eq!(lab.read(REGISTRIES), changed);
    assert!(lab.problems(Store::K3s).contains("insecure_skip_verify"));
}

#[test]
fn what_cannot_be_written_in_full_is_not_written_at_all() {
    let lab = Lab::new();
    // Its directory is in the way of the second file.
    lab.write("etc/buildkit/buildkitd.toml/x", "");
    let before = lab.tree();
    let plan = Plan {
        changes: ["etc/buildkit/certs/a", BUILDKITD]
            .map(|path| Change {
                path: lab.at(path),
                before: None,
                content: Some("x".to_owned()),
            })
            .into(),
        ..Plan::default()
    };
    let error = plan.apply().unwrap_err();
    assert!(error.to_string().contains("buildkitd.toml"), "{error}");
    assert_eq!(lab.tree(), before);
}

#[test]
fn modes_are_such_that_clients_can_read_and_others_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    lab.write(REGISTRIES, "mirrors: {}\n");
    fs::set_permissions(lab.at(REGISTRIES), std::fs::Permissions::from_mode(0o600)).unwrap();
    lab.install(Store::K3s).unwrap();
    let mode = |path| fs::metadata(lab.at(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(REGISTRIES), 0o600);
    assert_eq!(
        mode("etc/rancher/k3s/certs/reg.lan:5043/tidegate-ca.crt"),
        0o644
    );
    assert_eq!(mode("etc/rancher/k3s/certs/reg.lan:5043"), 0o755);
}

#[test]
fn no_link_of_another_root_leads_into_this_machine() {
    let (lab, outside) = (Lab::new(), tempfile::tempdir().unwrap());
    fs::remove_dir(lab.at("etc/docker")).unwrap();
    std::os::unix::fs::symlink(outside.path(), lab.at("etc/docker")).unwrap();
    let error = lab.install(Store::Docker).unwrap_err();
    assert!(
        error.to_string().contains("leads out of the root"),
        "{error}"
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

/// Any settings, among them those that we write to.
fn any_toml() -> impl Strategy<Value = toml::Table> {
    let key = prop_oneof![
        "[a-z \\.]{0,3}",
        Just("registry".to_owned()),
        Just("host".to_owned()),
        Just("ca".to_owned()),
        Just("reg.lan:5043".to_owned()),
        Just("https://reg.lan:5043".to_owned()),
    ];
    let leaf = prop_oneof![
        any::<i64>().prop_map(toml::Value::from),
        any::<bool>().prop_map(toml::Value::from),
        "\\PC{0,6}".prop_map(toml::Value::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, {
        let key = key.clone();
        move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(toml::Value::from),
                proptest::collection::btree_map(key.clone(), inner, 0..4)
                    .prop_map(|map| toml::Value::Table(map.into_iter().collect())),
            ]
        }
    });
    proptest::collection::btree_map(key, value, 0..5).prop_map(|map| map.into_iter().collect())
}

/// Keys, tables and comments of somebody else.
fn foreign_toml() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-z]{3,6}z = [0-9]{1,3} # [a-z ]{0,8}",
        "# [a-z ]{0,10}",
        Just(String::new()),
    ];
    let host = "[a-z]{1,5}\\.lan";
    let table = (host, proptest::collection::vec(line.clone(), 0..3))
        .prop_map(|(host, lines)| format!("[registry.\"{host}\"]\n{}", lines.join("\n")));
    (
        proptest::collection::vec(line, 0..4),
        proptest::option::of(table),
    )
        .prop_map(|(lines, table)| lines.join("\n") + "\n" + &table.unwrap_or_default() + "\n")
        .prop_filter("valid", |text| text.parse::<toml::Table>().is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn merging_keeps_every_foreign_line_of_toml(theirs in foreign_toml()) {
        let lab = Lab::new();
        lab.write(BUILDKITD, &theirs);
        lab.install(Store::Buildkit).unwrap();
        let merged = lab.read(BUILDKITD);
        for line in theirs.lines() {
            prop_assert!(merged.lines().any(|found| found == line), "{line:?} is not in\n{merged}");
        }
        lab.remove(Store::Buildkit).unwrap();
        if lab.at(BUILDKITD).exists() {
            let left = lab.read(BUILDKITD);
            prop_assert_eq!(left.trim_end(), theirs.trim_end());
        } else {
            prop_assert!(theirs.trim().is_empty());
        }
    }

    #[test]
    fn merging_yaml_keeps_every_foreign_line_or_refuses(
        theirs in "(# [a-z ]{0,5}\n)?(mirrors:\n  a:\n    endpoint: [\"b\"]\n)?(configs:( # c)?\n)?( {2}\"[a-z]{2}\\.lan\":\n    auth: \\{username: u\\}\n)?(  # d\n)?"
    ) {
        let lab = Lab::new();
        lab.write(REGISTRIES, &theirs);
        if lab.install(Store::K3s).is_err() {
            prop_assert_eq!(lab.read(REGISTRIES), theirs);
            return Ok(());
        }
        prop_assert!(lab.report(Store::K3s).trusts(lab.ca.certificate()));
        let merged = lab.read(REGISTRIES);
        for line in theirs.lines() {
            prop_assert!(merged.lines().any(|found| found == line), "{line:?} is not in\n{merged}");
        }
        lab.remove(Store::K3s).unwrap();
        prop_assert!(!lab.report(Store::K3s).trusts(lab.ca.certificate()));
    }

    #[test]
    fn merging_any_toml_adds_a_path_and_changes_nothing_else(theirs in any_toml()) {
        for (store, path) in [(Store::Buildkit, BUILDKITD), (Store::Containerd, HOSTS)] {
            let lab = Lab::new();
            let text = theirs.to_string();
            lab.write(path, &text);
            if lab.install(store).is_err() {
                prop_assert_eq!(lab.read(path), text);
                continue;
            }
            let merged: toml::Table = lab.read(path).parse().unwrap();
            prop_assert_ne!(&merged, &theirs);
            lab.remove(store).unwrap();
            let left = match fs::read_to_string(lab.at(path)) {
                Ok(text) => text.parse().unwrap(),
                Err(_) => toml::Table::new(),
            };
            prop_assert_eq!(emptied(left), emptied(listed(theirs.clone())));
        }
    }
}

/// A single `ca` may have become a list of one.
fn listed(mut table: toml::Table) -> toml::Table {
    for (key, value) in &mut table {
        match value {
            toml::Value::String(_) if key == "ca" => *value = vec![value.clone()].into(),
            toml::Value::Table(inner) => *inner = listed(std::mem::take(inner)),
            _ => {}
        }
    }
    table
}

/// Lists of one may have been lists, and tables of nothing go with our entry.
fn emptied(table: toml::Table) -> toml::Table {
    let mut table = listed(table);
    for (_, value) in &mut table {
        if let toml::Value::Table(inner) = value {
            *inner = emptied(std::mem::take(inner));
        }
    }
    table.retain(|_, value| {
        let is_empty = value.as_table().is_some_and(toml::Table::is_empty)
            || value.as_array().is_some_and(Vec::is_empty);
        !is_empty
    });
    table
}
