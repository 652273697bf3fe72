//! Header fields that a file names: checked here, so that whoever sends them
//! need not.

use std::fmt;

/// What the registry says of itself in an answer, and what of it frames the
/// message: nobody else can know better.
pub(crate) const NOT_OF_ANSWERS: [&str; 18] = [
    "allow",
    "connection",
    "content-length",
    "content-range",
    "content-type",
    "docker-content-digest",
    "docker-upload-uuid",
    "etag",
    "keep-alive",
    "link",
    "location",
    "oci-subject",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// What frames the message to a receiver, or says what it is.
pub(crate) const NOT_OF_EVENTS: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The name of a header field: a token (RFC 9110 section 5.1) in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeaderFieldName(String);

impl HeaderFieldName {
    /// Takes a name, however it is spelled.
    ///
    /// # Errors
    /// If it is not one.
    pub fn new(name: &str) -> Result<Self, HeaderFieldError> {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(HeaderFieldError::Name(name.to_owned()));
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// The name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One field of a header (RFC 9110 section 5).
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderField {
    name: String,
    value: String,
}

impl HeaderField {
    /// Takes a name and a value that can be sent.
    ///
    /// # Errors
    /// What is wrong with one of them, without the value: it may be a secret.
    pub fn new(name: &str, value: &str) -> Result<Self, HeaderFieldError> {
        let HeaderFieldName(name) = HeaderFieldName::new(name)?;
        let is_text = |c: u8| c == b'\t' || (b' '..=b'~').contains(&c);
        if !value.bytes().all(is_text) || value.trim() != value {
            return Err(HeaderFieldError::Value(name));
        }
        Ok(Self {
            name,
            value: value.to_owned(),
        })
    }

    /// The name, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value: printable ASCII, not surrounded by spaces.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Shows the name alone: the value of `Authorization` is a secret.
impl fmt::Debug for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeaderField({}: …)", self.name)
    }
}

/// Why a field cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFieldError {
    /// The name is no token.
    #[error("`{0}` is not the name of a header")]
    Name(String),
    /// The value has something in it that no value has.
    #[error("the value of `{0}` has other characters than printable ASCII, or spaces around it")]
    Value(String),
}

/// RFC 9110 section 5.6.2.
fn is_token(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_checked_and_its_value_not_shown() {
        let field = HeaderField::new("X-Token", "s3cret value").unwrap();
        assert_eq!((field.name(), field.value()), ("x-token", "s3cret value"));
        assert_eq!(format!("{field:?}"), "HeaderField(x-token: …)");
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("a\n", "x"),
            ("ä", "x"),
        ] {
            let error = HeaderField::new(name, value).unwrap_err();
            assert_eq!(error, HeaderFieldError::Name(name.to_owned()));
        }
        for value in ["s3cret\r\nx: y", "s3cret\0", " s3cret", "s3crét"] {
            let error = HeaderField::new("A", value).unwrap_err();
            assert_eq!(error, HeaderFieldError::Value("a".to_owned()));
            assert!(!error.to_string().contains("s3cr"));
        }
    }
}
