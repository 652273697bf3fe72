//! What becomes of each line of a file that was written for another program.

use crate::diagnostic::Location;
use crate::settings::Settings;

/// Settings that were read from files of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted<T = Settings> {
    /// What the files say.
    pub settings: T,
    /// What becomes of each line of them, in their order; those about variables
    /// of the environment come last.
    pub findings: Vec<Finding>,
}

/// A directive or key of such a file, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it stands; `None` for a variable of the environment.
    pub location: Option<Location>,
    /// What stands there, shortened, without secrets: `ssl_protocols TLSv1.2`.
    pub subject: String,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does here what it does there.
    Honoured,
    /// Something else stands in its place; what, as it follows "by".
    Replaced(String),
    /// Nothing depends on it here; why.
    Harmless(String),
    /// It is not known, there or here; the nearest that is, if any. The other
    /// program passes over it as well.
    Unknown(Option<String>),
    /// It cannot be honoured, and somebody relies on it; why. Nothing is served,
    /// unless that is asked for.
    Refused(String),
}
