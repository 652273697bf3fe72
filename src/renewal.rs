//! Site certificates that are renewed before they end, and the CA that signs
//! them: which certificates those are, and when it is time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use certs_tool::{Ca, Certificate, CertsError, PairName, PairPaths, RenewOptions};
use tidegate_config::CertificateFiles;
use tidegate_failure::Explain as _;
use time::{Duration, OffsetDateTime};
use tracing::{error, info, warn};

/// How often certificates are looked at.
pub(crate) const INTERVAL: std::time::Duration = std::time::Duration::from_secs(60 * 60);
/// From when on the coming end of a certificate that came from elsewhere is
/// told, and how often.
const TOLD_DAYS_BEFORE: i64 = 30;
const TOLD_EVERY: Duration = Duration::days(1);

/// Keeps the certificates of the listeners from ending.
pub(crate) struct Renewal {
    pairs: Vec<CertificateFiles>,
    /// When the end of a certificate was last told.
    told: HashMap<PathBuf, OffsetDateTime>,
}

/// Whose a certificate is.
enum Owner {
    /// Signed by the CA that lies beside it with its key.
    Ours(PairPaths, Box<Ca>),
    /// From elsewhere, or to be left alone.
    Elsewhere,
}

impl Renewal {
    pub(crate) fn new(pairs: &[CertificateFiles]) -> Self {
        Self {
            pairs: pairs.to_vec(),
            told: HashMap::new(),
        }
    }

    /// Renews what is due and tells what will end. Reads and writes files: not
    /// for an async worker.
    ///
    /// Nothing here keeps the registry from serving: what cannot be renewed is
    /// reported, and tried again the next time.
    pub(crate) fn look(&mut self, now: OffsetDateTime) {
        for pair in self.pairs.clone() {
            // A renewal that was interrupted; what is wrong shows below.
            if let Some(paths) = pair_paths(&pair) {
                let _ = paths.settle();
            }
            // One that cannot be read is for the front to report.
            let Ok(certificate) = Certificate::read_first(&pair.cert) else {
                continue;
            };
            let due = certificate.renewal_due(now);
            match owner(&pair) {
                Ok(Owner::Ours(_, ca)) if ends_with(&certificate, &ca) => {
                    self.tell_end(&pair.cert, &certificate, now, Remedy::NewCa);
                }
                Ok(Owner::Ours(paths, ca)) if due => renew(&paths, &ca, &certificate, now),
                Ok(Owner::Ours(..)) => {}
                Ok(Owner::Elsewhere) => {
                    self.tell_end(&pair.cert, &certificate, now, Remedy::Replace);
                }
                Err(e) if due => not_renewed(&pair.cert, &certificate, &e),
                Err(_) => {}
            }
        }
    }

    /// Tells that a certificate ends soon, once a day.
    fn tell_end(
        &mut self,
        path: &Path,
        certificate: &Certificate,
        now: OffsetDateTime,
        remedy: Remedy,
    ) {
        let days = certificate.days_left(now);
        let told = self.told.get(path);
        if days >= TOLD_DAYS_BEFORE || told.is_some_and(|told| now - *told < TOLD_EVERY) {
            return;
        }
        self.told.insert(path.to_owned(), now);
        let hint = remedy.text();
        if certificate.not_after() < now {
            let ago = -days;
            error!(certificate.path = %path.display(), hint, "the certificate ended {ago} days ago, and clients refuse it");
        } else {
            warn!(certificate.path = %path.display(), hint, "the certificate ends in {days} days, and is not renewed by itself");
        }
    }
}

/// What helps where renewing does not.
#[derive(Clone, Copy)]
enum Remedy {
    Replace,
    NewCa,
}

impl Remedy {
    fn text(self) -> &'static str {
        match self {
            Self::Replace => "replace the file and its key; they are read again by themselves",
            Self::NewCa => {
                "its CA ends then as well: make a new CA with `tidegate certs ca`, and have clients trust both in time"
            }
        }
    }
}

/// Whether `look` renews this certificate when the time comes.
pub(crate) fn renews(pair: &CertificateFiles) -> bool {
    matches!(owner(pair), Ok(Owner::Ours(..)))
}

/// The certificate of the CA that signed the first certificate and lies beside
/// it, PEM: what clients have to trust. Without a CA there, or with one that
/// signed something else, there is nothing to publish.
pub(crate) fn published_ca(pairs: &[CertificateFiles]) -> Option<String> {
    let site = &pairs.first()?.cert;
    let ca = PairPaths::ca(directory(site)).cert();
    let (site, ca) = (
        Certificate::read_first(site).ok()?,
        Certificate::read_first(&ca).ok()?,
    );
    // Made anew from the certificate alone: who put more into the file, such as
    // the key, did not mean to publish that.
    site.is_issued_by(&ca).then(|| ca.to_pem())
}

fn owner(pair: &CertificateFiles) -> Result<Owner, CertsError> {
    match (pair.renew, pair_paths(pair)) {
        (true, Some(paths)) => {
            let ca = certs_tool::signing_ca_beside(&pair.cert)?;
            Ok(ca.map_or(Owner::Elsewhere, |ca| Owner::Ours(paths, Box::new(ca))))
        }
        _ => Ok(Owner::Elsewhere),
    }
}

/// Only pairs that are named as this project names them are written to.
fn pair_paths(pair: &CertificateFiles) -> Option<PairPaths> {
    let name = PairName::parse(pair.cert.file_stem()?.to_str()?).ok()?;
    let paths = PairPaths::site(directory(&pair.cert), &name);
    (paths.cert() == pair.cert && paths.key() == pair.key).then_some(paths)
}

fn directory(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// Whether a new certificate could not end later: none outlives its CA.
fn ends_with(certificate: &Certificate, ca: &Ca) -> bool {
    certificate.not_after() >= ca.certificate().not_after()
}

fn renew(paths: &PairPaths, ca: &Ca, old: &Certificate, now: OffsetDateTime) {
    // With the same key the new certificate takes the place of the old one in
    // one step, and no pair is ever half renewed.
    match certs_tool::renew(paths, ca, &RenewOptions::default()) {
        Ok(renewed) => info!(
            certificate.path = %paths.cert().display(),
            "renewed the certificate, which had {} days left; it now ends on {}",
            old.days_left(now),
            renewed.certificate.not_after().date()
        ),
        Err(e) => not_renewed(&paths.cert(), old, &e),
    }
}

fn not_renewed(path: &Path, certificate: &Certificate, e: &CertsError) {
    error!(
        certificate.path = %path.display(),
        hint = e.hint(),
        "the certificate ends on {} and cannot be renewed: {e}",
        certificate.not_after().date()
    );
}
