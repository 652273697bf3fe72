//! What a server looks names up in, and what it complains of.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::document::{Document, Meaning};
use super::error::HtpasswdError;
use super::problem::{Problem, ProblemKind, Weakness};
use super::stand_in::StandIns;
use super::user_name::UserName;
use crate::attempt::Identity;
use crate::hash::{HashError, StoredHash};

/// The users of a file who can log in.
#[derive(Debug)]
pub struct Users {
    by_name: HashMap<Box<str>, Arc<User>>,
    problems: Vec<Problem>,
    weaknesses: Vec<Weakness>,
    stand_ins: StandIns,
}

/// A user who can log in.
#[derive(Debug)]
pub struct User {
    identity: Identity,
    hash: StoredHash,
}

/// What becomes of users whose hash [is weak](crate::hash::Scheme::is_weak).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakHashes {
    /// Their entries do not count.
    Refused,
    /// They can log in, and become [`Users::weaknesses`].
    Allowed,
}

impl Users {
    /// Judges a document. Entries that do not count are left out and become
    /// [`Users::problems`]. `path` is for messages only.
    ///
    /// # Errors
    /// If a line is neither blank nor a comment nor an entry, or nobody could
    /// log in.
    pub fn of(document: &Document, path: &Path, weak: WeakHashes) -> Result<Self, HtpasswdError> {
        let mut first_lines = HashMap::new();
        let mut by_name = HashMap::new();
        let mut problems = Vec::new();
        let mut weaknesses = Vec::new();
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
            let hash = match StoredHash::parse(hash) {
                Ok(hash) if hash.scheme().is_weak() && weak == WeakHashes::Refused => {
                    Err(HashError::Weak(hash.scheme()))
                }
                result => result,
            };
            match hash {
                Ok(hash) => {
                    let identity = Identity::new(user.as_str());
                    let name = user.as_str().into();
                    if hash.scheme().is_weak() {
                        weaknesses.push(Weakness {
                            path: path.to_owned(),
                            line,
                            user,
                            scheme: hash.scheme(),
                        });
                    }
                    by_name.insert(name, Arc::new(User { identity, hash }));
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
        Ok(Self {
            stand_ins: StandIns::of(by_name.values().map(|user| user.hash())),
            by_name,
            problems,
            weaknesses,
        })
    }

    /// Reads a file and judges it.
    ///
    /// # Errors
    /// As [`read`](super::read) and [`Users::of`].
    pub fn read(path: &Path, weak: WeakHashes) -> Result<Self, HtpasswdError> {
        Self::of(&super::file::read(path)?, path, weak)
    }

    /// Users who stand in no htpasswd file, each with a hash that can be checked;
    /// there may be none.
    pub(crate) fn of_hashes(hashes: impl IntoIterator<Item = (String, StoredHash)>) -> Self {
        let user = |(name, hash): (String, StoredHash)| {
            let identity = Identity::new(&name);
            (name.into(), Arc::new(User { identity, hash }))
        };
        let by_name: HashMap<_, _> = hashes.into_iter().map(user).collect();
        let nobody = by_name.is_empty().then(StoredHash::usual_decoy);
        let hashes = by_name.values().map(|user| user.hash());
        Self {
            stand_ins: StandIns::of(hashes.chain(&nobody)),
            by_name,
            problems: Vec::new(),
            weaknesses: Vec::new(),
        }
    }

    /// Finds a user by the exact name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// How many users can log in; never 0 if they are of a file.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "of a file it is never empty")]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The entries that do not count, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The entries that count because weak hashes are allowed.
    #[must_use]
    pub fn weaknesses(&self) -> &[Weakness] {
        &self.weaknesses
    }

    /// Finds a user, or one whose hash matches no password and who stands in
    /// for those who do not exist: refusing them then takes as long as refusing
    /// the others. Tells which of the two it is.
    pub(crate) fn find_or_decoy(&self, name: &str) -> (&Arc<User>, bool) {
        // Looked for in either case, as it takes a moment itself.
        let stand_in = self.stand_ins.find(name);
        match self.find(name) {
            Some(user) => (user, true),
            None => (stand_in, false),
        }
    }
}

impl User {
    /// Nobody, with a hash that no password is known for.
    pub(super) fn stand_in(hash: StoredHash) -> Self {
        let identity = Identity::new("");
        Self { identity, hash }
    }

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_failure::Explain as _;

    use super::*;

    const SECRET: &str = "$2y$04$LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC";

    fn users(text: &str) -> Result<Users, HtpasswdError> {
        let document = Document::parse(text.as_bytes()).unwrap();
        Users::of(&document, Path::new("/etc/users"), WeakHashes::Refused)
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
                "line 1: user alice: the {SHA} hash is damaged",
                "line 3: user alice again; line 1 counts"
            ]
        );
    }

    #[test]
    fn problems_name_line_and_user_and_the_way_out_but_no_hash() {
        let text =
            format!("alice:$2x$04$\nbob:hunter2\ncarol:\ndave:$2y$04$short\n:x\neve:{SECRET}");
        let users = users(&text).unwrap();
        assert_eq!(
            problems(&text),
            [
                "line 1: user alice: bcrypt 2x is not supported",
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
             line 1: user alice: the md5-crypt hash is damaged"
        );
        assert_eq!(
            error.hint().unwrap(),
            "tidegate htpasswd -B /etc/users alice"
        );
    }

    #[test]
    fn weak_hashes_count_where_they_are_allowed_and_are_told_of() {
        let text = format!("alice:0rvHFUBFDyoE6\nbob:{SECRET}\ncarol:{{PLAIN}}hunter2\n");
        assert_eq!(
            problems(&text),
            [
                "line 1: user alice: DES crypt is weak, and weak hashes are not allowed",
                "line 3: user carol: {PLAIN} is weak, and weak hashes are not allowed",
            ]
        );
        let refused = users(&text).unwrap();
        assert_eq!((refused.len(), refused.weaknesses().len()), (1, 0));
        assert_eq!(
            refused.problems()[0].hint().unwrap(),
            "tidegate htpasswd -B /etc/users alice; or `allow_weak_hashes` in `[auth]`, or --allow-weak-hashes"
        );

        let document = Document::parse(text.as_bytes()).unwrap();
        let allowed = Users::of(&document, Path::new("/etc/users"), WeakHashes::Allowed).unwrap();
        assert_eq!((allowed.len(), allowed.problems().len()), (3, 0));
        let weak: Vec<_> = allowed
            .weaknesses()
            .iter()
            .map(Weakness::to_string)
            .collect();
        assert_eq!(
            weak,
            [
                "line 1: user alice: DES crypt is weak",
                "line 3: user carol: {PLAIN} is weak"
            ]
        );
        assert_eq!(
            allowed.weaknesses()[1].hint(),
            "tidegate htpasswd -B /etc/users carol"
        );
    }

    proptest! {
        #[test]
        fn never_panics_and_never_shows_a_hash(lines in proptest::collection::vec("[a-c#: ]{0,4}:?SECRET[^\n\u{0}]{0,8}", 0..6)) {
            let text = lines.join("\n");
            let document = Document::parse(text.as_bytes()).unwrap();
            let shown = match Users::of(&document, Path::new("f"), WeakHashes::Allowed) {
                Ok(users) => format!("{users:?}{:?}", users.problems()),
                Err(error) => format!("{error}{error:?}{:?}", error.hint()),
            };
            let names: String = document.users().collect();
            prop_assert!(names.contains("SECRET") || !shown.contains("SECRET"), "{}", shown);
        }
    }
}
