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

    /// Finds a user, or one whose hash matches no password and who stands in
    /// for those who do not exist: refusing them then takes as long as refusing
    /// the others. Tells which of the two it is.
    pub(crate) fn find_or_decoy(&self, name: &str) -> (&Arc<User>, bool) {
        match self.find(name) {
            Some(user) => (user, true),
            None => (&self.decoy, false),
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_failure::Explain as _;

    use super::*;
    use crate::hash::Scheme;

    const SECRET: &str = "$2y$04$LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC";

    fn users(text: &str) -> Result<Users, HtpasswdError> {
        let document = Document::parse(text.as_bytes()).unwrap();
        Users::of(&document, Path::new("/etc/users"))
    }

    fn problems(text: &str) -> Vec<String> {
        users(text)
            .unwrap()
            .problems()
            .iter()
            .map(Problem::to_string)
            .collect()
    }

    #[test]
    fn finds_users_by_the_exact_name() {
        let users = users(&format!(
            "# staff\nalice:{SECRET}\n\nBob:{SECRET}:comment\n"
        ))
        .unwrap();
        assert_eq!(users.len(), 2);
        assert_eq!(users.find("Bob").unwrap().identity().name(), "Bob");
        assert_eq!(users.find("Bob").unwrap().hash().as_str(), SECRET);
        assert!(users.find("bob").is_none());
        assert_eq!(users.problems(), []);
    }

    #[test]
    fn the_first_of_two_lines_counts_even_if_it_cannot_be_checked() {
        let text = format!("alice:{{SHA}}oPFJ\nbob:{SECRET}\nalice:{SECRET}\n");
        let users = users(&text).unwrap();
        assert!(users.find("alice").is_none());
        assert_eq!(
            problems(&text),
            [
                "line 1: user alice: {SHA} is not supported",
                "line 3: user alice again; line 1 counts"
            ]
        );
    }

    #[test]
    fn problems_name_line_and_user_and_the_way_out_but_no_hash() {
        let text = format!(
            "alice:$apr1$LpO4Fbbw$YEhTBnAVYgbhYqpYXHPBg.\nbob:hunter2\ncarol:\ndave:$2y$04$short\n:x\neve:{SECRET}"
        );
        let users = users(&text).unwrap();
        assert_eq!(
            problems(&text),
            [
                "line 1: user alice: apr1 is not supported",
                "line 2: user bob: the notation of this hash is not supported",
                "line 3: user carol: the hash is missing",
                "line 4: user dave: the bcrypt hash is damaged",
                "line 5: the user name is empty",
            ]
        );
        assert_eq!(
            users.problems()[0].hint().unwrap(),
            "tidegate htpasswd -B /etc/users alice"
        );
        assert_eq!(users.len(), 1);
    }

    #[test]
    fn a_line_without_a_colon_is_an_error() {
        let error = users(&format!("alice:{SECRET}\n\nhunter2\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "htpasswd file `/etc/users`, line 3: expected `user:hash`, found no `:`"
        );
    }

    #[test]
    fn a_file_in_which_nobody_can_log_in_is_an_error() {
        for text in ["", "# nobody\n", "\r\n"] {
            let error = users(text).unwrap_err();
            assert_eq!(
                error.hint().unwrap(),
                "add one: tidegate htpasswd -B /etc/users USER"
            );
        }
        let error = users("alice:$1$salt$digest\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "htpasswd file `/etc/users`: expected at least one user who can log in, found none; \
             line 1: user alice: md5-crypt is not supported"
        );
        assert_eq!(
            error.hint().unwrap(),
            "tidegate htpasswd -B /etc/users alice"
        );
    }

    #[test]
    fn the_decoy_costs_what_most_users_cost_and_matches_nothing() {
        let at = |cost: u32| StoredHash::decoy(cost).as_str().to_owned();
        let text = format!("a:{}\nb:{}\nc:{}\nd:{}\n", at(4), at(5), at(5), at(6));
        let users = users(&text).unwrap();
        let (decoy, is_known) = users.find_or_decoy("nobody");
        assert!(!is_known);
        assert_eq!(decoy.hash().cost(), 5);
        assert_eq!(Scheme::of(decoy.hash().as_str()), Scheme::Bcrypt);
        assert_eq!(
            StoredHash::parse(decoy.hash().as_str()).as_ref(),
            Ok(decoy.hash())
        );
        assert!(!decoy.hash().matches(b""));
    }

    proptest! {
        #[test]
        fn never_panics_and_never_shows_a_hash(lines in proptest::collection::vec("[a-c#: ]{0,4}:?SECRET[^\n\u{0}]{0,8}", 0..6)) {
            let text = lines.join("\n");
            let document = Document::parse(text.as_bytes()).unwrap();
            let shown = match Users::of(&document, Path::new("f")) {
                Ok(users) => format!("{users:?}{:?}", users.problems()),
                Err(error) => format!("{error}{error:?}{:?}", error.hint()),
            };
            let names: String = document.users().collect();
            prop_assert!(names.contains("SECRET") || !shown.contains("SECRET"), "{}", shown);
        }
    }
}
