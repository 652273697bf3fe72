//! Certificates of clients, with the program itself: what `tidegate certs` made
//! lets in, until it is revoked.

mod harness;

use std::net::TcpListener;
use std::path::PathBuf;

use harness::client::{Answer, Client};
use harness::{PASSWORD, Tidegate, USER, run, tidegate};
use tempfile::TempDir;

/// A directory with a site's certificate, and CAs of clients beside it.
struct Made(TempDir);

impl Made {
    fn new() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        made.certs(&["ca"], "certs");
        made.certs(
            &["site", "site", "--san", "localhost", "--san", "127.0.0.1"],
            "certs",
        );
        for ca in ["clients", "others"] {
            // Of one name, so that every client sends what it has.
            made.certs(&["ca", "--subject", "/CN=clients"], ca);
            for name in ["alice", "bob"] {
                made.certs(
                    &["client", name, "--san", &format!("{name}@example.org")],
                    ca,
                );
            }
        }
        made.certs(&["crl"], "clients");
        made
    }

    fn certs(&self, words: &[&str], directory: &str) {
        let directory = self.path(directory);
        let directory = directory.to_str().unwrap();
        let finished = run([&["certs"], words, &["--dir", directory]].concat(), "");
        assert_eq!(finished.code, Some(0), "{words:?}: {}", finished.stderr);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs_err::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A configuration whose listener has these lines in `client_auth`.
    fn configured(&self, client_auth: &str) -> String {
        self.write(
            "tidegate.toml",
            &format!(
                "[[listener]]\naddress = \"127.0.0.1:0\"\n[listener.client_auth]\n{client_auth}\n\
                 [[certificate]]\ncert = \"certs/site.crt\"\nkey = \"certs/site.key\"\n\
                 [auth]\nrequired = false\n[registry]\nroot = \"registry\"\n"
            ),
        )
    }

    fn serve(&self, words: &[&str]) -> Tidegate {
        let mut command = tidegate();
        command.args(words).current_dir(self.0.path());
        Tidegate::launch(command, self.0.path())
    }

    /// The client that has this certificate, as `clients/alice`.
    fn client(&self, served: &Tidegate, name: Option<&str>) -> Client {
        let client = Client::new(served.address, &served.ca());
        match name {
            None => client,
            Some(name) => client.showing(
                &self.path(&format!("{name}.crt")),
                &self.path(&format!("{name}.key")),
            ),
        }
    }

    async fn ask(&self, served: &Tidegate, name: Option<&str>) -> Answer {
        self.client(served, name).get("/v2/").await
    }

    /// The statuses for no certificate, the right one, and another CA's.
    async fn statuses(&self, served: &Tidegate) -> [u16; 3] {
        [
            self.ask(served, None).await.status.as_u16(),
            self.ask(served, Some("clients/alice"))
                .await
                .status
                .as_u16(),
            self.ask(served, Some("others/alice")).await.status.as_u16(),
        ]
    }
}

#[tokio::test]
async fn what_certs_made_lets_in_until_it_is_revoked() {
    let made = Made::new();
    let file = made.configured("ca = \"clients/root-ca.crt\"\ncrl = \"clients/root-ca.crl\"");
    let checked = run(["check", "-c", &file], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("(client certificates required of"),
        "{}",
        checked.stdout
    );

    let mut served = made.serve(&["serve", "-c", &file]);
    assert_eq!(made.statuses(&served).await, [400, 200, 400]);
    served.access_logged(" - alice [");
    let none = made.ask(&served, None).await;
    assert_eq!(none.error_code(), "UNAUTHORIZED");
    assert!(none.text().contains("none was sent"), "{}", none.text());
    let bob = made.client(&served, Some("clients/bob")).http2();
    assert_eq!(bob.get("/v2/").await.status, 200);
    served.access_logged(" - bob [");

    // Revoked, by the CA's own list, which is read within a second.
    made.certs(
        &["revoke", made.path("clients/bob.crt").to_str().unwrap()],
        "clients",
    );
    served.logged("root-ca.crl");
    let revoked = bob.get("/v2/").await;
    assert_eq!(revoked.status, 400);
    assert!(
        revoked.text().contains("it was revoked"),
        "{}",
        revoked.text()
    );
    assert_eq!(made.statuses(&served).await, [400, 200, 400]);

    // A file that is no list leaves the one before.
    made.write("clients/root-ca.crl", "what is this");
    served.logged("what certificates of clients were held against before stays");
    assert_eq!(bob.get("/v2/").await.status, 400);
    assert_eq!(made.statuses(&served).await, [400, 200, 400]);

    // And another CA in the place of the first.
    let other = fs_err::read_to_string(made.path("others/root-ca.crt")).unwrap();
    made.certs(&["crl"], "others");
    fs_err::copy(
        made.path("others/root-ca.crl"),
        made.path("clients/root-ca.crl"),
    )
    .unwrap();
    made.write("clients/root-ca.crt", &other);
    served.logged("read what certificates of clients");
    // Whichever file was seen first, in the end both are there.
    loop {
        if made.statuses(&served).await == [400, 400, 200] {
            break;
        }
        served.logged("read what certificates of clients");
    }
}

