//! The end of the report: where, when and with what the figures were measured.

use std::fmt;

use crate::bench::limits::Limit;
use crate::bench::record::Run;

/// Runs, each with the cases whose figures it gave, as Markdown: what all share
/// first, then a row for each.
#[derive(Debug)]
pub(crate) struct Runs<'a>(pub(crate) Vec<(&'a Run, Vec<&'static str>)>);

impl Runs<'_> {
    fn share(&self, what: impl Fn(&Run) -> bool) -> bool {
        self.0.iter().all(|(run, _)| what(run))
    }
}

impl fmt::Display for Runs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, _)) = self.0.first() else {
            return Ok(());
        };
        let one_machine = self.share(|run| run.machine == first.machine);
        if one_machine {
            writeln!(f, "- Machine: {}", first.machine)?;
        }
        // The first is what was measured, which each row tells.
        let everywhere = |version: &&String| {
            self.share(|run| run.versions.iter().skip(1).any(|other| other == *version))
        };
        let shared: Vec<_> = first.versions.iter().skip(1).filter(everywhere).collect();
        if !shared.is_empty() {
            let shared: Vec<_> = shared.iter().map(|version| version.as_str()).collect();
            writeln!(f, "- Programs: {}", shared.join("; "))?;
        }
        writeln!(f, "\n| cases | measured | raw limits | command |")?;
        writeln!(f, "|---|---|---|---|")?;
        for (run, cases) in &self.0 {
            let own = run
                .versions
                .iter()
                .filter(|version| !shared.contains(version));
            let mut measured: Vec<_> = own.map(String::as_str).collect();
            if !one_machine {
                measured.push(&run.machine);
            }
            writeln!(
                f,
                "| {} | {} | {} | `{}` |",
                cases.join(", "),
                measured.join("; "),
                in_short(&run.limits),
                run.command,
            )?;
        }
        Ok(())
    }
}

/// Each unit once, behind all that are told in it.
fn in_short(limits: &[Limit]) -> String {
    let parts = limits.chunk_by(|one, next| one.unit == next.unit);
    let parts = parts.map(|part| {
        let rates: Vec<_> = part
            .iter()
            .map(|limit| format!("{} {}", limit.name, limit.rate))
            .collect();
        format!("{} {}", rates.join(", "), part[0].unit)
    });
    parts.collect::<Vec<_>>().join("; ")
}
