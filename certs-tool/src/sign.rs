//! Certificates for the requests of others, signed by a CA.

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use time::OffsetDateTime;

use crate::ca::Ca;
use crate::client::{ClientName, client_names};
use crate::email::EmailAddress;
use crate::error::CertsError;
use crate::inspect::Certificate;
use crate::leaf::{Leaf, distinguished_name};
use crate::name::HostName;
use crate::request::{self, Request, RequestProblem};
use crate::san::San;
use crate::site::alternative_names;
use crate::subject::Subject;

/// How a request is signed.
#[derive(Debug, Clone)]
pub struct SignOptions {
    /// What the certificate is for.
    pub purpose: Purpose,
    /// A subject in place of the one asked for.
    pub subject: Option<Subject>,
    /// For how many days it is valid; it never outlives the CA.
    pub days: u32,
}

/// What a certificate is for, and its names where they are not to be those
/// asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// A server's, which has at least one name.
    Server(Option<Vec<HostName>>),
    /// A client's, which need not have any.
    Client(Option<Vec<ClientName>>),
}

/// A certificate for whoever has the key.
#[derive(Debug)]
pub struct SignedRequest {
    /// The certificate, PEM, ready for a server as in
    /// [`Issued`](crate::Issued).
    pub pem: String,
    /// What it says.
    pub certificate: Certificate,
    /// Whether it ends sooner than asked for, because its CA does.
    pub shortened: bool,
}

impl Ca {
    /// Signs a certificate for the key, the subject and the names of a request.
    /// What it may be used for is said by `options` alone; whatever else the
    /// request asks for ([`Request::ignored`]) is not in it.
    ///
    /// # Errors
    /// If the request has no names or such as cannot be given, or a subject
    /// that would come out changed; or as [`Ca::issue`].
    pub fn sign_request(
        &self,
        request: &Request,
        options: &SignOptions,
    ) -> Result<SignedRequest, CertsError> {
        let now = OffsetDateTime::now_utc();
        let refused = |problem| request.refused(problem);
        let x509 = request::parse(request.der()).map_err(refused)?;
        let wanted = &x509.certification_request_info.subject;
        let leaf = Leaf {
            subject: match &options.subject {
                Some(subject) => subject.to_distinguished_name(),
                None => distinguished_name(wanted)
                    .map_err(|reason| refused(RequestProblem::Subject { reason }))?,
            },
            names: names(request, &options.purpose)?,
            usages: vec![match options.purpose {
                Purpose::Server(_) => ExtendedKeyUsagePurpose::ServerAuth,
                Purpose::Client(_) => ExtendedKeyUsagePurpose::ClientAuth,
            }],
            days: options.days,
            rsa: request.rsa,
        };
        let (signed, shortened) = self.sign(&leaf, &request.public_key, now)?;
        if options.subject.is_none() && signed.certificate.subject_der() != wanted.as_raw() {
            return Err(refused(RequestProblem::Subject {
                reason: "a subject of an unusual encoding",
            }));
        }
        Ok(SignedRequest {
            pem: signed.pem,
            certificate: signed.certificate,
            shortened,
        })
    }
}

/// The names that the certificate gets, in order, each once.
fn names(request: &Request, purpose: &Purpose) -> Result<Vec<SanType>, CertsError> {
    match purpose {
        Purpose::Server(Some(names)) if names.is_empty() => Err(CertsError::NoNames),
        Purpose::Server(Some(names)) => alternative_names(names),
        Purpose::Client(Some(names)) => client_names(names),
        Purpose::Server(None) if request.names().is_empty() => {
            Err(request.refused(RequestProblem::NoNames))
        }
        Purpose::Server(None) => {
            let hosts: Result<Vec<_>, _> = request.names().iter().map(host).collect();
            alternative_names(&hosts.map_err(|problem| request.refused(problem))?)
        }
        Purpose::Client(None) => {
            let names: Result<Vec<_>, _> = request.names().iter().map(client).collect();
            client_names(&names.map_err(|problem| request.refused(problem))?)
        }
    }
}

fn host(san: &San) -> Result<HostName, RequestProblem> {
    match san {
        San::Ip(address) => Ok((*address).into()),
        // Not every string that fits there is a name that clients could use.
        San::Dns(name) => HostName::parse(name)
            .map_err(|error| not_given(san, error.to_string()))
            .and_then(|host| match host.as_ip() {
                Some(_) => Err(not_given(san, "an IP address as a DNS name".to_owned())),
                None => Ok(host),
            }),
        San::Email(_) | San::Other(_) => Err(not_given(
            san,
            "servers have DNS names and IP addresses".to_owned(),
        )),
    }
}

fn client(san: &San) -> Result<ClientName, RequestProblem> {
    match san {
        San::Email(address) => EmailAddress::parse(address)
            .map(ClientName::Email)
            .map_err(|error| not_given(san, error.to_string())),
        San::Other(_) => Err(not_given(
            san,
            "clients have e-mail addresses, DNS names and IP addresses".to_owned(),
        )),
        San::Dns(_) | San::Ip(_) => host(san).map(ClientName::Host),
    }
}

fn not_given(san: &San, reason: String) -> RequestProblem {
    RequestProblem::Name {
        name: san.to_string().escape_debug().to_string(),
        reason,
    }
}

#[cfg(test)]
mod tests;
