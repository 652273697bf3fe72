//! A pair that is there afterwards, made now or before.

use std::path::Path;

use crate::ca::{Ca, CaOptions, make_ca};
use crate::error::CertsError;
use crate::files::{PairName, PairPaths, PairState, write_pair};
use crate::inspect::Certificate;
use crate::key::Key;
use crate::site::SiteOptions;

/// Where a pair has come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was made by this call.
    Made,
    /// It was there, and is as it was.
    Found,
}

/// Loads the CA of a directory, `root-ca.crt` and `root-ca.key`, or makes it if
/// neither file is there.
///
/// # Errors
/// If only one of the two is there, they cannot be used as a CA, or a new one
/// cannot be made or written.
pub fn ensure_ca(directory: &Path, options: &CaOptions) -> Result<(Ca, Origin), CertsError> {
    let paths = PairPaths::ca(directory);
    if paths.settle()? == PairState::Missing {
        let ca = make_ca(options)?;
        match write_pair(&paths, ca.pair()) {
            Ok(()) => return Ok((ca, Origin::Made)),
            // Somebody else has made it meanwhile.
            Err(CertsError::Exists { .. }) => paths.settle().map(|_| ())?,
            Err(error) => return Err(error),
        }
    }
    let ca = Ca::load(&paths.cert(), &paths.key())?;
    Ok((ca, Origin::Found))
}

/// Reads the certificate of a site, or has the CA issue one if neither the
/// certificate nor its key is there.
///
/// One that is found may be for other names than those of `options`, be over,
/// or come from another CA, perhaps a bought one: that is for the caller to
/// judge, with the methods of [`Certificate`].
///
/// # Errors
/// If only one of the two files is there, they cannot be read or do not belong
/// together, or new ones cannot be made or written.
pub fn ensure_site(
    directory: &Path,
    name: &PairName,
    ca: &Ca,
    options: &SiteOptions,
) -> Result<(Certificate, Origin), CertsError> {
    let paths = PairPaths::site(directory, name);
    if paths.settle()? == PairState::Missing {
        let issued = ca.issue(options)?;
        match write_pair(&paths, &issued.pair) {
            Ok(()) => return Ok((issued.certificate, Origin::Made)),
            Err(CertsError::Exists { .. }) => paths.settle().map(|_| ())?,
            Err(error) => return Err(error),
        }
    }
    let (cert, key) = (paths.cert(), paths.key());
    let certificate = Certificate::read_first(&cert)?;
    if !certificate.matches_key(&Key::read(&key)?) {
        return Err(CertsError::KeyMismatch { cert, key });
    }
    Ok((certificate, Origin::Found))
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;
    use crate::name::HostName;

    fn options() -> SiteOptions {
        SiteOptions::new(vec![HostName::parse("registry.lan").unwrap()])
    }

    fn site() -> PairName {
        PairName::parse("site").unwrap()
    }

    #[test]
    fn makes_what_is_missing_and_finds_it_the_next_time() {
        let root = tempfile::tempdir().unwrap();
        let (ca, origin) = ensure_ca(root.path(), &CaOptions::default()).unwrap();
        assert_eq!(origin, Origin::Made);
        let (made, origin) = ensure_site(root.path(), &site(), &ca, &options()).unwrap();
        assert_eq!(origin, Origin::Made);
        assert!(made.is_issued_by(ca.certificate()));

        let (again, origin) = ensure_ca(root.path(), &CaOptions::default()).unwrap();
        assert_eq!(origin, Origin::Found);
        assert_eq!(again.certificate(), ca.certificate());
        let (found, origin) = ensure_site(root.path(), &site(), &again, &options()).unwrap();
        assert_eq!(origin, Origin::Found);
        assert_eq!(found, made);
    }

    #[test]
    fn broken_or_half_pairs_are_errors_and_stay_as_they_are() {
        let root = tempfile::tempdir().unwrap();
        let (ca, _) = ensure_ca(root.path(), &CaOptions::default()).unwrap();
        let at = |name: &str| root.path().join(name);
        fs::copy(at("root-ca.key"), at("site.key")).unwrap();
        let half = ensure_site(root.path(), &site(), &ca, &options());
        assert!(matches!(half, Err(CertsError::HalfPair { .. })));

        let issued = ca.issue(&options()).unwrap();
        fs::write(at("site.crt"), &issued.pair.certificate).unwrap();
        let mismatch = ensure_site(root.path(), &site(), &ca, &options());
        assert!(matches!(mismatch, Err(CertsError::KeyMismatch { .. })));

        fs::write(at("root-ca.crt"), "").unwrap();
        let error = ensure_ca(root.path(), &CaOptions::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "`{}`: expected a certificate in PEM, found an empty file",
                at("root-ca.crt").display()
            )
        );
        assert_eq!(fs::read(at("root-ca.crt")).unwrap(), b"");
    }
}
