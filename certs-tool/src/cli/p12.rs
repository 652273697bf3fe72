//! `certs-tool p12`.

use std::path::PathBuf;

use clap::Args;
use tidegate_failure::Failure;
use zeroize::Zeroizing;

use super::common;
use crate::{Certificate, CertsError, Key, P12Encryption, PairName, PairPaths, atomic, p12};

/// The arguments of `certs-tool p12`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The name of the files, NAME.crt and NAME.key
    #[arg(value_name = "NAME")]
    name: String,

    /// Where they are; root-ca.crt, if it is there and signed the certificate,
    /// is put into the file as well
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// The file that is written [default: DIR/NAME.p12]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// A file with the password in its first line [default: ask for it]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Write the file without a password
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,

    /// Encrypt as programs of before 2019 need it; weak
    #[arg(long)]
    legacy: bool,

    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name: PairName = common::parse("NAME", &arguments.name)?;
    let paths = PairPaths::site(&arguments.dir, &name);
    paths.settle()?;
    let (cert, key_path) = (paths.cert(), paths.key());
    let mut chain = Certificate::read(&cert)?;
    let key = Key::read(&key_path)?;
    if !chain.first().is_some_and(|leaf| leaf.matches_key(&key)) {
        let key = key_path;
        return Err(CertsError::KeyMismatch { cert, key }.into());
    }
    let out = arguments
        .out
        .clone()
        .unwrap_or_else(|| arguments.dir.join(format!("{}.p12", name.as_str())));
    // Before a password is asked for.
    if !arguments.force && fs_err::symlink_metadata(&out).is_ok() {
        return Err(Failure::from(CertsError::Exists { path: out })
            .with_hint("name another file with --out, or replace it with --force"));
    }
    let root = PairPaths::ca(&arguments.dir).cert();
    if root.exists() {
        let root = Certificate::read_first(&root)?;
        if chain
            .last()
            .is_some_and(|last| last.is_issued_by(&root) && *last != root)
        {
            chain.push(root);
        }
    }
    let encryption = if arguments.legacy {
        P12Encryption::Legacy
    } else {
        P12Encryption::Modern
    };
    let made = p12(
        name.as_str(),
        &key,
        &chain,
        &password(arguments)?,
        encryption,
    )?;
    atomic::write(&out, &made, 0o600, arguments.force)?;
    tidegate_failure::say(&format!(
        "wrote {}: the key and {} certificates",
        out.display(),
        chain.len()
    ));
    Ok(())
}

fn password(arguments: &Arguments) -> Result<Zeroizing<String>, Failure> {
    if arguments.no_password {
        return Ok(Zeroizing::default());
    }
    let given = match &arguments.password_file {
        Some(file) => {
            let text = Zeroizing::new(fs_err::read_to_string(file).map_err(CertsError::Read)?);
            Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
        }
        None => ask()?,
    };
    if given.is_empty() {
        return Err(
            Failure::new("the password is empty, and the key would be for everybody")
                .with_hint("give one with --password-file FILE, or say --no-password"),
        );
    }
    Ok(given)
}

fn ask() -> Result<Zeroizing<String>, Failure> {
    let prompt = |text| {
        rpassword::prompt_password(text)
            .map(Zeroizing::new)
            .map_err(|error| {
                Failure::of(&error, None)
                    .concerning("no password can be asked for")
                    .with_hint("give it with --password-file FILE")
            })
    };
    let first = prompt("Password for the file: ")?;
    if *first != *prompt("The same again: ")? {
        return Err(Failure::new("the two passwords differ"));
    }
    Ok(first)
}
