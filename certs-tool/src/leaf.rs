//! What every certificate that is no CA's has in common, whoever it is for.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, PublicKeyData, SanType,
};
use time::OffsetDateTime;
use x509_parser::der_parser::asn1_rs::Tag;
use x509_parser::x509::X509Name;

use crate::ca::{Ca, random_serial, read_back};
use crate::error::CertsError;
use crate::files::Pair;
use crate::inspect::{self, Certificate};
use crate::key::Key;
use crate::site::Issued;
use crate::validity::Validity;

/// What a CA is asked to sign.
pub(crate) struct Leaf {
    pub(crate) subject: DistinguishedName,
    pub(crate) names: Vec<SanType>,
    pub(crate) usages: Vec<ExtendedKeyUsagePurpose>,
    pub(crate) days: u32,
    /// Whether the key is RSA, to which TLS 1.2 may encrypt.
    pub(crate) rsa: bool,
}

/// What it signed.
pub(crate) struct Signed {
    pub(crate) certificate: Certificate,
    /// The certificate, and after it the intermediates of its CA.
    pub(crate) pem: String,
}

impl Ca {
    /// Signs a certificate for a key that is at hand.
    pub(crate) fn issue_leaf(
        &self,
        leaf: &Leaf,
        key: Key,
        now: OffsetDateTime,
    ) -> Result<Issued, CertsError> {
        let (made, shortened) = self.sign(leaf, key.pair(), now)?;
        Ok(Issued {
            certificate: made.certificate,
            shortened,
            pair: Pair {
                certificate: made.pem,
                key: key.into_parts().1,
            },
        })
    }

    /// Signs a certificate for a public key, and tells whether it ends sooner
    /// than asked for, because the CA does.
    pub(crate) fn sign(
        &self,
        leaf: &Leaf,
        key: &impl PublicKeyData,
        now: OffsetDateTime,
    ) -> Result<(Signed, bool), CertsError> {
        self.certificate().check_valid_at(now, "the CA")?;
        let wanted = Validity::new(now, leaf.days)?;
        let validity = wanted.within(self.certificate().validity());
        let mut params = CertificateParams::default();
        params.serial_number = Some(random_serial());
        params.not_before = validity.not_before;
        params.not_after = validity.not_after;
        params.distinguished_name = leaf.subject.clone();
        params.subject_alt_names.clone_from(&leaf.names);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if leaf.rsa {
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        params.extended_key_usages.clone_from(&leaf.usages);
        params.use_authority_key_identifier_extension = true;
        let made = params
            .signed_by(key, &self.issuer)
            .map_err(CertsError::crypto("sign the certificate"))?;
        let signed = Signed {
            certificate: read_back(made.der())?,
            pem: made.pem() + &self.chain,
        };
        Ok((signed, validity.not_after < wanted.not_after))
    }
}

/// The subject of a certificate, to be written into another one, or what stands
/// against it. Whether it comes out byte for byte shows once it is written.
pub(crate) fn faithful_subject(
    certificate: &Certificate,
) -> Result<DistinguishedName, &'static str> {
    let x509 = inspect::parse(certificate.der()).map_err(|_| "a subject that cannot be read")?;
    distinguished_name(x509.subject())
}

/// A name as the library that writes certificates has it.
pub(crate) fn distinguished_name(name: &X509Name<'_>) -> Result<DistinguishedName, &'static str> {
    let mut written = DistinguishedName::new();
    let mut seen = Vec::new();
    for rdn in name.iter() {
        let mut attributes = rdn.iter();
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
            return Err("a subject with several attributes joined into one (`+`)");
        };
        if seen.contains(attribute.attr_type()) {
            return Err("a subject with an attribute that comes up twice");
        }
        seen.push(attribute.attr_type().clone());
        let oid: Vec<u64> = attribute
            .attr_type()
            .iter()
            .ok_or("a subject with an attribute of an unusual kind")?
            .collect();
        let value = attribute.attr_value();
        let text = attribute
            .as_str()
            .map_err(|_| "a subject with a text of an unusual encoding")?;
        let value = match value.tag() {
            Tag::Utf8String => Some(DnValue::Utf8String(text.to_owned())),
            Tag::PrintableString => text.try_into().ok().map(DnValue::PrintableString),
            Tag::Ia5String => text.try_into().ok().map(DnValue::Ia5String),
            Tag::TeletexString => text.try_into().ok().map(DnValue::TeletexString),
            _ => None,
        };
        let value = value.ok_or("a subject with a text of an unusual encoding")?;
        written.push(DnType::from_oid(&oid), value);
    }
    Ok(written)
}
