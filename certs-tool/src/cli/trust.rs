//! `certs-tool trust install|remove|check`.

mod check;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tidegate_failure::{Explain as _, Failure};

use super::common;
use crate::trust::{self, Authority, Machine, Plan, Site, Store, TrustError};

/// What to do with the trust of this machine's clients.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Have the clients of this machine trust a registry's CA
    Install(Install),
    /// Take away what install wrote
    Remove(Remove),
    /// Say which clients trust a registry, and what is wrong where they do not
    Check(check::Arguments),
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

pub(super) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Install(arguments) => {
            let authority = Authority::read(&arguments.ca)?;
            each(
                &arguments.at,
                Verb::Install,
                arguments.dry_run,
                |machine, store, site| trust::install(machine, store, site, &authority),
            )
        }
        Command::Remove(arguments) => each(
            &arguments.at,
            Verb::Remove,
            arguments.dry_run,
            trust::remove,
        ),
        Command::Check(arguments) => check::run(&arguments),
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

/// Which of the two is done, and how that is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Install,
    Remove,
}

/// Plans and carries out, store by store: what fails in one does not keep the
/// others from being done.
fn each(
    at: &Where,
    verb: Verb,
    dry_run: bool,
    plan: impl Fn(&Machine, Store, &Site) -> Result<Plan, TrustError>,
) -> Result<(), Failure> {
    let (site, machine) = (at.site()?, at.machine()?);
    let stores = at.stores(&machine)?;
    let closed = if at.clients.is_empty() {
        machine.closed_stores()
    } else {
        vec![]
    };
    if stores.is_empty() {
        return Err(nobody(&closed));
    }
    let mut failed = vec![];
    for store in stores {
        let done = plan(&machine, store, &site).and_then(|plan| {
            if !dry_run {
                plan.apply()?;
            }
            tidegate_failure::print(&shown(store, &plan, verb, dry_run));
            Ok(())
        });
        if let Err(error) = done {
            let failure = Failure::of(&error, error.hint()).concerning(&store.to_string());
            failure.report();
            failed.push(store.to_string());
        }
    }
    if !closed.is_empty() {
        common::warn(&format!(
            "left out, since only root may write there: {} (run it with sudo for these)",
            names(&closed)
        ));
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("not done for {}", failed.join("; "))))
}

fn nobody(closed: &[Store]) -> Failure {
    if closed.is_empty() {
        Failure::new(
            "none of the clients known here was found on this machine, so nothing was done",
        )
        .with_hint(format!("name them: --for {}", Store::FAMILIES.join(",")))
    } else {
        let names = names(closed);
        Failure::new(format!(
            "only root may write what the clients found here read: {names}"
        ))
        .with_hint("run it with sudo")
    }
}

fn names(stores: &[Store]) -> String {
    let names: Vec<_> = stores.iter().map(ToString::to_string).collect();
    names.join("; ")
}

fn shown(store: Store, plan: &Plan, verb: Verb, dry_run: bool) -> String {
    let mut text = String::new();
    let mut say = |what: std::fmt::Arguments<'_>| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{store}: {what}");
    };
    let would = if dry_run { "would " } else { "" };
    match (&plan.already, verb) {
        (Some(file), _) => say(format_args!("already trusted, by {}", file.display())),
        (None, Verb::Install) if plan.is_empty() => say(format_args!("already installed")),
        (None, Verb::Remove) if plan.is_empty() => say(format_args!("nothing of ours is there")),
        _ => {}
    }
    for change in &plan.changes {
        let path = change.path.display();
        match (&change.content, dry_run) {
            (Some(_), false) => say(format_args!("wrote {path}")),
            (None, false) => say(format_args!("removed {path}")),
            (Some(content), true) => {
                let lines = difference(change.before.as_deref().unwrap_or_default(), content);
                let what = if change.before.is_some() {
                    "change"
                } else {
                    "write"
                };
                say(format_args!("would {what} {path}\n{}", lines.trim_end()));
            }
            (None, true) => say(format_args!("would remove {path}")),
        }
    }
    if let Some(command) = &plan.command {
        let ran = if dry_run { "run" } else { "ran" };
        say(format_args!("{would}{ran} {}", command.join(" ")));
    }
    for note in &plan.notes {
        say(format_args!("note: {}", note.replace('\n', "\n    ")));
    }
    text
}

/// The lines that go and the lines that come, from the first that differs to
/// the last. What others wrote around them may be secret, and is not shown.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let start = old.iter().zip(&new).take_while(same).count();
    let (old, new) = (&old[start..], &new[start..]);
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(same)
        .count();
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    let gone = old.iter().map(|line| format!("    - {line}\n"));
    let come = new.iter().map(|line| format!("    + {line}\n"));
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_nothing_of_what_stays() {
        for (before, after, shown) in [
            ("", "a\nb\n", "    + a\n    + b\n"),
            ("secret\nx\n", "secret\na\nx\n", "    + a\n"),
            ("secret\na\nx\n", "secret\nx\n", "    - a\n"),
            ("a\nb\nc", "a\nd\nc", "    - b\n    + d\n"),
            ("a\na\n", "a\na\na\n", "    + a\n"),
            ("a\n", "a\n", ""),
        ] {
            assert_eq!(difference(before, after), shown);
        }
    }
}
