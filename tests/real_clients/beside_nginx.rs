//! nginx and Tidegate with the same `server`, in front of one upstream that tells
//! what it is asked: what it is asked by both is the same, and so is what clients
//! get.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, park_timeout};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::{PATIENCE, Tidegate, tidegate, up};
use crate::missing;

#[test]
fn answers_lead_where_proxy_redirect_says() {
    let Some(both) = Both::start(
        "location /usual/ { proxy_pass http://UPSTREAM; }
         location /said/ { proxy_pass http://UPSTREAM; proxy_redirect default; }
         location /path/ { proxy_pass http://UPSTREAM/inner/; }
         location = /exact { proxy_pass http://UPSTREAM/inner; }
         location ~ ^/found { proxy_pass http://UPSTREAM; }
         location /off/ { proxy_pass http://UPSTREAM; proxy_redirect off; }
         location /two/ {
           proxy_pass http://UPSTREAM;
           proxy_redirect http://UPSTREAM/ https://$host/moved/;
           proxy_redirect http://inner.example $scheme://$http_host;
           proxy_redirect /rooted/ /;
         }
         location /both/ {
           proxy_pass http://UPSTREAM;
           proxy_redirect http://inner.example/ /;
           proxy_redirect default;
         }
         location /around/ {
           proxy_redirect http://inner.example/ /;
           location /around/inner/ { proxy_pass http://UPSTREAM; }
           location /around/off/ { proxy_pass http://UPSTREAM; proxy_redirect off; }
         }",
    ) else {
        return;
    };
    for place in [
        "/usual/",
        "/said/",
        "/path/",
        "/exact",
        "/found",
        "/off/",
        "/two/",
        "/both/",
        "/around/inner/",
        "/around/off/",
    ] {
        for lead in [
            "http://UPSTREAM/",
            "http://UPSTREAM/inner/x?y=1",
            "http://UPSTREAM/inner",
            "https://UPSTREAM/",
            "http://inner.example/v2/",
            "/rooted/x",
            "elsewhere",
            "",
        ] {
            both.assert_same(&format!(
                "GET {place} HTTP/1.1\r\nHost: registry.example:PORT\r\nX-Lead: {lead}\r\n\r\n"
            ));
        }
    }
}

#[test]
fn an_upstream_is_asked_by_its_name() {
    let Some(both) = Both::start(
        "location /plain/ { proxy_pass http://UPSTREAM; }
         location /named/ { proxy_pass http://behind; }
         location /set/ { proxy_pass http://behind; proxy_set_header Host $http_host; }
         location /other/ { proxy_pass http://behind; proxy_set_header X-Other 1; }",
    ) else {
        return;
    };
    for place in ["/plain/", "/named/", "/set/", "/other/"] {
        let answer = both.assert_same(&format!(
            "GET {place} HTTP/1.1\r\nHost: registry.example:PORT\r\nX-Lead: http://UPSTREAM/v2/\r\n\
             X-Challenge: Bearer realm=\"http://UPSTREAM/token\"\r\n\r\n"
        ));
        let host = match place {
            "/plain/" => "host: UPSTREAM",
            "/set/" => "host: registry.example:PORT",
            _ => "host: behind",
        };
        assert!(answer.iter().any(|line| line == host), "{answer:?}");
    }
}

#[test]
fn paths_are_rewritten_and_what_was_found_is_told() {
    let Some(both) = Both::start(
        "rewrite ^/old/(.*)$ /new/$1 last;
         rewrite ^/chain/(.*)$ /chain2/$1;
         rewrite ^/chain2/(.*)$ /new/$1;
         location /new/ { proxy_pass http://UPSTREAM; }
         location /keep/ { rewrite ^/keep/(.*)$ /v2/$1 break; proxy_pass http://UPSTREAM; }
         location /whole/ { rewrite ^/whole/(.*)$ /v2/$1 break; proxy_pass http://UPSTREAM/no/; }
         location /query/ { rewrite ^/query/(.*)$ /v2/$1?a=$1 break; proxy_pass http://UPSTREAM; }
         location /bare/ { rewrite ^/bare/(.*)$ /v2/$1? break; proxy_pass http://UPSTREAM; }
         location /again/ { rewrite ^/again/(.*)$ /new/$1 last; return 500; }
         location /loop/ { rewrite ^/loop/(.*)$ /loop/$1x last; return 200; }
         location /out/ { rewrite ^/out/(.*)$ https://else.example/$1 permanent; }
         location /here/ { rewrite ^/here/(.*)$ /new/$1? redirect; }
         location ~ ^/said/(.*)$ { if ($http_x_a ~ ^(a+)) { return 200 \"if $1\"; } return 200 \"$1\"; }
         location ~ ^/found/(?<team>[a-z]+)/(.*)$ {
           proxy_set_header X-Other $team;
           proxy_pass http://UPSTREAM/v2/$team/$2$is_args$args;
           proxy_redirect ~^http://[^/]+/(.*)$ https://$host/$1;
         }",
    ) else {
        return;
    };
    for target in [
        "/old/a%20b?n=1",
        "/old/a%3Fb",
        "/chain/q",
        "/keep/a/b?n=1",
        "/keep/a%2Bb+c",
        "/whole/a?n=1",
        "/query/a%26b?n=1",
        "/query/a&b",
        "/bare/a?n=1",
        "/again/z?n=1",
        "/loop/a",
        "/out/a+b?n=1",
        "/here/a?n=1",
        "/said/q",
        "/found/core/a/b?n=1",
        "/found/core/",
    ] {
        for field in ["", "X-A: aab\r\n", "X-Lead: http://UPSTREAM/v2/x\r\n"] {
            both.assert_same(&format!(
                "GET {target} HTTP/1.1\r\nHost: registry.example:PORT\r\n{field}\r\n"
            ));
        }
    }
}

#[test]
fn who_names_no_host_is_answered_by_the_default_server() {
    let Some(both) = Both::start(
        "location = /said { return 200 \"$host $http_host.\"; }
         location = /moved { return 301 https://$host/v2/; }
         location = /here { return 301 /v2/; }
         location /slash/ { proxy_pass http://UPSTREAM; }
         location /behind/ { proxy_pass http://UPSTREAM; }",
    ) else {
        return;
    };
    for target in ["/said", "/moved", "/here", "/slash", "/behind/", "/none"] {
        for line in [
            "HTTP/1.0",
            "HTTP/1.0\r\nHost: other.example:PORT",
            "HTTP/1.1",
        ] {
            both.assert_same(&format!(
                "GET {target} {line}\r\nX-Lead: http://UPSTREAM/v2/\r\n\r\n"
            ));
        }
    }
    let said = both.ask(both.tidegate.1, "GET /said HTTP/1.0\r\n\r\n");
    assert!(
        said.contains(&"body: first.example .".to_owned()),
        "{said:?}"
    );
}

/// nginx, and Tidegate with the same file but for the port.
struct Both {
    upstream: SocketAddr,
    nginx: (Nginx, SocketAddr),
    tidegate: (Tidegate, SocketAddr),
    roots: Arc<ClientConfig>,
    /// Owns the directory.
    _made: Tidegate,
}

/// The headers that are compared; the body is what the upstream was asked.
const COMPARED: [&str; 3] = ["location", "refresh", "www-authenticate"];

impl Both {
    /// With these places, in which `UPSTREAM` is the upstream's address. `None`, if
    /// nginx is missing.
    fn start(places: &str) -> Option<Self> {
        if missing(&["nginx"]) {
            return None;
        }
        let upstream = upstream();
        let mut made = up().arg("--host").arg("registry.example").start();
        made.stop();
        let dir = made.dir.clone();
        let certificate = CertificateDer::from_pem_file(made.ca()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let write = |name: &str| {
            let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
            let path = dir.join(name);
            fs_err::write(
                &path,
                conf(&dir.display().to_string(), address, places, upstream),
            )
            .unwrap();
            (path, address)
        };
        let (theirs, ours) = (write("nginx.conf"), write("ours.conf"));
        let mut command = tidegate();
        command.arg("serve").arg("--nginx-conf").arg(ours.0);
        let tidegate = Tidegate::launch(command, &dir);
        Some(Self {
            upstream,
            nginx: (Nginx::start(&theirs.0, theirs.1), theirs.1),
            tidegate: (tidegate, ours.1),
            roots: Arc::new(roots),
            _made: made,
        })
    }

    /// Sends a request to both, and gives what came from both: the lines of an
    /// answer that count.
    #[track_caller]
    fn assert_same(&self, request: &str) -> Vec<String> {
        let theirs = self.ask(self.nginx.1, request);
        let ours = self.ask(self.tidegate.1, request);
        assert_eq!(ours, theirs, "ours and nginx's answer to {request}");
        ours
    }

    fn ask(&self, to: SocketAddr, request: &str) -> Vec<String> {
        let upstream = self.upstream.to_string();
        let request = request.replace("UPSTREAM", &upstream);
        let request = request.replace(":PORT", &format!(":{}", to.port()));
        let name = ServerName::try_from("registry.example").unwrap();
        let tls = ClientConnection::new(Arc::clone(&self.roots), name).unwrap();
        let mut stream = StreamOwned::new(tls, TcpStream::connect(to).unwrap());
        // They close when they have answered.
        let request = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => panic!("{error}"),
            _ => {}
        }
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut head = head.lines();
        let status = head.next().unwrap().split(' ').nth(1).unwrap();
        let mut seen = vec![format!("status: {status}")];
        for name in COMPARED {
            for line in head.clone() {
                let (field, value) = line.split_once(": ").unwrap_or((line, ""));
                if field.eq_ignore_ascii_case(name) {
                    seen.push(format!("{name}: {value}"));
                }
            }
        }
        // Pages are each server's own.
        if status == "202" {
            // nginx asks in HTTP/1.0, and says that it closes.
            let version = |line: &str| {
                let target = line.strip_prefix("get ")?.rsplit_once(" http/1.")?.0;
                Some(format!("asked for {target}"))
            };
            let lines = body.lines();
            let mut asked: Vec<String> = lines
                .map(|line| version(line).unwrap_or_else(|| line.to_owned()))
                .collect();
            // We say of ourselves how the client came, whatever the file sets.
            let own = ["x-forwarded-", "x-real-ip: ", "connection: "];
            asked.retain(|line| !own.iter().any(|own| line.starts_with(own)));
            asked.sort_unstable();
            seen.extend(asked);
        }
        if status == "200" {
            seen.push(format!("body: {body}"));
        }
        let neutral = |line: String| {
            line.replace(&upstream, "UPSTREAM")
                .replace(&format!(":{}", to.port()), ":PORT")
        };
        seen.into_iter().map(neutral).collect()
    }
}

fn conf(dir: &str, address: SocketAddr, places: &str, upstream: SocketAddr) -> String {
    let places = places.replace("UPSTREAM", &upstream.to_string());
    format!(
        "user root;\npid {dir}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n\
         access_log off;\nclient_body_temp_path {dir}/temp;\nproxy_temp_path {dir}/temp;\n\
         upstream behind {{ server {upstream}; }}\n\
         server {{\nlisten {address} ssl;\nserver_name first.example;\n\
         ssl_certificate certs/site.crt;\nssl_certificate_key certs/site.key;\n{places}\n}}\n\
         server {{\nlisten {address} ssl;\nserver_name other.example;\n\
         ssl_certificate certs/site.crt;\nssl_certificate_key certs/site.key;\n\
         location / {{ return 200 \"the other $host\"; }}\n}}\n}}\n"
    )
}

/// Answers 202 with the request's own lines, and leads where `X-Lead` says.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || tell(stream));
        }
    });
    address
}

fn tell(stream: TcpStream) -> io::Result<()> {
    let mut answer = String::from("HTTP/1.1 202 Accepted\r\nConnection: close\r\n");
    let mut asked = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        let name = name.to_ascii_lowercase();
        match &*name {
            "" => break,
            "x-lead" if !value.is_empty() => {
                answer.push_str(&format!("Location: {value}\r\nRefresh: 5; url={value}\r\n"));
            }
            "x-challenge" => answer.push_str(&format!("WWW-Authenticate: {value}\r\n")),
            "x-lead" => {}
            _ => asked.push_str(&format!("{name}: {value}\n")),
        }
    }
    let mut stream = stream;
    write!(
        stream,
        "{answer}Content-Type: text/x-asked\r\nContent-Length: {}\r\n\r\n{asked}",
        asked.len()
    )
}

/// Ended when dropped.
pub(crate) struct Nginx(Child);

impl Nginx {
    pub(crate) fn start(conf: &PathBuf, address: SocketAddr) -> Self {
        let mut command = Command::new("nginx");
        command.args(["-g", "daemon off;", "-e", "stderr", "-p"]);
        command.arg(conf.parent().unwrap()).arg("-c").arg(conf);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut nginx = Self(quiet.spawn().unwrap());
        let step = Duration::from_millis(50);
        for _ in 0..PATIENCE.as_millis() / step.as_millis() {
            if TcpStream::connect(address).is_ok() {
                return nginx;
            }
            assert!(nginx.0.try_wait().unwrap().is_none(), "nginx has ended");
            park_timeout(step);
        }
        panic!("nginx does not listen at {address}");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with its TERM, and not with its KILL.
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.0),
            rustix::process::Signal::TERM,
        );
        let _ = self.0.wait();
    }
}

/// One that nobody listens at right now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
