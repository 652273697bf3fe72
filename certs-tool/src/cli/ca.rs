//! `certs-tool ca`.

use std::path::PathBuf;

use clap::Args;
use tidegate_failure::Failure;

use super::common;
use super::flags::{NewKey, Place};
use crate::{CaOptions, PairPaths, Passphrase, make_ca};

/// The arguments of `certs-tool ca`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    new: NewKey,

    /// For how long it is valid
    #[arg(long, value_name = "DAYS", default_value_t = 3650)]
    days: u32,

    /// Encrypt root-ca.key with the first line of this file; `tidegate serve`
    /// cannot renew certificates with such a key
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let passphrase = arguments.passphrase_file.as_deref().map(Passphrase::read);
    let paths = PairPaths::ca(&arguments.place.dir);
    let replaced = paths.cert().exists();
    let ca = make_ca(&CaOptions {
        subject: arguments.new.subject()?,
        key: arguments.new.key,
        days: arguments.days,
        passphrase: passphrase.transpose()?,
    })?;
    arguments.place.write(&paths, ca.pair())?;
    common::made(&paths.cert(), ca.certificate());
    if replaced {
        common::warn(
            "clients that trust the CA that was here have to trust this one anew, and its certificates have to be made anew",
        );
    }
    Ok(())
}
