//! A file as it is, line by line, and how it is edited.

use std::fmt;
use std::ops::Range;

use super::encoding::{self, Encoding, EncodingError};
use super::user_name::UserName;
use crate::hash::{HashError, Scheme, StoredHash};

/// The lines of an htpasswd file: comments, blank lines, order, line ends and
/// what cannot be understood are all kept as they were.
///
/// An entry is `user:hash`; the hash ends at a further `:`, if there is one, as
/// in Apache and nginx. Space around the line and around the hash is no part of
/// either. Text is UTF-8 when written, whatever it was when read.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    lines: Vec<Line>,
    encoding: Encoding,
}

/// What [`Document::set`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The user is new.
    Added,
    /// The user had a hash, which is gone.
    Replaced,
}

/// What [`Document::verify`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The password is right. Where the scheme is weak, that is no login yet.
    Right(Scheme),
    /// The password is wrong.
    Wrong,
    /// No line names the user.
    UnknownUser,
    /// The user's hash cannot be checked.
    Unusable(HashError),
}

/// A line that means something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    Entry {
        user: &'a str,
        hash: &'a str,
    },
    /// Neither blank nor a comment, and without a colon.
    NoColon,
}

#[derive(Clone, PartialEq, Eq)]
struct Line {
    /// All of it, the line end included.
    text: String,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    BlankOrComment,
    NoColon,
    /// Where in `text` the two parts stand.
    Entry {
        user: Range<usize>,
        hash: Range<usize>,
    },
}

impl Document {
    /// A file without lines.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lines: Vec::new(),
            encoding: Encoding::Utf8,
        }
    }

    /// Reads the content of a file. Whatever is text is a document; it is
    /// [`Users`](super::Users) that judges it.
    ///
    /// # Errors
    /// If the bytes are neither UTF-8 nor UTF-16, or contain a NUL character.
    pub fn parse(bytes: &[u8]) -> Result<Self, EncodingError> {
        let (text, encoding) = encoding::decode(bytes)?;
        Ok(Self {
            lines: text.split_inclusive('\n').map(Line::parse).collect(),
            encoding,
        })
    }

    /// The content of the file. Holds hashes: for the file, never for a log.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }

    /// How the file was encoded when it was read.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The user of every entry, in order; a name may come up again.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(Line::user)
    }

    /// Gives a user a hash: in the line that is there, or in a new last one.
    pub fn set(&mut self, user: &UserName, hash: &StoredHash) -> Change {
        let user = user.as_str();
        if let Some(line) = self.lines.iter_mut().find(|line| line.user() == Some(user)) {
            line.set_hash(hash.as_str());
            return Change::Replaced;
        }
        let end = match self.lines.first() {
            Some(first) if first.text.ends_with("\r\n") => "\r\n",
            _ => "\n",
        };
        if let Some(last) = self.lines.last_mut()
            && !last.text.ends_with('\n')
        {
            last.text.push_str(end);
        }
        let text = format!("{user}:{}{end}", hash.as_str());
        self.lines.push(Line::parse(&text));
        Change::Added
    }

    /// Removes a user; whether there was one. Every line with the name goes,
    /// for otherwise an older password would come into force.
    pub fn remove(&mut self, user: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| line.user() != Some(user));
        self.lines.len() != before
    }

    /// Checks a password against the line that counts, the user's first.
    #[must_use]
    pub fn verify(&self, user: &str, password: &str) -> Check {
        let entry = self.entries().find_map(|(_, meaning)| match meaning {
            Meaning::Entry { user: name, hash } if name == user => Some(hash),
            _ => None,
        });
        match entry.map(StoredHash::parse) {
            None => Check::UnknownUser,
            Some(Err(error)) => Check::Unusable(error),
            Some(Ok(hash)) if hash.matches(password.as_bytes()) => Check::Right(hash.scheme()),
            Some(Ok(_)) => Check::Wrong,
        }
    }

    /// Every line that is neither blank nor a comment, with its number from 1.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, Meaning<'_>)> {
        self.lines
            .iter()
            .enumerate()
            .filter_map(|(index, line)| Some((index + 1, line.meaning()?)))
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("lines", &self.lines.len())
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

impl Line {
    fn parse(text: &str) -> Self {
        let kind = Kind::of(text);
        Self {
            text: text.to_owned(),
            kind,
        }
    }

    fn meaning(&self) -> Option<Meaning<'_>> {
        match &self.kind {
            Kind::BlankOrComment => None,
            Kind::NoColon => Some(Meaning::NoColon),
            Kind::Entry { user, hash } => Some(Meaning::Entry {
                user: &self.text[user.clone()],
                hash: &self.text[hash.clone()],
            }),
        }
    }

    fn user(&self) -> Option<&str> {
        match &self.kind {
            Kind::Entry { user, .. } => Some(&self.text[user.clone()]),
            _ => None,
        }
    }

    fn set_hash(&mut self, new: &str) {
        if let Kind::Entry { hash, .. } = &mut self.kind {
            self.text.replace_range(hash.clone(), new);
            hash.end = hash.start + new.len();
        }
    }
}

