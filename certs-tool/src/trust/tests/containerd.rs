//! `hosts.toml`, and the settings that lead to it.

use super::*;

const CONFIG: &str = "etc/containerd/config.toml";

#[test]
fn hosts_toml_says_what_containerd_reads() {
    let lab = Lab::new();
    lab.install(Store::Containerd).unwrap();
    let hosts: toml::Table = lab.read(HOSTS).parse().unwrap();
    assert_eq!(hosts["server"].as_str(), Some("https://reg.lan:5043"));
    let host = &hosts["host"]["https://reg.lan:5043"];
    let ca = "/etc/containerd/certs.d/reg.lan:5043/tidegate-ca.crt";
    assert_eq!(host["ca"].as_str(), Some(ca));
    let can = ["pull", "resolve", "push"].map(toml::Value::from);
    assert_eq!(host["capabilities"].as_array().unwrap(), &can);
    assert!(lab.at(&ca[1..]).is_file());
}

#[test]
fn a_foreign_hosts_toml_keeps_all_it_says() {
    for (theirs, key) in [
        ("# c\nserver = \"https://reg.lan:5043\" # d\n", None),
        (
            "[host.\"https://reg.lan:5043\"]\n  ca = \"/x.crt\" # c\n  skip_verify = true\n",
            Some("https://reg.lan:5043"),
        ),
        (
            "[host.\"https://mirror\"]\n  capabilities = [\"pull\"]\n",
            None,
        ),
    ] {
        let lab = Lab::new();
        lab.write(HOSTS, theirs);
        lab.install(Store::Containerd).unwrap();
        let text = lab.read(HOSTS);
        let hosts: toml::Table = text.parse().unwrap();
        let cas = match key {
            Some(key) => &hosts["host"][key]["ca"],
            None => &hosts["ca"],
        };
        let ours = "/etc/containerd/certs.d/reg.lan:5043/tidegate-ca.crt";
        assert!(
            cas.as_array()
                .unwrap()
                .iter()
                .any(|ca| ca.as_str() == Some(ours)),
            "{text}"
        );
        assert!(lab.report(Store::Containerd).trusts(lab.ca.certificate()));
        lab.remove(Store::Containerd).unwrap();
        let after: toml::Table = lab.read(HOSTS).parse().unwrap();
        let before: toml::Table = theirs
            .replace("\"/x.crt\"", "[\"/x.crt\"]")
            .parse()
            .unwrap();
        assert_eq!(after, before);
    }
}

#[test]
fn containerd_is_told_to_look_where_it_does_not() {
    let lab = Lab::new();
    assert!(lab.install(Store::Containerd).unwrap().notes[0].contains("io.containerd.grpc.v1.cri"));
    lab.write("etc/containerd/config.toml", "version = 3\n");
    let note = lab.install(Store::Containerd).unwrap().notes.remove(0);
    assert!(note.contains("io.containerd.cri.v1.images"), "{note}");
    assert!(
        lab.problems(Store::Containerd)
            .contains("config_path is not set")
    );
    for plugin in ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"] {
        let set = format!(
            "version = 2\n[plugins.\"{plugin}\".registry]\nconfig_path = \"/etc/x:/etc/containerd/certs.d\"\n"
        );
        lab.write("etc/containerd/config.toml", &set);
        assert_eq!(
            lab.install(Store::Containerd).unwrap().notes,
            [] as [String; 0]
        );
        assert_eq!(lab.problems(Store::Containerd), "");
    }
}

#[test]
fn the_spelling_without_a_colon_counts_where_it_is_used() {
    let lab = Lab::new();
    let spelled = "etc/containerd/certs.d/reg.lan_5043_";
    fs::create_dir_all(lab.at(spelled)).unwrap();
    lab.install(Store::Containerd).unwrap();
    assert!(lab.at(spelled).join("hosts.toml").is_file());
}

