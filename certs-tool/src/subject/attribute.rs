//! The attributes of a distinguished name, and what they may hold.

use std::fmt;

use rcgen::string::{Ia5String, PrintableString};
use rcgen::{DnType, DnValue};

/// The attributes that openssl's configuration asks for, and those found in
/// directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    Country,
    State,
    Locality,
    Organization,
    OrganizationalUnit,
    CommonName,
    Email,
    DomainComponent,
    SerialNumber,
}

/// Why an attribute cannot have a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValueError {
    #[error("{0} has no value")]
    Empty(Attribute),
    #[error("{0} contains a control character")]
    Control(Attribute),
    #[error("{attribute} has {characters} characters; expected {}", attribute.length())]
    Length {
        attribute: Attribute,
        characters: usize,
    },
    #[error("{0} takes no `{shown}`: {rule}", shown = .1.escape_debug(), rule = .0.rule())]
    Character(Attribute, char),
}

/// What X.520 and RFC 5280 appendix A say of an attribute.
struct Facts {
    /// openssl's names.
    short: &'static str,
    long: &'static str,
    oid: &'static [u64],
    /// In characters.
    least: usize,
    most: usize,
}

impl Attribute {
    const ALL: [Self; 9] = [
        Self::Country,
        Self::State,
        Self::Locality,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::CommonName,
        Self::Email,
        Self::DomainComponent,
        Self::SerialNumber,
    ];

    /// By openssl's short or long name, in any case.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| {
            let Facts { short, long, .. } = attribute.facts();
            name.eq_ignore_ascii_case(short) || name.eq_ignore_ascii_case(long)
        })
    }

    /// The short names, for messages.
    pub(super) fn known() -> String {
        Self::ALL
            .map(|attribute| attribute.facts().short)
            .join(", ")
    }

    pub(super) fn oid(self) -> DnType {
        // Picks the named variant where there is one: names are compared by it.
        DnType::from_oid(self.facts().oid)
    }

    pub(super) fn check(self, value: &str) -> Result<(), ValueError> {
        let Facts { least, most, .. } = self.facts();
        let characters = value.chars().count();
        if characters == 0 {
            return Err(ValueError::Empty(self));
        }
        if value.contains(char::is_control) {
            return Err(ValueError::Control(self));
        }
        if !(least..=most).contains(&characters) {
            return Err(ValueError::Length {
                attribute: self,
                characters,
            });
        }
        match value.chars().find(|&c| !self.takes(c)) {
            Some(c) => Err(ValueError::Character(self, c)),
            None => Ok(()),
        }
    }

    /// As openssl encodes it, so that a name made here has the bytes of one made
    /// there.
    pub(super) fn encode(self, value: &str) -> DnValue {
        let encoded = match self {
            Self::Country | Self::SerialNumber => PrintableString::try_from(value)
                .ok()
                .map(DnValue::PrintableString),
            Self::Email | Self::DomainComponent => {
                Ia5String::try_from(value).ok().map(DnValue::Ia5String)
            }
            _ => None,
        };
        // `check` has let through only what these strings can hold.
        encoded.unwrap_or_else(|| DnValue::Utf8String(value.to_owned()))
    }

    fn facts(self) -> Facts {
        let (short, long, oid, least, most): (_, _, &[u64], _, _) = match self {
            Self::Country => ("C", "countryName", &[2, 5, 4, 6], 2, 2),
            Self::State => ("ST", "stateOrProvinceName", &[2, 5, 4, 8], 1, 128),
            Self::Locality => ("L", "localityName", &[2, 5, 4, 7], 1, 128),
            Self::Organization => ("O", "organizationName", &[2, 5, 4, 10], 1, 64),
            Self::OrganizationalUnit => ("OU", "organizationalUnitName", &[2, 5, 4, 11], 1, 64),
            Self::CommonName => ("CN", "commonName", &[2, 5, 4, 3], 1, 64),
            Self::Email => {
                let oid = &[1, 2, 840, 113_549, 1, 9, 1];
                ("emailAddress", "emailAddress", oid, 1, 128)
            }
            Self::DomainComponent => {
                let oid = &[0, 9, 2342, 19_200_300, 100, 1, 25];
                ("DC", "domainComponent", oid, 1, 63)
            }
            Self::SerialNumber => ("serialNumber", "serialNumber", &[2, 5, 4, 5], 1, 64),
        };
        Facts {
            short,
            long,
            oid,
            least,
            most,
        }
    }

    fn takes(self, c: char) -> bool {
        match self {
            Self::Country => c.is_ascii_alphabetic(),
            Self::SerialNumber => c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c),
            Self::Email | Self::DomainComponent => c.is_ascii(),
            _ => true,
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Country => "it is two letters, as DE",
            Self::SerialNumber => "it is letters, digits, space and '()+,-./:=?",
            _ => "it is ASCII",
        }
    }

    fn length(self) -> String {
        match self.facts() {
            Facts { least, most, .. } if least == most => least.to_string(),
            Facts { least, most, .. } => format!("{least} to {most}"),
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts().short)
    }
}
