//! What is to be said about single entries of a file.

use std::fmt;
use std::path::{Path, PathBuf};

use super::user_name::{UserName, UserNameError};
use crate::hash::{HashError, Scheme};

/// An entry that does not count, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub kind: ProblemKind,
}

/// Why an entry does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// The name is one that no client can send.
    Name(UserNameError),
    /// The hash cannot be checked, or is not allowed.
    Hash {
        /// Whose it is.
        user: UserName,
        /// What is wrong with it.
        error: HashError,
    },
    /// An earlier line names the same user, and wins, as in Apache.
    Duplicate {
        /// The user.
        user: UserName,
        /// The earlier line.
        first: usize,
    },
}

/// An entry that counts although its hash protects nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// Whose password it is.
    pub user: UserName,
    /// How it is stored.
    pub scheme: Scheme,
}

impl Problem {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.kind {
            ProblemKind::Name(_) | ProblemKind::Duplicate { .. } => None,
            ProblemKind::Hash { user, error } => {
                let renew = renew(&self.path, user);
                Some(match error {
                    HashError::Weak(_) => format!(
                        "{renew}; or `allow_weak_hashes` in `[auth]`, or --allow-weak-hashes"
                    ),
                    _ => renew,
                })
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.kind {
            ProblemKind::Name(error) => error.fmt(f),
            ProblemKind::Hash { user, error } => write!(f, "user {user}: {error}"),
            ProblemKind::Duplicate { user, first } => {
                write!(f, "user {user} again; line {first} counts")
            }
        }
    }
}

impl Weakness {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        renew(&self.path, &self.user)
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line, user, scheme, ..
        } = self;
        write!(f, "line {line}: user {user}: {scheme} is weak")
    }
}

fn renew(path: &Path, user: &UserName) -> String {
    format!("tidegate htpasswd -B {} {user}", path.display())
}
