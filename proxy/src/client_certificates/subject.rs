//! Who a certificate is about: the user it names, and its names as nginx writes
//! them.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::CertificateDer;
use sha1::{Digest, Sha1};
use tidegate_auth::Identity;
use tidegate_config::UserFrom;
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::prelude::{
    AttributeTypeAndValue, FromDer, GeneralName, X509Certificate, X509Name,
};

/// The longest user name, in bytes: that of an htpasswd file.
const LONGEST: usize = 255;

/// The user that a certificate names in that place; `None` if it names nobody
/// there, or somebody that could not be a user: what is logged and compared must
/// not have control characters, nor blanks that nobody sees.
pub(super) fn user(der: &CertificateDer<'_>, from: UserFrom) -> Option<Identity> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let name = match from {
        UserFrom::CommonName => {
            let mut names = certificate.subject().iter_common_name();
            text(names.next()?.attr_value())?
        }
        UserFrom::SanEmail | UserFrom::SanDns | UserFrom::SanUri => {
            let names = certificate.subject_alternative_name().ok()??;
            let mut names = names.value.general_names.iter();
            names.find_map(|name| alternative(name, from))?
        }
        UserFrom::Nowhere => return None,
    };
    let is_name = !name.is_empty()
        && name.len() <= LONGEST
        && name.trim() == name
        && !name.contains(char::is_control);
    is_name.then(|| Identity::new(&name))
}

fn alternative(name: &GeneralName<'_>, from: UserFrom) -> Option<String> {
    match (name, from) {
        (GeneralName::RFC822Name(name), UserFrom::SanEmail)
        | (GeneralName::DNSName(name), UserFrom::SanDns)
        | (GeneralName::URI(name), UserFrom::SanUri) => Some((*name).to_owned()),
        _ => None,
    }
}

/// The names of a certificate's subject and of its issuer (RFC 2253).
pub(crate) struct DistinguishedNames {
    pub(crate) subject: String,
    pub(crate) issuer: String,
}

/// The names in a certificate, as nginx 1.11.6 and later writes them; `None` if
/// it cannot be read.
pub(crate) fn distinguished_names(der: &CertificateDer<'_>) -> Option<DistinguishedNames> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(DistinguishedNames {
        subject: written(certificate.subject()),
        issuer: written(certificate.issuer()),
    })
}

/// The serial number in upper-case hexadecimal digits, two for each byte.
pub(crate) fn serial(der: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let bytes = certificate.raw_serial();
    // The first byte may be there for the sign alone.
    let bytes = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        bytes => bytes,
    };
    Some(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    }))
}

/// The SHA-1 of the certificate in lower-case hexadecimal digits. It is a name
/// that others know it by; nothing here relies on it.
pub(crate) fn fingerprint(der: &CertificateDer<'_>) -> String {
    let digest = Sha1::digest(der);
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The certificate in PEM, with all but letters, digits and `-._~` escaped as in
/// a URL.
pub(crate) fn escaped_pem(der: &CertificateDer<'_>) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    let pem = pem::Pem::new("CERTIFICATE", der.as_ref());
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    utf8_percent_encode(&pem::encode_config(&pem, lines), KEPT).to_string()
}

/// A name as OpenSSL writes it by `XN_FLAG_RFC2253`: the last part first.
fn written(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let sets: Vec<_> = name.iter_rdn().collect();
    for (at, set) in sets.iter().rev().enumerate() {
        let parts: Vec<_> = set.iter().collect();
        for (within, part) in parts.iter().rev().enumerate() {
            match (at, within) {
                (0, 0) => {}
                (_, 0) => text.push(','),
                _ => text.push('+'),
            }
            attribute(&mut text, part);
        }
    }
    text
}

fn attribute(text: &mut String, part: &AttributeTypeAndValue<'_>) {
    let oid = part.attr_type().to_id_string();
    let short = SHORT_NAMES.iter().find(|(known, _)| *known == oid);
    let value = part.attr_value();
    // Writing to a `String` cannot fail.
    let _ = match short {
        Some((_, short)) => write!(text, "{short}="),
        None => write!(text, "{oid}="),
    };
    match self::text(value).filter(|_| short.is_some()) {
        Some(value) => escape(text, &value),
        None => dump(text, value),
    }
}

/// `,+"\<>;` anywhere, `#` and a blank where they begin the value, a blank where
/// it ends it; and, as OpenSSL does, bytes that are not visible ASCII as two digits.
fn escape(text: &mut String, value: &str) {
    let last = value.len().saturating_sub(1);
    for (at, byte) in value.bytes().enumerate() {
        let is_special = match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => true,
            b'#' => at == 0,
            b' ' => at == 0 || at == last,
            _ => false,
        };
        if is_special {
            text.push('\\');
        }
        if matches!(byte, b' '..=b'~') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "\\{byte:02X}");
        }
    }
}

/// `#` and the value in DER (RFC 2253, section 2.4).
fn dump(text: &mut String, value: &Any<'_>) {
    let length = value.data.len();
    let mut der = vec![u8::try_from(value.tag().0).unwrap_or(0x1f)];
    if value.header.is_constructed() {
        der[0] |= 0x20;
    }
    if length < 0x80 {
        der.push(length.to_le_bytes()[0]);
    } else {
        let bytes = length.to_be_bytes();
        let digits = bytes.iter().skip_while(|byte| **byte == 0);
        let digits: Vec<u8> = digits.copied().collect();
        der.push(0x80 | digits.len().to_le_bytes()[0]);
        der.extend(digits);
    }
    der.extend(value.data);
    text.push('#');
    for byte in der {
        let _ = write!(text, "{byte:02X}");
    }
}

