//! What goes wrong in these places, and what is said then.

use super::*;

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
fn a_network_or_a_domain_may_be_insecure_too() {
    let lab = Lab::new();
    lab.write(
        "etc/docker/daemon.json",
        "{\"insecure-registries\": [\"10.0.0.0/8\"]}",
    );
    lab.write(
        "etc/containers/registries.conf.d/1.conf",
        "[[registry]]\nprefix = \"*.lan:5043\"\ninsecure = true\n",
    );
    assert_eq!(lab.problems(Store::Docker), "", "a name is in no network");
    let site = Site::parse("10.1.2.3:5043").unwrap();
    let reports = inspect(&lab.machine(), &site);
    assert!(reports[0].problems[0].what.contains("10.0.0.0/8"));
    for conf in [
        "[[registry]]\nprefix = \"*.lan\"\ninsecure = true\n",
        "[[registry]]\nlocation = \"reg.lan:5043/team\"\ninsecure = true\n",
        "[registries.insecure]\nregistries = [\"reg.lan:5043\"]\n",
    ] {
        lab.write("etc/containers/registries.conf.d/1.conf", conf);
        assert!(
            lab.problems(Store::Containers).contains("is insecure"),
            "{conf}"
        );
    }
}

#[test]
fn what_keeps_a_client_from_connecting_is_marked() {
    for (file, blocks) in [
        ("client.key", true),
        ("client.cert", true),
        ("ca.pem", false),
    ] {
        let lab = Lab::new();
        lab.write(&format!("etc/docker/certs.d/reg.lan:5043/{file}"), "x");
        assert_eq!(
            lab.report(Store::Docker).problems[0].blocks,
            blocks,
            "{file}"
        );
    }
}

#[test]
fn a_ca_for_another_port_is_found_even_if_it_is_ours() {
    let lab = Lab::new();
    let other = Site::parse("reg.lan").unwrap();
    let plan = install(&lab.machine(), Store::Docker, &other, &lab.authority());
    plan.unwrap().apply().unwrap();
    let problems = lab.problems(Store::Docker);
    assert!(problems.contains("it is for reg.lan"), "{problems}");
}

#[test]
fn each_family_of_systems_has_its_directory_and_its_program() {
    for (directory, bundle, command) in [
        (
            "usr/local/share/ca-certificates",
            "etc/ssl/certs/ca-certificates.crt",
            "update-ca-certificates",
        ),
        (
            "etc/pki/ca-trust/source/anchors",
            "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
            "update-ca-trust extract",
        ),
        (
            "etc/pki/trust/anchors",
            "var/lib/ca-certificates/ca-bundle.pem",
            "update-ca-certificates",
        ),
        (
            "etc/ca-certificates/trust-source/anchors",
            "etc/ca-certificates/extracted/tls-ca-bundle.pem",
            "update-ca-trust",
        ),
    ] {
        let lab = Lab::bare();
        fs::create_dir_all(lab.at(directory)).unwrap();
        let plan = lab.install(Store::System).unwrap();
        assert_eq!(plan.notes, [format!("run {command} in it")]);
        let file = format!("{directory}/tidegate-reg.lan_5043.crt");
        assert_eq!(lab.read(&file), lab.ca.certificate_pem());
        // One that cannot be read says nothing of the rest.
        let odd = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
        lab.write(bundle, &(odd.to_owned() + lab.ca.certificate_pem()));
        assert!(lab.report(Store::System).trusts(lab.ca.certificate()));
    }
    let error = Lab::bare().install(Store::System).unwrap_err();
    assert!(error.to_string().contains("no system store"), "{error}");
}
