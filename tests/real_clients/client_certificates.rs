//! curl, openssl, skopeo and docker show the certificates that `tidegate certs`
//! made, and are told why they may not come in; and nginx with the same file says
//! the same.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::archive::Archive;
use crate::beside_nginx::Nginx;
use crate::harness::image::noise;
use crate::harness::{Finished, Tidegate, finish, run, tidegate};
use crate::missing;
use crate::room::{self, ADDRESS};
use crate::skopeo::skopeo;
use crate::trust::Daemon;

#[test]
fn curl_and_openssl_show_certificates_and_read_why_they_are_refused() {
    if missing(&["curl", "openssl"]) {
        return;
    }
    let made = Made::new("127.0.0.1");
    let served = made.serve();
    for version in ["--tlsv1.2", "--tlsv1.3"] {
        for http in ["--http1.1", "--http2"] {
            let curl = |name: Option<&str>| {
                let how = [version, "--tls-max", &version[6..], http];
                made.curl(served.address, &how, name, "/v2/")
            };
            let right = curl(Some("clients/alice"));
            assert!(right.stdout.ends_with("200"), "{}", right.stdout);
            for (name, why) in [
                (None, "a client certificate is required, and none was sent"),
                (Some("others/alice"), "no CA that is trusted here signed it"),
                (Some("clients/bob"), "it was revoked"),
            ] {
                let refused = curl(name);
                assert_eq!(refused.code, Some(0), "{}", refused.stderr);
                assert!(refused.stdout.ends_with("400"), "{}", refused.stdout);
                assert!(refused.stdout.contains(why), "{}", refused.stdout);
            }
        }
    }
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", &served.host(), "-CAfile"]);
    openssl.arg(made.path("certs/root-ca.crt"));
    let asked = finish(openssl, "");
    let names = "Acceptable client certificate CA names\nCN = clients";
    let written = asked.stdout.replace("CN=clients", "CN = clients");
    assert!(written.contains(names), "{}", asked.stdout);
}

#[test]
fn skopeo_pushes_and_pulls_by_its_certificate() {
    if missing(&["skopeo"]) {
        return;
    }
    let made = Made::new("127.0.0.1");
    let mut served = made.serve();
    let archive = Archive::of(&[noise(40, 100_000)]);
    let image = format!("docker://{}/team/app:v1", served.host());
    let copy = |trust: &Path| {
        let mut command = skopeo();
        command.args(["copy", "--dest-cert-dir"]).arg(trust);
        command.args([&archive.source(), &image]);
        finish(command, "")
    };
    let trust = made.trust("clients/alice");
    copy(trust.path()).assert_ok();
    served.access_logged(" - alice [");
    let mut inspect = skopeo();
    inspect.args(["inspect", "--cert-dir"]).arg(trust.path());
    finish(
        {
            inspect.arg(&image);
            inspect
        },
        "",
    )
    .assert_ok();

    let revoked = copy(made.trust("clients/bob").path());
    assert_ne!(revoked.code, Some(0));
    assert!(revoked.stderr.contains("400"), "{}", revoked.stderr);
}

#[test]
fn docker_pushes_by_its_certificate() {
    let name = "client_certificates::docker_pushes_by_its_certificate";
    if !room::entered(name, &["docker", "dockerd"]) {
        return;
    }
    let made = Made::new(ADDRESS);
    let served = made.serve();
    let docker = Daemon::of_docker();
    let certs_d = Path::new("/etc/docker/certs.d").join(served.host());
    fs_err::create_dir_all(&certs_d).unwrap();
    let show = |name: &str| {
        let trust = made.trust(name);
        for entry in fs_err::read_dir(trust.path()).unwrap() {
            let entry = entry.unwrap();
            fs_err::copy(entry.path(), certs_d.join(entry.file_name())).unwrap();
        }
    };
    let archive = Archive::of(&[noise(41, 100_000)]);
    let image = format!("{}/team/app:v1", served.host());
    let loaded = archive.path();
    docker.docker(&["load", "--input", &loaded], "").assert_ok();
    docker
        .docker(&["tag", archive.name(), &image], "")
        .assert_ok();

    show("clients/bob");
    let revoked = docker.docker(&["push", &image], "");
    assert_ne!(revoked.code, Some(0));
    assert!(
        revoked.stderr.contains("it was revoked"),
        "{}",
        revoked.stderr
    );
    show("clients/alice");
    docker.docker(&["push", &image], "").assert_ok();
    docker.docker(&["pull", &image], "").assert_ok();
}

