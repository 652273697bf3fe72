//! A real nginx before a real registry, as recipes have it and as they should.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::{PASSWORD, Tidegate, USER, up};
use crate::identity::Authority;
use crate::{Diagnosis, doctor, missing, text};

/// What makes it right.
const RIGHT: &str = "client_max_body_size 0;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;";

/// As `up` writes it.
const LISTENER: &str = "address = \"127.0.0.1:0\"";

struct Nginx {
    child: Child,
    port: u16,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it.
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
        let _ = self.child.wait();
    }
}

fn nginx(dir: &Path, behind: &Tidegate, lines: &str) -> Nginx {
    // Bound and given up: nginx does not say which port it was given.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let at = |name: &str| text(&dir.join(name)).to_owned();
    let config = format!(
        "daemon off; pid {pid}; error_log stderr notice;
events {{}}
http {{
  access_log off; client_body_temp_path {body}; proxy_temp_path {proxy};
  fastcgi_temp_path {body}; uwsgi_temp_path {body}; scgi_temp_path {body};
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {cert}; ssl_certificate_key {key};
    {lines}
    location / {{ proxy_pass http://{address}; proxy_http_version 1.1; proxy_request_buffering off; }}
  }}
}}",
        pid = at("pid"),
        body = at("body"),
        proxy = at("proxy"),
        cert = at("cert"),
        key = at("key"),
        address = behind.address,
    );
    fs_err::write(dir.join("nginx.conf"), config).unwrap();
    drop(free);
    let mut child = Command::new("nginx")
        .args(["-p", text(dir), "-c", &at("nginx.conf")])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    crate::harness::Lines::of(child.stderr.take().unwrap()).until("start worker processes");
    Nginx { child, port }
}

fn examine(lines: &str) -> Diagnosis {
    let tidegate = up()
        .config(LISTENER, &format!("{LISTENER}\nprotocol = \"http\""))
        .config(
            "# trusted_proxies = []",
            "trusted_proxies = [\"127.0.0.1\"]",
        )
        .start();
    let ca = Authority::new("CA");
    let dir = tempfile::tempdir().unwrap();
    let identity = ca.site();
    let pem = |label, der: &[u8]| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    fs_err::write(
        dir.path().join("cert"),
        pem("CERTIFICATE", &identity.chain[0]),
    )
    .unwrap();
    fs_err::write(
        dir.path().join("key"),
        pem("PRIVATE KEY", identity.key.secret_der()),
    )
    .unwrap();
    let nginx = nginx(dir.path(), &tidegate, lines);
    let root = tempfile::tempdir().unwrap();
    doctor(
        &format!("127.0.0.1:{}", nginx.port),
        root.path(),
        &["--ca", ca.ca(), "--user", USER, "--password-stdin"],
        PASSWORD,
    )
}

#[test]
fn the_right_recipe_passes() {
    if missing("nginx") {
        return;
    }
    examine(RIGHT)
        .expect_failures(&[])
        .expect("http2", "ok", "works")
        .expect("body-limit", "ok", "1.5 MiB pass")
        .expect("cancel", "ok", "does not know it any more");
}

#[test]
fn what_recipes_forget_is_named() {
    if missing("nginx") {
        return;
    }
    for (forgotten, subject, said) in [
        (
            "client_max_body_size 0;",
            "body-limit",
            "client_max_body_size 0;",
        ),
        (
            "proxy_set_header Host $http_host;",
            "location",
            "to another port",
        ),
        (
            "proxy_set_header X-Forwarded-Proto $scheme;",
            "location",
            "without TLS",
        ),
    ] {
        // The host without its port is the commonest way to forget it.
        let instead = match subject {
            "location" if said.contains("port") => "proxy_set_header Host $host;",
            _ => "",
        };
        examine(&RIGHT.replace(forgotten, instead))
            .expect_failures(&[subject])
            .expect(subject, "fail", said);
    }
}
