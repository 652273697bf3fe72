//! What the end-to-end tests are written in: a real `tidegate` process on a
//! port of its own, and a client that trusts its CA and nothing else.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::print_stderr,
    reason = "each test binary uses its own part of the harness"
)]

pub mod client;
pub mod image;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use client::Client;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub const USER: &str = "admin";
pub const PASSWORD: &str = "correct horse battery staple";

/// No event of these tests takes that long on the slowest machine; a test that
/// waits longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A `tidegate up` in the making.
pub struct Up {
    dir: Directory,
    listen: String,
    args: Vec<String>,
    config: Vec<(String, String)>,
}

enum Directory {
    Fresh(TempDir),
    Existing(PathBuf),
}

/// `tidegate up` in a directory of its own, on a free port.
pub fn up() -> Up {
    Up {
        dir: Directory::Fresh(tempfile::tempdir().expect("a temporary directory")),
        listen: "127.0.0.1:0".to_owned(),
        args: vec![],
        config: vec![],
    }
}

impl Up {
    /// Serves a directory that an earlier `up` has made.
    pub fn in_dir(mut self, dir: &Path) -> Self {
        self.dir = Directory::Existing(dir.to_owned());
        self
    }

    /// Listens there, rather than on a free port of 127.0.0.1.
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = address.to_owned();
        self
    }

    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Replaces a piece of the `tidegate.toml` that `up` writes, which takes a
    /// first start and a second.
    pub fn config(mut self, from: &str, to: &str) -> Self {
        self.config.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Starts it and waits until it says where it listens.
    pub fn start(self) -> Tidegate {
        if !self.config.is_empty() {
            let path = self.dir.path().join("tidegate.toml");
            if !path.exists() {
                Tidegate::spawn(self.dir.path(), &self.listen, &self.args).stop();
            }
            let mut text = fs_err::read_to_string(&path).expect("the file that up wrote");
            for (from, to) in &self.config {
                assert!(
                    text.contains(from),
                    "tidegate.toml has no {from:?}:\n{text}"
                );
                text = text.replace(from, to);
            }
            fs_err::write(&path, text).expect("tidegate.toml is ours to edit");
        }
        let mut tidegate = Tidegate::spawn(self.dir.path(), &self.listen, &self.args);
        if let Directory::Fresh(dir) = self.dir {
            tidegate.owned_dir = Some(dir);
        }
        tidegate
    }
}

impl Directory {
    fn path(&self) -> &Path {
        match self {
            Self::Fresh(dir) => dir.path(),
            Self::Existing(dir) => dir,
        }
    }
}

/// A running `tidegate`; killed when dropped.
pub struct Tidegate {
    child: Child,
    pub dir: PathBuf,
    pub address: SocketAddr,
    /// What it printed until it was ready.
    pub banner: String,
    log: Lines,
    access_log: Lines,
    owned_dir: Option<TempDir>,
}

impl Tidegate {
    fn spawn(dir: &Path, listen: &str, args: &[String]) -> Self {
        let mut command = tidegate();
        command.arg("up").arg("--dir").arg(dir);
        // A file that is there already says where to listen.
        if !dir.join("tidegate.toml").exists() {
            command.args(["--listen", listen]);
        }
        command
            .args(["--user", USER, "--password-stdin"])
            .args(args);
        Self::launch(command, dir)
    }

    /// Starts any command that serves, giving it the password on its standard input.
    pub fn launch(mut command: Command, dir: &Path) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tidegate starts");
        // A second start does not read it; then the pipe may be closed already.
        let _ = child
            .stdin
            .take()
            .expect("piped")
            .write_all(format!("{PASSWORD}\n").as_bytes());
        let log = Lines::of(child.stderr.take().expect("piped"));
        let mut stdout = Lines::of(child.stdout.take().expect("piped"));
        let mut banner = String::new();
        let address = loop {
            let Some(line) = stdout.next() else {
                let status = child.wait().expect("our child");
                panic!(
                    "tidegate ended ({status}) before it was ready\n{banner}{}",
                    log.drain()
                );
            };
            banner.push_str(&line);
            banner.push('\n');
            if let Some(url) = line.trim().strip_prefix("listening on ") {
                let address = url
                    .split("://")
                    .nth(1)
                    .expect("a URL")
                    .trim_end_matches('/');
                break address.parse().expect("an address with a port");
            }
        };
        // The banner ends with an empty line of its own.
        while let Some(line) = stdout.next_within(Duration::from_millis(200)) {
            banner.push_str(&line);
            banner.push('\n');
        }
        Self {
            child,
            dir: dir.to_owned(),
            address,
            banner,
            log,
            access_log: stdout,
            owned_dir: None,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// `host:port`, as an image reference begins.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn ca(&self) -> PathBuf {
        self.dir.join("certs/root-ca.crt")
    }

    /// The filesystem tree that holds the images.
    pub fn storage(&self) -> PathBuf {
        self.dir.join("registry/docker/registry/v2")
    }

    /// A client that trusts the CA and sends the right password.
    pub fn client(&self) -> Client {
        Client::new(self.address, &self.ca()).basic(USER, PASSWORD)
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// SIGKILL: what a power cut looks like to the process.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("our child");
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("our child")
    }

    /// SIGTERM, and its exit status.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until a line of the log contains `text`, and gives that line.
    pub fn logged(&mut self, text: &str) -> String {
        self.log.until(text)
    }

    /// Waits for the line of the access log that contains `text`.
    pub fn access_logged(&mut self, text: &str) -> String {
        self.access_log.until(text)
    }

    /// Resident memory in bytes, now.
    pub fn resident_bytes(&self) -> u64 {
        let status =
            fs_err::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|n| n.trim().parse().ok())
            .expect("the kernel says it");
        kib * 1024
    }
}

impl Drop for Tidegate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- tidegate's log\n{}", self.log.drain());
        }
    }
}

/// The binary under test.
pub fn tidegate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
}

/// A command's whole output, once it has ended.
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `tidegate` to its end.
pub fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, stdin: &str) -> Finished {
    let mut command = tidegate();
    command.args(args);
    finish(command, stdin)
}

/// Runs a command to its end.
pub fn finish(mut command: Command, stdin: &str) -> Finished {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let _ = child
        .stdin
        .take()
        .expect("piped")
        .write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("our child");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The lines of a stream, read as they come so that the writer never blocks.
pub struct Lines {
    lines: Receiver<String>,
}

impl Lines {
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { lines }
    }

    /// The next line; `None` at the end of the stream.
    pub fn next(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing was written for {PATIENCE:?}"),
        }
    }

    fn next_within(&mut self, span: Duration) -> Option<String> {
        self.lines.recv_timeout(span).ok()
    }

    /// Waits for the line that contains `text`.
    pub fn until(&mut self, text: &str) -> String {
        let mut seen = String::new();
        while let Some(line) = self.next() {
            if line.contains(text) {
                return line;
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        panic!("the stream ended without {text:?}:\n{seen}");
    }

    fn drain(&self) -> String {
        self.lines.try_iter().collect::<Vec<_>>().join("\n")
    }
}
