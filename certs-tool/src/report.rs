//! What a file of certificates holds, and what clients will not like about it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha1::Sha1;
use sha2::Digest as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;

use crate::error::CertsError;
use crate::files::PairPaths;
use crate::inspect::{self, Certificate};
use crate::key::Key;
use crate::san::San;

/// A file of certificates, as `certs-tool show` tells of it. Serialised, it is
/// what `--json` writes.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// Its certificates, in their order.
    pub certificates: Vec<Description>,
    /// The private key that was looked at, if there is one.
    pub key: Option<KeyReport>,
    /// The CA that was looked at, if there is one.
    pub ca: Option<CaReport>,
    /// What is wrong, or will be soon.
    pub findings: Vec<Finding>,
}

/// A certificate in words.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// Whom it is about.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// What it is for: DNS names and addresses.
    pub names: Vec<String>,
    /// Whether it is a CA's.
    pub is_ca: bool,
    /// How many CAs may stand below it, if that is limited.
    pub path_length: Option<u32>,
    /// `server`, `client`, both, or what else it says; empty if it may be used
    /// for anything.
    pub extended_key_usage: Vec<String>,
    /// Kind and size of its key, as `ECDSA P-256` or `RSA 2048`.
    pub key: String,
    /// How it was signed.
    pub signature: String,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// From when it is valid (RFC 3339, UTC).
    pub not_before: String,
    /// Until when.
    pub not_after: String,
    /// The whole days until then; negative once it is over.
    pub days_left: i64,
    /// SHA-256 of its bytes, as `AB:CD:…`.
    pub sha256: String,
    /// SHA-1 of its bytes, by which older programs know it.
    pub sha1: String,
}

/// A private key beside a certificate.
#[derive(Debug, Clone, Serialize)]
pub struct KeyReport {
    /// The file.
    pub file: PathBuf,
    /// Whether it is the key of the first certificate.
    pub matches: bool,
}

/// A CA beside a certificate.
#[derive(Debug, Clone, Serialize)]
pub struct CaReport {
    /// The file.
    pub file: PathBuf,
    /// Whether it signed the last certificate of the chain.
    pub signed: bool,
}

/// Something about a certificate that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Clients refuse it.
    Error,
    /// Some clients will, or soon.
    Warning,
}

/// What is looked at besides the certificates.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The key; by default `NAME.key` beside `NAME.crt`, if it is there.
    pub key: Option<PathBuf>,
    /// The CA; by default `root-ca.crt` beside it, if it is there.
    pub ca: Option<PathBuf>,
}

impl Report {
    /// Looks at a file of certificates.
    ///
    /// # Errors
    /// If a file cannot be read, or one that was named holds something else.
    pub fn of(file: &Path, beside: &Beside) -> Result<Self, CertsError> {
        Self::at(file, beside, OffsetDateTime::now_utc())
    }

    fn at(file: &Path, beside: &Beside, now: OffsetDateTime) -> Result<Self, CertsError> {
        let chain = Certificate::read(file)?;
        let mut findings = chain_findings(&chain, now);
        let key = key_report(file, &chain, beside, &mut findings)?;
        let ca = ca_report(file, &chain, beside, &mut findings)?;
        Ok(Self {
            file: file.to_owned(),
            certificates: chain.iter().map(|one| Description::of(one, now)).collect(),
            key,
            ca,
            findings,
        })
    }

    /// Whether clients will refuse it.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        let is_error = |finding: &Finding| finding.severity == Severity::Error;
        self.findings.iter().any(is_error)
    }
}

impl Description {
    fn of(certificate: &Certificate, now: OffsetDateTime) -> Self {
        // Certificates have been parsed before they get here.
        let x509 = inspect::parse(certificate.der()).ok();
        let x509 = x509.as_ref();
        let date = |moment: OffsetDateTime| moment.format(&Rfc3339).unwrap_or_default();
        let constraints = x509.and_then(|x509| x509.basic_constraints().ok().flatten());
        Self {
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            names: certificate.names().iter().map(San::to_string).collect(),
            is_ca: certificate.is_ca(),
            path_length: constraints.and_then(|extension| extension.value.path_len_constraint),
            extended_key_usage: x509.map(usages).unwrap_or_default(),
            key: x509.map(key_kind).unwrap_or_default(),
            signature: x509.map(signature).unwrap_or_default(),
            serial: certificate.serial().to_string(),
            not_before: date(certificate.not_before()),
            not_after: date(certificate.not_after()),
            days_left: certificate.days_left(now),
            sha256: certificate.fingerprint_sha256(),
            sha1: hex::encode_upper(Sha1::digest(certificate.der()))
                .as_bytes()
                .chunks(2)
                .map(String::from_utf8_lossy)
                .collect::<Vec<_>>()
                .join(":"),
        }
    }
}

