//! `certs-tool trust install|remove|check`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use tidegate_failure::{Explain as _, Failure};

use super::common;
use crate::trust::{self, Authority, Machine, Plan, Site, Store, StoreReport, TrustError};

/// What to do with the trust of this machine's clients.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Have the clients of this machine trust a registry's CA
    Install(Install),
    /// Take away what install wrote
    Remove(Remove),
    /// Say which clients trust a registry, and what is wrong where they do not
    Check(Check),
}

/// The arguments that all of them take.
#[derive(Debug, Args)]
struct Where {
    /// The registry, as image references begin: registry.example:5043
    #[arg(value_name = "HOST[:PORT]")]
    site: String,

    /// Which clients: docker, containerd, podman (skopeo and buildah too),
    /// buildkit, k3s, system [default: those found on this machine]
    #[arg(long = "for", value_name = "CLIENT,…", value_delimiter = ',')]
    clients: Vec<String>,

    /// Work on the files below another root, as of an image
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// The arguments of `certs-tool trust install`.
#[derive(Debug, Args)]
pub struct Install {
    #[command(flatten)]
    at: Where,

    /// The certificate of the CA, such as root-ca.crt
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,

    /// Show every file and its content, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// The arguments of `certs-tool trust remove`.
#[derive(Debug, Args)]
pub struct Remove {
    #[command(flatten)]
    at: Where,

    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// The arguments of `certs-tool trust check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    at: Where,

    /// The CA that has to be trusted [default: any will do]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Write JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Install(arguments) => {
            let authority = Authority::read(&arguments.ca)?;
            each(&arguments.at, arguments.dry_run, |machine, store, site| {
                trust::install(machine, store, site, &authority)
            })
        }
        Command::Remove(arguments) => each(&arguments.at, arguments.dry_run, trust::remove),
        Command::Check(arguments) => check(&arguments),
    }
}

impl Where {
    fn site(&self) -> Result<Site, Failure> {
        common::parse("HOST[:PORT]", &self.site)
    }

    fn machine(&self) -> Result<Machine, Failure> {
        match &self.root {
            Some(root) if !root.is_dir() => Err(Failure::new(format!(
                "--root: `{}` is no directory",
                root.display()
            ))),
            Some(root) => Ok(Machine::below(root)),
            None => Ok(Machine::this()),
        }
    }

    /// Those named, or those found.
    fn stores(&self, machine: &Machine) -> Result<Vec<Store>, Failure> {
        if self.clients.is_empty() {
            return Ok(machine.stores());
        }
        let mut stores = vec![];
        for name in &self.clients {
            let family = Store::of_family(name.trim())
                .map_err(|error| Failure::from(error).concerning("--for"))?;
            stores.extend(machine.of_family(&family));
        }
        stores.sort_unstable();
        stores.dedup();
        Ok(stores)
    }
}

/// Plans and carries out, store by store: what fails in one does not keep the
/// others from being done.
#[expect(clippy::print_stdout, reason = "this is the command's output")]
fn each(
    at: &Where,
    dry_run: bool,
    plan: impl Fn(&Machine, Store, &Site) -> Result<Plan, TrustError>,
) -> Result<(), Failure> {
    let (site, machine) = (at.site()?, at.machine()?);
    let stores = at.stores(&machine)?;
    if stores.is_empty() {
        return Err(
            Failure::new("none of the clients known here was found on this machine")
                .with_hint(format!("name them: --for {}", Store::FAMILIES.join(","))),
        );
    }
    let mut failed = vec![];
    for store in stores {
        let done = plan(&machine, store, &site).and_then(|plan| {
            if !dry_run {
                plan.apply()?;
            }
            print!("{}", shown(store, &plan, dry_run));
            Ok(())
        });
        if let Err(error) = done {
            let failure = Failure::of(&error, error.hint()).concerning(&store.to_string());
            failure.report();
            failed.push(store.to_string());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("not done for {}", failed.join("; "))))
}

