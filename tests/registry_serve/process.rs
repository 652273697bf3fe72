//! A running `registry serve`.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use reqwest::{Certificate, Client, Response, redirect};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::Lines;

/// The binary under test.
pub(crate) fn registry() -> Command {
    Command::new(env!("CARGO_BIN_EXE_registry"))
}

/// A configuration in a directory of its own, and what is laid over it.
pub(crate) struct Configured {
    pub(crate) dir: TempDir,
    variables: Vec<(&'static str, OsString)>,
    flags: Vec<&'static str>,
    trusted: Option<Certificate>,
}

impl Configured {
    /// With the text that belongs to a directory for the data.
    pub(crate) fn new(text: impl FnOnce(&Path) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = text(&dir.path().join("data"));
        fs_err::write(dir.path().join("config.yml"), text).unwrap();
        Self {
            dir,
            variables: vec![],
            flags: vec![],
            trusted: None,
        }
    }

    pub(crate) fn var(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name, value.as_ref().to_owned()));
        self
    }

    pub(crate) fn flag(mut self, flag: &'static str) -> Self {
        self.flags.push(flag);
        self
    }

    /// Has the client trust this certificate alone.
    pub(crate) fn trusting(mut self, cert: &Path) -> Self {
        let pem = fs_err::read(cert).unwrap();
        self.trusted = Some(Certificate::from_pem(&pem).unwrap());
        self
    }

    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = registry();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REGISTRY_") {
                command.env_remove(name);
            }
        }
        command.arg("serve").args(&self.flags).args(flags);
        command.arg(self.dir.path().join("config.yml"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn start(self) -> Server {
        Server::start(self.command(&[]), self.dir, self.trusted)
    }
}

/// A server that says in its log where it listens; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) dir: TempDir,
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) access_log: Lines,
    /// What it said before it listened.
    banner: Vec<String>,
    /// Read on, so that it never waits for its reader.
    _log: Lines,
}

impl Server {
    pub(crate) fn start(mut command: Command, dir: TempDir, trusted: Option<Certificate>) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let access_log = Lines::of(child.stdout.take().unwrap());
        let mut log = Lines::of(child.stderr.take().unwrap());
        let mut banner = Vec::new();
        let url = loop {
            let line = log
                .next()
                .unwrap_or_else(|| panic!("it ended before it listened:\n{}", banner.join("\n")));
            if let Some((_, address)) = line.split_once("listening on ") {
                // docker-registry says no scheme, and more after the address.
                let address = address.split(['"', ',']).next().unwrap_or_default();
                break match address.contains("://") {
                    true => address.to_owned(),
                    false => format!("http://{address}"),
                };
            }
            banner.push(line);
        };
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .tls_certs_only(trusted)
            .build()
            .unwrap();
        Self {
            child,
            dir,
            url,
            client,
            access_log,
            banner,
            _log: log,
        }
    }

    /// The line with this text of those that came before it listened.
    pub(crate) fn said(&self, text: &str) -> String {
        let line = self.banner.iter().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no {text:?} in {:?}", self.banner))
            .clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        request.send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str) -> Response {
        let request = self.client.post(format!("{}{path}", self.url));
        request.send().await.unwrap()
    }

    /// SIGTERM, and its exit status.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
