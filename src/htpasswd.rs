//! `tidegate htpasswd`: Apache's command, for those whose fingers know it.
//!
//! Differences, all on the safe side: the hash is bcrypt where no flag says
//! otherwise, the default cost is higher, DES crypt and plain passwords are not
//! made, and exit codes are those of `tidegate`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_auth::hash::{Cost, Method, PasswordError, Rounds, hash_password};
use tidegate_auth::htpasswd::{self as file, Change, Check, Document, UserName};
use tidegate_failure::{Explain as _, Failure};
use zeroize::Zeroizing;

use crate::password;

#[derive(Args)]
#[command(
    override_usage = "tidegate htpasswd [-c] [-i|-b] [METHOD] FILE USER [PASSWORD]\n       \
                      tidegate htpasswd -n [-i|-b] [METHOD] USER [PASSWORD]\n       \
                      tidegate htpasswd -v [-i|-b] FILE USER [PASSWORD]\n       \
                      tidegate htpasswd -D FILE USER"
)]
pub(crate) struct Arguments {
    /// Make the file; an existing one is emptied
    #[arg(short = 'c', conflicts_with_all = ["show", "remove", "verify"])]
    create: bool,

    /// Show the entry on standard output instead of writing it to a file
    #[arg(short = 'n', conflicts_with_all = ["remove", "verify"])]
    show: bool,

    /// Take the password from the command line, where other users of this
    /// machine can see it
    #[arg(short = 'b', conflicts_with_all = ["stdin", "remove"])]
    batch: bool,

    /// Read the password from standard input, without asking twice
    #[arg(short = 'i', conflicts_with = "remove")]
    stdin: bool,

    /// Verify the user's password, and change nothing
    #[arg(short = 'v', conflicts_with = "remove")]
    verify: bool,

    /// Remove the user
    #[arg(short = 'D')]
    remove: bool,

    #[command(flatten)]
    method: MethodFlags,

    /// What the usage line shows, which depends on the flags
    #[arg(required = true, value_name = "ARGUMENT", hide = true)]
    positional: Vec<String>,
}

/// How the password is to be hashed.
#[derive(Args)]
#[command(next_help_heading = "Method")]
struct MethodFlags {
    /// Hash with bcrypt; the default, and all that docker-registry reads
    #[arg(short = 'B', group = "method")]
    bcrypt: bool,

    /// Hash with apr1, Apache's MD5 of 1,000 rounds
    #[arg(short = 'm', group = "method")]
    apr1: bool,

    /// Hash with sha256-crypt
    #[arg(short = '2', group = "method")]
    sha256: bool,

    /// Hash with sha512-crypt
    #[arg(short = '5', group = "method")]
    sha512: bool,

    /// Hash with SHA-1, one round without salt: insecure
    #[arg(short = 's', group = "method")]
    sha1: bool,

    /// Hash with DES crypt: refused
    #[arg(short = 'd', group = "method")]
    des: bool,

    /// Do not hash: refused
    #[arg(short = 'p', group = "method")]
    plain: bool,

    /// The cost of bcrypt, from 4 to 17 [default: 10]
    #[arg(short = 'C', value_name = "COST", conflicts_with = "rounds")]
    cost: Option<u32>,

    /// The rounds of sha256-crypt or sha512-crypt, from 1000 to 5000000
    /// [default: 100000]
    #[arg(short = 'r', value_name = "ROUNDS")]
    rounds: Option<u32>,
}

/// What is left once flags and positions have been brought together.
struct Request {
    /// `None` with `-n`.
    file: Option<PathBuf>,
    user: String,
    password: Source,
    /// Default with `-v` and `-D`, which make no hash.
    method: Method,
}

enum Source {
    CommandLine(Zeroizing<String>),
    StandardInput,
    Prompt,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let (create, remove, verify) = (arguments.create, arguments.remove, arguments.verify);
    let request = Request::parse(arguments)?;
    match &request.file {
        None => show(&request),
        Some(path) if remove => self::remove(path, &request.user),
        Some(path) if verify => self::verify(path, &request),
        Some(path) => set(path, create, &request),
    }
}

impl Request {
    fn parse(arguments: Arguments) -> Result<Self, Failure> {
        let mut positional = arguments.positional.into_iter();
        let file = if arguments.show {
            None
        } else {
            positional.next().map(PathBuf::from)
        };
        let user = positional
            .next()
            .ok_or_else(|| Failure::usage("expected FILE and USER").with_hint(USAGE))?;
        let password = match (arguments.batch, arguments.stdin, positional.next()) {
            (true, _, Some(password)) => Source::CommandLine(Zeroizing::new(password)),
            (true, _, None) => {
                return Err(Failure::usage("-b: the password is missing").with_hint(USAGE));
            }
            (false, _, Some(_)) => {
                return Err(Failure::usage("one argument too many")
                    .with_hint("a password on the command line needs -b"));
            }
            (false, true, None) => Source::StandardInput,
            (false, false, None) => Source::Prompt,
        };
        if positional.next().is_some() {
            return Err(Failure::usage("one argument too many").with_hint(USAGE));
        }
        let method = if arguments.verify || arguments.remove {
            Method::from(Cost::DEFAULT)
        } else {
            arguments.method.chosen()?
        };
        Ok(Self {
            file,
            user,
            password,
            method,
        })
    }
}

