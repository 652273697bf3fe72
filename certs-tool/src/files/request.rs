//! A request and its key on the disk, and the certificate that comes back.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::{
    Directory, PairPaths, exists, failed, finish_or_clear, make_directory, name, overwrite,
    replace_certificate, stage,
};
use crate::csr::NewRequest;
use crate::error::CertsError;
use crate::key::Key;
use crate::request::Request;

/// Whether files that are there may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// They stay, and are an error.
    Never,
    /// They are replaced.
    Allowed,
}

impl PairPaths {
    /// The file of a request for the certificate.
    #[must_use]
    pub fn request(&self) -> PathBuf {
        self.directory.join(format!("{}.csr", self.name))
    }

    fn staged_request(&self) -> PathBuf {
        self.directory.join(format!(".{}.csr.new", self.name))
    }
}

/// Writes a request and its key, each in one step: at no moment is there a
/// request whose key is not there. The key has mode 0600 from its first byte.
///
/// # Errors
/// If one of the files exists already, unless they may be replaced; if there is
/// a certificate of the name, whose key this would take away; or if the disk
/// fails.
pub fn write_request(
    paths: &PairPaths,
    new: &NewRequest,
    overwrite_old: Overwrite,
) -> Result<(), CertsError> {
    make_directory(&paths.directory).map_err(failed(&paths.directory))?;
    let directory = Directory::lock(&paths.directory).map_err(failed(&paths.directory))?;
    finish_or_clear(paths, &directory)?;
    finish_or_clear_request(paths, &directory)?;
    let (request, key) = (paths.request(), paths.key());
    if exists(&paths.cert()) {
        return Err(CertsError::KeyInUse {
            cert: paths.cert(),
            key,
        });
    }
    for path in [&request, &key] {
        if overwrite_old == Overwrite::Never && exists(path) {
            return Err(CertsError::Exists { path: path.clone() });
        }
    }
    let mut staged_key = stage(&paths.staged_key(), &new.key, 0o600).map_err(failed(&key))?;
    let mut staged =
        stage(&paths.staged_request(), &new.request, 0o644).map_err(failed(&request))?;
    match overwrite_old {
        Overwrite::Never => name(staged_key, &key)?,
        Overwrite::Allowed => {
            // The old request goes before its key does.
            remove(&request)?;
            directory.sync().map_err(failed(&paths.directory))?;
            overwrite(&mut staged_key, &key)?;
        }
    }
    // From here on the request can be finished by the next one.
    staged.disable_cleanup(true);
    directory.sync().map_err(failed(&paths.directory))?;
    name(staged, &request)?;
    directory.sync().map_err(failed(&paths.directory))
}

/// Writes the certificate that was made for a request, beside its key if that
/// is there. What is replaced keeps owner and mode.
///
/// # Errors
/// If there is a certificate already, unless it may be replaced; if the key of
/// the name is another one; or if the disk fails. Then nothing has changed.
pub fn write_signed(
    paths: &PairPaths,
    request: &Request,
    certificate: &str,
    overwrite_old: Overwrite,
) -> Result<(), CertsError> {
    make_directory(&paths.directory).map_err(failed(&paths.directory))?;
    let (cert, key) = (paths.cert(), paths.key());
    if exists(&key) {
        let fits = match Key::read(&key) {
            Ok(key) => request.matches_key(&key),
            // Whose it is, who made it knows.
            Err(CertsError::EncryptedKey { .. } | CertsError::OldEncryptedKey { .. }) => true,
            Err(error) => return Err(error),
        };
        if !fits {
            return Err(CertsError::KeyMismatch {
                cert: request.path().to_owned(),
                key,
            });
        }
    }
    if exists(&cert) && overwrite_old == Overwrite::Allowed {
        return replace_certificate(paths, certificate);
    }
    let directory = Directory::lock(&paths.directory).map_err(failed(&paths.directory))?;
    finish_or_clear(paths, &directory)?;
    if exists(&cert) {
        return Err(CertsError::Exists { path: cert });
    }
    let staged = stage(&paths.staged_cert(), certificate, 0o644).map_err(failed(&cert))?;
    name(staged, &cert)?;
    directory.sync().map_err(failed(&paths.directory))
}

