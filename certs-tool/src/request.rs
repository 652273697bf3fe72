//! Requests for certificates that others made, before they are signed.

use std::path::{Path, PathBuf};

use rcgen::{PublicKeyData, SubjectPublicKeyInfo};
use rustls::pki_types::CertificateSigningRequestDer;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::error::X509Error;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::nom;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

pub use self::problem::RequestProblem;
use crate::error::CertsError;
use crate::key::Key;
use crate::pem;
use crate::san::San;

mod problem;

/// A request (PKCS#10, RFC 2986) whose maker has the key that it is for. What
/// it asks for has not been granted by that.
#[derive(Debug, Clone)]
pub struct Request {
    path: PathBuf,
    der: CertificateSigningRequestDer<'static>,
    subject: String,
    names: Vec<San>,
    ignored: Vec<String>,
    pub(crate) public_key: SubjectPublicKeyInfo,
    pub(crate) rsa: bool,
}

impl Request {
    /// Reads the first request of a PEM file.
    ///
    /// # Errors
    /// If the file cannot be read or holds no request; if the request is
    /// damaged, is not signed with its own key, has a key of a kind that is not
    /// supported, or asks for the rights of a CA.
    pub fn read(path: &Path) -> Result<Self, CertsError> {
        let der = pem::read_request(path)?;
        Self::from_der(path, der).map_err(|problem| CertsError::Request {
            path: path.to_owned(),
            problem,
        })
    }

    /// `path` is for the messages.
    fn from_der(
        path: &Path,
        der: CertificateSigningRequestDer<'static>,
    ) -> Result<Self, RequestProblem> {
        let x509 = parse(&der)?;
        let info = &x509.certification_request_info;
        let (public_key, rsa) = public_key(&x509)?;
        x509.verify_signature().map_err(|error| match error {
            X509Error::SignatureUnsupportedAlgorithm => RequestProblem::SignatureKind {
                found: short_name(&x509.signature_algorithm.algorithm),
            },
            _ => RequestProblem::Signature,
        })?;
        let (names, ignored) = wishes(&x509)?;
        Ok(Self {
            path: path.to_owned(),
            subject: info.subject.to_string(),
            names,
            ignored,
            public_key,
            rsa,
            der,
        })
    }

    /// Whom it is about, for people.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The names that it asks for.
    #[must_use]
    pub fn names(&self) -> &[San] {
        &self.names
    }

    /// What else it asks for, by openssl's names: extensions and attributes that
    /// a certificate made from it will not have, or not as asked for.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Whether it is for this key.
    #[must_use]
    pub fn matches_key(&self, key: &Key) -> bool {
        self.public_key.der_bytes() == key.public_bits()
    }

    pub(crate) fn refused(&self, problem: RequestProblem) -> CertsError {
        CertsError::Request {
            path: self.path.clone(),
            problem,
        }
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }
}

/// The only way in which bytes become a request here.
pub(crate) fn parse(der: &[u8]) -> Result<X509CertificationRequest<'_>, RequestProblem> {
    let damaged = |reason: String| RequestProblem::Damaged { reason };
    match X509CertificationRequest::from_der(der) {
        Ok(([], request)) => Ok(request),
        Ok(_) => Err(damaged("more bytes follow it".to_owned())),
        Err(nom::Err::Error(error) | nom::Err::Failure(error)) => Err(damaged(error.to_string())),
        Err(nom::Err::Incomplete(_)) => Err(damaged("it ends too early".to_owned())),
    }
}

/// The key, and whether it is RSA.
fn public_key(
    x509: &X509CertificationRequest<'_>,
) -> Result<(SubjectPublicKeyInfo, bool), RequestProblem> {
    let spki = &x509.certification_request_info.subject_pki;
    let unsupported = |found: String| RequestProblem::Key { found };
    let rsa = match spki.parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < 2048 => {
            return Err(unsupported(format!("RSA of {} bits", key.key_size())));
        }
        parsed => matches!(parsed, Ok(PublicKey::RSA(_))),
    };
    let kind = || {
        let curve = spki.algorithm.parameters.as_ref();
        let curve = curve.and_then(|parameters| parameters.as_oid().ok());
        let oid = curve.as_ref().unwrap_or(&spki.algorithm.algorithm);
        format!("of the kind {}", short_name(oid))
    };
    let key = SubjectPublicKeyInfo::from_der(spki.raw).map_err(|_| unsupported(kind()))?;
    // What would be certified has to be what was asked for, to the byte.
    if key.subject_public_key_info() != spki.raw {
        return Err(unsupported(kind()));
    }
    Ok((key, rsa))
}

/// The names that are asked for, and what else is.
fn wishes(x509: &X509CertificationRequest<'_>) -> Result<(Vec<San>, Vec<String>), RequestProblem> {
    let mut names = None;
    let mut ignored = Vec::new();
    for attribute in x509.certification_request_info.iter_attributes() {
        let ParsedCriAttribute::ExtensionRequest(request) = attribute.parsed_attribute() else {
            ignored.push(short_name(&attribute.oid));
            continue;
        };
        for extension in &request.extensions {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(san) => {
                    let asked = san.general_names.iter().map(San::of).collect();
                    if names.replace(asked).is_some() {
                        return Err(RequestProblem::Damaged {
                            reason: "it has two subjectAltName extensions".to_owned(),
                        });
                    }
                }
                ParsedExtension::BasicConstraints(basic) if basic.ca => {
                    return Err(RequestProblem::Ca);
                }
                // What every certificate says that is signed here.
                ParsedExtension::BasicConstraints(_) => {}
                ParsedExtension::ParseError { .. } => {
                    return Err(RequestProblem::Damaged {
                        reason: format!("its {} cannot be read", extension_name(extension)),
                    });
                }
                _ => ignored.push(extension_name(extension)),
            }
        }
    }
    Ok((names.unwrap_or_default(), ignored))
}

fn extension_name(extension: &X509Extension<'_>) -> String {
    short_name(&extension.oid)
}

/// As openssl calls it, or its number.
fn short_name(oid: &Oid<'_>) -> String {
    oid2sn(oid, oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
