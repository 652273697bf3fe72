//! What an encrypted private key is opened with.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::CertsError;

/// The passphrase of a private key: at least one byte. Wiped from memory when
/// it is dropped, and never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Reads the first line of a file, without its end, as openssl does with
    /// `-passin file:FILE`.
    ///
    /// # Errors
    /// If the file cannot be read or its first line is empty.
    pub fn read(path: &Path) -> Result<Self, CertsError> {
        let bytes = Zeroizing::new(fs_err::read(path).map_err(CertsError::Read)?);
        let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or(&[]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Self::new(line).ok_or_else(|| CertsError::EmptyPassphrase {
            path: path.to_owned(),
        })
    }

    /// `None` if there is nothing in it: openssl takes no empty ones either.
    #[must_use]
    pub fn new(passphrase: &[u8]) -> Option<Self> {
        (!passphrase.is_empty()).then(|| Self(Zeroizing::new(passphrase.to_vec())))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_first_line_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        for (content, expected) in [
            (&b"secret"[..], &b"secret"[..]),
            (b"secret\n", b"secret"),
            (b"secret\r\nmore\n", b"secret"),
            (b" sp ace \n", b" sp ace "),
            (b"\xff\xfe\n", b"\xff\xfe"),
        ] {
            fs_err::write(&path, content).unwrap();
            assert_eq!(Passphrase::read(&path).unwrap().as_bytes(), expected);
        }
        for content in [&b""[..], b"\n", b"\r\n", b"\nsecret\n"] {
            fs_err::write(&path, content).unwrap();
            assert_eq!(
                Passphrase::read(&path).unwrap_err().to_string(),
                format!(
                    "`{}`: the first line, the passphrase, is empty",
                    path.display()
                )
            );
        }
    }

    #[test]
    fn is_not_shown() {
        let passphrase = Passphrase::new(b"secret").unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(…)");
    }
}
