//! A certificate and its key on the disk: both or neither.
//!
//! Both files are first written in full under names of their own that start
//! with a dot. Then the key gets its name, and then the certificate, which
//! completes the pair. Whoever is interrupted between these two leaves a key
//! and a certificate still under the first name; [`PairPaths::settle`]
//! recognises that and finishes it. Interrupted earlier, what remains is
//! cleared away. [`write_pair`] never overwrites what has its name.
//!
//! [`replace_pair`] does, in the same order. A pair whose key is new and whose
//! certificate is still the old one is told by the staged certificate, which
//! fits the key, and finished in the same way. [`replace_certificate`] keeps the
//! key, and is done in one step.

use std::fmt;
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fs_err as fs;
use tempfile::{NamedTempFile, TempPath};
use tidegate_failure::Explain;
use zeroize::Zeroizing;

use crate::error::CertsError;
use crate::inspect::Certificate;
use crate::key::Key;

pub use self::request::{Overwrite, write_request, write_signed};

mod request;

/// A certificate and its private key, PEM, as they are written to the disk.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate, or a chain that starts with it.
    pub certificate: String,
    /// The key. A secret.
    pub key: Zeroizing<String>,
}

/// Where a pair lies: `NAME.crt` and `NAME.key` in one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairPaths {
    directory: PathBuf,
    name: String,
}

/// The name of a site's pair: one that stays in its directory, needs no quoting
/// in a shell, and is not the CA's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairName(String);

/// Why a text is no [`PairName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot name the files of a certificate: {reason}")]
pub struct PairNameError {
    name: String,
    reason: &'static str,
}

/// Whether a pair is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairState {
    /// Neither file is.
    Missing,
    /// Both are. What they hold has not been looked at.
    Complete,
}

/// Writes a pair. The key has mode 0600 from its first byte; directories that
/// have to be made get 0700. When this returns, both files survive a power cut.
///
/// # Errors
/// If either file exists already, even as a link that leads nowhere, or the
/// disk fails. Then neither file is new.
pub fn write_pair(paths: &PairPaths, pair: &Pair) -> Result<(), CertsError> {
    make_directory(&paths.directory).map_err(failed(&paths.directory))?;
    let directory = Directory::lock(&paths.directory).map_err(failed(&paths.directory))?;
    finish_or_clear(paths, &directory)?;
    let (cert, key) = (paths.cert(), paths.key());
    for path in [&cert, &key] {
        if exists(path) {
            return Err(CertsError::Exists { path: path.clone() });
        }
    }
    let staged_key = stage(&paths.staged_key(), &pair.key, 0o600).map_err(failed(&key))?;
    let staged_cert =
        stage(&paths.staged_cert(), &pair.certificate, 0o644).map_err(failed(&cert))?;
    name_both(paths, staged_cert, staged_key, &directory)
}

/// Writes a pair in place of one that may be there. Modes are those of
/// [`write_pair`], whatever they were before.
///
/// # Errors
/// If the disk fails. Then the old pair is there, or it will be after the next
/// [`PairPaths::settle`], or the new one will.
pub fn replace_pair(paths: &PairPaths, pair: &Pair) -> Result<(), CertsError> {
    make_directory(&paths.directory).map_err(failed(&paths.directory))?;
    let directory = Directory::lock(&paths.directory).map_err(failed(&paths.directory))?;
    finish_or_clear(paths, &directory)?;
    let (cert, key) = (paths.cert(), paths.key());
    let mut staged_key = stage(&paths.staged_key(), &pair.key, 0o600).map_err(failed(&key))?;
    let mut staged_cert =
        stage(&paths.staged_cert(), &pair.certificate, 0o644).map_err(failed(&cert))?;
    // The staged certificate has to be found by whoever finishes the pair.
    directory.sync().map_err(failed(&paths.directory))?;
    overwrite(&mut staged_key, &key)?;
    // From here on the old pair is no more, and the new one can be finished.
    staged_cert.disable_cleanup(true);
    directory.sync().map_err(failed(&paths.directory))?;
    overwrite(&mut staged_cert, &cert)?;
    directory.sync().map_err(failed(&paths.directory))
}

