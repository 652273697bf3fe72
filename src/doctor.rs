//! `tidegate doctor`: connects to a registry as a client would, and says what
//! is right, what is wrong, and what to do about it.

mod api;
mod auth;
mod certificate;
mod client;
mod examine;
mod handshake;
mod location;
mod push;
mod reach;
mod report;
mod token;
mod trouble;
mod trust;
mod verify;

use std::path::PathBuf;

use certs_tool::trust::{Machine, Site};
use clap::Args;
use tidegate_failure::Failure;
use tidegate_registry::oci::RepoName;

use crate::password;
use auth::Credentials;
use examine::{Plan, examine};
use report::Report;
use trust::Anchors;

/// What `--help` says at its end.
const DETAILS: &str = "\
Every check is a line: ok, warn, FAIL, or skip with the reason; a `hint:` line \
below it says what to do. Connections go to the registry itself, never through \
a proxy of the environment.

Who has to trust the server: with --ca, that CA has to vouch for it, and what \
the clients of this machine lack is a warning. Without --ca, every client that \
is found here has to trust it (docker, containerd, podman, BuildKit, k3s), or, \
where there is none, the system's store.

With --user, an upload is started, fed with 1.5 MiB, and cancelled; nothing \
becomes visible. No password is sent to a server that nobody here trusts, unless \
--insecure says so. Without --user, pushing is not tried; --repo alone tries it \
where no password is wanted.

Exit codes: 0 no check failed (with --user: a push works), 1 a check failed, \
2 usage or unexpected.";

#[derive(Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Arguments {
    /// The registry, as the name of an image begins; port 443 if there is none
    #[arg(value_name = "HOST[:PORT]")]
    registry: String,

    /// The certificate of the CA that has to vouch for the server
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Log in as this user, and try a push
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Read the user's password from standard input instead of asking for it
    #[arg(long, requires = "user")]
    password_stdin: bool,

    /// Where to try the push, which is cancelled [default: tidegate-doctor]
    #[arg(long, value_name = "NAME")]
    repo: Option<String>,

    /// Look for what clients trust below this directory instead of /
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    /// Send the password even if nobody here trusts the server
    #[arg(long, requires = "user")]
    insecure: bool,

    /// Write one JSON object: registry, ok, push_tried, and checks, each with
    /// check, status (ok, warn, fail, skipped), text and perhaps hint
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.json;
    let plan = plan(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::of(&e, None))?;
    let report = runtime.block_on(examine(&plan));
    // A resolver that still waits is not waited for.
    runtime.shutdown_background();
    print(&report, json)?;
    match report.failures() {
        0 => Ok(()),
        1 => Err(Failure::new(format!(
            "{}: one check failed",
            report.registry
        ))),
        n => Err(Failure::new(format!(
            "{}: {n} checks failed",
            report.registry
        ))),
    }
}

fn plan(arguments: Arguments) -> Result<Plan, Failure> {
    let site = Site::parse(&arguments.registry)?;
    let repository: RepoName = arguments
        .repo
        .as_deref()
        .unwrap_or("tidegate-doctor")
        .parse()
        .map_err(|error| Failure::of(&error, None).concerning("--repo"))?;
    let machine = match &arguments.root {
        Some(root) => Machine::below(root),
        None => Machine::this(),
    };
    let anchors = Anchors::collect(arguments.ca.as_deref(), &machine, &site)?;
    let credentials = match arguments.user {
        None => None,
        // RFC 7617 section 2: the password would begin there.
        Some(user) if user.contains(':') => {
            return Err(Failure::new("--user: a user's name has no colon"));
        }
        Some(user) => Some(Credentials {
            password: if arguments.password_stdin {
                password::from_stdin()?
            } else {
                password::prompt(&format!("Password of {user}: ")).map_err(|failure| {
                    failure.with_hint("--password-stdin takes it from standard input")
                })?
            },
            user,
        }),
    };
    Ok(Plan {
        push: credentials.is_some() || arguments.repo.is_some(),
        site,
        anchors,
        credentials,
        repository: repository.as_str().to_owned(),
        insecure: arguments.insecure,
    })
}

fn print(report: &Report, json: bool) -> Result<(), Failure> {
    let mut text = if json {
        serde_json::to_string_pretty(report).map_err(|e| Failure::of(&e, None))?
    } else {
        report.to_string()
    };
    let registry = &report.registry;
    text.push_str(&match (json, report.ok, report.push_tried) {
        (true, ..) => "\n".to_owned(),
        (false, false, _) => String::new(),
        (false, true, true) => format!("{registry}: a push works\n"),
        (false, true, false) => format!(
            "{registry}: nothing wrong was found; pushing was not tried\n\
             hint: --user NAME tries it\n"
        ),
    });
    tidegate_failure::print(&text);
    Ok(())
}
