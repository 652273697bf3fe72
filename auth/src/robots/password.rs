//! What a robot's password looks like: `tgr_ID_SECRET`, the last characters of
//! which are a checksum.
//!
//! Whoever searches repositories and logs for secrets that should not be there
//! knows these by `tgr_[a-km-np-z2-9]{8}_[a-km-np-z2-9]{38}`, and by the checksum
//! that they are not only something alike.

use std::fmt;
use std::str::FromStr;

use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

const PREFIX: &str = "tgr_";
/// Five bits each, none to be mistaken for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const ID: usize = 8;
/// 160 bits.
const SECRET: usize = 32;
/// 30 bits.
const CHECKSUM: usize = 6;

/// The name of a robot's password: no secret, and part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RobotId([u8; ID]);

/// A text that is no [`RobotId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has {ID} lower-case letters and digits, as `tidegate token list` shows it")]
pub struct NotAnId;

/// What is stored of a password: its SHA-256.
///
/// Slow hashes and salts make up for passwords that can be guessed. These have
/// 160 random bits, each its own, so that nobody finds one by trying, and a
/// slow hash would only give strangers work to hand to the server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoredPassword([u8; 32]);

/// A text that somebody sent as a password.
pub(crate) enum Shown {
    /// It is no robot's.
    Other,
    /// It begins as one, but was damaged or made up.
    Damaged,
    /// It may be one.
    Whole(RobotId),
}

impl RobotId {
    pub(crate) fn random() -> Self {
        Self(random())
    }

    /// The id as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is made of letters and digits")
    }
}

impl FromStr for RobotId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let id: [u8; ID] = text.as_bytes().try_into().map_err(|_| NotAnId)?;
        if is_of_alphabet(&id) {
            Ok(Self(id))
        } else {
            Err(NotAnId)
        }
    }
}

impl fmt::Display for RobotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl StoredPassword {
    fn of(password: &str) -> Self {
        Self(Sha256::digest(password).into())
    }

    /// Whether this is the password. The time taken tells nothing of how much of
    /// it is right.
    pub(crate) fn matches(&self, password: &str) -> bool {
        self.0.ct_eq(&Self::of(password).0).into()
    }

    pub(crate) fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredPassword(..)")
    }
}

/// A new password for a robot.
pub(crate) fn make(id: RobotId) -> (Zeroizing<String>, StoredPassword) {
    let secret = Zeroizing::new(random::<SECRET>());
    let mut password = Zeroizing::new(String::with_capacity(
        PREFIX.len() + ID + 1 + SECRET + CHECKSUM,
    ));
    password.push_str(PREFIX);
    password.push_str(id.as_str());
    password.push('_');
    password.extend(secret.iter().map(|&byte| char::from(byte)));
    let checksum = checksum(&password);
    password.extend(checksum.map(char::from));
    let stored = StoredPassword::of(&password);
    (password, stored)
}

/// What a password that was sent is, judged by its looks.
///
/// All that begins as a robot's password does is one: nobody chooses such a
/// password, and no slow hash is made of what cannot be anybody else's.
pub(crate) fn shown(password: &str) -> Shown {
    let Some((id, secret)) = password
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_at_checked(ID))
        .and_then(|(id, rest)| Some((id.parse().ok()?, rest.strip_prefix('_')?)))
    else {
        return Shown::Other;
    };
    let is_whole = secret.len() == SECRET + CHECKSUM
        && is_of_alphabet(secret.as_bytes())
        && password
            .split_at_checked(password.len() - CHECKSUM)
            .is_some_and(|(text, end)| checksum(text) == end.as_bytes());
    if is_whole {
        Shown::Whole(id)
    } else {
        Shown::Damaged
    }
}

fn checksum(text: &str) -> [u8; CHECKSUM] {
    let hash = Sha256::digest(text);
    std::array::from_fn(|at| ALPHABET[usize::from(hash[at] % 32)])
}

fn random<const N: usize>() -> [u8; N] {
    let mut random = rand::rng();
    std::array::from_fn(|_| ALPHABET[random.random_range(..ALPHABET.len())])
}

fn is_of_alphabet(text: &[u8]) -> bool {
    text.iter().all(|byte| ALPHABET.contains(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_is_known_by_its_looks() {
        let id = RobotId::random();
        let (password, stored) = make(id);
        assert_eq!(password.len(), 51);
        assert!(password.starts_with(&format!("tgr_{id}_")));
        assert!(matches!(shown(&password), Shown::Whole(found) if found == id));
        assert!(stored.matches(&password));
        assert_ne!(*password, *make(id).0);
        assert_eq!(
            StoredPassword::from_hex(&stored.to_hex()),
            Some(stored.clone())
        );
        assert_eq!(format!("{stored:?}"), "StoredPassword(..)");
    }

    #[test]
    fn other_passwords_are_left_to_others() {
        for text in [
            "",
            "hunter2",
            "tgr_",
            "tgr_abc",
            "tgr_ABCDEFGH_x",
            "TGR_abcdefgh_x",
        ] {
            assert!(matches!(shown(text), Shown::Other), "{text}");
        }
        for text in ["tgr_abcdefgh_", "tgr_abcdefgh_x", "tgr_abcdefgh_é"] {
            assert!(matches!(shown(text), Shown::Damaged), "{text}");
        }
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = RobotId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "abc", "abcdefghi", "abcdefg1", "ABCDEFGH", "abcdefgé"] {
            assert_eq!(text.parse::<RobotId>(), Err(NotAnId), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), tail in "\\PC{0,60}") {
            shown(&text);
            shown(&format!("tgr_{tail}"));
            shown(&format!("tgr_abcdefgh_{tail}"));
            let _ = text.parse::<RobotId>();
        }

        #[test]
        fn no_mutation_is_the_password(
            at in 0usize..51,
            put in "\\PC{0,2}",
            cut in 0usize..3,
        ) {
            let (password, stored) = make(RobotId::random());
            let mut mutated = password.to_string();
            mutated.replace_range(at..(at + cut).min(password.len()), &put);
            prop_assert_eq!(stored.matches(&mutated), mutated == *password);
        }
    }
}