/// Writes a certificate for the same key in place of the one that is there, in
/// one step. Owner and mode stay.
///
/// # Errors
/// If the disk fails. Then the old certificate is there.
pub(crate) fn replace_certificate(paths: &PairPaths, pem: &str) -> Result<(), CertsError> {
    let directory = Directory::lock(&paths.directory).map_err(failed(&paths.directory))?;
    finish_or_clear(paths, &directory)?;
    let cert = paths.cert();
    let old = fs::metadata(&cert).map_err(CertsError::Read)?;
    let mode = old.permissions().mode() & 0o777;
    let mut staged = stage(&paths.staged_cert(), pem, mode).map_err(failed(&cert))?;
    // Whoever may not give files away is their owner already, or could not have
    // written here.
    let _ = std::os::unix::fs::chown(&staged, Some(old.uid()), Some(old.gid()));
    overwrite(&mut staged, &cert)?;
    directory.sync().map_err(failed(&paths.directory))
}

impl PairPaths {
    const CA: &'static str = "root-ca";

    /// `root-ca.crt` and `root-ca.key`.
    #[must_use]
    pub fn ca(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            name: Self::CA.to_owned(),
        }
    }

    /// The pair of a site.
    #[must_use]
    pub fn site(directory: &Path, name: &PairName) -> Self {
        Self {
            directory: directory.to_owned(),
            name: name.0.clone(),
        }
    }

    /// The certificate's file.
    #[must_use]
    pub fn cert(&self) -> PathBuf {
        self.directory.join(format!("{}.crt", self.name))
    }

    /// The key's file.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.directory.join(format!("{}.key", self.name))
    }

    /// Finishes a pair whose writing was interrupted, and tells whether there
    /// is one.
    ///
    /// # Errors
    /// If only one of the two files is there, or the directory cannot be read.
    pub fn settle(&self) -> Result<PairState, CertsError> {
        let staged = exists(&self.staged_cert()) || exists(&self.staged_key());
        if staged {
            let directory =
                Directory::lock(&self.directory).map_err(|error| CertsError::Write {
                    path: self.directory.clone(),
                    error,
                })?;
            finish_or_clear(self, &directory)?;
        }
        let (cert, key) = (self.cert(), self.key());
        match (exists(&cert), exists(&key)) {
            (true, true) => Ok(PairState::Complete),
            (false, false) => Ok(PairState::Missing),
            (true, false) => Err(CertsError::HalfPair {
                present: cert,
                missing: key,
            }),
            (false, true) => Err(CertsError::HalfPair {
                present: key,
                missing: cert,
            }),
        }
    }

    fn staged_cert(&self) -> PathBuf {
        self.directory.join(format!(".{}.crt.new", self.name))
    }

    fn staged_key(&self) -> PathBuf {
        self.directory.join(format!(".{}.key.new", self.name))
    }
}

