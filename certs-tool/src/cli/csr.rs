//! `certs-tool csr`.

use clap::Args;
use tidegate_failure::Failure;

use super::common;
use super::flags::{Names, NewKey, Place};
use crate::{RequestOptions, make_request, write_request};

/// The arguments of `certs-tool csr`.
#[derive(Debug, Args)]
#[command(
    after_help = "Send NAME.csr to whoever has the CA, and put what comes back beside NAME.key as \
                  NAME.crt. The key stays here."
)]
pub struct Arguments {
    #[command(flatten)]
    names: Names,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    new: NewKey,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let name = arguments.names.files()?;
    let hosts = arguments.names.hosts()?;
    let shown: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    let new = make_request(&RequestOptions {
        names: hosts,
        subject: arguments.new.subject()?,
        key: arguments.new.key,
    })?;
    let paths = arguments.place.pair(&name);
    write_request(&paths, &new, arguments.place.overwrite()).map_err(Place::explain)?;
    common::say(&format!(
        "made {} for {}, and its key {}",
        paths.request().display(),
        shown.join(", "),
        paths.key().display()
    ));
    Ok(())
}
