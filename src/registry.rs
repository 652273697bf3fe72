//! `registry`: the commands of docker-registry, with its configuration.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tidegate_auth::hash::{Cost, hash_password};
use tidegate_auth::htpasswd::{Document, UserName};
use tidegate_config::{Adopted, Finding, LoadError, Settings, Verdict};
use tidegate_failure::Failure;
use tidegate_proxy::BoundListener;
use tracing::info;

use crate::{password, serve};

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
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => serve(&arguments),
        Command::Keep(command) => tidegate_registry::cli::run(command),
    }
}

fn serve(arguments: &Arguments) -> Result<(), Failure> {
    let settings = load(arguments)?;
    if let Some(auth) = &settings.auth {
        make_missing_users(&auth.htpasswd)?;
    }
    serve::serve(settings, tell_listeners)
}

fn load(arguments: &Arguments) -> Result<Settings, Failure> {
    let path = &arguments.config;
    if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        return Ok(tidegate_config::load(path)?);
    }
    // A variable that is not Unicode cannot be one of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let Adopted { settings, findings } = tidegate_config::load_config_yml(path, environment)
        .map_err(|error| match error {
            LoadError::Read(_) => Failure::from(error)
                .with_hint("name the config.yml that docker-registry was started with"),
            other => other.into(),
        })?;
    for finding in &findings {
        if let Some(warning) = warning(finding) {
            warn(&warning);
        }
    }
    let refused: Vec<String> = findings.iter().filter_map(refusal).collect();
    if refused.is_empty() {
        return Ok(settings);
    }
    if arguments.lenient {
        for refusal in &refused {
            warn(refusal);
        }
        return Ok(settings);
    }
    Err(Failure::new(refused.join("\n"))
        .with_hint("take it out of the configuration, or serve without it: --lenient"))
}

/// What is to be said of a key that is not served as it stands.
fn warning(finding: &Finding) -> Option<String> {
    let subject = subject(finding);
    match &finding.verdict {
        Verdict::Unknown(Some(near)) => {
            Some(format!("{subject}: unknown key; the nearest is `{near}`"))
        }
        Verdict::Unknown(None) => Some(format!("{subject}: unknown key")),
        // A variable that overrules the file was meant to.
        Verdict::Replaced(by) if by.starts_with("REGISTRY_") => None,
        Verdict::Replaced(by) => Some(format!("{subject}: in its place: {by}")),
        Verdict::Honoured | Verdict::Harmless(_) | Verdict::Refused(_) => None,
    }
}

fn refusal(finding: &Finding) -> Option<String> {
    match &finding.verdict {
        Verdict::Refused(why) => Some(format!("{}: {why}", subject(finding))),
        _ => None,
    }
}

/// Place and key: `config.yml:3:7: proxy.remoteurl`.
fn subject(finding: &Finding) -> String {
    let key = finding.subject.split(": ").next().unwrap_or_default();
    match &finding.location {
        Some(location) => format!("{location}: {key}"),
        None => finding.subject.clone(),
    }
}

#[expect(clippy::print_stderr, reason = "warnings are messages")]
fn warn(what: &str) {
    eprintln!("warning: {what}");
}

/// Makes a password file that is not there, as docker-registry does: with one
/// user, whose password is said this once.
fn make_missing_users(path: &Path) -> Result<(), Failure> {
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
    warn(&format!(
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

    fn arguments(config: PathBuf, lenient: bool) -> Arguments {
        Arguments { config, lenient }
    }

    #[test]
    fn what_is_refused_stops_unless_lenient() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.yml");
        let text =
            "version: 0.1\nstorage: filesystem\nproxy:\n  remoteurl: https://x\n  username: a\n";
        fs_err::write(&config, text).unwrap();
        let failure = load(&arguments(config.clone(), false)).unwrap_err();
        let said = format!("{failure:?}");
        assert!(
            said.contains("config.yml:4:3: proxy.remoteurl: images"),
            "{said}"
        );
        assert!(said.contains("config.yml:5:3: proxy.username"), "{said}");
        load(&arguments(config, true)).unwrap();
    }

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
