//! What can be wrong with an htpasswd file as a whole.

use std::io;
use std::path::PathBuf;

use tidegate_failure::Explain;

use super::encoding::{EncodingError, EncodingProblem};
use super::problem::Problem;

/// A file that cannot be used, or could not be written. Never holds a hash.
#[derive(Debug, thiserror::Error)]
pub enum HtpasswdError {
    /// The file could not be read.
    #[error("cannot read the htpasswd file: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said; names the file.
        error: io::Error,
    },
    /// The file could not be written; the old one is as it was.
    #[error("cannot write the htpasswd file `{}`: {error}", path.display())]
    Write {
        /// The file, behind any symbolic links.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is not text.
    #[error("htpasswd file `{}`, {error}", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// Where and what.
        error: EncodingError,
    },
    /// A line is neither blank nor a comment nor an entry; perhaps the file was
    /// read while somebody wrote it.
    #[error("htpasswd file `{}`, line {line}: expected `user:hash`, found no `:`", path.display())]
    NoColon {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Nobody could log in.
    #[error("htpasswd file `{}`: expected at least one user who can log in, found none{}", path.display(), because(problems))]
    NoUsableUser {
        /// The file.
        path: PathBuf,
        /// Why its entries do not count.
        problems: Vec<Problem>,
    },
}

impl Explain for HtpasswdError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { path, error } if error.kind() == io::ErrorKind::NotFound => Some(format!(
                "make it: tidegate htpasswd -B -c {} USER",
                path.display()
            )),
            Self::Read { path, error } | Self::Write { path, error }
                if error.kind() == io::ErrorKind::PermissionDenied =>
            {
                Some(format!(
                    "see who may use it, and as which user this runs: ls -l {}; id",
                    path.display()
                ))
            }
            Self::Write { path, error } if error.kind() == io::ErrorKind::ResourceBusy => {
                Some(format!(
                    "{} is a mount point and cannot be replaced from here: edit the file that is mounted",
                    path.display()
                ))
            }
            Self::Encoding { path, error } => match error.problem {
                EncodingProblem::NotUtf8 { .. } => Some(format!(
                    "if it is Latin-1: iconv -f latin1 -t utf8 {0} > {0}.new",
                    path.display()
                )),
                EncodingProblem::Nul | EncodingProblem::NotUtf16 => None,
            },
            Self::NoUsableUser { path, problems } => {
                Some(problems.iter().find_map(Problem::hint).unwrap_or_else(|| {
                    format!("add one: tidegate htpasswd -B {} USER", path.display())
                }))
            }
            Self::Read { .. } | Self::Write { .. } | Self::NoColon { .. } => None,
        }
    }
}

fn because(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("; {problem}"))
        .collect()
}
