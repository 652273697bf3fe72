//! The names of variables.

use std::fmt::{self, Display};
use std::sync::Arc;

use super::Names;
use crate::site::{CertificateFact, Variable};

/// The variables that have one name each.
pub(super) const VARIABLES: [(&str, Variable); 25] = [
    ("host", Variable::Host),
    ("scheme", Variable::Scheme),
    ("request_method", Variable::RequestMethod),
    ("request_uri", Variable::RequestUri),
    ("uri", Variable::Uri),
    ("args", Variable::Args),
    ("is_args", Variable::IsArgs),
    ("server_name", Variable::ServerName),
    ("server_addr", Variable::ServerAddress),
    ("server_port", Variable::ServerPort),
    ("server_protocol", Variable::ServerProtocol),
    ("https", Variable::Https),
    ("remote_addr", Variable::RemoteAddress),
    ("remote_port", Variable::RemotePort),
    ("remote_user", Variable::RemoteUser),
    ("proxy_add_x_forwarded_for", Variable::ProxyAddXForwardedFor),
    ("proxy_host", Variable::ProxyHost),
    ("status", Variable::Status),
    (
        "ssl_client_verify",
        Variable::Client(CertificateFact::Verify),
    ),
    (
        "ssl_client_s_dn",
        Variable::Client(CertificateFact::Subject),
    ),
    ("ssl_client_i_dn", Variable::Client(CertificateFact::Issuer)),
    (
        "ssl_client_serial",
        Variable::Client(CertificateFact::Serial),
    ),
    (
        "ssl_client_fingerprint",
        Variable::Client(CertificateFact::Fingerprint),
    ),
    (
        "ssl_client_escaped_cert",
        Variable::Client(CertificateFact::Escaped),
    ),
    // What nginx has two names for is written by the first.
    ("document_uri", Variable::Uri),
];

impl Variable {
    /// The variable of that name, without the dollar sign, if there is one.
    #[must_use]
    pub fn of_name(name: &str, known: Names<'_>) -> Option<Self> {
        let translated = known.translations.iter().find(|known| known.name == name);
        if let Some(translation) = translated {
            return Some(Self::Translated(Arc::clone(translation)));
        }
        if known.captures.iter().any(|capture| capture == name) {
            return Some(Self::NamedCapture(name.to_owned()));
        }
        if name == "query_string" {
            return Some(Self::Args);
        }
        if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) {
            return Some(variable.clone());
        }
        let field = |name: &str| (!name.is_empty()).then(|| name.replace('_', "-"));
        if let Some(name) = name.strip_prefix("http_") {
            return field(name).map(Self::RequestHeader);
        }
        let of_answer = ["upstream_http_", "sent_http_"];
        let name = of_answer
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))?;
        field(name).map(Self::ResponseHeader)
    }
}

impl Display for Variable {
    /// The name, without the dollar sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestHeader(name) => write!(f, "http_{}", name.replace('-', "_")),
            Self::ResponseHeader(name) => write!(f, "upstream_http_{}", name.replace('-', "_")),
            Self::Translated(translation) => f.write_str(&translation.name),
            Self::NamedCapture(name) => f.write_str(name),
            Self::Capture(group) => write!(f, "{group}"),
            plain => {
                let known = VARIABLES.iter().find(|(_, variable)| variable == plain);
                f.write_str(known.map_or("", |(name, _)| name))
            }
        }
    }
}