/// A value of a name, if it is a text.
fn text(value: &Any<'_>) -> Option<String> {
    let data = value.data;
    let wide = |size: usize| {
        data.len()
            .is_multiple_of(size)
            .then(|| data.chunks_exact(size))
    };
    match value.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::VisibleString
        | Tag::NumericString => std::str::from_utf8(data).ok().map(str::to_owned),
        // In practice Latin-1 (and OpenSSL takes it for that).
        Tag::T61String => Some(data.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let units: Vec<u16> = wide(2)?
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            String::from_utf16(&units).ok()
        }
        Tag::UniversalString => wide(4)?
            .map(|unit| char::from_u32(u32::from_be_bytes([unit[0], unit[1], unit[2], unit[3]])))
            .collect(),
        _ => None,
    }
}

/// Attributes by OpenSSL's short names.
const SHORT_NAMES: [(&str, &str); 30] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SerialNumber};

    use super::*;

    fn made(attributes: &[(DnType, DnValue)], serial: &[u8]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(serial));
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in attributes {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn named(attributes: &[(DnType, &str)]) -> CertificateDer<'static> {
        let attributes: Vec<_> = attributes
            .iter()
            .map(|(kind, value)| (kind.clone(), DnValue::from(*value)))
            .collect();
        made(&attributes, &[1])
    }

    fn subject(der: &CertificateDer<'_>) -> String {
        distinguished_names(der).unwrap().subject
    }

    /// What `openssl x509 -noout -subject -nameopt RFC2253` says.
    #[test]
    fn names_are_written_as_openssl_writes_them() {
        use DnType::{CommonName, CountryName, CustomDnType, OrganizationName};
        let der = named(&[
            (CountryName, "DE"),
            (OrganizationName, "Example, Inc. \"A+B\""),
            (CommonName, " #long "),
        ]);
        assert_eq!(
            subject(&der),
            "CN=\\ #long\\ ,O=Example\\, Inc. \\\"A\\+B\\\",C=DE"
        );
        let der = named(&[(CommonName, "#Zürich\n<a>;\\")]);
        assert_eq!(subject(&der), "CN=\\#Z\\C3\\BCrich\\0A\\<a\\>\\;\\\\");
        let bmp = DnValue::BmpString("Zü".try_into().unwrap());
        let der = made(&[(CommonName, bmp)], &[1]);
        assert_eq!(subject(&der), "CN=Z\\C3\\BC");
        let email = CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
        let unknown = CustomDnType(vec![1, 2, 3, 4]);
        let der = named(&[(email, "a@b"), (unknown, "text")]);
        assert_eq!(subject(&der), "1.2.3.4=#0C0474657874,emailAddress=a@b");
    }

    #[test]
    fn serial_numbers_are_whole_bytes() {
        for (serial, expected) in [
            (&[1][..], "01"),
            (&[0x0a, 0xbc], "0ABC"),
            (&[0xff, 0x00], "FF00"),
        ] {
            let der = made(&[], serial);
            assert_eq!(super::serial(&der).unwrap(), expected);
        }
    }

    #[test]
    fn who_could_not_be_a_user_is_none() {
        let user = |name: &str| user(&named(&[(DnType::CommonName, name)]), UserFrom::CommonName);
        assert_eq!(user("alice").unwrap().name(), "alice");
        assert_eq!(user("Ops: Zürich").unwrap().name(), "Ops: Zürich");
        for name in ["", " alice", "alice ", "a\nb", "a\u{0}", &"a".repeat(256)] {
            assert!(user(name).is_none(), "{name:?}");
        }
        assert!(super::user(&named(&[]), UserFrom::CommonName).is_none());
    }

    proptest! {
        #[test]
        fn any_der_is_a_certificate_or_none(der in proptest::collection::vec(any::<u8>(), 0..256)) {
            look_at(&CertificateDer::from(der));
        }

        #[test]
        fn a_broken_certificate_breaks_nothing(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let mut der = named(&[(DnType::CommonName, "alice")]).to_vec();
            let at = at.index(der.len());
            der[at] = to;
            look_at(&CertificateDer::from(der));
        }

        #[test]
        fn no_name_ends_a_line_or_another_name(name in any::<String>()) {
            let mut text = String::new();
            escape(&mut text, &name);
            prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let mut rest = text.chars();
            while let Some(c) = rest.next() {
                match c {
                    '\\' => prop_assert!(rest.next().is_some()),
                    c => prop_assert!(!matches!(c, ',' | '+'), "{text}"),
                }
            }
        }
    }

    fn look_at(der: &CertificateDer<'_>) {
        let _ = distinguished_names(der);
        let _ = serial(der);
        for from in [
            UserFrom::CommonName,
            UserFrom::SanEmail,
            UserFrom::SanDns,
            UserFrom::SanUri,
        ] {
            if let Some(user) = user(der, from) {
                assert!(!user.name().contains(char::is_control));
            }
        }
    }
}