impl MethodFlags {
    fn chosen(&self) -> Result<Method, Failure> {
        if self.des || self.plain {
            return Err(Failure::usage(if self.des {
                "-d: DES crypt counts eight characters of a password; no new hashes are made with it"
            } else {
                "-p: passwords are not stored without a hash"
            })
            .with_hint("leave the flag out to hash with bcrypt"));
        }
        let is_sha2 = self.sha256 || self.sha512;
        if self.cost.is_some() && (self.apr1 || is_sha2 || self.sha1) {
            return Err(Failure::usage("-C: only bcrypt (-B) has a cost").with_hint(USAGE));
        }
        if self.rounds.is_some() && !is_sha2 {
            return Err(Failure::usage("-r: only -2 and -5 have rounds").with_hint(USAGE));
        }
        let rounds = self.rounds.map_or(Ok(Rounds::DEFAULT), Rounds::new);
        let rounds = rounds.map_err(|e| out_of_range("-r", &e))?;
        if self.sha1 {
            warn(
                "{SHA} has neither salt nor rounds: whoever reads the file can find the passwords",
            );
        }
        Ok(match self {
            Self { apr1: true, .. } => Method::Apr1,
            Self { sha256: true, .. } => Method::Sha256Crypt(rounds),
            Self { sha512: true, .. } => Method::Sha512Crypt(rounds),
            Self { sha1: true, .. } => Method::Sha1,
            _ => {
                let cost = self.cost.map_or(Ok(Cost::DEFAULT), Cost::new);
                Method::Bcrypt(cost.map_err(|e| out_of_range("-C", &e))?)
            }
        })
    }
}

fn out_of_range(flag: &str, error: &PasswordError) -> Failure {
    Failure::usage(format!("{flag}: {error}")).with_hint(error.hint().unwrap_or_default())
}

const USAGE: &str = "see `tidegate htpasswd --help`";

fn set(path: &Path, create: bool, request: &Request) -> Result<(), Failure> {
    let user = user_name(&request.user)?;
    // Before the password is asked for: a file that cannot be read is said first.
    let mut document = if create {
        Document::new()
    } else {
        read_existing(path)?
    };
    let hash = hash_password(&request.password.read(true)?, request.method)?;
    let change = document.set(&user, &hash);
    file::write(path, &document)?;
    say(
        match change {
            Change::Added => "added",
            Change::Replaced => "changed the password of",
        },
        &request.user,
    );
    Ok(())
}

/// Reads a file to change it. Apache's command wants `-c` for a new one, so
/// that a misspelt name does not make a second file.
fn read_existing(path: &Path) -> Result<Document, Failure> {
    if path.exists() {
        Ok(file::read(path)?)
    } else {
        Err(Failure::new(format!("{}: no such file", path.display())).with_hint("-c makes it"))
    }
}

fn remove(path: &Path, user: &str) -> Result<(), Failure> {
    let mut document = file::read(path)?;
    if !document.remove(user) {
        return Err(unknown_user(path, user));
    }
    file::write(path, &document)?;
    say("removed", user);
    Ok(())
}

fn verify(path: &Path, request: &Request) -> Result<(), Failure> {
    let document = file::read(path)?;
    let password = request.password.read(false)?;
    match document.verify(&request.user, &password) {
        Check::Right(scheme) => {
            say("this is the password of", &request.user);
            if scheme.is_weak() {
                warn(&format!(
                    "{scheme} is weak: the server takes it only with `allow_weak_hashes` in `[auth]` or --allow-weak-hashes"
                ));
            }
            Ok(())
        }
        Check::Wrong => Err(Failure::new(format!(
            "this is not the password of user {}",
            request.user
        ))),
        Check::UnknownUser => Err(unknown_user(path, &request.user)),
        Check::Unusable(e) => Err(Failure::new(format!(
            "{}: user {}: {e}",
            path.display(),
            request.user
        ))),
    }
}

fn show(request: &Request) -> Result<(), Failure> {
    let user = user_name(&request.user)?;
    let hash = hash_password(&request.password.read(true)?, request.method)?;
    tidegate_failure::say(&format!("{}:{}", user.as_str(), hash.as_str()));
    Ok(())
}

fn user_name(text: &str) -> Result<UserName, Failure> {
    UserName::parse(text).map_err(|e| Failure::new(format!("user {text:?}: {e}")))
}

fn unknown_user(path: &Path, user: &str) -> Failure {
    Failure::new(format!("{}: no user {user}", path.display()))
}

#[expect(clippy::print_stderr, reason = "this is where messages go")]
fn say(what: &str, user: &str) {
    eprintln!("{what} user {user}");
}

#[expect(clippy::print_stderr, reason = "this is where messages go")]
fn warn(what: &str) {
    eprintln!("warning: {what}");
}

impl Source {
    /// The password. A new one that is typed is asked for twice.
    fn read(&self, is_new: bool) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::CommandLine(password) => Ok(password.clone()),
            Self::StandardInput => password::from_stdin(),
            Self::Prompt if !std::io::stdin().is_terminal() => password::from_stdin(),
            Self::Prompt => {
                let password = password::prompt("Password: ")?;
                if is_new && password::prompt("Again: ")? != password {
                    return Err(Failure::new(
                        "the two passwords differ; nothing was changed",
                    ));
                }
                Ok(password)
            }
        }
    }
}
