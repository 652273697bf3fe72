//! Whose tokens are believed: `[auth.token]`, and distribution's `auth.token`.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;

/// Tokens in place of passwords: a token server gives them out, and the registry
/// believes those that it signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAuth {
    /// The URL of the token server, to which clients are sent. Empty only with
    /// an [`TokenAuth::auto_redirect`].
    pub realm: String,
    /// What tokens are for: their `aud`, and what clients tell the token server.
    pub service: String,
    /// Who makes tokens: their `iss`.
    pub issuer: String,
    /// Certificates in PEM. Their keys are believed, and so are those of
    /// certificates that lead up to them.
    pub root_cert_bundle: Option<PathBuf>,
    /// Keys as a JSON Web Key Set.
    pub jwks: Option<JwksSource>,
    /// How tokens may be signed; never empty.
    pub algorithms: Vec<Algorithm>,
    /// Clients are sent to this path of the host that they asked, in place of
    /// [`TokenAuth::realm`].
    pub auto_redirect: Option<String>,
}

impl TokenAuth {
    /// The path of [`TokenAuth::auto_redirect`] unless it is said otherwise.
    pub const AUTO_REDIRECT_PATH: &'static str = "/auth/token";

    /// Whether a text can be an [`TokenAuth::auto_redirect`].
    pub(crate) fn is_path(text: &str) -> bool {
        let is_of_path = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        text.starts_with('/') && text.bytes().all(is_of_path)
    }
}

/// Whether clients can be sent there.
pub(crate) fn check_realm(text: &str) -> Result<(), String> {
    let url = url::Url::parse(text).ok();
    let is_web = url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_web && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(format!("`{}` is no http or https URL", text.escape_debug()))
    }
}

/// Whether it can be the name of an issuer or a service.
pub(crate) fn check_name(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.chars().any(char::is_control) {
        return Err("it has control characters");
    }
    Ok(())
}

/// Where a JSON Web Key Set comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    /// A file, read again when it changes.
    File(PathBuf),
    /// A URL, fetched again from time to time.
    Url(JwksUrl),
}

impl FromStr for JwksSource {
    type Err = String;

    /// Whatever has `://` in it is a URL.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("it is empty".to_owned())
        } else if text.contains("://") {
            text.parse().map(Self::Url)
        } else {
            Ok(Self::File(text.into()))
        }
    }
}

/// The URL of a JSON Web Key Set: `https`, or `http` to this machine. Whoever is
/// on the way of anything else could put in keys of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksUrl(url::Url);

impl JwksUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for JwksUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = url::Url::parse(text).map_err(|e| format!("`{text}` is no URL: {e}"))?;
        let is_here = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("keys are public: there is no password in their URL".to_owned());
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_here => Ok(Self(url)),
            "http" => Err(format!(
                "`{text}` is fetched in the clear: whoever is on the way could put in keys of their own"
            )),
            _ => Err(format!("`{text}` is no https URL")),
        }
    }
}

/// How a token is signed (RFC 7518 section 3.1, RFC 8037 section 3.1). There is
/// no `none` among them, and nothing with a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    Rs512,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// RSA-PSS with SHA-384.
    Ps384,
    /// RSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them, which is what is allowed unless it is said otherwise.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// Its name in the header of a token.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Algorithm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// `none`.
    #[error("a token without a signature proves nothing")]
    None,
    /// `HS256` and the like.
    #[error("with a shared secret, whoever can check tokens can make them")]
    Shared,
    /// Anything else.
    #[error("no algorithm of that name is known here")]
    Unknown,
}

impl FromStr for Algorithm {
    type Err = AlgorithmError;

    fn from_str(name: &str) -> Result<Self, AlgorithmError> {
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or(match name {
            _ if name.eq_ignore_ascii_case("none") => AlgorithmError::None,
            "HS256" | "HS384" | "HS512" => AlgorithmError::Shared,
            _ => AlgorithmError::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_are_known_by_their_names() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
        for (name, error) in [
            ("none", AlgorithmError::None),
            ("None", AlgorithmError::None),
            ("HS256", AlgorithmError::Shared),
            ("rs256", AlgorithmError::Unknown),
            ("ES256K", AlgorithmError::Unknown),
            ("", AlgorithmError::Unknown),
        ] {
            assert_eq!(name.parse::<Algorithm>(), Err(error), "{name}");
        }
    }

    #[test]
    fn keys_are_fetched_where_nobody_can_put_in_others() {
        for text in [
            "https://auth.example.org/jwks.json",
            "http://127.0.0.1:5001/jwks",
            "http://[::1]/jwks",
            "http://localhost:80/jwks",
        ] {
            assert!(text.parse::<JwksUrl>().is_ok(), "{text}");
        }
        for text in [
            "",
            "/etc/jwks",
            "http://auth.example.org/jwks",
            "ftp://auth.example.org/jwks",
            "https://u:p@auth.example.org/jwks",
            "file:///etc/jwks",
        ] {
            assert!(text.parse::<JwksUrl>().is_err(), "{text}");
        }
    }
}
