//! The same htpasswd file, served by nginx and read by us: whoever can log in
//! there can log in here. Says so and does nothing where nginx is missing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidegate_auth::hash::Scheme;
use tidegate_auth::htpasswd::{Document, Users, WeakHashes};

/// The program that made a hash, the password and the hash, a line each.
const VECTORS: &str = include_str!("../src/hash/vectors.tsv");

/// What is at the edge of a notation, all for the password `secret`.
const EDGES: &[&str] = &[
    "secret",
    "",
    "{PLAIN}secret",
    "{PLAIN}secret:comment",
    "{PLAIN}secre",
    "{plain}secret",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ",
    "{sha}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SSHA}+RFhsab2AfzZ0VfEdyknXtUT06RhYmNk",
    "{SSHA}AAAA",
    "{SMD5}AAAA",
    "$apr1$$g/UEjvgvl9nWOQl6rNKvZ.",
    "$apr1$123456789$0lqb/6VUFP8JY/s/jTrIk0",
    "$apr1$a ö$Tx7puywD/LPtfUZvSmmYJ0",
    "$1$$ysVNzQc4CTMkp5daOdZ.3/",
    "$5$rounds=1000$ab$bw4PhTdETPYycBP1S/MfHGVqzf4cldTXkxqJJ2X8w.3",
    "$5$rounds=01000$ab$bw4PhTdETPYycBP1S/MfHGVqzf4cldTXkxqJJ2X8w.3",
    "$5$rounds=+1000$ab$bw4PhTdETPYycBP1S/MfHGVqzf4cldTXkxqJJ2X8w.3",
    "$6$$2M9DchxW4txWyTYoZrH9D3VvAAQxBpEezYsLY6Cao.jwzEXpyL9xwip9hiUZX7GqTqe/E/z6iKvZqXUuqniQH.",
    "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIr",
    "$2b$04$abcdefghijklmnopqrstuv2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "abNANd1rDfiNc",
    "abNANd1rDfiNd",
    "abHr9elwESrHs",
];

/// nginx on a socket in a directory, stopped when dropped.
struct Nginx<'a> {
    directory: &'a Path,
}

impl<'a> Nginx<'a> {
    /// `None` where it is not installed.
    fn start(directory: &'a Path, users: &str) -> Option<Self> {
        let at = |name: &str| directory.join(name).display().to_string();
        fs_err::write(at("users"), users).unwrap();
        let socket = at("socket");
        // Nothing is there to be found: who comes in gets a 204.
        let configuration = format!(
            "user root; pid {pid}; error_log {log}; events {{}} http {{ access_log off; \
             client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; \
             uwsgi_temp_path u; scgi_temp_path s; server {{ listen unix:{socket}; \
             location / {{ auth_basic r; auth_basic_user_file {users}; \
             try_files /nothing =204; }} }} }}",
            pid = at("pid"),
            log = at("log"),
            users = at("users"),
        );
        fs_err::write(at("nginx.conf"), configuration).unwrap();
        let nginx = Self { directory };
        // Returns when the socket is open and a process of its own serves it.
        match nginx.run(&[]) {
            Ok(status) => assert!(status.success(), "{status}"),
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => panic!("{error}"),
        }
        Some(nginx)
    }

    fn run(&self, arguments: &[&str]) -> std::io::Result<std::process::ExitStatus> {
        Command::new("nginx")
            .arg("-e")
            .arg(self.directory.join("log"))
            .arg("-p")
            .arg(self.directory)
            .arg("-c")
            .arg(self.directory.join("nginx.conf"))
            .args(arguments)
            .status()
    }

    fn lets_in(&self, user: &str, password: &str) -> bool {
        let mut stream = UnixStream::connect(self.directory.join("socket")).unwrap();
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        write!(
            stream,
            "GET / HTTP/1.0\r\nAuthorization: Basic {credentials}\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        match answer.split(' ').nth(1) {
            Some("204") => true,
            Some("401") => false,
            _ => panic!("{user}: {answer}"),
        }
    }
}

impl Drop for Nginx<'_> {
    fn drop(&mut self) {
        let _ = self.run(&["-s", "stop"]);
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "says what was not tried")]
fn who_can_log_in_at_nginx_can_log_in_here_and_nobody_else() {
    let entries: Vec<(&str, &str)> = VECTORS
        .lines()
        .map(|line| {
            let (_, rest) = line.split_once('\t').unwrap();
            rest.split_once('\t').unwrap()
        })
        .chain(EDGES.iter().map(|&hash| ("secret", hash)))
        .collect();
    let file: String = entries
        .iter()
        .enumerate()
        .map(|(n, (_, hash))| format!("user{n}:{hash}\n"))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let Some(nginx) = Nginx::start(directory.path(), &file) else {
        eprintln!("skipped: nginx is not installed");
        return;
    };
    let document = Document::parse(file.as_bytes()).unwrap();
    let users = Users::of(&document, Path::new("users"), WeakHashes::Allowed).unwrap();

    let mut let_in = 0;
    for (n, &(password, hash)) in entries.iter().enumerate() {
        let user = format!("user{n}");
        for password in [password, &format!("~{password}")] {
            let here = users
                .find(&user)
                .is_some_and(|user| user.hash().matches(password.as_bytes()));
            let there = nginx.lets_in(&user, password);
            assert_eq!(here, there, "{:?}: {hash} {password}", Scheme::of(hash));
            let_in += usize::from(here);
        }
    }
    assert!(let_in > VECTORS.lines().count(), "{let_in}");
}
