//! `--registry-config` and `tidegate import`: what docker-registry's file says is
//! served as it is, and the same by the file that is made of it.

mod harness;

use std::path::{Path, PathBuf};

use harness::client::Client;
use harness::image::{Image, noise};
use harness::{Tidegate, run, tidegate, up};
use http::{HeaderMap, Method, StatusCode};

/// A directory that `up` has made, with the file that docker-registry would have.
struct Recipe {
    dir: PathBuf,
    config: String,
    _made: Tidegate,
}

impl Recipe {
    fn new(more: &str) -> Self {
        let mut made = up().start();
        made.stop();
        let dir = made.dir.clone();
        let at = |path: &str| dir.join(path).display().to_string();
        let text = format!(
            "version: 0.1\n\
             log:\n  fields:\n    service: registry\n\
             storage:\n  cache:\n    blobdescriptor: inmemory\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
             http:\n  addr: 127.0.0.1:0\n  headers:\n    X-Content-Type-Options: [nosniff]\n    X-Served-By: [recipe]\n  tls:\n    certificate: {}\n    key: {}\n\
             auth:\n  htpasswd:\n    realm: The Registry\n    path: {}\n{more}",
            at("registry"),
            at("certs/site.crt"),
            at("certs/site.key"),
            at("auth/htpasswd"),
        );
        let config = dir.join("config.yml");
        fs_err::write(&config, text).unwrap();
        Self {
            config: config.display().to_string(),
            dir,
            _made: made,
        }
    }

    fn serve(&self, args: &[&str]) -> Tidegate {
        let mut command = tidegate();
        command.arg("serve").args(args);
        Tidegate::launch(command, &self.dir)
    }
}

/// What is asked of both, in this order.
const REQUESTS: [(&str, &str, bool); 16] = [
    ("GET", "/v2/", true),
    ("GET", "/v2/", false),
    ("GET", "/", true),
    ("GET", "/v2", true),
    ("GET", "/v2/_catalog", true),
    ("GET", "/v2/_catalog?n=0", true),
    ("GET", "/v2/_catalog?n=5000", true),
    ("GET", "/v2/team/app/tags/list", true),
    ("GET", "/v2/team/app/manifests/v1", true),
    ("HEAD", "/v2/team/app/manifests/v1", true),
    ("GET", "/v2/team/app/manifests/none", true),
    ("GET", "/v2/none/tags/list", true),
    ("PUT", "/v2/team/app/tags/list", true),
    ("GET", "/v2/UPPER/tags/list", true),
    ("POST", "/v2/team/app/blobs/uploads/", false),
    ("DELETE", "/v2/team/app/manifests/v1", true),
];

async fn answers(served: &Tidegate) -> Vec<(StatusCode, HeaderMap, String)> {
    let client = served.client();
    Image::of(vec![noise(51, 4000)])
        .push(&client, "team/app", "v1")
        .await;
    let mut answers = Vec::new();
    for (method, path, knows_password) in REQUESTS {
        let client: Client = if knows_password {
            client.clone()
        } else {
            client.clone().anonymous()
        };
        let method: Method = method.parse().unwrap();
        let answer = client.send(method, path, harness::client::empty()).await;
        let mut headers = answer.headers;
        headers.remove("date");
        let port = served.address.port().to_string();
        let text = String::from_utf8_lossy(&answer.body).replace(&port, "PORT");
        answers.push((answer.status, headers, text));
    }
    answers
}

#[tokio::test]
async fn the_original_and_what_is_made_of_it_are_served_alike() {
    let recipe = Recipe::new("");
    let imported = recipe.dir.join("imported.toml");
    let shown = imported.display().to_string();
    let made = run(
        ["import", "--registry-config", &recipe.config, "-o", &shown],
        "",
    );
    assert_eq!(made.code, Some(0), "{}", made.stderr);

    let original = recipe.serve(&["--registry-config", &recipe.config]);
    let of_original = answers(&original).await;
    drop(original);
    assert_eq!(
        of_original[1].1["www-authenticate"],
        "Basic realm=\"The Registry\""
    );
    assert_eq!(of_original[8].1["x-served-by"], "recipe");
    let of_import = answers(&recipe.serve(&["-c", &shown])).await;
    for ((original, import), request) in of_original.iter().zip(&of_import).zip(REQUESTS) {
        assert_eq!(original, import, "{request:?}");
    }

    let again = run(
        ["import", "--registry-config", &recipe.config, "-o", &shown],
        "",
    );
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("nothing is overwritten"),
        "{}",
        again.stderr
    );
}

