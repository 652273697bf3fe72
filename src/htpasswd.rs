//! `tidegate htpasswd`: Apache's command, for those whose fingers know it.
//!
//! Differences, all on the safe side: the hash is always bcrypt, its default
//! cost is higher, and exit codes are those of `tidegate`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_auth::hash::{Cost, hash_password};
use tidegate_auth::htpasswd::{self as file, Change, Check, Document, UserName};
use tidegate_failure::{Explain as _, Failure};
use zeroize::Zeroizing;

use crate::password;

#[derive(Args)]
#[command(
    override_usage = "tidegate htpasswd [-c] [-i|-b] [-C COST] FILE USER [PASSWORD]\n       \
                      tidegate htpasswd -n [-i|-b] [-C COST] USER [PASSWORD]\n       \
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

    /// Hash with bcrypt; always so, and accepted for Apache's sake
    #[arg(short = 'B')]
    bcrypt: bool,

    /// The cost of bcrypt, from 4 to 17 [default: 10]
    #[arg(short = 'C', value_name = "COST")]
    cost: Option<u32>,

    /// Verify the user's password, and change nothing
    #[arg(short = 'v', conflicts_with = "remove")]
    verify: bool,

    /// Remove the user
    #[arg(short = 'D')]
    remove: bool,

    /// What the usage line shows, which depends on the flags
    #[arg(required = true, value_name = "ARGUMENT", hide = true)]
    positional: Vec<String>,
}

/// What is left once flags and positions have been brought together.
struct Request {
    /// `None` with `-n`.
    file: Option<PathBuf>,
    user: String,
    password: Source,
    cost: Cost,
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
        let cost = match arguments.cost {
            None => Cost::DEFAULT,
            Some(cost) => Cost::new(cost).map_err(|e| {
                Failure::usage(format!("-C: {e}")).with_hint(e.hint().unwrap_or_default())
            })?,
        };
        Ok(Self {
            file,
            user,
            password,
            cost,
        })
    }
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
    let hash = hash_password(&request.password.read(true)?, request.cost)?;
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
        Check::Right => {
            say("this is the password of", &request.user);
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
    let hash = hash_password(&request.password.read(true)?, request.cost)?;
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
