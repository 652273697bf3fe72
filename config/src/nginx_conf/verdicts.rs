//! What becomes of each directive, gathered while they are read.

use std::collections::HashMap;

use super::table;
use super::tree::Directive;
use crate::finding::{Finding, Verdict};

/// What was said of directives, by their ids. Of several, the worst stays: a
/// directive is read once for each block that inherits it.
#[derive(Debug, Default)]
pub(super) struct Verdicts(HashMap<usize, Verdict>);

impl Verdicts {
    pub(super) fn honoured(&mut self, directive: &Directive) {
        self.note(directive.id, Verdict::Honoured);
    }

    pub(super) fn harmless(&mut self, directive: &Directive, why: impl Into<String>) {
        self.note(directive.id, Verdict::Harmless(why.into()));
    }

    pub(super) fn replaced(&mut self, directive: &Directive, by: impl Into<String>) {
        self.note(directive.id, Verdict::Replaced(by.into()));
    }

    pub(super) fn refused(&mut self, directive: &Directive, why: impl Into<String>) {
        self.note(directive.id, Verdict::Refused(why.into()));
    }

    pub(super) fn note(&mut self, id: usize, verdict: Verdict) {
        match self.0.get(&id) {
            Some(known) if weight(known) >= weight(&verdict) => {}
            _ => {
                self.0.insert(id, verdict);
            }
        }
    }

    /// Says of a directive, and of all in its block, that it does nothing.
    pub(super) fn passed_over(&mut self, directive: &Directive, why: &str) {
        self.harmless(directive, why);
        for inner in directive.children() {
            self.passed_over(inner, why);
        }
    }

    /// The findings about all directives, in the order of the files. What a file
    /// says that is included several times stands there once.
    pub(super) fn findings(&self, directives: &[Directive]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut seen = HashMap::new();
        self.collect(directives, &mut findings, &mut seen);
        findings
    }

    fn collect(
        &self,
        directives: &[Directive],
        findings: &mut Vec<Finding>,
        seen: &mut HashMap<(std::path::PathBuf, usize), usize>,
    ) {
        for directive in directives {
            let Some(known) = table::find(directive.name()) else {
                continue;
            };
            let verdict = match self.0.get(&directive.id) {
                Some(verdict) => verdict.clone(),
                None => known.verdict(directive),
            };
            let place = (directive.source.path.clone(), directive.name.span.start);
            if let Some(&index) = seen.get(&place) {
                let Finding { verdict: known, .. } = &mut findings[index];
                if weight(known) < weight(&verdict) {
                    *known = verdict;
                }
            } else {
                seen.insert(place, findings.len());
                findings.push(Finding {
                    location: Some(directive.location()),
                    subject: directive.subject(),
                    verdict,
                });
            }
            if table::holds_directives(directive.name()) {
                self.collect(directive.children(), findings, seen);
            }
        }
    }
}

/// How much a user needs to know it.
fn weight(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Harmless(_) => 0,
        Verdict::Honoured => 1,
        Verdict::Unknown(_) => 2,
        Verdict::Replaced(_) => 3,
        Verdict::Refused(_) => 4,
    }
}