#[test]
fn check_says_what_becomes_of_each_line() {
    let recipe = Recipe::new("threshold: 3\n");
    let checked = run(["check", "--registry-config", &recipe.config], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for part in [
        "honoured  storage.filesystem.rootdirectory: ",
        "unknown   threshold",
        "harmless  storage.cache.blobdescriptor: inmemory",
        "certificate  ",
        "realm \"The Registry\"",
        "config.yml: ok",
    ] {
        assert!(checked.stdout.contains(part), "{part}\n{}", checked.stdout);
    }
}

#[test]
fn what_cannot_be_honoured_stops_all_of_them() {
    let recipe = Recipe::new("proxy:\n  remoteurl: https://registry-1.docker.io\n");
    let output = recipe.dir.join("imported.toml").display().to_string();
    let config = ["--registry-config", &recipe.config];
    for command in [
        [&["check"], &config[..]].concat(),
        [&["serve"], &config[..]].concat(),
        [&["import", "-o", &output], &config[..]].concat(),
    ] {
        let finished = run(&command, "");
        assert_eq!(finished.code, Some(1), "{command:?}");
        for part in ["config.yml:", "proxy.remoteurl: ", "hint: ", "--lenient"] {
            assert!(
                finished.stderr.contains(part),
                "{part}\n{}",
                finished.stderr
            );
        }
    }
    assert!(!Path::new(&output).exists());

    let lenient = [&["import", "--lenient", "-o", &output], &config[..]].concat();
    let finished = run(&lenient, "");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("warning: "), "{}", finished.stderr);
    let text = fs_err::read_to_string(&output).unwrap();
    assert!(text.contains("proxy.remoteurl: left out: "), "{text}");
}

/// nginx's file with one place, whose passwords are in a file with these lines.
fn behind_nginx(recipe: &Recipe, users: &str, more: &str) -> String {
    fs_err::write(recipe.dir.join("users"), users).unwrap();
    let text = format!(
        "events {{}}\nhttp {{ server {{\nlisten 127.0.0.1:{} ssl;\nssl_certificate certs/site.crt;\n\
         ssl_certificate_key certs/site.key;\nlocation / {{\nauth_basic x; auth_basic_user_file users;\n\
         proxy_pass https://127.0.0.1:9;\n{more}\n}}\n}} }}\n",
        free_port(),
    );
    let path = recipe.dir.join("nginx.conf");
    fs_err::write(&path, text).unwrap();
    path.display().to_string()
}

/// One that nobody listens at right now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// `right` in bcrypt and in crypt(3), and a line that means nothing.
const MIXED: &str = "alice:$2y$05$z2mJgPSn77tuWryExTJnQOoUO7XmTnGJHfmer9CmWyY.I4tUYdJc6\n\
                     bob:QKDrFLYXMZR1c\ncarol:$9$unknown\n";

#[test]
fn check_lists_the_lines_of_password_files_that_do_not_count() {
    let recipe = Recipe::new("");
    let conf = behind_nginx(&recipe, MIXED, "");
    let checked = run(["check", "--nginx-conf", &conf], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for part in [
        "users        1 in ",
        "ignored    line 2: user bob: ",
        "or --allow-weak-hashes",
        "ignored    line 3: user carol: ",
    ] {
        assert!(checked.stdout.contains(part), "{part}\n{}", checked.stdout);
    }
    let checked = run(["check", "--nginx-conf", &conf, "--allow-weak-hashes"], "");
    for part in ["users        2 in ", "weak       line 2: user bob: "] {
        assert!(checked.stdout.contains(part), "{part}\n{}", checked.stdout);
    }
    let misplaced = run(["check", "-c", "tidegate.toml", "--allow-weak-hashes"], "");
    assert_eq!(misplaced.code, Some(2), "{}", misplaced.stderr);

    let recipe = Recipe::new("");
    fs_err::remove_file(recipe.dir.join("auth/htpasswd")).unwrap();
    let checked = run(["check", "--registry-config", &recipe.config], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let part = "is not there, and will be made";
    assert!(checked.stdout.contains(part), "{}", checked.stdout);
}

#[test]
fn check_reads_what_an_upstream_is_trusted_by() {
    let recipe = Recipe::new("");
    let more = "proxy_ssl_verify on; proxy_ssl_trusted_certificate roots.pem;";
    let conf = behind_nginx(&recipe, MIXED, more);
    let checked = run(["check", "--nginx-conf", &conf], "");
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    assert!(checked.stderr.contains("roots.pem"), "{}", checked.stderr);
    let roots = recipe.dir.join("certs/root-ca.crt");
    fs_err::copy(roots, recipe.dir.join("roots.pem")).unwrap();
    let checked = run(["check", "--nginx-conf", &conf], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
}

#[tokio::test]
async fn weak_hashes_let_in_if_that_is_said() {
    let recipe = Recipe::new("");
    let conf = behind_nginx(&recipe, MIXED, "");
    let imported = recipe.dir.join("imported.toml").display().to_string();
    let weak = ["--nginx-conf", &conf, "--allow-weak-hashes"];
    let import = [&["import", "-o", &imported], &weak[..]].concat();
    assert_eq!(run(import, "").code, Some(0));
    for (arguments, status) in [
        (&["--nginx-conf", &conf][..], StatusCode::UNAUTHORIZED),
        (&weak, StatusCode::BAD_GATEWAY),
        (&["-c", &imported], StatusCode::BAD_GATEWAY),
    ] {
        let served = recipe.serve(arguments);
        let client = Client::new(served.address, &served.ca()).basic("bob", "right");
        assert_eq!(client.get("/v2/").await.status, status, "{arguments:?}");
    }
}
