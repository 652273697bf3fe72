//! The machine that the document speaks of: its files below a directory, its ports
//! where they are free.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::park_timeout;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::compose;
use super::document::Section;
use super::network;
use crate::archive::Archive;
use crate::harness::image::noise;
use crate::harness::{Lines, PATIENCE, finish, run, up};

/// What has been there before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// nginx in front of docker-registry.
    Recipe,
    /// docker-registry with its own TLS and passwords.
    Registry,
    /// The recipe's compose file, in `/srv/registry`.
    Compose,
}

/// What stands in the machine's files, and what takes its place here; beside
/// these, paths below [`PLACES`] are below the machine's directory. `{https}` is
/// the port for 443, `{plain}` that for 5000.
const SUBSTITUTIONS: [(&str, &str); 6] = [
    // Workers have to get into a directory that is the user's alone.
    ("user www-data;", "user root;"),
    ("listen 443 ssl;", "listen {https} ssl;"),
    ("server 127.0.0.1:5000;", "server 127.0.0.1:{plain};"),
    // The name that compose gives to a service.
    ("server registry:5000;", "server 127.0.0.1:{plain};"),
    ("addr: 127.0.0.1:5000", "addr: 127.0.0.1:{plain}"),
    ("addr: :5000", "addr: :{plain}"),
];

/// The directories of the machine that paths begin with.
const PLACES: [&str; 4] = ["/etc/", "/var/", "/run/", "/srv/"];

pub(super) struct Machine {
    root: TempDir,
    pub(super) https: u16,
    pub(super) plain: u16,
    running: BTreeMap<String, Process>,
    foreground: Option<(Process, Lines)>,
    environment: Vec<(&'static str, String)>,
}

impl Machine {
    /// With everything running that ran before, and `team/app:v1` pushed to it.
    pub(super) fn new(kind: Kind, section: &Section) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (https, plain) = free_ports();
        let proxy = network::start(vec![(443, https), (5000, plain)]);
        let at = |path: &str| root.path().join(path).display().to_string();
        let path = std::env::var("PATH").unwrap();
        let environment = vec![
            ("HOME", at("root")),
            ("PATH", format!("{}:{path}", at("bin"))),
            ("HTTPS_PROXY", format!("http://{proxy}")),
            // What clients trust.
            ("CURL_CA_BUNDLE", at("made/certs/root-ca.crt")),
            ("SSL_CERT_FILE", at("made/certs/root-ca.crt")),
            // Where skopeo keeps its logins.
            ("XDG_RUNTIME_DIR", at("run")),
        ];
        let mut machine = Self {
            root,
            https,
            plain,
            running: BTreeMap::new(),
            foreground: None,
            environment,
        };
        machine.furnish();
        let port = match kind {
            Kind::Recipe => {
                machine.install_pair("etc/nginx/certs/site");
                machine.install_users("etc/nginx/htpasswd");
                machine.install("etc/nginx/nginx.conf", include_str!("nginx.conf"));
                machine.install(
                    "etc/docker/registry/config.yml",
                    include_str!("behind-nginx.yml"),
                );
                machine.start("docker-registry");
                machine.start("nginx");
                443
            }
            Kind::Registry => {
                machine.install_pair("etc/docker/registry/site");
                machine.install_users("etc/docker/registry/htpasswd");
                machine.install("etc/docker/registry/config.yml", include_str!("alone.yml"));
                machine.start("docker-registry");
                5000
            }
            Kind::Compose => {
                compose::install(&machine, section);
                compose::up(&mut machine, "compose.yaml");
                443
            }
        };
        machine.push(port);
        machine
    }

    /// The programs, the certificate, and what the clients' user has.
    fn furnish(&self) {
        let made = self.path("made");
        let named = ["--host", "registry.example"];
        let up = up().in_dir(&made).arg(named[0]).arg(named[1]);
        up.start().stop();
        for (name, program) in [
            ("tidegate", env!("CARGO_BIN_EXE_tidegate")),
            ("registry", env!("CARGO_BIN_EXE_registry")),
        ] {
            fs_err::create_dir_all(self.path("bin")).unwrap();
            symlink(program, self.path("bin").join(name)).unwrap();
        }
        // At a terminal, curl draws no progress.
        self.install("root/.curlrc", "silent\nshow-error\n");
        self.install(
            "root/.config/containers/policy.json",
            r#"{"default": [{"type": "insecureAcceptAnything"}]}"#,
        );
        for directory in ["var/lib/nginx", "var/log", "run"] {
            fs_err::create_dir_all(self.path(directory)).unwrap();
        }
    }

    pub(super) fn install_pair(&self, name: &str) {
        for extension in ["crt", "key"] {
            let to = self.path(&format!("{name}.{extension}"));
            fs_err::create_dir_all(to.parent().unwrap()).unwrap();
            fs_err::copy(self.path(&format!("made/certs/site.{extension}")), to).unwrap();
        }
    }

    pub(super) fn install_users(&self, name: &str) {
        let file = self.path(name).display().to_string();
        run(["htpasswd", "-cbB", &file, "alice", "harbour"], "").assert_ok();
    }

    /// Writes a file with this machine's paths and ports in it.
    pub(super) fn install(&self, name: &str, text: &str) {
        self.install_in(self.root.path(), name, text);
    }