/// What nginx 1.22 says of the same requests with the same file.
#[test]
fn nginx_says_the_same_of_certificates() {
    if missing(&["nginx", "curl"]) {
        return;
    }
    let made = Made::new("127.0.0.1");
    for (how, crl) in [
        ("on", true),
        ("optional", true),
        ("optional_no_ca", false),
        ("off", false),
    ] {
        let crl = if crl {
            "ssl_crl clients/root-ca.crl;"
        } else {
            ""
        };
        let write = |name: &str| {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            let path = made.path(name);
            fs_err::write(&path, conf(made.0.path(), address, how, crl)).unwrap();
            (path, address)
        };
        let (theirs, ours) = (write("nginx.conf"), write("ours.conf"));
        let nginx = Nginx::start(&theirs.0, theirs.1);
        let mut command = tidegate();
        command.arg("serve").arg("--nginx-conf").arg(&ours.0);
        let served = Tidegate::launch(command, made.0.path());
        for name in [
            None,
            Some("clients/alice"),
            Some("clients/long"),
            Some("others/alice"),
            Some("clients/bob"),
        ] {
            let ask = |address| made.curl(address, &[], name, "/").stdout;
            let (theirs, ours) = (ask(theirs.1), ask(ours.1));
            let status = &theirs[theirs.len() - 3..];
            assert!(ours.ends_with(status), "{how} {name:?}: {ours}\n{theirs}");
            if status == "200" {
                // OpenSSL says in more words why it trusts nobody.
                let known = |text: &str| match text.split_once("FAILED:") {
                    Some((_, rest)) => format!("FAILED {}", &rest[rest.find('|').unwrap()..]),
                    None => text.to_owned(),
                };
                assert_eq!(known(&ours), known(&theirs), "{how} {name:?}");
            }
        }
        drop((nginx, served));
    }
}

fn conf(dir: &Path, address: SocketAddr, how: &str, crl: &str) -> String {
    let dir = dir.display();
    format!(
        "user root;\npid {dir}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {dir}/temp;\nproxy_temp_path {dir}/temp;\n\
         server {{ listen {address} ssl; ssl_certificate certs/site.crt;\n\
         ssl_certificate_key certs/site.key; ssl_client_certificate clients/root-ca.crt;\n\
         ssl_verify_client {how}; {crl}\n\
         location / {{ return 200 \"$ssl_client_verify|$ssl_client_s_dn|$ssl_client_i_dn|\
         $ssl_client_serial|$ssl_client_fingerprint|$ssl_client_escaped_cert|\"; }}\n}}\n}}\n"
    )
}

/// A directory with a site's certificate and CAs of clients, the first of which
/// has revoked bob's.
struct Made(TempDir);

impl Made {
    fn new(address: &str) -> Self {
        const LONG: &str = "/C=DE/O=Example, Inc. \"A\\+B\"/OU=Zürich <Büro>;#1/CN= #long ";
        let made = Self(tempfile::tempdir().unwrap());
        made.certs(&["ca"], "certs");
        made.certs(&["site", "site", "--san", address], "certs");
        for ca in ["clients", "others"] {
            made.certs(&["ca", "--subject", "/CN=clients"], ca);
            for name in ["alice", "bob"] {
                made.certs(&["client", name], ca);
            }
        }
        made.certs(&["client", "long", "--subject", LONG], "clients");
        let bob = made.path("clients/bob.crt");
        made.certs(&["revoke", bob.to_str().unwrap()], "clients");
        let text = format!(
            "[[listener]]\naddress = \"{address}:0\"\n[listener.client_auth]\n\
             ca = \"clients/root-ca.crt\"\ncrl = \"clients/root-ca.crl\"\n\
             [[certificate]]\ncert = \"certs/site.crt\"\nkey = \"certs/site.key\"\n\
             [auth]\nrequired = false\n[registry]\nroot = \"registry\"\n"
        );
        fs_err::write(made.path("tidegate.toml"), text).unwrap();
        made
    }

    fn certs(&self, words: &[&str], directory: &str) {
        let directory = self.path(directory);
        let directory = directory.to_str().unwrap();
        run([&["certs"], words, &["--dir", directory]].concat(), "").assert_ok();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn serve(&self) -> Tidegate {
        let mut command = tidegate();
        command
            .arg("serve")
            .arg("-c")
            .arg(self.path("tidegate.toml"));
        Tidegate::launch(command, self.0.path())
    }

    /// The body and the status of an answer to curl with a certificate.
    fn curl(&self, to: SocketAddr, how: &[&str], name: Option<&str>, path: &str) -> Finished {
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--write-out", "%{http_code}"])
            .arg("--cacert")
            .arg(self.path("certs/root-ca.crt"))
            .args(how);
        if let Some(name) = name {
            let [cert, key] = ["crt", "key"].map(|end| self.path(&format!("{name}.{end}")));
            command.arg("--cert").arg(cert).arg("--key").arg(key);
        }
        command.arg(format!("https://{to}{path}"));
        finish(command, "")
    }

    /// What docker and skopeo look for: the site's CA, and a client's pair.
    fn trust(&self, name: &str) -> TempDir {
        let trust = tempfile::tempdir().unwrap();
        for (from, to) in [
            ("certs/root-ca.crt", "ca.crt"),
            (&*format!("{name}.crt"), "client.cert"),
            (&*format!("{name}.key"), "client.key"),
        ] {
            fs_err::copy(self.path(from), trust.path().join(to)).unwrap();
        }
        trust
    }
}
