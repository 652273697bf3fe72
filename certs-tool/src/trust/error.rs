//! What can stand against installing or removing trust.

use std::io;
use std::path::PathBuf;

use tidegate_failure::Explain;

use crate::error::CertsError;

/// Trust cannot be installed or removed. What the plan had not reached stays as
/// it was.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The CA's file cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertsError),
    /// The CA's file is not what clients may be given.
    #[error("`{}` cannot be installed: {reason}", path.display())]
    NotAnAuthority {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A file that others wrote, in which an entry cannot be added or removed
    /// with certainty.
    #[error("`{}` is left as it is: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
        /// What to do by hand.
        hint: Option<String>,
    },
    /// A file cannot be read; the system's message names it.
    #[error("{0}")]
    Read(io::Error),
    /// A file cannot be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A user's store, and nobody knows whose.
    #[error("this user has no home directory")]
    NoHome,
    /// A machine whose system store is of an unknown kind.
    #[error("no system store found below `{}`: neither Debian's nor Red Hat's, SUSE's or Arch's", root.display())]
    NoSystemStore {
        /// The machine's root.
        root: PathBuf,
    },
    /// The program that takes up what is in the system's store failed.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// The program.
        command: String,
        /// What it said.
        reason: String,
    },
}

impl Explain for TrustError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Certificate(error) => error.hint(),
            Self::NotAnAuthority { hint, .. } => Some((*hint).to_owned()),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Read(error) | Self::Write { error, .. }
                if error.kind() == io::ErrorKind::PermissionDenied =>
            {
                Some("run it with sudo".to_owned())
            }
            Self::Write { error, .. } if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Some(
                "this machine is configured elsewhere: --root DIR writes below another root"
                    .to_owned(),
            ),
            Self::NoSystemStore { .. } => Some("install the package ca-certificates".to_owned()),
            Self::NoHome => Some("set HOME".to_owned()),
            Self::Command { .. } => Some("run it by hand to see what is wrong".to_owned()),
            Self::Read(_) | Self::Write { .. } => None,
        }
    }
}
