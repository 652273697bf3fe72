//! What a token says of its bearer.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::access::{Access, Entries};
use super::bounded::OneOrMore;
use super::error::{TokenError, shown};

/// What a token that counts says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// Who its bearer is. `None` for those whom the token server does not know:
    /// it gives tokens to them as well.
    pub subject: Option<Arc<str>>,
    /// What its bearer may do.
    pub access: Access,
    /// Until when it counts, but for [`Claims::LEEWAY`].
    pub expires: SystemTime,
    /// From when on it counts, but for [`Claims::LEEWAY`].
    pub not_before: SystemTime,
}

impl Claims {
    /// How far the clocks of the token server and the registry may differ; that
    /// of distribution.
    pub const LEEWAY: Duration = Duration::from_secs(60);
    /// The longest name of a user, in bytes.
    const LONGEST_SUBJECT: usize = 256;

    /// Reads the claims of a token whose signature has been checked, and whether
    /// they are by `issuer` and for `service`.
    pub(super) fn read(json: &[u8], issuer: &str, service: &str) -> Result<Self, TokenError> {
        let written: Written =
            serde_json::from_slice(json).map_err(|e| TokenError::json("claims", &e))?;
        let got = written.iss.as_deref().unwrap_or_default();
        if got != issuer {
            return Err(TokenError::Issuer {
                got: shown(got),
                expected: shown(issuer),
            });
        }
        let audience = written.aud.map_or_else(Vec::new, |audience| audience.0);
        if !audience.iter().any(|one| **one == *service) {
            return Err(TokenError::Audience {
                got: shown(&audience.join(" ")),
                expected: shown(service),
            });
        }
        let subject = written.sub.unwrap_or_default();
        if subject.len() > Self::LONGEST_SUBJECT || subject.chars().any(char::is_control) {
            return Err(TokenError::Subject);
        }
        Ok(Self {
            subject: (!subject.is_empty()).then(|| subject.into()),
            access: written.access.map(Access::from).unwrap_or_default(),
            expires: written.exp.0,
            not_before: written.nbf.map_or(UNIX_EPOCH, |date| date.0),
        })
    }

    /// Whether it counts at this time.
    pub(super) fn check_time(&self, now: SystemTime) -> Result<(), TokenError> {
        if let Ok(ago) = now.duration_since(self.expires + Self::LEEWAY)
            && !ago.is_zero()
        {
            return Err(TokenError::Expired(ago + Self::LEEWAY));
        }
        match self.not_before.duration_since(now + Self::LEEWAY) {
            Ok(wait) if !wait.is_zero() => Err(TokenError::NotYet(wait + Self::LEEWAY)),
            _ => Ok(()),
        }
    }
}

/// The claims as they are written. `iat` and `jti` do not count, as they do not
/// in distribution.
#[derive(Deserialize)]
struct Written {
    iss: Option<Box<str>>,
    sub: Option<Box<str>>,
    aud: Option<OneOrMore<100>>,
    exp: Date,
    nbf: Option<Date>,
    access: Option<Entries>,
}

/// A `NumericDate` (RFC 7519 section 2): seconds since 1970, possibly a fraction.
struct Date(SystemTime);

