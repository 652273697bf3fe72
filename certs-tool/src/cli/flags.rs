//! Flags that several commands have, each in one place.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_failure::Failure;
use zeroize::Zeroizing;

use super::common;
use crate::{
    Ca, CertsError, HostName, KeyKind, Overwrite, Pair, PairName, PairPaths, Passphrase, Subject,
    replace_pair, write_pair,
};

/// Where files are, and whether they may be replaced.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The directory of the certificates and keys; made if it is missing
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) dir: PathBuf,

    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

/// A key that is made, and whom its certificate is about.
#[derive(Debug, Args)]
pub(super) struct NewKey {
    /// Whom the certificate is about, as /C=DE/O=Example/CN=example.com
    /// [default: a CN: the name, or for a CA one with a random number]
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,

    /// The kind of key: ecdsa-p256, ecdsa-p384, rsa-2048, rsa-4096 or ed25519
    #[arg(long, value_name = "KIND", default_value_t = KeyKind::default())]
    pub(super) key: KeyKind,
}

/// The key of the CA.
#[derive(Debug, Args)]
pub(super) struct CaKey {
    /// The file whose first line is the passphrase of root-ca.key, if that is
    /// encrypted [default: asked for on the terminal]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// The files of a server's certificate, and the names that it is for.
#[derive(Debug, Args)]
pub(super) struct Names {
    /// The name of the files, and of the server, if it is a name or an address
    #[arg(value_name = "NAME")]
    name: String,

    /// A name or address by which clients reach the server, besides NAME; may
    /// be repeated
    #[arg(long, value_name = "NAME_OR_IP")]
    san: Vec<String>,
}

impl Place {
    pub(super) fn overwrite(&self) -> Overwrite {
        match self.force {
            true => Overwrite::Allowed,
            false => Overwrite::Never,
        }
    }

    pub(super) fn pair(&self, name: &PairName) -> PairPaths {
        PairPaths::site(&self.dir, name)
    }

    /// Writes a pair, in place of another one only if that is allowed.
    pub(super) fn write(&self, paths: &PairPaths, pair: &Pair) -> Result<(), Failure> {
        match self.overwrite() {
            Overwrite::Never => write_pair(paths, pair),
            Overwrite::Allowed => replace_pair(paths, pair),
        }
        .map_err(Self::explain)
    }

    /// Names the flag that would have helped.
    pub(super) fn explain(error: CertsError) -> Failure {
        let exists = matches!(error, CertsError::Exists { .. });
        let failure = Failure::from(error);
        match exists {
            true => failure.with_hint("--force replaces it"),
            false => failure,
        }
    }
}

impl NewKey {
    pub(super) fn subject(&self) -> Result<Option<Subject>, Failure> {
        subject(self.subject.as_deref())
    }
}

/// The subject that was given, if one was.
pub(super) fn subject(given: Option<&str>) -> Result<Option<Subject>, Failure> {
    given
        .map(|text| common::parse("--subject", text))
        .transpose()
}

impl CaKey {
    /// The CA of a directory.
    pub(super) fn ca(&self, directory: &Path) -> Result<Ca, Failure> {
        let paths = PairPaths::ca(directory);
        let (cert, key) = (paths.cert(), paths.key());
        paths.settle()?;
        if !cert.exists() {
            let message = format!("there is no CA: `{}` is missing", cert.display());
            let hint = format!("make one: certs-tool ca --dir {}", directory.display());
            return Err(Failure::new(message).with_hint(hint));
        }
        let passphrase = self.given()?;
        match Ca::load_with(&cert, &key, passphrase.as_ref()) {
            Err(CertsError::EncryptedKey { .. }) if std::io::stdin().is_terminal() => {
                let asked = ask(&key)?;
                Ok(Ca::load_with(&cert, &key, Some(&asked))?)
            }
            loaded => Ok(loaded?),
        }
    }

    /// The passphrase, if its file was given.
    fn given(&self) -> Result<Option<Passphrase>, Failure> {
        let read = self.passphrase_file.as_deref().map(Passphrase::read);
        Ok(read.transpose()?)
    }
}

fn ask(key: &Path) -> Result<Passphrase, Failure> {
    let failed = || Failure::new(format!("no passphrase for `{}`", key.display()));
    let typed = rpassword::prompt_password(format!("passphrase of {}: ", key.display()))
        .map(Zeroizing::new)
        .map_err(|error| failed().caused_by(Some(&error)))?;
    Passphrase::new(typed.as_bytes()).ok_or_else(failed)
}

impl Names {
    pub(super) fn files(&self) -> Result<PairName, Failure> {
        common::parse("NAME", &self.name)
    }

    /// Every name, at least one.
    pub(super) fn hosts(&self) -> Result<Vec<HostName>, Failure> {
        let mut names = Vec::new();
        // A name of files need not be one of a host, unless there is no other.
        match HostName::parse(&self.name) {
            Ok(host) => names.push(host),
            Err(error) if self.san.is_empty() => {
                return Err(Failure::from(error).with_hint("say with --san for which host it is"));
            }
            Err(_) => {}
        }
        names.extend(common::parse_all::<HostName>("--san", &self.san)?);
        Ok(names)
    }
}