impl Kind {
    fn of(text: &str) -> Self {
        const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
        let start = text.len() - text.trim_start_matches(SPACE).len();
        let line = text.trim_matches(SPACE);
        if line.is_empty() || line.starts_with('#') {
            return Self::BlankOrComment;
        }
        let Some((user, rest)) = line.split_once(':') else {
            return Self::NoColon;
        };
        let field = rest.split(':').next().unwrap_or(rest);
        let hash_start =
            start + user.len() + 1 + field.len() - field.trim_start_matches(SPACE).len();
        Self::Entry {
            user: start..start + user.len(),
            hash: hash_start..hash_start + field.trim_matches(SPACE).len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::{Cost, Method, hash_password};

    const OLD: &str = "$2y$04$LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC";

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    fn hash(password: &str) -> StoredHash {
        hash_password(password, Method::Apr1).unwrap()
    }

    fn name(text: &str) -> UserName {
        UserName::parse(text).unwrap()
    }

    #[test]
    fn setting_a_hash_touches_nothing_else() {
        let (one, other) = (hash("one"), hash("other"));
        let with =
            |hash: &str| format!("# staff\r\n\r\n  alice: {hash} :comment\r\nnonsense\r\nbob:x");
        let mut document = document(&with("{SHA}short"));
        // The first has another length than what was there, so the second has
        // to look for it anew.
        for hash in [one, other] {
            assert_eq!(document.set(&name("alice"), &hash), Change::Replaced);
            assert_eq!(document.to_text(), with(hash.as_str()));
        }
    }

    #[test]
    fn new_users_follow_the_last_line_with_its_kind_of_end() {
        let hash = StoredHash::parse(OLD).unwrap();
        let after = |text: &str| {
            let mut document = document(text);
            assert_eq!(document.set(&name("bob"), &hash), Change::Added);
            document.to_text()
        };
        assert_eq!(after(""), format!("bob:{OLD}\n"));
        assert_eq!(after("alice:x"), format!("alice:x\nbob:{OLD}\n"));
        assert_eq!(
            after("a:x\r\nc:y\r\n"),
            format!("a:x\r\nc:y\r\nbob:{OLD}\r\n")
        );
        assert_eq!(after("# bob:x\n"), format!("# bob:x\nbob:{OLD}\n"));
    }

    #[test]
    fn removing_takes_every_line_of_the_user() {
        let mut document = document("alice:new\n# alice:\nbob:x\nalice:old\n");
        assert!(document.remove("alice"));
        assert_eq!(document.to_text(), "# alice:\nbob:x\n");
        assert!(!document.remove("alice"));
    }

    #[test]
    fn verifies_against_the_line_that_counts() {
        let second = hash_password("second", Cost::MIN).unwrap();
        let document = document(&format!(
            "alice:{OLD}\nalice:{}\ncarol:$apr1$\ndave:{{SHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
            second.as_str()
        ));
        assert_eq!(
            document.verify("alice", "open sesame"),
            Check::Right(Scheme::Bcrypt)
        );
        assert_eq!(document.verify("alice", "second"), Check::Wrong);
        assert_eq!(document.verify("bob", "second"), Check::UnknownUser);
        assert_eq!(
            document.verify("carol", "s"),
            Check::Unusable(HashError::Damaged(Scheme::Apr1))
        );
        assert_eq!(
            document.verify("dave", "password"),
            Check::Right(Scheme::Sha1)
        );
        assert_eq!(
            document.users().collect::<Vec<_>>(),
            ["alice", "alice", "carol", "dave"]
        );
    }

    #[test]
    fn a_byte_order_mark_is_dropped_and_utf_16_becomes_utf_8() {
        let document = Document::parse("\u{feff}alice:x\n".as_bytes()).unwrap();
        assert_eq!(document.to_text(), "alice:x\n");
        let utf16: Vec<u8> = "jürgen:x\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let document = Document::parse(&utf16).unwrap();
        assert_eq!(document.encoding(), Encoding::Utf16Le);
        assert_eq!(document.to_text(), "jürgen:x\r\n");
    }

    #[test]
    fn debug_shows_no_hash() {
        assert_eq!(
            format!("{:?}", document("alice:x\n")),
            "Document { lines: 1, encoding: Utf8, .. }"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(mut document) = Document::parse(&bytes) {
                document.set(&name("alice"), &StoredHash::parse(OLD).unwrap());
                document.remove("alice");
            }
        }

        #[test]
        fn utf_8_comes_back_byte_for_byte(text in "([a-c#: \t\r\n]|[^\u{0}\u{feff}]){0,80}") {
            prop_assert_eq!(document(&text).to_text(), text);
        }

        #[test]
        fn any_name_that_is_taken_is_found_again(user in "\\PC{1,12}", text in "([a-c#:\r\n]){0,40}") {
            if let Ok(user) = UserName::parse(&user) {
                let mut edited = document(&text);
                edited.set(&user, &StoredHash::parse(OLD).unwrap());
                let read = document(&edited.to_text());
                prop_assert_eq!(&read, &edited);
                prop_assert_eq!(read.verify(user.as_str(), "open sesame"), Check::Right(Scheme::Bcrypt));
                edited.remove(user.as_str());
                prop_assert_eq!(edited.verify(user.as_str(), "open sesame"), Check::UnknownUser);
            }
        }
    }
}
