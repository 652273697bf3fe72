//! Certificates for servers, signed by a CA.

use rcgen::{DistinguishedName, ExtendedKeyUsagePurpose, SanType};
use time::OffsetDateTime;

use crate::ca::Ca;
use crate::error::CertsError;
use crate::files::Pair;
use crate::inspect::Certificate;
use crate::key::{Key, KeyKind};
use crate::leaf::Leaf;
use crate::name::HostName;
use crate::subject::Subject;

/// What a new site certificate is to be like.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// Every name and address that clients use; at least one. Repetitions do no
    /// harm.
    pub names: Vec<HostName>,
    /// Its subject, which clients do not look at. By default the first name as
    /// common name, or nothing if that is too long.
    pub subject: Option<Subject>,
    /// Its key.
    pub key: KeyKind,
    /// For how many days it is valid; it never outlives its CA.
    pub days: u32,
}

impl SiteOptions {
    /// For these names, with the default key, for 750 days: Apple's clients
    /// accept at most 825.
    #[must_use]
    pub fn new(names: Vec<HostName>) -> Self {
        Self {
            names,
            subject: None,
            key: KeyKind::default(),
            days: 750,
        }
    }
}

/// A certificate that was just made, with its key.
#[derive(Debug)]
pub struct Issued {
    /// The certificate and its key. Where the CA is an intermediate, its chain
    /// follows the certificate, ready for a server; the root is not in it: a
    /// client that trusts it has it, and to others it would be of no use.
    pub pair: Pair,
    /// What it says.
    pub certificate: Certificate,
    /// Whether it ends sooner than asked for, because its CA does.
    pub shortened: bool,
}

impl Ca {
    /// Makes a key and a certificate for a server.
    ///
    /// The certificate is critical `CA:FALSE`, for server authentication, with a
    /// random serial number, and valid from an hour ago for clients whose clock
    /// is slow.
    ///
    /// # Errors
    /// If there is no name, the lifetime is out of range, the CA is not valid
    /// now, or the cryptographic library fails.
    pub fn issue(&self, options: &SiteOptions) -> Result<Issued, CertsError> {
        self.issue_at(options, OffsetDateTime::now_utc())
    }

    pub(crate) fn issue_at(
        &self,
        options: &SiteOptions,
        now: OffsetDateTime,
    ) -> Result<Issued, CertsError> {
        let first = options.names.first().ok_or(CertsError::NoNames)?;
        self.certificate().check_valid_at(now, "the CA")?;
        let key = Key::generate(options.key)?;
        let leaf = Leaf {
            subject: subject_for(options.subject.as_ref(), first),
            names: alternative_names(&options.names)?,
            usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
            days: options.days,
            rsa: key.is_rsa(),
        };
        self.issue_leaf(&leaf, key, now)
    }
}

/// The subject that was asked for, or else a common name where one is allowed.
pub(crate) fn subject_for(wanted: Option<&Subject>, first: &HostName) -> DistinguishedName {
    wanted
        .cloned()
        .or_else(|| Subject::of_common_name(&first.to_string()))
        .map_or_else(DistinguishedName::new, |s| s.to_distinguished_name())
}

/// In the order given, each once.
pub(crate) fn alternative_names(names: &[HostName]) -> Result<Vec<SanType>, CertsError> {
    let mut all = Vec::new();
    for name in names {
        let san = match (name.as_ip(), name.as_dns()) {
            (Some(address), _) => SanType::IpAddress(address),
            (None, name) => SanType::DnsName(
                name.unwrap_or_default()
                    .try_into()
                    .map_err(CertsError::crypto("write a name into the certificate"))?,
            ),
        };
        if !all.contains(&san) {
            all.push(san);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
