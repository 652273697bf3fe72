//! Passwords as they stand in the file.

use std::fmt;
use std::str::FromStr;

/// A bcrypt hash: `$2y$10$` with 53 characters. A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct BcryptHash(Box<str>);

/// Why a text is no [`BcryptHash`]. Never holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBcryptHash {
    /// It does not look like one: nothing matches it in docker_auth, either.
    #[error("it is no bcrypt hash")]
    Malformed,
    /// It asks for more work than is done here for one login.
    #[error("its cost is {0}; expected at most {max}", max = BcryptHash::MOST_COST)]
    TooCostly(u32),
    /// `$2x$`, made by a faulty program, which docker_auth takes for the others.
    #[error("it is of the faulty kind $2x$")]
    Faulty,
}

impl BcryptHash {
    /// The highest cost that is checked: more occupies a core for many seconds.
    pub const MOST_COST: u32 = 17;

    /// The hash. For whoever checks passwords, never for a log or an error.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BcryptHash {
    type Err = BadBcryptHash;

    fn from_str(text: &str) -> Result<Self, BadBcryptHash> {
        let malformed = BadBcryptHash::Malformed;
        let (version, rest) = text.split_at_checked(4).ok_or(malformed)?;
        let (cost, digest) = rest.split_once('$').ok_or(malformed)?;
        let is_of_digest = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/';
        let is_digest = digest.len() == 53 && digest.chars().all(is_of_digest);
        let is_cost = cost.len() == 2 && cost.chars().all(|c| c.is_ascii_digit());
        if !is_digest || !is_cost {
            return Err(malformed);
        }
        let cost = cost.parse().map_err(|_| malformed)?;
        match version {
            "$2a$" | "$2b$" | "$2y$" if (4..=Self::MOST_COST).contains(&cost) => {
                Ok(Self(text.into()))
            }
            "$2a$" | "$2b$" | "$2x$" | "$2y$" if (Self::MOST_COST + 1..=31).contains(&cost) => {
                Err(BadBcryptHash::TooCostly(cost))
            }
            "$2x$" if (4..=Self::MOST_COST).contains(&cost) => Err(BadBcryptHash::Faulty),
            _ => Err(malformed),
        }
    }
}

impl fmt::Debug for BcryptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BcryptHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_told_from_what_is_none() {
        let digest = "LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC";
        for (start, result) in [
            ("$2y$04$", Ok(())),
            ("$2a$10$", Ok(())),
            ("$2b$17$", Ok(())),
            ("$2y$18$", Err(BadBcryptHash::TooCostly(18))),
            ("$2x$10$", Err(BadBcryptHash::Faulty)),
            ("$2y$03$", Err(BadBcryptHash::Malformed)),
            ("$2y$32$", Err(BadBcryptHash::Malformed)),
            ("$2y$4$", Err(BadBcryptHash::Malformed)),
            ("$2y$+4$", Err(BadBcryptHash::Malformed)),
            ("$1$10$", Err(BadBcryptHash::Malformed)),
            ("$2é$10", Err(BadBcryptHash::Malformed)),
        ] {
            let parsed = format!("{start}{digest}").parse::<BcryptHash>();
            assert_eq!(parsed.map(|_| ()), result, "{start}");
        }
        for text in ["", "hunter2", "$2y$10$", "$2y$10", "é"] {
            assert_eq!(text.parse::<BcryptHash>(), Err(BadBcryptHash::Malformed));
        }
        let hash: BcryptHash = format!("$2y$04${digest}").parse().unwrap();
        assert!(!format!("{hash:?}").contains("LVMA"));
    }
}