impl Finding {
    fn error(text: impl Into<String>, hint: impl Into<Option<&'static str>>) -> Self {
        Self {
            severity: Severity::Error,
            text: text.into(),
            hint: hint.into().map(str::to_owned),
        }
    }

    fn warning(text: impl Into<String>, hint: impl Into<Option<&'static str>>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(text, hint)
        }
    }
}

/// What the certificates themselves show, the server's own first.
fn chain_findings(chain: &[Certificate], now: OffsetDateTime) -> Vec<Finding> {
    const SOON_DAYS: i64 = 30;
    const RENEW: &str = "certs-tool renew NAME";
    let mut findings = vec![];
    for certificate in chain {
        let who = certificate.subject();
        let days = certificate.days_left(now);
        if certificate.not_after() < now {
            findings.push(Finding::error(
                format!("`{who}` ended {} days ago", -days),
                RENEW,
            ));
        } else if certificate.not_before() > now {
            findings.push(Finding::error(
                format!(
                    "`{who}` is valid from {} only",
                    certificate.not_before().date()
                ),
                "see that the clock is right",
            ));
        } else if days < SOON_DAYS {
            findings.push(Finding::warning(
                format!("`{who}` ends in {days} days"),
                RENEW,
            ));
        }
        findings.extend(weakness(certificate));
    }
    let Some(leaf) = chain.first() else {
        return findings;
    };
    if !leaf.is_ca() && leaf.is_for_servers() && leaf.names().is_empty() {
        findings.push(Finding::error(
            format!(
                "`{}` has no names (SAN): clients say \"certificate relies on legacy Common Name field\"",
                leaf.subject()
            ),
            "make one with names: certs-tool site NAME --san NAME_OR_IP",
        ));
    }
    if leaf.is_ca() && chain.len() > 1 && !leaf.is_issued_by(leaf) {
        findings.push(Finding::warning(
            format!("`{}`, the first of the file, is a CA's", leaf.subject()),
            "a server's file begins with its own certificate",
        ));
    }
    findings.extend(order(chain));
    findings
}

/// A signature or a key that clients refuse as too weak.
#[must_use]
pub fn weakness(certificate: &Certificate) -> Option<Finding> {
    let who = certificate.subject();
    let x509 = inspect::parse(certificate.der()).ok()?;
    let signature = signature(&x509);
    if signature.contains("SHA-1") || signature.contains("MD5") {
        return Some(Finding::error(
            format!("`{who}` is signed with {signature}, which clients refuse"),
            "have it made anew with SHA-256",
        ));
    }
    match x509.public_key().parsed() {
        // A modulus may begin with a zero byte, and bits may be missing at its
        // top; nobody makes 2047 bits on purpose.
        Ok(PublicKey::RSA(key)) if key.key_size() < 2040 => Some(Finding::error(
            format!(
                "`{who}` has an RSA key of {} bits; clients want 2048",
                key.key_size()
            ),
            "make a new key",
        )),
        _ => None,
    }
}

/// Whether each certificate is signed by the next.
fn order(chain: &[Certificate]) -> Option<Finding> {
    let broken = chain
        .windows(2)
        .position(|pair| !pair[0].is_issued_by(&pair[1]));
    if let Some(at) = broken {
        let (this, next) = (&chain[at], &chain[at + 1]);
        let sorted = chain
            .iter()
            .any(|other| this.is_issued_by(other) && other != this);
        let text = format!(
            "`{}` is followed by `{}`, which did not sign it",
            this.subject(),
            next.subject()
        );
        let hint = if sorted {
            "put the certificates in order: the server's own, then each that signed the one before"
        } else {
            "put the certificate that signed it between them, or take the other away"
        };
        return Some(Finding::error(text, hint));
    }
    let last = chain.last()?;
    (chain.len() > 1 && last.is_issued_by(last)).then(|| {
        Finding::warning(
            format!("`{}`, the root, need not be in the file", last.subject()),
            "clients that trust it have it; others will not believe it",
        )
    })
}

