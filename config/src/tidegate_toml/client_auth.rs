//! `[listener.client_auth]` and `[site.client_auth]`: certificates of clients.
//! Written as well as read, as sites are.

use std::path::{Path, PathBuf};

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use super::value::{one_of, wrong};
use crate::client_auth::{ClientAuth, UserFrom, VerifyClient};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientAuthSection {
    /// One file, or a list of them.
    #[serde(default, with = "files", skip_serializing_if = "Vec::is_empty")]
    ca: Vec<PathBuf>,
    #[serde(default, with = "files", skip_serializing_if = "Vec::is_empty")]
    trusted: Vec<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crl: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    depth: Option<u8>,
    #[serde(default = "super::file::yes", skip_serializing_if = "is_true")]
    required: bool,
    #[serde(default, with = "verify", skip_serializing_if = "is_usual")]
    verify: VerifyClient,
    #[serde(default, with = "user", skip_serializing_if = "is_usual")]
    user: UserFrom,
}

impl ClientAuthSection {
    /// What it means, with paths taken from `base`.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend that.
    pub(super) fn into_settings(
        self,
        base: &Path,
    ) -> Result<ClientAuth, (&'static str, &'static str)> {
        if self.ca.is_empty() && self.verify == VerifyClient::Full {
            return Err((
                "`client_auth` names no CA: no certificate could be verified",
                "name the CA that signs the certificates of clients: `ca = \"client-ca.crt\"`",
            ));
        }
        if self.crl.is_some() && self.verify != VerifyClient::Full {
            return Err((
                "`crl` without `verify = \"full\"`: whoever signed a certificate need not be the CA of the list",
                "leave out `verify`, or `crl`",
            ));
        }
        let mut settings = ClientAuth {
            ca: self.ca,
            trusted: self.trusted,
            crl: self.crl,
            depth: self.depth,
            required: self.required,
            verify: self.verify,
            user: self.user,
        };
        settings.resolve(|path| base.join(path));
        Ok(settings)
    }

    /// The section that means these settings.
    pub(super) fn of(settings: &ClientAuth) -> Self {
        let settings = settings.clone();
        Self {
            ca: settings.ca,
            trusted: settings.trusted,
            crl: settings.crl,
            depth: settings.depth,
            required: settings.required,
            verify: settings.verify,
            user: settings.user,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_true(value: &bool) -> bool {
    *value
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One path as a text, several as a list.
mod files {
    use super::{Deserialize, Deserializer, Error, PathBuf, Serialize, Serializer, wrong};

    pub(super) fn serialize<S: Serializer>(files: &[PathBuf], s: S) -> Result<S::Ok, S::Error> {
        match files {
            [file] => file.serialize(s),
            files => files.serialize(s),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<PathBuf>, D::Error> {
        const HINT: &str = "write it as \"client-ca.crt\" or [\"one.crt\", \"two.crt\"]";
        let file = |value: &toml::Value| match value.as_str() {
            Some("") | None => Err::<_, D::Error>(wrong("this names no file", HINT)),
            Some(file) => Ok(PathBuf::from(file)),
        };
        match toml::Value::deserialize(d)? {
            toml::Value::Array(list) if list.is_empty() => Err(D::Error::custom(format_args!(
                "an empty list\nhint: {HINT}"
            ))),
            toml::Value::Array(list) => list.iter().map(file).collect(),
            value => Ok(vec![file(&value)?]),
        }
    }
}

const VERIFY: &[(&str, VerifyClient)] = &[
    ("full", VerifyClient::Full),
    ("any-issuer", VerifyClient::AnyIssuer),
    ("nothing", VerifyClient::Nothing),
];

const USER: &[(&str, UserFrom)] = &[
    ("common-name", UserFrom::CommonName),
    ("san-email", UserFrom::SanEmail),
    ("san-dns", UserFrom::SanDns),
    ("san-uri", UserFrom::SanUri),
    ("nowhere", UserFrom::Nowhere),
];

fn name<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    let named = names.iter().find(|(_, known)| known == value);
    named.map_or("", |(name, _)| name)
}

mod verify {
    use super::{Deserializer, Serialize, Serializer, VERIFY, VerifyClient, name, one_of};

    pub(super) fn serialize<S: Serializer>(value: &VerifyClient, s: S) -> Result<S::Ok, S::Error> {
        name(VERIFY, value).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<VerifyClient, D::Error> {
        one_of(d, VERIFY)
    }
}

mod user {
    use super::{Deserializer, Serialize, Serializer, USER, UserFrom, name, one_of};

    pub(super) fn serialize<S: Serializer>(value: &UserFrom, s: S) -> Result<S::Ok, S::Error> {
        name(USER, value).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<UserFrom, D::Error> {
        one_of(d, USER)
    }
}
