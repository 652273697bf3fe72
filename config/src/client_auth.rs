//! Certificates of clients: who is asked for one, who has to show one, and whom
//! it makes them.

use std::path::{Path, PathBuf};

/// What is asked of clients over TLS (RFC 8446, section 4.3.2): of a listener or
/// of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuth {
    /// The CAs, PEM, whose names clients are told so that they choose the right
    /// certificate. Every certificate in these files is trusted to sign others.
    /// Empty only where nothing is verified.
    pub ca: Vec<PathBuf>,
    /// CAs, PEM, that are trusted as well, without clients being told: nginx's
    /// `ssl_trusted_certificate`.
    pub trusted: Vec<PathBuf>,
    /// Revocation lists, PEM. With it, a certificate is let in only if a list of
    /// its CA that has not ended says nothing of it, and the same holds for the
    /// CAs between it and a trusted one.
    pub crl: Option<PathBuf>,
    /// How many CAs may stand between a certificate and a trusted one. `None`:
    /// any number.
    pub depth: Option<u8>,
    /// Whether nobody may come in without a certificate.
    pub required: bool,
    /// What a certificate has to be to be let in.
    pub verify: VerifyClient,
    /// Where in a certificate the name of its user stands.
    pub user: UserFrom,
}

/// What a certificate has to be to be let in, if one is shown. It names a user
/// only if it stands up to [`VerifyClient::Full`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyClient {
    /// Signed by a trusted CA for clients, valid now, and not revoked.
    #[default]
    Full,
    /// As [`VerifyClient::Full`], but signed by anybody: nginx's
    /// `optional_no_ca`.
    AnyIssuer,
    /// Anything, as long as the client has its key: what Go calls
    /// `RequestClientCert` and `RequireAnyClientCert`.
    Nothing,
}

/// Where in a certificate the name of its user stands. Of several, the first
/// counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UserFrom {
    /// The common name of its subject (RFC 5280, section 4.1.2.6).
    #[default]
    CommonName,
    /// An `rfc822Name` among its alternative names (RFC 5280, section 4.2.1.6).
    SanEmail,
    /// A `dNSName` among them.
    SanDns,
    /// A `uniformResourceIdentifier` among them, as of SPIFFE.
    SanUri,
    /// Nowhere: it lets its owner in and names nobody, as with nginx and
    /// docker-registry. A password that is asked for is asked for all the same.
    Nowhere,
}

impl ClientAuth {
    /// A certificate that the CAs of a file signed, which everybody must have.
    #[must_use]
    pub fn required_by(ca: impl Into<PathBuf>) -> Self {
        Self {
            ca: vec![ca.into()],
            trusted: Vec::new(),
            crl: None,
            depth: None,
            required: true,
            verify: VerifyClient::default(),
            user: UserFrom::default(),
        }
    }

    /// Has every path of it be another.
    pub(crate) fn resolve(&mut self, to: impl Fn(&Path) -> PathBuf) {
        let paths = self.ca.iter_mut().chain(&mut self.trusted);
        for path in paths.chain(&mut self.crl) {
            *path = to(path);
        }
    }

    /// Every file that is read for it.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.ca.iter().chain(&self.trusted).chain(&self.crl)
    }
}