    /// The same, where its paths are below another directory.
    pub(super) fn install_in(&self, paths: &Path, name: &str, text: &str) {
        let mut text = text.to_owned();
        for (from, to) in SUBSTITUTIONS {
            let to = to.replace("{https}", &self.https.to_string());
            text = text.replace(from, &to.replace("{plain}", &self.plain.to_string()));
        }
        let file = self.path(name);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, below(paths, &text)).unwrap();
    }

    fn push(&self, port: u16) {
        let archive = Archive::of(&[noise(90, 5000)]);
        let port = if port == 443 {
            String::new()
        } else {
            format!(":{port}")
        };
        let line = format!(
            "skopeo copy -q --dest-creds alice:harbour {} docker://registry.example{port}/team/app:v1",
            archive.source()
        );
        let pushed = finish(self.shell(&line), "");
        assert_eq!(pushed.code, Some(0), "{}", pushed.stdout);
    }

    /// Runs a line to its end, or until it serves; what it said.
    pub(super) fn run(&mut self, line: &str) -> Vec<String> {
        let line = below(self.root.path(), line);
        if line.starts_with("tidegate serve ") || line.starts_with("registry serve ") {
            return self.serve(&line);
        }
        let finished = finish(self.shell(&line), "");
        assert_eq!(finished.code, Some(0), "{line}\n{}", finished.stdout);
        self.as_shown(finished.stdout.lines())
    }

    fn serve(&mut self, line: &str) -> Vec<String> {
        assert!(self.foreground.is_none(), "^C comes before {line}");
        let mut command = self.shell(&format!("exec {line}"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = Lines::of(child.stdout.take().unwrap());
        let mut said = Vec::new();
        while said
            .last()
            .is_none_or(|line: &String| !line.contains("listening on "))
        {
            let Some(next) = lines.next() else {
                panic!("{line} ended:\n{}", said.join("\n"));
            };
            said.push(next);
        }
        self.foreground = Some((Process(child), lines));
        self.as_shown(said.iter().map(String::as_str))
    }

    /// Ends what runs in the foreground, in order.
    pub(super) fn interrupt(&mut self) -> Vec<String> {
        let (mut process, _) = self.foreground.take().expect("something in the foreground");
        assert!(process.end(Signal::INT), "it did not end in order");
        Vec::new()
    }

    /// A shell that says everything on its standard output.
    fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("exec 2>&1; {line}")]);
        self.prepare(&mut command);
        command
    }

    fn prepare(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("REGISTRY_") || name.to_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.root.path());
    }

    /// Output as it would be on the machine itself.
    fn as_shown<'a>(&self, lines: impl Iterator<Item = &'a str>) -> Vec<String> {
        let shown = |line: &str| {
            line.replace(&self.root.path().display().to_string(), "")
                .replace(&self.https.to_string(), "443")
                .replace(&self.plain.to_string(), "5000")
        };
        lines.map(shown).collect()
    }

    /// Starts what Debian's unit of this name starts.
    pub(super) fn start(&mut self, name: &str) {
        let at = |path: &str| self.path(path).display().to_string();
        let (program, args, port) = match name {
            "nginx" => {
                let conf = at("etc/nginx/nginx.conf");
                ("nginx", nginx(&conf), self.https)
            }
            "docker-registry" => {
                let args = vec!["serve".to_owned(), at("etc/docker/registry/config.yml")];
                ("docker-registry", args, self.plain)
            }
            other => panic!("no unit {other}"),
        };
        let mut command = Command::new(program);
        command.args(args);
        self.launch(name, command, port);
    }

    /// Starts a program and waits until the port is open.
    pub(super) fn launch(&mut self, name: &str, mut command: Command, port: u16) {
        self.prepare_service(&mut command);
        let log = self.path(&format!("var/log/{name}"));
        command.stderr(fs_err::File::create(&log).unwrap().into_parts().0);
        let mut process = Process(command.spawn().unwrap());
        let step = Duration::from_millis(50);
        for _ in 0..PATIENCE.as_millis() / step.as_millis() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                self.running.insert(name.to_owned(), process);
                return;
            }
            let ended = process.0.try_wait().unwrap();
            let log = || fs_err::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "{name} ended:\n{}", log());
            park_timeout(step);
        }
        panic!("{name} does not listen at {port}");
    }

    fn prepare_service(&self, command: &mut Command) {
        self.prepare(command);
        command.stdin(Stdio::null()).stdout(Stdio::null());
    }

    pub(super) fn stop(&mut self, name: &str) {
        let process = self.running.remove(name);
        let mut process = process.unwrap_or_else(|| panic!("{name} does not run"));
        process.end(Signal::TERM);
    }

    pub(super) fn stop_all(&mut self) {
        for name in self.running.keys().cloned().collect::<Vec<_>>() {
            self.stop(&name);
        }
    }

    /// Where a file of the machine is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}

/// A text with the paths that it names below a directory.
pub(super) fn below(directory: &Path, text: &str) -> String {
    let mut text = text.to_owned();
    for place in PLACES {
        // Where a path begins, and not in the middle of one.
        for before in [" ", "=", "\""] {
            let from = format!("{before}{place}");
            text = text.replace(&from, &format!("{before}{}{place}", directory.display()));
        }
    }
    text
}

/// nginx's arguments; where its pid and temporary files are stands in the file.
pub(super) fn nginx(conf: &str) -> Vec<String> {
    ["-g", "daemon off;", "-e", "stderr", "-c", conf]
        .map(str::to_owned)
        .to_vec()
}

/// Two that nobody listens at, and that the kernel gives to no outgoing connection
/// while the machine changes its programs.
fn free_ports() -> (u16, u16) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("less than 10,000");
    let candidates = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed));
    let mut free = candidates.filter(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok());
    let mut next = || free.next().expect("candidates do not end");
    (next(), next())
}

/// Ended when dropped.
struct Process(Child);

impl Process {
    /// Whether it ended without complaint.
    fn end(&mut self, signal: Signal) -> bool {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        self.0.wait().unwrap().success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // nginx's workers end with their master's TERM, and not with its KILL.
            self.end(Signal::TERM);
        }
    }
}
