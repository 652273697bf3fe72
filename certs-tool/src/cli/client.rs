//! `certs-tool client`.

use clap::Args;
use tidegate_failure::Failure;

use super::common;
use super::flags::{CaKey, NewKey, Place};
use crate::{ClientOptions, PairName, Subject};

/// The arguments of `certs-tool client`.
#[derive(Debug, Args)]
#[command(
    after_help = "docker and podman show the certificate to a registry when NAME.crt lies in \
                  /etc/docker/certs.d/HOST:PORT/ (podman: /etc/containers/certs.d) as client.cert, \
                  and NAME.key beside it as client.key."
)]
pub struct Arguments {
    /// The name of the files, and of the user
    #[arg(value_name = "NAME")]
    name: String,

    /// An e-mail address, or a name or address of a machine, that the
    /// certificate is to have besides; may be repeated
    #[arg(long, value_name = "EMAIL_OR_NAME")]
    san: Vec<String>,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    new: NewKey,

    /// For how long it is valid; never beyond the CA's end
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    days: u32,

    #[command(flatten)]
    ca: CaKey,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let name: PairName = common::parse("NAME", &arguments.name)?;
    let subject = arguments
        .new
        .subject()?
        .or_else(|| Subject::of_common_name(name.as_str()))
        .ok_or_else(|| {
            Failure::new("NAME is too long for a common name; it has at most 64 characters")
                .with_hint("give the user's name with --subject /CN=…")
        })?;
    let options = ClientOptions {
        subject,
        names: common::parse_all("--san", &arguments.san)?,
        key: arguments.new.key,
        days: arguments.days,
    };
    let ca = arguments.ca.ca(&arguments.place.dir)?;
    let issued = ca.issue_client(&options)?;
    let paths = arguments.place.pair(&name);
    arguments.place.write(&paths, &issued.pair)?;
    common::made(&paths.cert(), &issued.certificate);
    common::warn_if_shortened(issued.shortened);
    Ok(())
}