fn key_report(
    file: &Path,
    chain: &[Certificate],
    beside: &Beside,
    findings: &mut Vec<Finding>,
) -> Result<Option<KeyReport>, CertsError> {
    let path = match &beside.key {
        Some(path) => path.clone(),
        None => {
            let path = file.with_extension("key");
            if !path.is_file() || path == file {
                return Ok(None);
            }
            path
        }
    };
    let key = Key::read(&path)?;
    let matches = chain.first().is_some_and(|leaf| leaf.matches_key(&key));
    if !matches {
        findings.push(Finding::error(
            format!("{} is the key of another certificate", path.display()),
            "restore the key that the certificate was made for, or make a new pair",
        ));
    }
    let mode = fs_err::metadata(&path)
        .map_err(CertsError::Read)?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        findings.push(Finding::warning(
            format!(
                "{} can be used by others (mode {:04o})",
                path.display(),
                mode & 0o7777
            ),
            "chmod 600 it, unless that group is meant to",
        ));
    }
    Ok(Some(KeyReport {
        file: path,
        matches,
    }))
}

fn ca_report(
    file: &Path,
    chain: &[Certificate],
    beside: &Beside,
    findings: &mut Vec<Finding>,
) -> Result<Option<CaReport>, CertsError> {
    let named = beside.ca.is_some();
    let path = match &beside.ca {
        Some(path) => path.clone(),
        None => PairPaths::ca(file.parent().unwrap_or(Path::new(""))).cert(),
    };
    if !named && (!path.is_file() || path == file) {
        return Ok(None);
    }
    let ca = Certificate::read_first(&path)?;
    let Some(last) = chain.last() else {
        return Ok(None);
    };
    let signed = last.is_issued_by(&ca);
    if !signed && named {
        findings.push(Finding::error(
            format!("{} did not sign `{}`", path.display(), last.subject()),
            "find the CA that did, or the certificate between the two",
        ));
    } else if signed && ca.not_after() < last.not_after() {
        findings.push(Finding::warning(
            format!("its CA ends sooner, on {}", ca.not_after().date()),
            None,
        ));
    }
    Ok(Some(CaReport { file: path, signed }))
}

fn usages(x509: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = x509.extended_key_usage() else {
        return vec![];
    };
    let usage = extension.value;
    let known = [
        (usage.any, "any"),
        (usage.server_auth, "server"),
        (usage.client_auth, "client"),
        (usage.code_signing, "code signing"),
        (usage.email_protection, "email"),
        (usage.time_stamping, "time stamping"),
        (usage.ocsp_signing, "OCSP signing"),
    ];
    let others = usage.other.iter().map(ToString::to_string);
    let known = known.into_iter().filter(|(has, _)| *has);
    known
        .map(|(_, name)| name.to_owned())
        .chain(others)
        .collect()
}

fn key_kind(x509: &X509Certificate<'_>) -> String {
    const ED25519: &str = "1.3.101.112";
    let key = x509.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
        Ok(PublicKey::EC(point)) => format!(
            "ECDSA P-{}",
            match point.key_size() {
                // 521 bits are written in 66 bytes.
                528 => 521,
                bits => bits,
            }
        ),
        _ if key.algorithm.algorithm.to_id_string() == ED25519 => "Ed25519".to_owned(),
        _ => key.algorithm.algorithm.to_id_string(),
    }
}

fn signature(x509: &X509Certificate<'_>) -> String {
    let id = x509.signature_algorithm.algorithm.to_id_string();
    let name = match id.as_str() {
        "1.2.840.10045.4.3.2" => "ECDSA with SHA-256",
        "1.2.840.10045.4.3.3" => "ECDSA with SHA-384",
        "1.2.840.10045.4.3.4" => "ECDSA with SHA-512",
        "1.2.840.10045.4.1" => "ECDSA with SHA-1",
        "1.2.840.113549.1.1.4" => "RSA with MD5",
        "1.2.840.113549.1.1.5" => "RSA with SHA-1",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.2.840.113549.1.1.11" => "RSA with SHA-256",
        "1.2.840.113549.1.1.12" => "RSA with SHA-384",
        "1.2.840.113549.1.1.13" => "RSA with SHA-512",
        "1.3.101.112" => "Ed25519",
        _ => return id,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests;