fn shown(store: Store, plan: &Plan, dry_run: bool) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    if plan.is_empty() {
        let _ = writeln!(text, "{store}: nothing to do");
    }
    for change in &plan.changes {
        let path = change.path.display();
        let _ = match (&change.content, dry_run) {
            (Some(_), false) => writeln!(text, "{store}: wrote {path}"),
            (None, false) => writeln!(text, "{store}: removed {path}"),
            (Some(content), true) => {
                let lines: String = content
                    .lines()
                    .map(|line| format!("    {line}\n"))
                    .collect();
                write!(text, "{store}: would write {path}\n{lines}")
            }
            (None, true) => writeln!(text, "{store}: would remove {path}"),
        };
    }
    if let Some(command) = plan.command.as_ref().filter(|_| dry_run) {
        let _ = writeln!(text, "{store}: would run {}", command.join(" "));
    }
    for note in &plan.notes {
        let _ = writeln!(text, "{store}: note: {}", note.replace('\n', "\n    "));
    }
    text
}

/// A store, for programs.
#[derive(Serialize)]
struct Row {
    /// `docker`, `containerd`, …
    store: String,
    in_use: bool,
    /// Whether it trusts the CA asked for, or any.
    trusts: bool,
    /// The files from which it does.
    anchors: Vec<String>,
    problems: Vec<RowProblem>,
}

#[derive(Serialize)]
struct RowProblem {
    path: String,
    what: String,
    hint: Option<String>,
}

#[expect(clippy::print_stdout, reason = "this is the command's output")]
fn check(arguments: &Check) -> Result<(), Failure> {
    let (site, machine) = (arguments.at.site()?, arguments.at.machine()?);
    let authority = arguments.ca.as_deref().map(Authority::read).transpose()?;
    let named = !arguments.at.clients.is_empty();
    let stores = if named {
        arguments.at.stores(&machine)?
    } else {
        vec![]
    };
    let rows: Vec<Row> = trust::inspect(&machine, &site)
        .iter()
        .filter(|report| {
            if named {
                stores.contains(&report.store)
            } else {
                report.in_use || !report.anchors.is_empty() || !report.problems.is_empty()
            }
        })
        .map(|report| row(report, authority.as_ref()))
        .collect();
    if arguments.json {
        let json = serde_json::to_string_pretty(&rows).map_err(|e| Failure::of(&e, None))?;
        println!("{json}");
    } else {
        print!("{}", table(&rows));
    }
    let missing: Vec<&str> = rows
        .iter()
        .filter(|row| (row.in_use || named) && !row.trusts)
        .map(|row| row.store.as_str())
        .collect();
    if rows.is_empty() {
        return Err(Failure::new(
            "none of the clients known here was found on this machine",
        ));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let ca = arguments
        .ca
        .as_ref()
        .map_or("root-ca.crt".into(), |ca| ca.display().to_string());
    Err(
        Failure::new(format!("{site} is not trusted by {}", missing.join("; ")))
            .with_hint(format!("certs-tool trust install {site} --ca {ca}")),
    )
}

fn row(report: &StoreReport, authority: Option<&Authority>) -> Row {
    // The system trusts hundreds: that is no answer to "does it trust mine?".
    let is_wanted = |certificate: &crate::Certificate| match authority {
        Some(authority) => authority.certificates().contains(certificate),
        None => report.store != Store::System,
    };
    let trusts = match authority {
        Some(authority) => authority.certificates().iter().all(|ca| report.trusts(ca)),
        None => report
            .anchors
            .iter()
            .any(|anchor| is_wanted(&anchor.certificate)),
    };
    let mut anchors: Vec<String> = report
        .anchors
        .iter()
        .filter(|anchor| is_wanted(&anchor.certificate))
        .map(|anchor| anchor.path.display().to_string())
        .collect();
    anchors.dedup();
    Row {
        store: report.store.to_string(),
        in_use: report.in_use,
        trusts,
        anchors,
        problems: report
            .problems
            .iter()
            .map(|problem| RowProblem {
                path: problem.path.display().to_string(),
                what: problem.what.clone(),
                hint: problem.hint.clone(),
            })
            .collect(),
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let state = match (row.trusts, row.in_use) {
            (true, _) => format!("trusted, by {}", row.anchors.join(", ")),
            (false, true) => "not trusted".to_owned(),
            (false, false) => "not trusted (and not in use here)".to_owned(),
        };
        let _ = writeln!(text, "{}: {state}", row.store);
        for problem in &row.problems {
            let _ = writeln!(text, "    {}: {}", problem.path, problem.what);
            if let Some(hint) = &problem.hint {
                let _ = writeln!(text, "    hint: {hint}");
            }
        }
    }
    text
}
