//! Where the figures are written down.

use crate::bench::args::Args;
use crate::bench::cases;
use crate::bench::record::{Entry, Record};
use crate::bench::report::Report;
use crate::error::Error;
use crate::say;
use crate::workspace::Workspace;

const FIGURES: &str = "docs/benchmarks.json";
const REPORT: &str = "docs/BENCHMARKS.md";

/// The files of the repository that a benchmark changes by itself.
pub(crate) const WRITTEN: [&str; 2] = [FIGURES, REPORT];

/// Writes the report anew from the figures.
pub(crate) fn rewrite(workspace: &Workspace) -> Result<(), Error> {
    let root = workspace.root();
    let record = Record::read(&root.join(FIGURES))?;
    fs_err::write(root.join(REPORT), text(&record))?;
    say::note(&format!("written to {REPORT} from {FIGURES}"));
    Ok(())
}

/// Where figures go: into the repository's files, or on the screen alone.
pub(crate) struct Book<'a> {
    workspace: &'a Workspace,
    record: Record,
    writes: bool,
}

impl<'a> Book<'a> {
    /// Opens the files if `args` say so.
    pub(crate) fn open(workspace: &'a Workspace, args: &Args) -> Result<Self, Error> {
        let record = if args.write {
            Record::read(&workspace.root().join(FIGURES))?
        } else {
            Record::default()
        };
        Ok(Self {
            workspace,
            record,
            writes: args.write,
        })
    }

    /// Writes down a case as soon as it is measured.
    pub(crate) fn add(&mut self, entry: Entry) -> Result<(), Error> {
        self.record.put(entry);
        if self.writes {
            let root = self.workspace.root();
            self.record.write(&root.join(FIGURES))?;
            fs_err::write(root.join(REPORT), text(&self.record))?;
        }
        Ok(())
    }

    /// Shows all.
    pub(crate) fn close(&self) {
        say::result(&text(&self.record));
        if self.writes {
            say::note(&format!("written to {REPORT} and {FIGURES}"));
        }
    }
}

fn text(record: &Record) -> String {
    Report::new(record, &cases::headings()).to_string()
}
