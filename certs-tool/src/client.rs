//! Certificates by which clients log in (mutual TLS), signed by a CA.

use std::fmt;
use std::str::FromStr;

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use tidegate_failure::Explain;
use time::OffsetDateTime;

use crate::ca::Ca;
use crate::email::{EmailAddress, EmailError};
use crate::error::CertsError;
use crate::key::{Key, KeyKind};
use crate::leaf::Leaf;
use crate::name::{HostName, HostNameError};
use crate::site::{Issued, alternative_names};
use crate::subject::Subject;

/// What a new client certificate is to be like.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Whom it is for. Servers take the common name for the user's.
    pub subject: Subject,
    /// What else the client is called; may be empty.
    pub names: Vec<ClientName>,
    /// Its key.
    pub key: KeyKind,
    /// For how many days it is valid; it never outlives its CA.
    pub days: u32,
}

impl ClientOptions {
    /// For this subject, with the default key, for 365 days.
    #[must_use]
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            names: Vec::new(),
            key: KeyKind::default(),
            days: 365,
        }
    }
}

/// A name of a client: a person's e-mail address, or a machine's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientName {
    /// An e-mail address.
    Email(EmailAddress),
    /// A DNS name or an IP address.
    Host(HostName),
}

/// Why a text is no [`ClientName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientNameError {
    /// It has an `@`, and is no e-mail address.
    #[error(transparent)]
    Email(#[from] EmailError),
    /// It has none, and is no name of a host.
    #[error(transparent)]
    Host(#[from] HostNameError),
}

impl Ca {
    /// Makes a key and a certificate for a client: for client authentication,
    /// and otherwise like those of servers.
    ///
    /// # Errors
    /// If the lifetime is out of range, the CA is not valid now, or the
    /// cryptographic library fails.
    pub fn issue_client(&self, options: &ClientOptions) -> Result<Issued, CertsError> {
        let key = Key::generate(options.key)?;
        let leaf = Leaf {
            subject: options.subject.to_distinguished_name(),
            names: client_names(&options.names)?,
            usages: vec![ExtendedKeyUsagePurpose::ClientAuth],
            days: options.days,
            rsa: key.is_rsa(),
        };
        self.issue_leaf(&leaf, key, OffsetDateTime::now_utc())
    }
}

/// In the order given, each once.
pub(crate) fn client_names(names: &[ClientName]) -> Result<Vec<SanType>, CertsError> {
    let mut all = Vec::new();
    for name in names {
        let sans = match name {
            ClientName::Host(host) => alternative_names(std::slice::from_ref(host))?,
            ClientName::Email(address) => {
                vec![SanType::Rfc822Name(address.as_str().try_into().map_err(
                    CertsError::crypto("write a name into the certificate"),
                )?)]
            }
        };
        all.extend(
            sans.into_iter()
                .filter(|san| !all.contains(san))
                .collect::<Vec<_>>(),
        );
    }
    Ok(all)
}

impl FromStr for ClientName {
    type Err = ClientNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A URL with a user is a URL first.
        if text.contains('@') && !text.contains("://") {
            return Ok(Self::Email(EmailAddress::parse(text)?));
        }
        Ok(Self::Host(HostName::parse(text)?))
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(address) => address.fmt(f),
            Self::Host(host) => host.fmt(f),
        }
    }
}

impl Explain for ClientNameError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Email(error) => error.hint(),
            Self::Host(error) => error.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect;
    use crate::{CaOptions, San, make_ca};

    #[test]
    fn is_for_clients_and_names_them() {
        let ca = make_ca(&CaOptions::default()).unwrap();
        let mut options = ClientOptions::new(Subject::of_common_name("alice").unwrap());
        let names = ["alice@example.com", "build-7.lan", "alice@example.com"];
        options.names = names.map(|name| name.parse().unwrap()).to_vec();
        let issued = ca.issue_client(&options).unwrap();
        let certificate = &issued.certificate;
        assert!(certificate.is_for_clients() && !certificate.is_for_servers());
        assert!(!certificate.is_ca() && certificate.is_issued_by(ca.certificate()));
        assert_eq!(certificate.subject(), "CN=alice");
        let expected = [
            San::Email("alice@example.com".to_owned()),
            San::Dns("build-7.lan".to_owned()),
        ];
        assert_eq!(certificate.names(), expected);

        options.names.clear();
        let issued = ca.issue_client(&options).unwrap();
        let x509 = inspect::parse(issued.certificate.der()).unwrap();
        assert!(x509.subject_alternative_name().unwrap().is_none());
    }

    #[test]
    fn names_are_addresses_or_hosts() {
        for name in ["alice@example.com", "build-7.lan", "10.0.0.7"] {
            assert_eq!(name.parse::<ClientName>().unwrap().to_string(), name);
        }
        for (name, message) in [
            ("alice@", "`alice@` is no e-mail address"),
            ("a b", "`a b` is neither a DNS name nor an IP address"),
            ("https://a@b.lan", "`https://a@b.lan` is neither a DNS name"),
        ] {
            let error = name.parse::<ClientName>().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
