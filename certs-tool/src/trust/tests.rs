use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use proptest::prelude::*;
use tempfile::TempDir;
use tidegate_failure::Explain as _;

use super::*;
use crate::{Ca, CaOptions, HostName, SiteOptions, make_ca};

/// A machine below a root of its own, with every client in use.
struct Lab {
    root: TempDir,
    ca: Ca,
}

impl Lab {
    fn new() -> Self {
        let lab = Self {
            root: tempfile::tempdir().unwrap(),
            ca: make_ca(&CaOptions::default()).unwrap(),
        };
        for directory in [
            "etc/docker",
            "etc/containerd",
            "etc/containers",
            "etc/buildkit",
            "etc/rancher/k3s",
            "usr/local/share/ca-certificates",
        ] {
            fs::create_dir_all(lab.at(directory)).unwrap();
        }
        lab.write("usr/sbin/update-ca-certificates", "");
        lab
    }

    fn machine(&self) -> Machine {
        Machine::below(self.root.path())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn authority(&self) -> Authority {
        // Not below the root, which is compared as a whole.
        let elsewhere = tempfile::tempdir().unwrap();
        let file = elsewhere.path().join("ca.crt");
        fs::write(&file, self.ca.certificate_pem()).unwrap();
        Authority::read(&file).unwrap()
    }

    fn install(&self, store: Store) -> Result<Plan, TrustError> {
        let plan = install(&self.machine(), store, &site(), &self.authority())?;
        plan.apply()?;
        Ok(plan)
    }

    fn remove(&self, store: Store) -> Result<Plan, TrustError> {
        let plan = remove(&self.machine(), store, &site())?;
        plan.apply()?;
        Ok(plan)
    }

    fn report(&self, store: Store) -> StoreReport {
        inspect(&self.machine(), &site())
            .into_iter()
            .find(|report| report.store == store)
            .unwrap()
    }

    /// What is wrong with a store, in one text.
    fn problems(&self, store: Store) -> String {
        let problems = self.report(store).problems;
        problems.iter().map(|p| format!("{}\n", p.what)).collect()
    }

    /// Every file with its content.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.root.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let content = fs::read_to_string(&path).unwrap();
                    files.insert(path, content);
                }
            }
        }
        files
    }
}

fn site() -> Site {
    Site::parse("reg.lan:5043").unwrap()
}

const WRITABLE: [Store; 6] = [
    Store::Docker,
    Store::Containerd,
    Store::Containers,
    Store::Buildkit,
    Store::K3s,
    Store::System,
];

const HOSTS: &str = "etc/containerd/certs.d/reg.lan:5043/hosts.toml";
const BUILDKITD: &str = "etc/buildkit/buildkitd.toml";
const REGISTRIES: &str = "etc/rancher/k3s/registries.yaml";

#[test]
fn installing_twice_changes_nothing_and_removing_leaves_what_was_there() {
    let lab = Lab::new();
    lab.write("etc/docker/certs.d/reg.lan:5043/other.crt", "theirs");
    lab.write(BUILDKITD, "debug = true # theirs\n");
    lab.write(
        REGISTRIES,
        "# theirs\nconfigs:\n  \"a.lan\": # one\n    auth: {username: x}\n",
    );
    assert_eq!(lab.machine().stores(), WRITABLE);
    let before = lab.tree();
    for store in WRITABLE {
        assert!(!lab.report(store).trusts(lab.ca.certificate()));
        assert!(!lab.install(store).unwrap().is_empty(), "{store}");
        if store != Store::System {
            assert!(lab.report(store).trusts(lab.ca.certificate()), "{store}");
        }
    }
    let installed = lab.tree();
    for store in WRITABLE {
        assert!(lab.install(store).unwrap().is_empty(), "{store}");
    }
    assert_eq!(lab.tree(), installed);
    for store in WRITABLE {
        lab.remove(store).unwrap();
        assert!(!lab.report(store).trusts(lab.ca.certificate()), "{store}");
        assert!(lab.remove(store).unwrap().is_empty(), "{store}");
    }
    assert_eq!(lab.tree(), before);
}

#[test]
fn a_plan_alone_writes_nothing() {
    let lab = Lab::new();
    let before = lab.tree();
    for store in WRITABLE {
        let plan = install(&lab.machine(), store, &site(), &lab.authority()).unwrap();
        assert!(!plan.is_empty());
    }
    assert_eq!(lab.tree(), before);
}

#[test]
fn a_new_ca_takes_the_place_of_the_old_one() {
    let mut lab = Lab::new();
    let old = lab.ca.certificate().clone();
    lab.install(Store::Docker).unwrap();
    lab.ca = make_ca(&CaOptions::default()).unwrap();
    lab.install(Store::Docker).unwrap();
    let report = lab.report(Store::Docker);
    assert!(report.trusts(lab.ca.certificate()) && !report.trusts(&old));
}

