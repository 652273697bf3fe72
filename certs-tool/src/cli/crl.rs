//! `certs-tool crl` and `certs-tool revoke`.

use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_failure::Failure;
use time::OffsetDateTime;

use super::common;
use super::flags::CaKey;
use crate::{Ca, Certificate, Reason, RevocationList, Serial};

/// The arguments of `certs-tool crl`.
#[derive(Debug, Args)]
pub struct Crl {
    #[command(flatten)]
    list: List,
}

/// The arguments of `certs-tool revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The certificate's file, or its serial number in hexadecimal
    #[arg(value_name = "CERT_OR_SERIAL")]
    what: String,

    /// unspecified, keyCompromise, CACompromise, affiliationChanged, superseded,
    /// cessationOfOperation, certificateHold or privilegeWithdrawn
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,

    #[command(flatten)]
    list: List,
}

/// Where the CA and its list are.
#[derive(Debug, Args)]
struct List {
    /// Where root-ca.crt and root-ca.key are, and root-ca.crl is written
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// For how long those who read the list need not look for a newer one
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    days: u32,

    #[command(flatten)]
    ca: CaKey,
}

pub(super) fn renew(arguments: &Crl) -> Result<(), Failure> {
    let (ca, mut list) = arguments.list.open()?;
    arguments.list.write(&ca, &mut list)
}

pub(super) fn revoke(arguments: &Revoke) -> Result<(), Failure> {
    let reason: Option<Reason> = arguments
        .reason
        .as_deref()
        .map(|text| common::parse("--reason", text))
        .transpose()?;
    let (ca, mut list) = arguments.list.open()?;
    let serial = serial(&arguments.what, &ca)?;
    if let Some(known) = list.find(&serial) {
        tidegate_failure::say(&format!(
            "{serial} has been revoked since {}",
            known.at.date()
        ));
        return Ok(());
    }
    list.revoke(serial.clone(), reason, OffsetDateTime::now_utc());
    arguments.list.write(&ca, &mut list)?;
    tidegate_failure::say(&format!("revoked {serial}"));
    Ok(())
}

impl List {
    fn path(&self) -> PathBuf {
        self.dir.join("root-ca.crl")
    }

    fn open(&self) -> Result<(Ca, RevocationList), Failure> {
        let ca = self.ca.ca(&self.dir)?;
        let list = RevocationList::read(&self.path(), ca.certificate())?;
        Ok((ca, list))
    }

    fn write(&self, ca: &Ca, list: &mut RevocationList) -> Result<(), Failure> {
        list.write(&self.path(), ca, self.days)?;
        tidegate_failure::say(&format!(
            "wrote {}: {} revoked, to be renewed within {} days",
            self.path().display(),
            list.revoked().len(),
            self.days
        ));
        Ok(())
    }
}

/// The serial number of a certificate of this CA; one that is given as a number
/// may be of a certificate that nobody has any more.
fn serial(what: &str, ca: &Ca) -> Result<Serial, Failure> {
    let path = Path::new(what);
    if !path.exists() {
        return common::parse("CERT_OR_SERIAL", what);
    }
    let certificate = Certificate::read_first(path)?;
    if certificate == *ca.certificate() {
        return Err(Failure::new(format!(
            "{what} is the CA itself, which cannot revoke itself"
        ))
        .with_hint("take it away from the clients: certs-tool trust remove HOST"));
    }
    if !certificate.is_issued_by(ca.certificate()) {
        return Err(Failure::new(format!(
            "{what} was signed by another CA: {}",
            certificate.issuer()
        ))
        .with_hint("name the directory of that CA with --dir"));
    }
    Ok(certificate.serial())
}
