//! `certs-tool site`.

use std::path::PathBuf;

use clap::Args;
use tidegate_failure::Failure;

use super::common;
use crate::{Ca, HostName, KeyKind, PairName, PairPaths, SiteOptions, Subject, write_pair};

/// The arguments of `certs-tool site`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The name of the files, NAME.crt and NAME.key, and of the site
    #[arg(value_name = "NAME")]
    name: String,

    /// A name or address by which clients reach the site, besides NAME; may be
    /// repeated
    #[arg(long, value_name = "NAME_OR_IP")]
    san: Vec<String>,

    /// Where root-ca.crt and root-ca.key are, and the new files are written
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// The subject, which clients do not look at [default: /CN=NAME]
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,

    /// For how long it is valid; never beyond the CA's end
    #[arg(long, value_name = "DAYS", default_value_t = 750)]
    days: u32,

    /// ecdsa-p256, ecdsa-p384, rsa-2048, rsa-4096 or ed25519
    #[arg(long, value_name = "KIND", default_value_t = KeyKind::default())]
    key: KeyKind,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let name: PairName = common::parse("NAME", &arguments.name)?;
    let mut names: Vec<HostName> = vec![];
    // A name of files need not be one of a host, unless there is no other.
    match HostName::parse(&arguments.name) {
        Ok(host) => names.push(host),
        Err(error) if arguments.san.is_empty() => {
            return Err(Failure::from(error).with_hint("say with --san for which host it is"));
        }
        Err(_) => {}
    }
    for san in &arguments.san {
        names.push(common::parse("--san", san)?);
    }
    let subject = arguments
        .subject
        .map(|text| common::parse::<Subject>("--subject", &text))
        .transpose()?;

    let authority = PairPaths::ca(&arguments.dir);
    let ca = Ca::load(&authority.cert(), &authority.key())?;
    let issued = ca.issue(&SiteOptions {
        names,
        subject,
        key: arguments.key,
        days: arguments.days,
    })?;
    let paths = PairPaths::site(&arguments.dir, &name);
    write_pair(&paths, &issued.pair)?;
    common::made(&paths.cert(), &issued.certificate);
    if issued.shortened {
        common::warn("it ends with its CA, sooner than asked for");
    }
    Ok(())
}
