//! A directory to work in, the binary, and openssl.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub(crate) const KINDS: [&str; 5] = [
    "ecdsa-p256",
    "ecdsa-p384",
    "rsa-2048",
    "rsa-4096",
    "ed25519",
];

/// A directory in which commands run.
pub(crate) struct Workshop(TempDir);

/// What a command has come to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a CA, `root-ca.crt` and `root-ca.key`.
    pub(crate) fn with_ca() -> Self {
        let shop = Self::new();
        shop.made("ca");
        shop
    }

    /// Runs `certs-tool` with these words.
    pub(crate) fn tool(&self, words: &str) -> Outcome {
        self.run(Command::new(env!("CARGO_BIN_EXE_certs-tool")).args(words.split(' ')))
    }

    /// As [`Workshop::tool`], which must succeed, and say nothing to worry about.
    pub(crate) fn made(&self, words: &str) -> Outcome {
        let outcome = self.tool(words);
        assert_eq!(outcome.code, Some(0), "{words}: {outcome:?}");
        assert_eq!(outcome.err, "", "{words}");
        outcome
    }

    /// As [`Workshop::tool`], which must fail for a reason that the user can
    /// mend; what it says.
    pub(crate) fn refused(&self, words: &str) -> String {
        let outcome = self.tool(words);
        assert_eq!(outcome.code, Some(1), "{words}: {outcome:?}");
        assert_eq!(outcome.out, "", "{words}");
        outcome.err
    }

    /// Runs `certs-tool` with a umask, in octal.
    pub(crate) fn made_under(&self, umask: &str, words: &str) {
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_certs-tool")]);
        let outcome = self.run(command.args(words.split(' ')));
        assert_eq!(outcome.code, Some(0), "{words}: {outcome:?}");
    }

    /// What openssl says with these words, which must succeed; `None`, and a
    /// note, where there is none.
    pub(crate) fn openssl(&self, words: &str) -> Option<String> {
        self.openssl_with(&words.split(' ').collect::<Vec<_>>())
    }

    /// As [`Workshop::openssl`], with words that may have spaces.
    pub(crate) fn openssl_with(&self, words: &[&str]) -> Option<String> {
        let run = Command::new("openssl")
            .args(words)
            .current_dir(self.0.path())
            .output();
        let Ok(output) = run else {
            #[expect(
                clippy::print_stderr,
                reason = "whoever reads the test's output should know"
            )]
            {
                eprintln!("skipped: openssl not found");
            }
            return None;
        };
        let outcome = Outcome::of(output);
        assert_eq!(outcome.code, Some(0), "openssl {words:?}: {outcome:?}");
        Some(outcome.out + &outcome.err)
    }

    /// That openssl, at its strictest, accepts a certificate for a purpose.
    pub(crate) fn verify(&self, ca: &str, purpose: &str, certificate: &str) -> Option<()> {
        let words = format!(
            "verify -x509_strict -check_ss_sig -purpose {purpose} -CAfile {ca} -untrusted {certificate} {certificate}"
        );
        let said = self.openssl(&words)?;
        assert_eq!(said.trim(), format!("{certificate}: OK"));
        Some(())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs_err::write(self.path(name), content).unwrap();
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        let metadata = fs_err::metadata(self.path(name)).unwrap();
        metadata.permissions().mode() & 0o777
    }

    /// The names in a directory, sorted.
    pub(crate) fn list(&self, directory: &str) -> Vec<String> {
        names(&self.path(directory))
    }

    fn run(&self, command: &mut Command) -> Outcome {
        let command = command.current_dir(self.0.path());
        Outcome::of(command.stdin(std::process::Stdio::null()).output().unwrap())
    }
}

impl Outcome {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs_err::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
