//! What a server looks names up in, and what it complains of.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::{Document, Meaning};
use super::error::HtpasswdError;
use super::user_name::{UserName, UserNameError};
use crate::attempt::Identity;
use crate::hash::{Cost, HashError, StoredHash};

/// The users of a file who can log in.
#[derive(Debug)]
pub struct Users {
    by_name: HashMap<Box<str>, Arc<User>>,
    problems: Vec<Problem>,
    decoy: Arc<User>,
}

/// A user who can log in.
#[derive(Debug)]
pub struct User {
    identity: Identity,
    hash: StoredHash,
}

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
    /// The hash cannot be checked.
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

impl Users {
    /// Judges a document. Entries that do not count are left out and become
    /// [`Users::problems`]. `path` is for messages only.
    ///
    /// # Errors
    /// If a line is neither blank nor a comment nor an entry, or nobody could
    /// log in.
    pub fn of(document: &Document, path: &Path) -> Result<Self, HtpasswdError> {
        let mut first_lines = HashMap::new();
        let mut by_name = HashMap::new();
        let mut problems = Vec::new();
        for (line, meaning) in document.entries() {
            let mut complain = |kind| {
                problems.push(Problem {
                    path: path.to_owned(),
                    line,
                    kind,
                });
            };
            let Meaning::Entry { user, hash } = meaning else {
                return Err(HtpasswdError::NoColon {
                    path: path.to_owned(),
                    line,
                });
            };
            let user = match UserName::parse(user) {
                Ok(user) => user,
                Err(error) => {
                    complain(ProblemKind::Name(error));
                    continue;
                }
            };
            let first = *first_lines.entry(user.clone()).or_insert(line);
            if first != line {
                complain(ProblemKind::Duplicate { user, first });
                continue;
            }
            match StoredHash::parse(hash) {
                Ok(hash) => {
                    let identity = Identity::new(user.as_str());
                    by_name.insert(user.as_str().into(), Arc::new(User { identity, hash }));
                }
                Err(error) => complain(ProblemKind::Hash { user, error }),
            }
        }
        if by_name.is_empty() {
            return Err(HtpasswdError::NoUsableUser {
                path: path.to_owned(),
                problems,
            });
        }
        let decoy = Arc::new(User {
            identity: Identity::new(""),
            hash: StoredHash::decoy(usual_cost(by_name.values())),
        });
        Ok(Self {
            by_name,
            problems,
            decoy,
        })
    }

    /// Reads a file and judges it.
    ///
    /// # Errors
    /// As [`read`](super::read) and [`Users::of`].
    pub fn read(path: &Path) -> Result<Self, HtpasswdError> {
        Self::of(&super::file::read(path)?, path)
    }

    /// Finds a user by the exact name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// How many users can log in; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The entries that do not count, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Stands in for users who do not exist, so that refusing them takes as
    /// long as refusing the others. Its hash matches no password.
    pub(crate) fn decoy(&self) -> &Arc<User> {
        &self.decoy
    }
}

impl User {
    /// Who this is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the password is checked against.
    #[must_use]
    pub fn hash(&self) -> &StoredHash {
        &self.hash
    }
}

impl Problem {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.kind {
            ProblemKind::Name(_) | ProblemKind::Duplicate { .. } => None,
            ProblemKind::Hash { user, .. } => Some(format!(
                "tidegate htpasswd -B {} {user}",
                self.path.display()
            )),
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

/// The cost that most hashes have; of two, the greater.
fn usual_cost<'a>(users: impl Iterator<Item = &'a Arc<User>>) -> u32 {
    let mut counts = HashMap::<u32, usize>::new();
    for user in users {
        *counts.entry(user.hash.cost()).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|&(cost, count)| (count, cost))
        .map_or(Cost::DEFAULT.value(), |(cost, _)| cost)
}
