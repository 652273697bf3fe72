//! nginx in front of docker-registry, and their two files served by us: the same
//! requests get the same answers.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::park_timeout;
use std::time::Duration;

use crate::harness::client::{Answer, Client, full};
use crate::harness::image::{Image, noise, sha256};
use crate::harness::{PASSWORD, Tidegate, USER, run, tidegate, up};
use crate::missing;

/// The headers that clients look at.
const COMPARED: [&str; 13] = [
    "accept-ranges",
    "content-range",
    "content-length",
    "docker-content-digest",
    "docker-distribution-api-version",
    "etag",
    "link",
    "location",
    "oci-subject",
    "range",
    "www-authenticate",
    "x-content-type-options",
    "x-site",
];

/// Who sends a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    User,
    Nobody,
    Wrong,
}

use As::{Nobody, User, Wrong};

/// A request; in its path, `{d}` is the manifest's digest, `{b}` a blob's, and
/// `{none}` a digest of nothing.
struct Ask {
    line: &'static str,
    who: As,
    header: Option<(&'static str, &'static str)>,
    body: &'static str,
    /// Why the answers may differ in body and headers, or in all.
    differs: Differs,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Differs {
    No,
    /// Where nginx sends a page we send the registry's error; the status is the
    /// same.
    Page,
    /// Another header, for the reason that stands beside it.
    Header(&'static str),
    /// Another status, for the reason that stands beside it.
    Status,
}

use Differs::{Header, No, Page, Status};

const fn ask(line: &'static str) -> Ask {
    Ask {
        line,
        who: User,
        header: None,
        body: "",
        differs: No,
    }
}

impl Ask {
    const fn by(self, who: As) -> Self {
        Self { who, ..self }
    }

    const fn with(self, name: &'static str, value: &'static str) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }

    const fn sending(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    const fn differs(self, differs: Differs) -> Self {
        Self { differs, ..self }
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OLD: &str = "docker/1.5.0 go/go1.4";
const NEW: &str = "docker/24.0.7 go/go1.20.10";

fn asks() -> Vec<Ask> {
    vec![
        // Pings and passwords.
        ask("GET /v2/"),
        ask("HEAD /v2/"),
        ask("GET /v2/").by(Nobody).differs(Page),
        ask("GET /v2/").by(Wrong).differs(Page),
        ask("HEAD /v2/").by(Nobody).differs(Page),
        ask("GET /v2/").with("user-agent", NEW),
        ask("GET /v2/").with("user-agent", "docker/1.5.0-dev"),
        ask("GET /v2/")
            .with("authorization", "Bearer x")
            .differs(Page),
        ask("GET /v2/")
            .with("authorization", "Basic ???")
            .differs(Page),
        // Old clients.
        ask("GET /v2/").with("user-agent", OLD).differs(Page),
        ask("GET /v2/")
            .by(Nobody)
            .with("user-agent", OLD)
            .differs(Page),
        ask("GET /v2/")
            .with("user-agent", "Go 1.1 package http")
            .differs(Page),
        ask("GET /v2/app/tags/list")
            .with("user-agent", "docker/1.3.2")
            .differs(Page),
        // Places.
        ask("GET /closed/x").differs(Page),
        ask("GET /moved").differs(Page),
        ask("GET /said"),
        ask("GET /nothing/here").differs(Page),
        ask("GET /v2/app/../app/tags/list").differs(Header("content-length")),
        ask("GET /v2/_catalog?n=5"),
        // Lists.
        ask("GET /v2/_catalog"),
        ask("GET /v2/_catalog?n=0"),
        ask("GET /v2/_catalog?n=1"),
        ask("GET /v2/_catalog?n=5000"),
        // The specification's answer to what is no number.
        ask("GET /v2/_catalog?n=x").differs(Status),
        ask("GET /v2/app/tags/list"),
        ask("GET /v2/app/tags/list").by(Nobody).differs(Page),
        ask("GET /v2/none/tags/list"),
        // Manifests.
        ask("GET /v2/app/manifests/v1").with("accept", MANIFEST),
        ask("HEAD /v2/app/manifests/v1").with("accept", MANIFEST),
        ask("GET /v2/app/manifests/{d}").with("accept", MANIFEST),
        ask("HEAD /v2/app/manifests/{d}").with("accept", MANIFEST),
        ask("GET /v2/app/manifests/none").with("accept", MANIFEST),
        ask("GET /v2/app/manifests/{none}").with("accept", MANIFEST),
        ask("GET /v2/app/manifests/v1").by(Nobody).differs(Page),
        ask("GET /v2/app/manifests/v1").by(Wrong).differs(Page),
        // A manifest that is none is the client's mistake, not the server's.
        ask("PUT /v2/app/manifests/v2")
            .with("content-type", MANIFEST)
            .sending("{}")
            .differs(Status),
        ask("PUT /v2/app/manifests/v2")
            .by(Nobody)
            .sending("{}")
            .differs(Page),
        ask("DELETE /v2/app/manifests/{none}"),
        // Blobs.
        ask("GET /v2/app/blobs/{b}"),
        ask("HEAD /v2/app/blobs/{b}"),
        ask("GET /v2/app/blobs/{b}").with("range", "bytes=0-9"),
        ask("GET /v2/app/blobs/{b}").with("range", "bytes=100-"),
        ask("GET /v2/app/blobs/{b}").with("range", "bytes=-7"),
        // A range is for GET alone (RFC 9110 section 14.2).
        ask("HEAD /v2/app/blobs/{b}")
            .with("range", "bytes=3-4")
            .differs(Status),
        ask("GET /v2/app/blobs/{none}"),
        ask("HEAD /v2/app/blobs/{none}"),
        ask("GET /v2/other/blobs/{b}"),
        ask("GET /v2/app/blobs/sha256:short"),
        ask("GET /v2/app/blobs/{b}").by(Nobody).differs(Page),
        ask("DELETE /v2/app/blobs/{none}"),
        // Pushes.
        ask("POST /v2/app/blobs/uploads/").differs(Header("location")),
        ask("POST /v2/app/blobs/uploads/?mount={b}&from=app").differs(No),
        ask("POST /v2/new/blobs/uploads/?mount={b}&from=app"),
        ask("POST /v2/new/blobs/uploads/?mount={none}&from=app").differs(Header("location")),
        ask("POST /v2/app/blobs/uploads/").by(Nobody).differs(Page),
        ask("POST /v2/app/blobs/uploads/").by(Wrong).differs(Page),
        ask("PUT /v2/app/manifests/limited")
            .with("x-none", "1")
            .sending("{}"),
        ask("POST /limited")
            .sending("more than ten bytes")
            .differs(Page),
        ask("POST /limited").sending("few").differs(Page),
        // Methods and paths that lead nowhere.
        ask("PUT /v2/app/tags/list").differs(Header("content-length")),
        ask("GET /v2/app/nothing/at/all").differs(Header("content-length")),
        // Theirs lets it pass as if it were GET.
        ask("OPTIONS /v2/").differs(Status),
        // Deletions.
        ask("DELETE /v2/app/manifests/{d}"),
        ask("GET /v2/app/manifests/v1").with("accept", MANIFEST),
        ask("GET /v2/app/tags/list").differs(Header("content-length")),
        ask("DELETE /v2/app/manifests/{d}"),
    ]
}

#[tokio::test]
async fn the_recipes_files_are_served_as_they_are() {
    if missing(&["nginx", "docker-registry"]) {
        return;
    }
    let theirs = Recipe::new();
    let _registry = theirs.docker_registry();
    let _nginx = theirs.nginx();
    let expected = answers(&theirs).await;

    let ours = Recipe::new();
    let served = ours.tidegate(&ours.inputs());
    assert_same(&expected, &answers(&ours).await);
    drop(served);

    let imported = Recipe::new();
    let file = imported.dir.join("imported.toml").display().to_string();
    let output = ["-o".to_owned(), file.clone()];
    let import = [&["import".to_owned()], &imported.inputs()[..], &output].concat();
    run(import, "").assert_ok();
    let served = imported.tidegate(&["-c".to_owned(), file]);
    assert_same(&expected, &answers(&imported).await);
    drop(served);
}

/// Pushes an image, and asks everything, one after the other.
async fn answers(recipe: &Recipe) -> Vec<Answer> {
    let client = recipe.client();
    let image = Image::of(vec![noise(61, 5000)]);
    image
        .push(&client.clone().basic(USER, PASSWORD), "app", "v1")
        .await;
    let blob = sha256(&noise(61, 5000));
    let none = sha256(b"nothing has this digest");
    let mut answers = Vec::new();
    for ask in asks() {
        let (method, path) = ask.line.split_once(' ').unwrap();
        let path = path
            .replace("{d}", &image.digest)
            .replace("{b}", &blob)
            .replace("{none}", &none);
        let mut client = client.clone();
        match ask.who {
            User => client = client.basic(USER, PASSWORD),
            Wrong => client = client.basic(USER, "wrong"),
            Nobody => {}
        }
        if let Some((name, value)) = ask.header {
            client = client.header(name, value);
        }
        let method = method.parse().unwrap();
        answers.push(client.send(method, &path, full(ask.body)).await);
    }
    answers
}

#[track_caller]
fn assert_same(theirs: &[Answer], ours: &[Answer]) {
    let asks = asks();
    assert!(asks.len() >= 60, "{}", asks.len());
    let mut unexpected = String::new();
    for ((ask, theirs), ours) in asks.iter().zip(theirs).zip(ours) {
        let problems = compare(theirs, ours, ask.differs);
        if !problems.is_empty() {
            let _ = writeln!(unexpected, "{}: {}", ask.line, problems.join("; "));
        }
    }
    assert!(unexpected.is_empty(), "\n{unexpected}");
}

fn compare(theirs: &Answer, ours: &Answer, differs: Differs) -> Vec<String> {
    let mut problems = Vec::new();
    if differs == Status {
        return problems;
    }
    if theirs.status != ours.status {
        problems.push(format!("status {} and {}", theirs.status, ours.status));
    }
    let shown = |answer: &Answer, name: &str| {
        let values = answer.headers.get_all(name).iter();
        let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        // Ports are not the same; everything else of a URL is.
        let values = values.map(|value| match value.strip_prefix("https://127.0.0.1:") {
            Some(rest) => rest
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .to_owned(),
            None => value,
        });
        values.collect::<Vec<_>>()
    };
    let is_success = theirs.status.is_success() || theirs.status.is_redirection();
    for name in COMPARED {
        // What belongs to the body of an error belongs to the other body.
        let of_body = matches!(name, "content-length" | "accept-ranges" | "etag");
        if (of_body && !is_success) || differs == Header(name) {
            continue;
        }
        let of_page = of_body || name == "x-content-type-options";
        if differs == Page && (of_page || name == "docker-distribution-api-version") {
            continue;
        }
        // We say more than asked for: no browser may guess what an answer is.
        if name == "x-content-type-options" && shown(theirs, name).is_empty() {
            continue;
        }
        // A range or a length that only we announce does no harm.
        if name == "accept-ranges" {
            continue;
        }
        let (theirs, ours) = (shown(theirs, name), shown(ours, name));
        if theirs != ours {
            problems.push(format!("{name} {theirs:?} and {ours:?}"));
        }
    }
    let is_json = |answer: &Answer| {
        let kind = answer.headers.get("content-type");
        !answer.body.is_empty()
            && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
    };
    if differs == No {
        if is_json(theirs) && !theirs.status.is_success() {
            if is_json(ours) && theirs.error_code() != ours.error_code() {
                problems.push(format!(
                    "code {} and {}",
                    theirs.error_code(),
                    ours.error_code()
                ));
            }
        } else if theirs.status.is_success() && theirs.body != ours.body {
            problems.push(format!("body {:?} and {:?}", theirs.body, ours.body));
        }
    }
    problems
}

/// The two files, and what they name.
struct Recipe {
    dir: PathBuf,
    port: u16,
    _made: Tidegate,
}

impl Recipe {
    fn new() -> Self {
        let mut made = up().start();
        made.stop();
        let dir = made.dir.clone();
        let at = |path: &str| dir.join(path).display().to_string();
        let (port, behind) = (free_port(), free_port());
        let nginx = format!(
            r#"user root;
pid {pid};
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {temp};
  proxy_temp_path {temp};
  upstream docker-registry {{ server 127.0.0.1:{behind}; }}
  map $upstream_http_docker_distribution_api_version $docker_distribution_api_version {{
    '' 'registry/2.0';
  }}
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name registry.example 127.0.0.1;
    ssl_certificate certs/site.crt;
    ssl_certificate_key certs/site.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:SSL:10m;
    client_max_body_size 0;
    chunked_transfer_encoding on;
    location /v2/ {{
      if ($http_user_agent ~ "^(docker\/1\.(3|4|5(?!\.[0-9]-dev))|Go ).*$" ) {{
        return 404;
      }}
      auth_basic "Registry realm";
      auth_basic_user_file auth/htpasswd;
      add_header 'Docker-Distribution-Api-Version' $docker_distribution_api_version always;
      add_header X-Site recipe;
      proxy_pass http://docker-registry;
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout 900;
    }}
    location /closed/ {{ deny all; return 200; }}
    location = /moved {{ return 301 https://$host/v2/; }}
    location = /said {{ return 200 "here I am\n"; }}
    location = /limited {{ client_max_body_size 10; return 405; }}
    location / {{ return 404; }}
  }}
}}
"#,
            pid = at("nginx.pid"),
            temp = at("temp"),
        );
        fs_err::write(dir.join("nginx.conf"), nginx).unwrap();
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
             http:\n  addr: 127.0.0.1:{behind}\n  headers:\n    X-Content-Type-Options: [nosniff]\n",
            at("registry")
        );
        fs_err::write(dir.join("config.yml"), config).unwrap();
        Self {
            dir,
            port,
            _made: made,
        }
    }

    fn docker_registry(&self) -> Process {
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(self.dir.join("config.yml"));
        Process::of(command)
    }

    /// nginx with its files, ready.
    fn nginx(&self) -> Process {
        let mut command = Command::new("nginx");
        command.args(["-g", "daemon off;", "-p"]).arg(&self.dir);
        command.arg("-c").arg(self.dir.join("nginx.conf"));
        let process = Process::of(command);
        for _ in 0..200 {
            if std::net::TcpStream::connect(self.address()).is_ok() {
                return process;
            }
            park_timeout(Duration::from_millis(50));
        }
        panic!("nginx does not listen at {}", self.address());
    }

    fn inputs(&self) -> [String; 4] {
        let at = |name: &str| self.dir.join(name).display().to_string();
        let [nginx, registry] = ["--nginx-conf", "--registry-config"].map(str::to_owned);
        [nginx, at("nginx.conf"), registry, at("config.yml")]
    }

    fn tidegate(&self, args: &[String]) -> Tidegate {
        let mut command = tidegate();
        command.arg("serve").args(args);
        Tidegate::launch(command, &self.dir)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn client(&self) -> Client {
        Client::new(
            self.address(),
            Path::new(&self.dir.join("certs/root-ca.crt")),
        )
    }
}

/// One that nobody listens at right now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Ended when dropped.
struct Process(Child);

impl Process {
    fn of(mut command: Command) -> Self {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
