//! `certs-tool ca`.

use std::path::PathBuf;

use clap::Args;
use tidegate_failure::Failure;

use super::common;
use crate::{CaOptions, KeyKind, PairPaths, Subject, make_ca, write_pair};

/// The arguments of `certs-tool ca`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where root-ca.crt and root-ca.key are written
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// The CA's name, as /C=DE/O=Example/CN=Example CA [default: Tidegate CA and
    /// a random number]
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,

    /// For how long it is valid
    #[arg(long, value_name = "DAYS", default_value_t = 3650)]
    days: u32,

    /// ecdsa-p256, ecdsa-p384, rsa-2048, rsa-4096 or ed25519
    #[arg(long, value_name = "KIND", default_value_t = KeyKind::default())]
    key: KeyKind,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let subject = arguments
        .subject
        .map(|text| common::parse::<Subject>("--subject", &text))
        .transpose()?;
    let ca = make_ca(&CaOptions {
        subject,
        key: arguments.key,
        days: arguments.days,
    })?;
    let paths = PairPaths::ca(&arguments.dir);
    write_pair(&paths, ca.pair())?;
    common::made(&paths.cert(), ca.certificate());
    Ok(())
}