#[test]
fn who_trusts_it_already_is_left_alone() {
    let lab = Lab::new();
    lab.write(
        "etc/docker/certs.d/reg.lan:5043/ca.crt",
        lab.ca.certificate_pem(),
    );
    assert!(lab.install(Store::Docker).unwrap().is_empty());
    assert!(lab.remove(Store::Docker).unwrap().is_empty());
    assert!(lab.report(Store::Docker).trusts(lab.ca.certificate()));
}

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
            .contains("does not name /etc/containerd/certs.d")
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
            "has an entry for reg.lan:5043",
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
fn the_usual_mistakes_in_certs_d_are_named() {
    let pem = make_ca(&CaOptions::default())
        .unwrap()
        .certificate_pem()
        .to_owned();
    for (file, content, part) in [
        (
            "reg.lan:5043/ca.cert",
            pem.as_str(),
            "*.cert is taken for a client's certificate",
        ),
        ("reg.lan:5043/client.cert", "x", "its key is missing"),
        ("reg.lan:5043/client.key", "x", "its certificate is missing"),
        ("reg.lan:5043/ca.pem", &pem, "it is not read"),
        ("reg.lan:5043/ca.crt", "", "an empty file"),
        (
            "reg.lan:5043/ca.crt",
            "0\u{3}",
            "expected a certificate in PEM",
        ),
        (
            "reg.lan/ca.crt",
            &pem,
            "it is for reg.lan, and counts for that alone",
        ),
        ("reg.lan:443/ca.crt", &pem, "it is for reg.lan:443"),
    ] {
        for (store, base) in [(Store::Docker, "docker"), (Store::Containers, "containers")] {
            let lab = Lab::new();
            lab.write(&format!("etc/{base}/certs.d/{file}"), content);
            let problems = lab.problems(store);
            assert!(problems.contains(part), "{file}: {problems}");
        }
    }
    let lab = Lab::new();
    let names = vec![HostName::parse("reg.lan").unwrap()];
    let leaf = lab.ca.issue(&SiteOptions::new(names)).unwrap();
    lab.write(
        "etc/docker/certs.d/reg.lan:5043/site.crt",
        &leaf.pair.certificate,
    );
    assert!(
        lab.problems(Store::Docker)
            .contains("not a CA's certificate")
    );
}

#[test]
fn where_nothing_is_verified_that_is_said() {
    let lab = Lab::new();
    lab.write(
        "etc/docker/daemon.json",
        "{\"insecure-registries\": [\"reg.lan:5043\"]}",
    );
    let conf = "[[registry]]\nlocation = \"reg.lan:5043\"\ninsecure = true\n";
    lab.write("etc/containers/registries.conf", conf);
    lab.write(BUILDKITD, "[registry.\"reg.lan:5043\"]\ninsecure = true\n");
    lab.write(HOSTS, "skip_verify = true\n");
    for store in [
        Store::Docker,
        Store::Containers,
        Store::Buildkit,
        Store::Containerd,
    ] {
        assert!(
            lab.problems(store)
                .contains("nobody's certificate is checked"),
            "{store}"
        );
    }
    lab.write("etc/docker/daemon.json", "{");
    assert!(lab.problems(Store::Docker).contains("not JSON"));
}

#[test]
fn the_systems_bundle_has_to_be_made_anew() {
    let lab = Lab::new();
    let plan = lab.install(Store::System).unwrap();
    assert_eq!(plan.command, None, "another root's programs are not run");
    assert!(lab.problems(Store::System).contains("is not in"));
    lab.write(
        "etc/ssl/certs/ca-certificates.crt",
        lab.ca.certificate_pem(),
    );
    assert!(lab.report(Store::System).trusts(lab.ca.certificate()));
    assert_eq!(lab.problems(Store::System), "");
}

#[test]
fn only_a_cas_certificate_is_handed_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    let ca = make_ca(&CaOptions::default()).unwrap();
    let leaf = ca
        .issue(&SiteOptions::new(vec![HostName::parse("a.lan").unwrap()]))
        .unwrap();
    let with_key = ca.certificate_pem().to_owned() + &ca.pair().key;
    for (content, part) in [
        (with_key.as_str(), "holds a private key"),
        (&leaf.pair.certificate, "of a site, not of a CA"),
        ("", "an empty file"),
    ] {
        fs::write(&file, content).unwrap();
        let error = Authority::read(&file).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    fs::write(&file, ca.certificate_pem()).unwrap();
    assert!(Authority::read(&file).is_ok());
}

#[test]
fn families_are_known_by_the_names_of_their_programs() {
    for (name, store) in [
        ("docker", Store::Docker),
        ("skopeo", Store::Containers),
        ("buildah", Store::Containers),
        ("buildx", Store::Buildkit),
    ] {
        let family = Store::of_family(name).unwrap();
        assert_eq!(Machine::below(Path::new("/r")).of_family(&family), [store]);
    }
    assert!(
        Store::of_family("rkt")
            .unwrap_err()
            .to_string()
            .contains("docker, containerd")
    );
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
}
