//! `certs-tool site`.

use clap::Args;
use tidegate_failure::Failure;

use super::common;
use super::flags::{CaKey, Names, NewKey, Place};
use crate::SiteOptions;

/// The arguments of `certs-tool site`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    names: Names,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    new: NewKey,

    /// For how long it is valid; never beyond the CA's end
    #[arg(long, value_name = "DAYS", default_value_t = 750)]
    days: u32,

    #[command(flatten)]
    ca: CaKey,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let name = arguments.names.files()?;
    let options = SiteOptions {
        names: arguments.names.hosts()?,
        subject: arguments.new.subject()?,
        key: arguments.new.key,
        days: arguments.days,
    };
    let issued = arguments.ca.ca(&arguments.place.dir)?.issue(&options)?;
    let paths = arguments.place.pair(&name);
    arguments.place.write(&paths, &issued.pair)?;
    common::made(&paths.cert(), &issued.certificate);
    common::warn_if_shortened(issued.shortened);
    Ok(())
}
