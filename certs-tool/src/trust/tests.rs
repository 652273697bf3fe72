mod containerd;
mod merging;
mod mistakes;
mod users;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::TempDir;

use super::*;
use crate::{Ca, CaOptions, HostName, SiteOptions, make_ca};

/// A machine below a root of its own, with every client in use.
struct Lab {
    root: TempDir,
    ca: Ca,
}

impl Lab {
    fn new() -> Self {
        let lab = Self::bare();
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

    /// Without any client.
    fn bare() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            ca: make_ca(&CaOptions::default()).unwrap(),
        }
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

    /// Every file with its content, and every directory.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.root.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    files.insert(path.clone(), "(a directory)".to_owned());
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
        assert!(!lab.remove(store).unwrap().is_empty(), "{store}");
        assert!(lab.remove(store).unwrap().is_empty(), "{store}");
    }
    for store in WRITABLE {
        assert!(!lab.report(store).trusts(lab.ca.certificate()), "{store}");
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
