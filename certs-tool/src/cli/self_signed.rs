//! `certs-tool self-signed`.

use clap::Args;
use tidegate_failure::Failure;

use super::common;
use super::flags::{Names, NewKey, Place};
use crate::{SiteOptions, self_signed};

/// The arguments of `certs-tool self-signed`.
#[derive(Debug, Args)]
#[command(
    after_help = "Clients trust NAME.crt itself. docker, podman, containerd and curl take it; clients that \
                  use rustls do not, as for them no CA is a server. When it ends, every client has \
                  to trust a new one: with `ca` and `site` they need not."
)]
pub struct Arguments {
    #[command(flatten)]
    names: Names,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    new: NewKey,

    /// For how long it is valid
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    days: u32,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let name = arguments.names.files()?;
    let made = self_signed(&SiteOptions {
        names: arguments.names.hosts()?,
        subject: arguments.new.subject()?,
        key: arguments.new.key,
        days: arguments.days,
    })?;
    let paths = arguments.place.pair(&name);
    arguments.place.write(&paths, &made.pair)?;
    common::made(&paths.cert(), &made.certificate);
    Ok(())
}