impl Date {
    /// The last second of the year 9999, which is as good as never.
    const LAST: u64 = 253_402_300_799;
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Date;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Date, E> {
                let since = Duration::from_secs(seconds.min(Date::LAST));
                Ok(Date(UNIX_EPOCH + since))
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Date, E> {
                self.visit_u64(u64::try_from(seconds).unwrap_or(0))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<Date, E> {
                // `as` saturates: what is negative is 0.
                self.visit_u64(seconds as u64)
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Claims, TokenError> {
        Claims::read(json.as_bytes(), "auth", "registry")
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn they_say_who_may_do_what_until_when() {
        let claims = read(
            r#"{"iss":"auth","sub":"alice","aud":"registry","exp":2000,"nbf":1000,"iat":5000,
            "jti":"x","access":[{"type":"repository","name":"a","actions":["pull"]}],"other":[{}]}"#,
        )
        .unwrap();
        assert_eq!(claims.subject.as_deref(), Some("alice"));
        assert!(claims.access.allows("repository", "a", "pull"));
        assert_eq!(claims.expires, at(2000));
        assert_eq!(claims.not_before, at(1000));
    }

    #[test]
    fn who_is_not_named_is_nobody() {
        for sub in [r#""sub":"","#, r#""sub":null,"#, ""] {
            let claims = read(&format!(
                r#"{{{sub}"iss":"auth","aud":"registry","exp":1}}"#
            ));
            let claims = claims.unwrap();
            assert_eq!(claims.subject, None);
            assert!(claims.access.is_empty());
        }
    }

    #[test]
    fn an_audience_is_one_or_several() {
        for (aud, accepted) in [
            (r#""registry""#, true),
            (r#"["registry"]"#, true),
            (r#"["other","registry"]"#, true),
            (r#""other""#, false),
            (r#""registry other""#, false),
            (r#""Registry""#, false),
            (r#"["other"]"#, false),
            ("[]", false),
            ("null", false),
        ] {
            let result = read(&format!(r#"{{"iss":"auth","aud":{aud},"exp":1}}"#));
            assert_eq!(result.is_ok(), accepted, "{aud}");
            if !accepted {
                assert!(matches!(result, Err(TokenError::Audience { .. })), "{aud}");
            }
        }
    }

    #[test]
    fn their_time_has_a_leeway_on_both_sides() {
        let claims = read(r#"{"iss":"auth","aud":"registry","exp":2000,"nbf":1000}"#).unwrap();
        for (now, expected) in [
            (939, Err(TokenError::NotYet(Duration::from_secs(61)))),
            (940, Ok(())),
            (1500, Ok(())),
            (2060, Ok(())),
            (2061, Err(TokenError::Expired(Duration::from_secs(61)))),
        ] {
            assert_eq!(claims.check_time(at(now)), expected, "{now}");
        }
    }

    #[test]
    fn dates_are_numbers_of_any_size() {
        for (exp, expected) in [
            ("1.5", at(1)),
            ("2e3", at(2000)),
            ("-1", at(0)),
            ("-1e300", at(0)),
            ("1e300", at(Date::LAST)),
            ("18446744073709551615", at(Date::LAST)),
            ("99999999999999999999999", at(Date::LAST)),
        ] {
            let claims = read(&format!(r#"{{"iss":"auth","aud":"registry","exp":{exp}}}"#));
            let claims = claims.unwrap();
            assert_eq!(claims.expires, expected, "{exp}");
            let _ = claims.check_time(at(0));
        }
    }

    #[test]
    fn what_they_lack_is_said_without_showing_what_they_have() {
        for (json, said) in [
            ("", "no JSON"),
            ("[]", "something of the wrong type"),
            ("{}", "missing field `exp`"),
            (r#"{"exp":"soon"}"#, "something of the wrong type"),
            (r#"{"exp":null}"#, "something of the wrong type"),
            (r#"{"exp":1,"exp":2}"#, "duplicate field `exp`"),
            (r#"{"exp":1,"iss":1}"#, "something of the wrong type"),
            (r#"{"exp":1,"aud":{}}"#, "something of the wrong type"),
            (r#"{"exp":1,"access":{}}"#, "something of the wrong type"),
            (r#"{"exp":1} x"#, "no JSON"),
            (r#"{"exp":1}"#, "issuer \"\", not of \"auth\""),
            (r#"{"exp":1,"iss":"auth\n"}"#, r#"issuer "auth\n", not of"#),
            (
                r#"{"exp":1,"iss":"auth","aud":"registry","sub":"a\u0000b"}"#,
                "`sub` is too long",
            ),
        ] {
            let error = read(json).unwrap_err().to_string();
            assert!(error.contains(said), "{json}: {error}");
            assert!(!error.contains("soon"), "{error}");
        }
    }
}
