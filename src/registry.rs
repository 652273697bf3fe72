//! `registry`: the commands of docker-registry, with its configuration.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tidegate_auth::hash::{Cost, hash_password};
use tidegate_auth::htpasswd::{Document, UserName};
use tidegate_failure::Failure;
use tidegate_proxy::BoundListener;
use tracing::info;

use crate::reload::Configuration;
use crate::{inputs, password, serve};

/// The user of a password file that was not there, as docker-registry names it.
const FIRST_USER: &str = "docker";

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve as docker-registry's configuration says
    Serve(Arguments),
    #[command(flatten)]
    Keep(tidegate_registry::cli::Command),
}

/// The arguments of `registry serve`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The config.yml of docker-registry, which variables named REGISTRY_*
    /// overrule; or a tidegate.toml
    #[arg(value_name = "CONFIG", env = "REGISTRY_CONFIGURATION_PATH")]
    config: PathBuf,

    /// Serve even if something that the configuration asks for is not there
    #[arg(long)]
    lenient: bool,

    /// Take traditional crypt(3) and {PLAIN} from the password file; `[auth]` of a
    /// tidegate.toml has a setting for that
    #[arg(long)]
    allow_weak_hashes: bool,
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => serve(&arguments),
        Command::Keep(command) => tidegate_registry::cli::run(command),
    }
}

fn serve(arguments: &Arguments) -> Result<(), Failure> {
    let adopted = inputs::with_users(inputs::registry_config(&arguments.config)?)?;
    let mut settings = inputs::settle(adopted, arguments.lenient)?;
    if arguments.allow_weak_hashes {
        settings.allow_weak_hashes();
    }
    if let Some(auth) = &settings.auth {
        make_missing_users(&auth.htpasswd)?;
    }
    let configuration =
        inputs::is_ours(&arguments.config).then(|| Configuration::new(&arguments.config));
    let refusals = inputs::refusals_are(arguments.lenient);
    serve::serve(settings, configuration, refusals, tell_listeners)
}

/// Makes a password file that is not there, as docker-registry does: with one
/// user, whose password is said this once.
pub(crate) fn make_missing_users(path: &Path) -> Result<(), Failure> {
    if fs_err::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    let name = UserName::parse(FIRST_USER).map_err(|e| Failure::new(e.to_string()))?;
    let password = password::random();
    let hash = hash_password(&password, Cost::DEFAULT)?;
    let mut document = Document::new();
    document.set(&name, &hash);
    if let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs_err::create_dir_all(directory).map_err(|e| Failure::of(&e, None))?;
    }
    // Before it is stored: see `up`, which does the same.
    inputs::warn(&format!(
        "{} is not there and is made now: user {FIRST_USER}, password {} (shown only this once)",
        path.display(),
        password.as_str()
    ));
    Ok(tidegate_auth::htpasswd::write(path, &document)?)
}

/// In the log, as docker-registry does: standard output is for the access log.
fn tell_listeners(listeners: &[BoundListener]) {
    for listener in listeners {
        info!("listening on {}", serve::url(listener));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_password_file_is_made_for_one_user_and_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("auth/htpasswd");
        make_missing_users(&path).unwrap();
        let text = fs_err::read_to_string(&path).unwrap();
        assert!(text.starts_with("docker:$2"), "{text}");
        let mode = fs_err::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        make_missing_users(&path).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
    }
}