#[tokio::test]
async fn a_certificate_does_in_place_of_a_password() {
    let made = Made::new();
    let file = made.configured("ca = \"clients/root-ca.crt\"\nrequired = false");
    let text = fs_err::read_to_string(&file).unwrap();
    made.write(
        "tidegate.toml",
        &text.replace(
            "required = false\n[registry]",
            "htpasswd = \"users\"\n[registry]",
        ),
    );
    let users = made.path("users");
    let added = run(
        [
            "htpasswd",
            "-B",
            "-C",
            "5",
            "-b",
            "-c",
            users.to_str().unwrap(),
            USER,
            PASSWORD,
        ],
        "",
    );
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    let mut served = made.serve(&["serve", "-c", &file]);
    assert_eq!(made.statuses(&served).await, [401, 200, 400]);
    served.access_logged(" - alice [");
    for (user, password, certificate, expected) in [
        (USER, PASSWORD, None, 200),
        (USER, PASSWORD, Some("clients/bob"), 200),
        // What is said and wrong is not taken for nothing said,
        (USER, "wrong", Some("clients/bob"), 401),
    ] {
        let client = made.client(&served, certificate).basic(user, password);
        let answer = client.get("/v2/").await;
        assert_eq!(answer.status.as_u16(), expected, "{certificate:?}");
        let who = if expected == 200 { USER } else { "-" };
        served.access_logged(&format!(" - {who} ["));
    }
    // unless nobody here could tell: there are no tokens.
    let bob = made
        .client(&served, Some("clients/bob"))
        .bearer("e30.e30.e30");
    assert_eq!(bob.get("/v2/").await.status.as_u16(), 200);
    served.access_logged(" - bob [");
    let nobody = made.client(&served, None).bearer("e30.e30.e30");
    assert_eq!(nobody.get("/v2/").await.status.as_u16(), 401);
}

#[tokio::test]
async fn a_stray_password_does_not_hide_a_certificate() {
    let made = Made::new();
    let file = made.configured("ca = \"clients/root-ca.crt\"");
    for rules in ["", "[access]\n[[access.rule]]\nusers = [\"alice\"]\n"] {
        let text = fs_err::read_to_string(&file).unwrap();
        fs_err::write(&file, format!("{text}{rules}")).unwrap();
        let mut served = made.serve(&["serve", "-c", &file]);
        let client = made.client(&served, Some("clients/alice"));
        let answer = client
            .basic("somebody", "hunter2")
            .get("/v2/a/tags/list")
            .await;
        assert_eq!(answer.status.as_u16(), 404, "{rules}: {}", answer.text());
        served.access_logged(" - alice [");
    }
}

#[tokio::test]
async fn the_health_of_a_server_that_asks_for_certificates_is_seen() {
    let made = Made::new();
    let file = made.configured("ca = \"clients/root-ca.crt\"\nuser = \"san-email\"");
    let mut served = made.serve(&["serve", "-c", &file]);
    assert_eq!(made.statuses(&served).await, [400, 200, 400]);
    served.access_logged(" - alice@example.org [");
    let text = fs_err::read_to_string(&file).unwrap();
    let port = format!("127.0.0.1:{}", served.address.port());
    made.write("tidegate.toml", &text.replace("127.0.0.1:0", &port));
    let well = run(["health", "-c", &file], "");
    assert_eq!(well.code, Some(0), "{}", well.stderr);
}

#[tokio::test]
async fn files_of_nginx_and_of_docker_registry_ask_for_the_same() {
    let made = Made::new();
    // nginx chooses no port by itself.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let text = "events {}\nhttp { server {\n  listen ADDRESS ssl;\n\
         ssl_certificate certs/site.crt;\n  ssl_certificate_key certs/site.key;\n\
         ssl_client_certificate clients/root-ca.crt;\n  ssl_crl clients/root-ca.crl;\n\
         ssl_verify_client on;\n\
         location / { return 200 \"$ssl_client_verify $ssl_client_s_dn\"; } } }\n";
    let nginx = made.write("nginx.conf", &text.replace("ADDRESS", &address));
    let served = made.serve(&["serve", "--nginx-conf", &nginx]);
    assert_eq!(made.statuses(&served).await, [400, 200, 400]);
    let answer = made.ask(&served, Some("clients/alice")).await;
    assert_eq!(answer.text(), "SUCCESS CN=alice");

    drop(served);

    let imported = made.path("imported.toml");
    let imported = imported.to_str().unwrap();
    let finished = run(["import", "--nginx-conf", &nginx, "-o", imported], "");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let served = made.serve(&["serve", "-c", imported]);
    assert_eq!(made.statuses(&served).await, [400, 200, 400]);

    let config = made.write(
        "config.yml",
        "version: 0.1\nstorage: {filesystem: {rootdirectory: registry}}\nhttp:\n  addr: 127.0.0.1:0\n\
         \x20 tls: {certificate: certs/site.crt, key: certs/site.key, clientcas: [clients/root-ca.crt]}\n",
    );
    let mut served = made.serve(&["serve", "--registry-config", &config]);
    assert_eq!(made.statuses(&served).await, [400, 200, 400]);
    // They let in and name nobody.
    served.access_logged(" - - [");
}
