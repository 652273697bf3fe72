//! Who trusts the server: the CA that was named, and the clients of this
//! machine by the files where each of them looks.

use std::path::{Path, PathBuf};

use certs_tool::Certificate;
use certs_tool::trust::{Machine, Problem, Site, Store, StoreReport, inspect};
use tidegate_failure::Failure;

use super::report::{Check, Subject, shown};
use super::verify::{Claim, Distrust};

/// All that somebody here trusts.
pub(super) struct Anchors {
    given: Option<(PathBuf, Vec<Certificate>)>,
    stores: Vec<StoreReport>,
}

impl Anchors {
    /// Reads them: `--ca`, and what the machine's clients trust for the site.
    pub(super) fn collect(
        ca: Option<&Path>,
        machine: &Machine,
        site: &Site,
    ) -> Result<Self, Failure> {
        let given = ca
            .map(|path| Certificate::read(path).map(|all| (path.to_owned(), all)))
            .transpose()?;
        Ok(Self {
            given,
            stores: inspect(machine, site),
        })
    }

    /// Each certificate among them.
    pub(super) fn certificates(&self) -> Vec<Certificate> {
        let given = self.given.iter().flat_map(|(_, all)| all);
        let stored = self.stores.iter().flat_map(|store| &store.anchors);
        given
            .cloned()
            .chain(stored.map(|anchor| anchor.certificate.clone()))
            .collect()
    }

    /// Whether anybody here trusts it: only then is a password sent. A CA that
    /// was named counts alone.
    pub(super) fn vouch(&self, claim: Claim<'_>) -> bool {
        match &self.given {
            Some((_, certificates)) => claim.verify(certificates).is_ok(),
            None => claim.verify(&self.certificates()).is_ok(),
        }
    }

    /// One check for the CA that was named, and one for each client.
    pub(super) fn judge(&self, claim: Claim<'_>, site: &Site) -> Vec<Check> {
        let mut checks: Vec<_> = self
            .given
            .iter()
            .map(|given| judge_given(given, claim))
            .collect();
        let system = self.stores.iter().find(|s| s.store == Store::System);
        let by_system = system.map(|store| trusted_by(store, claim));
        let clients = || {
            self.stores
                .iter()
                .filter(|s| s.in_use && s.store != Store::System)
        };
        for store in clients() {
            let verdict = Verdict {
                store,
                own: trusted_by(store, claim),
                by_system: matches!(by_system, Some(Ok(_))),
                needed: self.given.is_none(),
            };
            checks.push(verdict.judge(site));
        }
        // Where a client has what it needs, curl and the like are nobody's
        // concern.
        let needed = self.given.is_none() && clients().next().is_none();
        if let Some((store, own)) = system.zip(by_system)
            && (needed || own.is_ok())
        {
            let verdict = Verdict {
                store,
                own,
                by_system: false,
                needed,
            };
            checks.push(verdict.judge(site));
        }
        if checks.is_empty() {
            checks.push(
                Check::fail(
                    Subject::Trust,
                    "nobody here trusts the server: no client was found",
                )
                .hint("name the CA's certificate with --ca"),
            );
        }
        checks
    }
}

/// The file by which a store trusts the server, or why it does not.
fn trusted_by(store: &StoreReport, claim: Claim<'_>) -> Result<PathBuf, Distrust> {
    let all: Vec<_> = store
        .anchors
        .iter()
        .map(|a| a.certificate.clone())
        .collect();
    claim.verify(&all)?;
    let alone = |certificate: &Certificate| claim.verify(std::slice::from_ref(certificate)).is_ok();
    store
        .anchors
        .iter()
        .find(|anchor| alone(&anchor.certificate))
        .map(|anchor| anchor.path.clone())
        .ok_or(Distrust::Nothing)
}

fn judge_given((path, certificates): &(PathBuf, Vec<Certificate>), claim: Claim<'_>) -> Check {
    let path = path.display();
    match claim.verify(certificates) {
        Ok(()) => Check::ok(Subject::Trust, format!("{path} vouches for the server")),
        Err(error) => Check::fail(
            Subject::Trust,
            format!("who trusts {path} does not trust the server: {}", shown(&error.to_string())),
        )
        .hint("if it is the wrong CA, take the one that signed the server's certificate, or have this one sign a certificate for the server"),
    }
}

/// What one client makes of the server.
struct Verdict<'a> {
    store: &'a StoreReport,
    own: Result<PathBuf, Distrust>,
    /// Clients trust what the system trusts, besides their own.
    by_system: bool,
    /// Whether a push depends on it.
    needed: bool,
}

impl Verdict<'_> {
    fn judge(&self, site: &Site) -> Check {
        const TRUST: Subject = Subject::Trust;
        let name = self.store.store;
        let problems = &self.store.problems;
        let check = match (&self.own, self.by_system) {
            (Err(error), false) => {
                let text = format!(
                    "{name} does not trust the server: {}",
                    shown(&error.to_string())
                );
                Check::fail(TRUST, text).hint(format!(
                    "give it the certificate of the CA: `certs-tool trust install {site} --ca FILE --for {}`",
                    name.family()
                ))
            }
            (own, _) => {
                let by = match own {
                    Ok(path) => path.display().to_string(),
                    Err(_) => "the system's store".to_owned(),
                };
                let text = format!("{name} trusts the server, by {by}");
                if problems.iter().any(|problem| problem.blocks) {
                    Check::fail(TRUST, format!("{text}, but cannot connect"))
                } else if problems.is_empty() {
                    Check::ok(TRUST, text)
                } else {
                    Check::warn(TRUST, text)
                }
            }
        };
        let check = with(check, problems);
        // Who named a CA asks about the server, not about this machine.
        if self.needed { check } else { check.softened() }
    }
}

/// Adds the mistakes that were found, and the remedy of the gravest.
fn with(mut check: Check, problems: &[Problem]) -> Check {
    for problem in problems {
        let found = format!("; {}: {}", problem.path.display(), problem.what);
        check.text.push_str(&found);
    }
    let (grave, others): (Vec<_>, Vec<_>) = problems.iter().partition(|p| p.blocks);
    let remedy = grave.iter().chain(&others).find_map(|p| p.hint.clone());
    check.hint = remedy.or(check.hint);
    check
}