/// To be called with the directory locked. A request that was staged for the
/// key that is there, while there is no other, was interrupted before it got its
/// name.
fn finish_or_clear_request(paths: &PairPaths, directory: &Directory) -> Result<(), CertsError> {
    let (staged, request) = (paths.staged_request(), paths.request());
    let fits = || {
        let key = Key::read(&paths.key());
        let request = Request::read(&staged);
        matches!((key, request), (Ok(key), Ok(request)) if request.matches_key(&key))
    };
    if exists(&staged) && !exists(&request) && fits() {
        fs::rename(&staged, &request).map_err(failed(&request))?;
        return directory.sync().map_err(failed(&request));
    }
    remove(&staged)
}

fn remove(path: &Path) -> Result<(), CertsError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(CertsError::Write {
            path: path.to_owned(),
            error,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{KeyKind, PairName, RequestOptions, make_request};

    fn request() -> NewRequest {
        make_request(&RequestOptions {
            names: vec!["a.lan".parse().unwrap()],
            subject: None,
            key: KeyKind::default(),
        })
        .unwrap()
    }

    fn paths(root: &tempfile::TempDir) -> PairPaths {
        PairPaths::site(root.path(), &PairName::parse("a").unwrap())
    }

    fn names(root: &tempfile::TempDir) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn assert_holds(paths: &PairPaths, new: &NewRequest) {
        assert_eq!(fs::read_to_string(paths.request()).unwrap(), new.request);
        assert_eq!(fs::read_to_string(paths.key()).unwrap(), *new.key);
    }

    #[test]
    fn nothing_is_overwritten_unless_it_may_be() {
        let root = tempfile::tempdir().unwrap();
        let (paths, old, new) = (paths(&root), request(), request());
        write_request(&paths, &old, Overwrite::Never).unwrap();
        let mode = fs::metadata(paths.key()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = write_request(&paths, &new, Overwrite::Never).unwrap_err();
        assert!(matches!(error, CertsError::Exists { .. }), "{error}");
        assert_holds(&paths, &old);
        write_request(&paths, &new, Overwrite::Allowed).unwrap();
        assert_holds(&paths, &new);
        assert_eq!(names(&root), ["a.csr", "a.key"]);
    }

    #[test]
    fn a_certificate_never_loses_its_key() {
        let root = tempfile::tempdir().unwrap();
        let paths = paths(&root);
        fs::write(paths.cert(), "mine").unwrap();
        for overwrite in [Overwrite::Never, Overwrite::Allowed] {
            let error = write_request(&paths, &request(), overwrite).unwrap_err();
            assert!(matches!(error, CertsError::KeyInUse { .. }), "{error}");
            assert_eq!(names(&root), ["a.crt"]);
        }
    }

    #[test]
    fn wherever_it_stops_no_request_is_without_its_key() {
        let (old, new) = (request(), request());
        let half = |text: &str| text[..text.len() / 2].to_owned();
        // What is there in place of the old pair, what is staged, and what is
        // there once the next one has looked.
        let states = [
            (
                vec![("a.key", &*old.key), ("a.csr", &old.request)],
                vec![(".a.key.new", half(&new.key))],
                &old,
            ),
            (
                vec![("a.key", &*old.key), ("a.csr", &old.request)],
                vec![
                    (".a.key.new", new.key.to_string()),
                    (".a.csr.new", new.request.clone()),
                ],
                &old,
            ),
            (
                vec![("a.key", &*new.key)],
                vec![(".a.csr.new", new.request.clone())],
                &new,
            ),
        ];
        for (there, staged, expected) in states {
            let root = tempfile::tempdir().unwrap();
            let paths = paths(&root);
            for (name, content) in there {
                fs::write(root.path().join(name), content).unwrap();
            }
            for (name, content) in staged {
                fs::write(root.path().join(name), content).unwrap();
            }
            let error = write_request(&paths, &request(), Overwrite::Never).unwrap_err();
            assert!(matches!(error, CertsError::Exists { .. }), "{error}");
            assert_holds(&paths, expected);
            assert_eq!(names(&root), ["a.csr", "a.key"]);
        }
        // The old request is gone, its key is still there, and so is what was
        // staged for another key: the key stays, and can be asked for again.
        let root = tempfile::tempdir().unwrap();
        let paths = paths(&root);
        fs::write(paths.key(), &*old.key).unwrap();
        fs::write(paths.staged_request(), &new.request).unwrap();
        fs::write(paths.staged_key(), &*new.key).unwrap();
        write_request(&paths, &request(), Overwrite::Never).unwrap_err();
        assert_eq!(names(&root), ["a.key"]);
        write_request(&paths, &new, Overwrite::Allowed).unwrap();
        assert_holds(&paths, &new);
    }
}
