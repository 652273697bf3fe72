//! `certs-tool trust check`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tidegate_failure::Failure;

use super::Where;
use crate::Certificate;
use crate::trust::{self, Anchor, Authority, Site, Store, StoreReport};

/// The arguments of `certs-tool trust check`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: Where,

    /// The CA that has to be trusted [default: one that a client here knows for
    /// this registry]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Write JSON: for each client `store`, `in_use`, `trusts`, `anchors` (the
    /// files by which it does) and `problems` (`path`, `what`, `hint`, `blocks`)
    #[arg(long)]
    json: bool,
}

/// A store, for programs.
#[derive(Serialize)]
struct Row {
    /// `docker`, `containerd`, …
    store: String,
    /// Whether its client seems to be in use here.
    in_use: bool,
    /// Whether its client accepts a server of the CA.
    trusts: bool,
    /// The files by which it does.
    anchors: Vec<String>,
    problems: Vec<RowProblem>,
}

#[derive(Serialize)]
struct RowProblem {
    path: String,
    what: String,
    hint: Option<String>,
    /// Whether the client cannot connect because of it.
    blocks: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (site, machine) = (arguments.at.site()?, arguments.at.machine()?);
    let authority = arguments.ca.as_deref().map(Authority::read).transpose()?;
    let named = !arguments.at.clients.is_empty();
    let stores = if named {
        arguments.at.stores(&machine)?
    } else {
        vec![]
    };
    let reports = trust::inspect(&machine, &site);
    let question = Question::new(&reports, &site, authority.as_ref());
    let rows: Vec<Row> = reports
        .iter()
        .filter(|report| {
            if named {
                stores.contains(&report.store)
            } else {
                report.in_use
            }
        })
        .map(|report| question.row(report))
        .collect();
    if arguments.json {
        let json = serde_json::to_string_pretty(&rows).map_err(|e| Failure::of(&e, None))?;
        tidegate_failure::say(&json);
    } else {
        tidegate_failure::print(&table(&rows));
    }
    if rows.is_empty() {
        return Err(Failure::new(
            "none of the clients known here was found on this machine",
        ));
    }
    let missing: Vec<&Row> = rows.iter().filter(|row| !row.trusts).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|row| row.store.as_str()).collect();
    let failure = Failure::new(format!("{site} is not trusted by {}", names.join("; ")));
    // What has a remedy of its own has been told above.
    if missing.iter().all(|row| !row.problems.is_empty()) {
        return Err(failure.with_hint("mend what is wrong above"));
    }
    let ca = arguments.ca.as_ref();
    let ca = ca.map_or("root-ca.crt".into(), |ca| ca.display().to_string());
    Err(failure.with_hint(format!("certs-tool trust install {site} --ca {ca}")))
}

/// Which certificates would be an answer.
struct Question<'a> {
    system: Option<&'a StoreReport>,
    wanted: Wanted<'a>,
}

enum Wanted<'a> {
    /// Every one of the CA that was named.
    All(&'a Authority),
    /// Any that somebody here trusts for this registry: the system trusts
    /// hundreds, and that is no answer to "does it trust mine?".
    Any(Vec<&'a Certificate>),
}

impl<'a> Question<'a> {
    fn new(reports: &'a [StoreReport], site: &Site, authority: Option<&'a Authority>) -> Self {
        let for_site = |report: &'a StoreReport| {
            report
                .anchors
                .iter()
                .filter(|anchor| report.is_for(anchor, site))
                .map(|anchor| &anchor.certificate)
        };
        Self {
            system: reports.iter().find(|r| r.store == Store::System),
            wanted: match authority {
                Some(authority) => Wanted::All(authority),
                None => Wanted::Any(reports.iter().flat_map(for_site).collect()),
            },
        }
    }

    fn is_wanted(&self, certificate: &Certificate) -> bool {
        match &self.wanted {
            Wanted::All(authority) => authority.certificates().contains(certificate),
            Wanted::Any(certificates) => certificates.contains(&certificate),
        }
    }

    fn own_anchors(&self, report: &'a StoreReport) -> impl Iterator<Item = &'a Anchor> {
        let anchors = report.anchors.iter();
        anchors.filter(|anchor| self.is_wanted(&anchor.certificate))
    }

    fn row(&self, report: &'a StoreReport) -> Row {
        let mut anchors: Vec<&Anchor> = self.own_anchors(report).collect();
        if !self.suffice(&anchors) {
            // Every client adds what is its own to what the system trusts.
            anchors.extend(self.system.into_iter().flat_map(|s| self.own_anchors(s)));
        }
        let blocked = report.problems.iter().any(|problem| problem.blocks);
        let mut files: Vec<String> = anchors
            .iter()
            .map(|anchor| anchor.path.display().to_string())
            .collect();
        files.dedup();
        Row {
            store: report.store.to_string(),
            in_use: report.in_use,
            trusts: self.suffice(&anchors) && !blocked,
            anchors: files,
            problems: report
                .problems
                .iter()
                .map(|problem| RowProblem {
                    path: problem.path.display().to_string(),
                    what: problem.what.clone(),
                    hint: problem.hint.clone(),
                    blocks: problem.blocks,
                })
                .collect(),
        }
    }

    fn suffice(&self, anchors: &[&Anchor]) -> bool {
        match &self.wanted {
            Wanted::All(authority) => authority
                .certificates()
                .iter()
                .all(|ca| anchors.iter().any(|anchor| anchor.certificate == *ca)),
            Wanted::Any(_) => !anchors.is_empty(),
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let by = row.anchors.join(", ");
        let state = match (row.trusts, row.anchors.is_empty(), row.in_use) {
            (true, ..) => format!("trusted, by {by}"),
            (false, false, _) if row.problems.iter().any(|p| p.blocks) => {
                format!("fails, though {by} is there")
            }
            (false, false, _) => format!("trusted in part only, by {by}"),
            (false, true, true) => "not trusted".to_owned(),
            (false, true, false) => "not trusted (and not in use here)".to_owned(),
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{}: {state}", row.store);
        for problem in &row.problems {
            let _ = writeln!(text, "    {}: {}", problem.path, problem.what);
            if let Some(hint) = &problem.hint {
                let _ = writeln!(text, "    hint: {}", hint.replace('\n', "\n    "));
            }
        }
    }
    text
}
