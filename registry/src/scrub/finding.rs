//! What is wrong, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing is wrong.
    pub kind: Kind,
    /// What is affected: content, or what a client would pull.
    pub subject: String,
    /// What is the matter, and where.
    pub problem: String,
    /// What mends it.
    pub mend: String,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Content is not what its digest says.
    Corrupt,
    /// Something cannot be read from the disk.
    Unreadable,
    /// A link or a tag holds no digest.
    BrokenLink,
    /// Something leads to what is not there.
    Missing,
}

impl Finding {
    /// Whether another run has found the same. The tags that are named behind
    /// a manifest may have moved meanwhile.
    pub(super) fn is_about_the_same(&self, other: &Self) -> bool {
        let thing = |finding: &'_ Self| finding.subject.split(' ').next().map(str::to_owned);
        self.kind == other.kind && self.problem == other.problem && thing(self) == thing(other)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.problem)
    }
}