impl PairName {
    /// Checks a name.
    ///
    /// # Errors
    /// If it has characters other than ASCII letters, digits and `.`, `-`, `_`,
    /// `:`, `@`, `+`, starts with a dot or a hyphen, is too long, or is
    /// `root-ca`.
    pub fn parse(name: &str) -> Result<Self, PairNameError> {
        let takes = |c: char| c.is_ascii_alphanumeric() || ".-_:@+".contains(c);
        let refuse = |reason| {
            Err(PairNameError {
                name: name.escape_debug().to_string(),
                reason,
            })
        };
        match name {
            "" => refuse("it is empty"),
            PairPaths::CA => refuse("the CA's files have this name"),
            _ if name.contains(['/', '\\']) => refuse("it leads to another directory"),
            _ if !name.chars().all(takes) => {
                refuse("it has characters other than letters, digits and . - _ : @ +")
            }
            _ if name.starts_with('.') => refuse("it starts with a dot"),
            _ if name.starts_with('-') => refuse("it starts with a hyphen"),
            _ if name.len() > 200 => refuse("it is longer than 200 bytes"),
            _ => Ok(Self(name.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Explain for PairNameError {}

impl FromStr for PairName {
    type Err = PairNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// A directory that no other writer of pairs touches meanwhile.
struct Directory(fs::File);

impl Directory {
    fn lock(path: &Path) -> io::Result<Self> {
        let directory = fs::File::open(path)?;
        // Some network file systems lock no directories. Without the lock, two
        // writers get in each other's way and one of them fails, but nothing is
        // overwritten.
        let _ = directory.file().lock();
        Ok(Self(directory))
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// The key first: a certificate that has its name completes the pair.
fn name_both(
    paths: &PairPaths,
    staged_cert: TempPath,
    staged_key: TempPath,
    directory: &Directory,
) -> Result<(), CertsError> {
    let (cert, key) = (paths.cert(), paths.key());
    name(staged_key, &key)?;
    // Should the certificate's name reach the disk and the key's not, nobody
    // could finish the pair.
    let named = directory.sync().map_err(failed(&paths.directory));
    if let Err(error) = named.and_then(|()| name(staged_cert, &cert)) {
        // Made a moment ago by this very call, so nobody's but ours.
        let _ = fs::remove_file(&key);
        return Err(error);
    }
    directory.sync().map_err(failed(&paths.directory))
}

/// To be called with the directory locked: what is staged then belongs to
/// nobody who is still at work.
fn finish_or_clear(paths: &PairPaths, directory: &Directory) -> Result<(), CertsError> {
    let (staged_cert, staged_key) = (paths.staged_cert(), paths.staged_key());
    if exists(&staged_cert) && exists(&paths.key()) {
        let fits = |cert: &Path, key: &Key| {
            Certificate::read_first(cert).is_ok_and(|cert| cert.matches_key(key))
        };
        // A key that cannot be read is nobody's half of anything.
        let key = Key::read(&paths.key());
        match key {
            Ok(key) if fits(&staged_cert, &key) && !fits(&paths.cert(), &key) => {
                return finish(staged_cert, &paths.cert(), directory);
            }
            // Which certificate fits it cannot be told. But one that is staged
            // whole and alone is for the key that is there: it was staged for
            // that, or together with it, before it got its name.
            Err(CertsError::EncryptedKey { .. })
                if !exists(&staged_key) && Certificate::read_first(&staged_cert).is_ok() =>
            {
                return finish(staged_cert, &paths.cert(), directory);
            }
            Err(error) if !exists(&paths.cert()) => return Err(error),
            _ => {}
        }
    }
    for path in [staged_cert, staged_key] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CertsError::Write { path, error });
            }
            _ => {}
        }
    }
    Ok(())
}

fn finish(staged: PathBuf, cert: &Path, directory: &Directory) -> Result<(), CertsError> {
    let failed = |error| CertsError::Write {
        path: cert.to_owned(),
        error,
    };
    let mut staged = TempPath::try_from_path(staged).map_err(failed)?;
    // If this fails, it can be tried again.
    staged.disable_cleanup(true);
    overwrite(&mut staged, cert)?;
    directory.sync().map_err(failed)
}

fn stage(path: &Path, content: &str, mode: u32) -> io::Result<TempPath> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let mut file: NamedTempFile = tempfile::Builder::new()
        .prefix(name)
        .rand_bytes(0)
        .permissions(PermissionsExt::from_mode(mode))
        .tempfile_in(directory)?;
    file.write_all(content.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// Gives a staged file its name, unless that is taken.
fn name(staged: TempPath, path: &Path) -> Result<(), CertsError> {
    staged.persist_noclobber(path).map_err(|failed| {
        let path = path.to_owned();
        match failed.error {
            error if error.kind() == io::ErrorKind::AlreadyExists => CertsError::Exists { path },
            error => CertsError::Write { path, error },
        }
    })
}

/// Gives a staged file its name, in place of what has it.
fn overwrite(staged: &mut TempPath, path: &Path) -> Result<(), CertsError> {
    fs::rename(&*staged, path).map_err(failed(path))?;
    // There is nothing to clear away any more.
    staged.disable_cleanup(true);
    Ok(())
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> CertsError {
    let path = path.to_owned();
    move |error| CertsError::Write { path, error }
}

/// A link that leads nowhere is there, too.
fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests;
