//! A certificate in place of one that ends soon: the same names, the same use.

use std::path::Path;

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use time::OffsetDateTime;

use crate::ca::Ca;
use crate::error::CertsError;
use crate::files::{PairPaths, replace_certificate, replace_pair};
use crate::inspect::Certificate;
use crate::key::{Key, KeyKind};
use crate::leaf::{self, Leaf};
use crate::name::HostName;
use crate::san::San;
use crate::site::{Issued, alternative_names};

/// How a certificate is renewed. By default: the same key, the same names, as
/// many days as the old one had.
#[derive(Debug, Clone, Default)]
pub struct RenewOptions {
    /// Whether the key is new.
    pub key: RenewKey,
    /// For how many days it is valid; by default as long as the old one was.
    pub days: Option<u32>,
    /// What it is for, in place of the names that the old one has.
    pub names: Option<Vec<HostName>>,
    /// Whether a certificate that another CA signed is taken over. By default
    /// it is refused: its clients may not trust this one.
    pub from_any_ca: bool,
}

/// The key of a renewed certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RenewKey {
    /// The key stays, and the certificate is replaced in one step.
    #[default]
    Same,
    /// A new key of this kind.
    New(KeyKind),
}

/// Issues a certificate like the one in `paths` and puts it in its place. The
/// old one is complete until the new one is.
///
/// # Errors
/// If the pair is not there or does not belong together, the certificate is
/// none of this CA's, has a subject or names that would come out changed, or
/// the CA is over. Then nothing has changed.
pub fn renew(paths: &PairPaths, ca: &Ca, options: &RenewOptions) -> Result<Issued, CertsError> {
    renew_at(paths, ca, options, OffsetDateTime::now_utc())
}

pub(crate) fn renew_at(
    paths: &PairPaths,
    ca: &Ca,
    options: &RenewOptions,
    now: OffsetDateTime,
) -> Result<Issued, CertsError> {
    // If there is no pair, reading it names the file.
    paths.settle()?;
    let (cert, key_path) = (paths.cert(), paths.key());
    let not_faithful = |reason| CertsError::NotRenewable {
        path: cert.clone(),
        reason,
    };
    let old = Certificate::read_first(&cert)?;
    let old_key = Key::read(&key_path)?;
    if !old.matches_key(&old_key) {
        return Err(CertsError::KeyMismatch {
            cert: cert.clone(),
            key: key_path,
        });
    }
    let usages = same_usages(&old).map_err(&not_faithful)?;
    if !options.from_any_ca && !old.is_issued_by(ca.certificate()) {
        return Err(CertsError::NotIssuedBy {
            cert: cert.clone(),
            ca: ca.certificate().subject().to_owned(),
        });
    }
    let key = match options.key {
        RenewKey::Same => old_key,
        RenewKey::New(kind) => Key::generate(kind)?,
    };
    let names = match &options.names {
        Some(names) => alternative_names(names)?,
        None => same_names(&old).map_err(&not_faithful)?,
    };
    let leaf = Leaf {
        subject: leaf::faithful_subject(&old).map_err(&not_faithful)?,
        names,
        usages,
        days: options.days.unwrap_or_else(|| old.whole_days()),
        rsa: key.is_rsa(),
    };
    let issued = ca.issue_leaf(&leaf, key, now)?;
    if issued.certificate.subject_der() != old.subject_der() {
        return Err(not_faithful("a subject that would come out changed"));
    }
    match options.key {
        RenewKey::Same => replace_certificate(paths, &issued.pair.certificate)?,
        RenewKey::New(_) => replace_pair(paths, &issued.pair)?,
    }
    Ok(issued)
}

/// The CA that lies beside a certificate as `root-ca.crt` and `root-ca.key`, if
/// that is who signed it. `None` where there is no CA, its key is kept
/// elsewhere, or it signed other things.
///
/// # Errors
/// If it is the one that signed, but cannot be used.
pub fn signing_ca_beside(cert: &Path) -> Result<Option<Ca>, CertsError> {
    let paths = PairPaths::ca(cert.parent().unwrap_or(Path::new("")));
    if !paths.cert().exists() || !paths.key().exists() {
        return Ok(None);
    }
    let certificate = Certificate::read_first(cert)?;
    if !certificate.is_issued_by(&Certificate::read_first(&paths.cert())?) {
        return Ok(None);
    }
    Ca::load(&paths.cert(), &paths.key()).map(Some)
}

impl Certificate {
    /// Whether a third of its life or less is left: time for a new one, and
    /// time enough to notice if that fails.
    #[must_use]
    pub fn renewal_due(&self, now: OffsetDateTime) -> bool {
        let life = self.not_after() - self.not_before();
        self.not_after() - now <= life / 3
    }

    /// How long it is valid in all; the hour by which it is backdated does not
    /// count.
    fn whole_days(&self) -> u32 {
        let days = (self.not_after() - self.not_before()).whole_days();
        u32::try_from(days).unwrap_or(u32::MAX).max(1)
    }
}

fn same_names(old: &Certificate) -> Result<Vec<SanType>, &'static str> {
    let names = old
        .names()
        .iter()
        .map(|san| match san {
            San::Ip(address) => Ok(SanType::IpAddress(*address)),
            San::Dns(name) => name
                .as_str()
                .try_into()
                .map(SanType::DnsName)
                .map_err(|_| "a DNS name beyond ASCII"),
            San::Email(address) => address
                .as_str()
                .try_into()
                .map(SanType::Rfc822Name)
                .map_err(|_| "an e-mail address beyond ASCII"),
            San::Other(_) => Err("a name that is no DNS name, IP address or e-mail address"),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(names)
}

fn same_usages(old: &Certificate) -> Result<Vec<ExtendedKeyUsagePurpose>, &'static str> {
    match (old.is_ca(), old.is_for_servers(), old.is_for_clients()) {
        (true, ..) => Err("the rights of a CA, which are not renewed this way"),
        (_, server, client) => {
            let mut usages = vec![];
            if server {
                usages.push(ExtendedKeyUsagePurpose::ServerAuth);
            }
            if client {
                usages.push(ExtendedKeyUsagePurpose::ClientAuth);
            }
            if usages.is_empty() {
                return Err("a use that is neither a server's nor a client's");
            }
            Ok(usages)
        }
    }
}

#[cfg(test)]
mod tests;
