//! `certs-tool sign`.

use std::path::PathBuf;

use clap::Args;
use tidegate_failure::Failure;

use super::common;
use super::flags::{self, CaKey, Place};
use crate::{PairName, Purpose, Request, SignOptions, write_signed};

/// The arguments of `certs-tool sign`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The request
    #[arg(value_name = "FILE")]
    request: PathBuf,

    /// The certificate becomes NAME.crt in DIR [default: the request's name
    /// without .csr]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// A name that the certificate is to have in place of those that the request
    /// asks for; may be repeated
    #[arg(long, value_name = "NAME_OR_IP")]
    san: Vec<String>,

    /// Make it a client's certificate and not a server's
    #[arg(long)]
    client: bool,

    #[command(flatten)]
    place: Place,

    /// Whom it is about, in place of the request's subject
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,

    /// For how long it is valid; never beyond the CA's end
    #[arg(long, value_name = "DAYS", default_value_t = 750)]
    days: u32,

    #[command(flatten)]
    ca: CaKey,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let file = &arguments.request;
    let name = name(&arguments)?;
    let purpose = purpose(&arguments)?;
    let subject = flags::subject(arguments.subject.as_deref())?;

    let request = Request::read(file)?;
    let ca = arguments.ca.ca(&arguments.place.dir)?;
    let options = SignOptions {
        purpose,
        subject,
        days: arguments.days,
    };
    let signed = ca.sign_request(&request, &options)?;
    let paths = arguments.place.pair(&name);
    let overwrite = arguments.place.overwrite();
    write_signed(&paths, &request, &signed.pem, overwrite).map_err(Place::explain)?;
    common::done("signed", &paths.cert(), &signed.certificate);
    if !request.ignored().is_empty() {
        let ignored = request.ignored().join(", ");
        common::warn(&format!("not taken over from the request: {ignored}"));
    }
    common::warn_if_shortened(signed.shortened);
    Ok(())
}

fn name(arguments: &Arguments) -> Result<PairName, Failure> {
    if let Some(name) = &arguments.name {
        return common::parse("--name", name);
    }
    // A name that is no UTF-8 is refused for its replacement characters.
    let stem = arguments.request.file_stem().unwrap_or_default();
    common::parse("FILE", &stem.to_string_lossy())
        .map_err(|failure| failure.with_hint("give another name with --name"))
}

/// Without `--san`, the names are those of the request.
fn purpose(arguments: &Arguments) -> Result<Purpose, Failure> {
    let sans = (!arguments.san.is_empty()).then_some(&arguments.san);
    Ok(match arguments.client {
        true => Purpose::Client(sans.map(|s| common::parse_all("--san", s)).transpose()?),
        false => Purpose::Server(sans.map(|s| common::parse_all("--san", s)).transpose()?),
    })
}
