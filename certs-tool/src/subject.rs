//! Distinguished names in the notation of openssl: `/C=DE/O=Example/CN=…`.

use std::fmt;
use std::str::FromStr;

use rcgen::DistinguishedName;

use tidegate_failure::Explain;

use attribute::{Attribute, ValueError};

mod attribute;

/// Whom a certificate is about: attributes in the order given, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    attributes: Vec<(Attribute, String)>,
}

/// Why a text is no [`Subject`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("subject `{text}`, character {position}: {problem}")]
pub struct SubjectError {
    text: String,
    /// The place, in characters from 1.
    position: usize,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("expected `/TYPE=VALUE`, found {0}")]
    NoSlash(Found),
    #[error("expected `TYPE=VALUE`, found no `=` in `{}`", .0.escape_debug())]
    NoEquals(String),
    #[error("`{}` is no known attribute; known are {}", .0.escape_debug(), Attribute::known())]
    Unknown(String),
    #[error("{0} comes up a second time, which cannot be written faithfully")]
    Repeated(Attribute),
    #[error("`+` would join two attributes, which cannot be written faithfully")]
    MultiValued,
    #[error("expected a character after `\\`, found the end")]
    LoneEscape,
    #[error(transparent)]
    Value(#[from] ValueError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Found(Option<char>);

impl Subject {
    /// Reads `/TYPE=VALUE/TYPE=VALUE…`. A backslash takes the next character as
    /// it is, so `\/` is a slash within a value. Types are openssl's short or
    /// long names, in any case.
    ///
    /// # Errors
    /// If the notation is broken, an attribute is unknown or comes up twice, or
    /// a value has characters or a length that X.520 does not allow.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        Parser::new(text)
            .subject()
            .map_err(|(position, problem)| SubjectError {
                text: text.escape_debug().to_string(),
                position,
                problem,
            })
    }

    /// A subject with a common name only. `None` if X.520 does not allow it:
    /// more than 64 characters, control characters, or nothing.
    #[must_use]
    pub fn of_common_name(name: &str) -> Option<Self> {
        let attribute = Attribute::CommonName;
        attribute.check(name).ok()?;
        Some(Self {
            attributes: vec![(attribute, name.to_owned())],
        })
    }

    pub(crate) fn to_distinguished_name(&self) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        for (attribute, value) in &self.attributes {
            name.push(attribute.oid(), attribute.encode(value));
        }
        name
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Subject {
    /// The notation that [`Subject::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (attribute, value) in &self.attributes {
            write!(f, "/{attribute}=")?;
            for c in value.chars() {
                if matches!(c, '/' | '\\' | '+') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

impl Explain for SubjectError {
    fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::NoSlash(_) => Some("for example: /C=DE/O=Example/CN=Example CA".to_owned()),
            Problem::NoEquals(_) => Some(r"a slash within a value is written `\/`".to_owned()),
            Problem::MultiValued => Some(r"a plus sign within a value is written `\+`".to_owned()),
            _ => None,
        }
    }
}

struct Parser<'a> {
    rest: std::iter::Peekable<std::iter::Enumerate<std::str::Chars<'a>>>,
    /// The number of the last character taken, from 1.
    position: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars().enumerate().peekable(),
            position: 0,
        }
    }

    fn subject(mut self) -> Result<Subject, (usize, Problem)> {
        let mut attributes = Vec::new();
        match self.next() {
            Some('/') => {}
            other => return Err((1, Problem::NoSlash(Found(other)))),
        }
        loop {
            let start = self.position + 1;
            let (attribute, value) = self.attribute()?;
            if attributes.iter().any(|(known, _)| *known == attribute) {
                return Err((start, Problem::Repeated(attribute)));
            }
            attributes.push((attribute, value));
            if self.next().is_none() {
                return Ok(Subject { attributes });
            }
        }
    }

    /// Up to the next slash or the end.
    fn attribute(&mut self) -> Result<(Attribute, String), (usize, Problem)> {
        let start = self.position + 1;
        let mut name = String::new();
        while let Some(c) = self.next_unless('/') {
            if c == '=' {
                let attribute = Attribute::of(&name).ok_or((start, Problem::Unknown(name)))?;
                let start = self.position + 1;
                let value = self.value()?;
                attribute
                    .check(&value)
                    .map_err(|error| (start, error.into()))?;
                return Ok((attribute, value));
            }
            name.push(c);
        }
        Err((start, Problem::NoEquals(name)))
    }

    fn value(&mut self) -> Result<String, (usize, Problem)> {
        let mut value = String::new();
        while let Some(c) = self.next_unless('/') {
            value.push(match c {
                '\\' => self.next().ok_or((self.position, Problem::LoneEscape))?,
                '+' => return Err((self.position, Problem::MultiValued)),
                other => other,
            });
        }
        Ok(value)
    }

    fn next_unless(&mut self, end: char) -> Option<char> {
        match self.rest.peek() {
            Some(&(_, c)) if c != end => self.next(),
            _ => None,
        }
    }

    fn next(&mut self) -> Option<char> {
        let (index, c) = self.rest.next()?;
        self.position = index + 1;
        Some(c)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(c) => write!(f, "`{}`", c.escape_debug()),
            None => f.write_str("nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use rcgen::{DnType, DnValue};

    use super::*;

    fn shown(text: &str) -> String {
        Subject::parse(text).unwrap().to_string()
    }

    #[test]
    fn reads_the_notation_of_openssl() {
        let text = "/C=DE/ST=Saxony/L=Dresden/O=Example AG/OU=IT/CN=Example CA/emailAddress=ca@example.com";
        assert_eq!(shown(text), text);
        assert_eq!(shown("/cn=x/organizationName=y"), "/CN=x/O=y");
        assert_eq!(shown(r"/CN=a\/b\+c\\d\e"), r"/CN=a\/b\+c\\de");
        assert_eq!(shown("/CN=a=b"), "/CN=a=b");
    }

    #[test]
    fn names_the_place_and_the_reason() {
        let long = format!("/CN={}", "x".repeat(65));
        for (text, position, reason) in [
            ("", 1, "expected `/TYPE=VALUE`, found nothing"),
            ("CN=x", 1, "expected `/TYPE=VALUE`, found `C`"),
            ("/", 2, "expected `TYPE=VALUE`, found no `=` in ``"),
            ("/CN=x/", 7, "expected `TYPE=VALUE`, found no `=` in ``"),
            ("/CN=a/b", 7, "expected `TYPE=VALUE`, found no `=` in `b`"),
            (
                "/C=DE/X=y",
                7,
                "`X` is no known attribute; known are C, ST, L, O, OU, CN, emailAddress, DC, serialNumber",
            ),
            ("/CN=", 5, "CN has no value"),
            (
                "/OU=a/OU=b",
                7,
                "OU comes up a second time, which cannot be written faithfully",
            ),
            (
                "/CN=a+OU=b",
                6,
                "`+` would join two attributes, which cannot be written faithfully",
            ),
            (
                "/CN=a\\",
                6,
                "expected a character after `\\`, found the end",
            ),
            ("/C=DEU", 4, "C has 3 characters; expected 2"),
            ("/C=1 ", 4, "C takes no `1`: it is two letters, as DE"),
            ("/DC=ü", 5, "DC takes no `ü`: it is ASCII"),
            (&long, 5, "CN has 65 characters; expected 1 to 64"),
            // Nothing that a terminal would obey.
            ("\u{1b}", 1, r"expected `/TYPE=VALUE`, found `\u{1b}`"),
            (
                "/\u{1b}",
                2,
                r"expected `TYPE=VALUE`, found no `=` in `\u{1b}`",
            ),
            (
                "/\u{1b}=x",
                2,
                r"`\u{1b}` is no known attribute; known are C, ST, L, O, OU, CN, emailAddress, DC, serialNumber",
            ),
        ] {
            let error = Subject::parse(text).unwrap_err();
            let shown = text.escape_debug();
            assert_eq!(
                error.to_string(),
                format!("subject `{shown}`, character {position}: {reason}")
            );
        }
        assert!(Subject::parse("/CN=a\nb").is_err());
        assert!(Subject::parse("CN=x").unwrap_err().hint().is_some());
    }

    #[test]
    fn strings_are_encoded_as_openssl_does() {
        let name = Subject::parse("/C=DE/DC=example/CN=x")
            .unwrap()
            .to_distinguished_name();
        let values: Vec<_> = name.iter().collect();
        assert!(matches!(
            values[0],
            (DnType::CountryName, DnValue::PrintableString(_))
        ));
        assert!(matches!(values[1].1, DnValue::Ia5String(_)));
        assert!(matches!(
            values[2],
            (DnType::CommonName, DnValue::Utf8String(_))
        ));
    }

    #[test]
    fn a_common_name_has_bounds() {
        assert_eq!(
            Subject::of_common_name("a/b").unwrap().to_string(),
            r"/CN=a\/b"
        );
        assert!(Subject::of_common_name(&"x".repeat(64)).is_some());
        for bad in ["", "a\0b", &"x".repeat(65)] {
            assert_eq!(Subject::of_common_name(bad), None);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), tail in "(/(C|CN|O|DC|serialNumber)?=?[\\PC\\\\+/]{0,5}){0,4}") {
            for text in [text, tail] {
                if let Err(error) = Subject::parse(&text) {
                    let _ = (error.to_string(), error.hint());
                }
            }
        }

        #[test]
        fn what_is_shown_is_read_back(o in "\\PC{1,20}", cn in "\\PC{1,20}") {
            let mut subject = Subject::of_common_name(&cn).unwrap();
            subject.attributes.push((Attribute::Organization, o));
            prop_assert_eq!(Subject::parse(&subject.to_string()), Ok(subject));
        }
    }
}
