#![no_main]
use std::sync::LazyLock;

use certs_tool::trust::{Authority, Machine, Site, Store, inspect, install, remove};
use certs_tool::{CaOptions, Certificate, make_ca};
use libfuzzer_sys::fuzz_target;

static CA: LazyLock<(Authority, Certificate)> = LazyLock::new(|| {
    let ca = make_ca(&CaOptions::default()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca.certificate_pem()).unwrap();
    let authority = Authority::read(file.path()).unwrap();
    (authority, ca.certificate().clone())
});

// The configuration of somebody else: merged so that it counts, or left alone.
fuzz_target!(|theirs: &str| {
    let site = Site::parse("reg.lan:5043").unwrap();
    for (store, path) in [
        (
            Store::Containerd,
            "etc/containerd/certs.d/reg.lan:5043/hosts.toml",
        ),
        (Store::Buildkit, "etc/buildkit/buildkitd.toml"),
        (Store::K3s, "etc/rancher/k3s/registries.yaml"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, theirs).unwrap();
        let machine = Machine::below(root.path());
        let planned = install(&machine, store, &site, &CA.0).and_then(|plan| plan.apply());
        let reports = inspect(&machine, &site);
        let trusts = reports
            .iter()
            .any(|report| report.store == store && report.trusts(&CA.1));
        match planned {
            Ok(_) => assert!(trusts, "{store}"),
            Err(_) => assert_eq!(std::fs::read_to_string(&file).unwrap(), theirs),
        }
        let removed = remove(&machine, store, &site).and_then(|plan| plan.apply());
        assert!(!trusts || removed.is_ok(), "{store}");
    }
});