#[test]
fn config_path_is_found_where_containerd_takes_it_from() {
    let set = "[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"/etc/reg.d\"\n";
    for (main, imported) in [
        (format!("version = 2\n{set}"), ""),
        (
            "version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n".to_owned(),
            set,
        ),
        (
            "version = 2\nimports = [\"conf.d/a.toml\"]\n".to_owned(),
            set,
        ),
    ] {
        let lab = Lab::new();
        lab.write(CONFIG, &main);
        lab.write("etc/containerd/conf.d/a.toml", imported);
        assert!(lab.install(Store::Containerd).unwrap().notes.is_empty());
        let hosts: toml::Table = lab
            .read("etc/reg.d/reg.lan:5043/hosts.toml")
            .parse()
            .unwrap();
        let ca = "/etc/reg.d/reg.lan:5043/tidegate-ca.crt";
        assert_eq!(
            hosts["host"]["https://reg.lan:5043"]["ca"].as_str(),
            Some(ca)
        );
        assert!(lab.report(Store::Containerd).trusts(lab.ca.certificate()));
    }
}

#[test]
fn the_lines_to_add_fit_the_version_and_what_is_there() {
    for (config, lines) in [
        (
            None,
            "    version = 2\n    [plugins.\"io.containerd.grpc.v1.cri\".registry]\n",
        ),
        (Some(""), "\n    [plugins.cri.registry]\n"),
        (
            Some(
                "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.a]\nendpoint = []\n",
            ),
            "in place of its registry.mirrors",
        ),
        (
            Some("version = 3\n"),
            "    [plugins.\"io.containerd.cri.v1.images\".registry]\n",
        ),
    ] {
        let lab = Lab::new();
        if let Some(config) = config {
            lab.write(CONFIG, config);
        }
        let note = lab.install(Store::Containerd).unwrap().notes.remove(0);
        assert!(note.contains(lines), "{note}");
        assert!(
            note.ends_with("      config_path = \"/etc/containerd/certs.d\""),
            "{note}"
        );
    }
    let lab = Lab::new();
    lab.write(CONFIG, "disabled_plugins = [\"cri\"]\n");
    assert!(lab.install(Store::Containerd).unwrap().notes.is_empty());
}

#[test]
fn files_in_dockers_layout_stay_in_force() {
    let lab = Lab::new();
    lab.write("etc/containerd/certs.d/reg.lan:5043/client.cert", "x");
    lab.write("etc/containerd/certs.d/reg.lan:5043/client.key", "x");
    lab.install(Store::Containerd).unwrap();
    assert!(!lab.at(HOSTS).exists(), "it would hide the client's pair");
    assert!(lab.report(Store::Containerd).trusts(lab.ca.certificate()));
}

#[test]
fn what_somebody_added_to_our_file_stays() {
    let lab = Lab::new();
    lab.install(Store::Containerd).unwrap();
    let more = "[host.\"https://mirror\"]\ncapabilities = [\"pull\"]\n";
    lab.write(HOSTS, &(lab.read(HOSTS) + more));
    lab.remove(Store::Containerd).unwrap();
    let left = lab.read(HOSTS);
    assert!(
        left.ends_with(more) && !left.contains("certs-tool"),
        "{left}"
    );
    assert!(!left.contains("tidegate-ca.crt"), "{left}");
}

#[test]
fn the_default_counts_where_a_registry_has_no_directory() {
    let lab = Lab::new();
    lab.write(
        "etc/containerd/certs.d/_default/hosts.toml",
        "ca = \"/etc/ca.crt\"\n",
    );
    lab.write("etc/ca.crt", lab.ca.certificate_pem());
    assert!(lab.report(Store::Containerd).trusts(lab.ca.certificate()));
}

#[test]
fn a_configuration_that_is_broken_is_named() {
    for content in ["= 1\n", "version = 2\nimports = [\"x.toml\"]\n"] {
        let lab = Lab::new();
        lab.write(CONFIG, content);
        lab.write("etc/containerd/x.toml", "= 2\n");
        let notes = lab.install(Store::Containerd).unwrap().notes;
        assert!(notes[0].contains("is not TOML"), "{notes:?}");
        assert!(lab.report(Store::Containerd).problems[0].blocks);
    }
}
