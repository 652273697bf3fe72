//! `certs-tool renew`.

use std::path::PathBuf;

use clap::Args;
use tidegate_failure::Failure;
use time::OffsetDateTime;

use super::common;
use super::flags::CaKey;
use crate::{Certificate, HostName, KeyKind, PairName, PairPaths, RenewKey, RenewOptions, renew};

/// The arguments of `certs-tool renew`.
#[derive(Debug, Args)]
#[command(
    after_help = "The new certificate has the subject, the names and the use of the old one. The old pair is \
                  whole until the new one is, and is not kept."
)]
pub struct Arguments {
    /// The name of the files, NAME.crt and NAME.key
    #[arg(value_name = "NAME")]
    name: String,

    /// The directory of the certificate and of its CA
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// Do so only if a third of its life or less is left: for a job that runs
    /// daily
    #[arg(long)]
    if_due: bool,

    /// A name or address that it is to have in place of the names of the old
    /// one; may be repeated
    #[arg(long, value_name = "NAME_OR_IP")]
    san: Vec<String>,

    /// Make a new key as well: ecdsa-p256 or the KIND given
    #[arg(
        long,
        value_name = "KIND",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "ecdsa-p256"
    )]
    new_key: Option<KeyKind>,

    /// For how long it is valid, never beyond the CA's end [default: as long as
    /// the old one]
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,

    /// Sign it even if another CA signed the old one
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    ca: CaKey,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let name: PairName = common::parse("NAME", &arguments.name)?;
    let names = common::parse_all::<HostName>("--san", &arguments.san)?;
    let paths = PairPaths::site(&arguments.dir, &name);
    if arguments.if_due {
        paths.settle()?;
        let certificate = Certificate::read_first(&paths.cert())?;
        let now = OffsetDateTime::now_utc();
        if !certificate.renewal_due(now) {
            common::say(&format!(
                "{} ends in {} days: not due",
                paths.cert().display(),
                certificate.days_left(now)
            ));
            return Ok(());
        }
    }
    let ca = arguments.ca.ca(&arguments.dir)?;
    let options = RenewOptions {
        key: arguments.new_key.map_or(RenewKey::Same, RenewKey::New),
        days: arguments.days,
        names: (!names.is_empty()).then_some(names),
        from_any_ca: arguments.force,
    };
    let renewed = renew(&paths, &ca, &options)?;
    common::done("renewed", &paths.cert(), &renewed.certificate);
    common::warn_if_shortened(renewed.shortened);
    Ok(())
}
