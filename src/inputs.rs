//! Which configuration is meant: ours, or that of the programs before.

use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_auth::docker_auth::Refusals;
use tidegate_config::site::Site;
use tidegate_config::{Adopted, Backend, Finding, LoadError, Settings, Verdict, auth_config};
use tidegate_failure::Failure;

/// The file that is read if none is named.
const OURS: &str = "tidegate.toml";

/// The name under which the registry is known that no file describes.
const DEFAULTS: &str = "(docker-registry's defaults)";

/// What docker-registry does without a file of its own.
const DEFAULT_REGISTRY: &str =
    "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /var/lib/registry\n";

/// The configuration to read.
#[derive(Debug, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("foreign").multiple(true))]
pub(crate) struct Inputs {
    /// The configuration [default: tidegate.toml]
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["nginx_conf", "registry_config"])]
    config: Option<PathBuf>,

    /// The nginx.conf that stands in front of a registry, in place of a
    /// tidegate.toml; requests go where it sends them
    #[arg(long, value_name = "FILE", group = "foreign")]
    nginx_conf: Option<PathBuf>,

    /// The config.yml of docker-registry, which variables named REGISTRY_*
    /// overrule, in place of a tidegate.toml. With --nginx-conf, the registry that
    /// it describes answers here, in place of the one that nginx forwards to
    #[arg(long, value_name = "FILE", group = "foreign")]
    registry_config: Option<PathBuf>,

    /// With --nginx-conf alone: a registry with docker-registry's defaults and
    /// the variables named REGISTRY_* answers here, in place of the one that nginx
    /// forwards to
    #[arg(long, requires = "nginx_conf", conflicts_with = "registry_config")]
    replace_upstream: bool,

    /// Take traditional crypt(3) and {PLAIN} from the password files that these
    /// configurations name, as nginx does; `[auth]` of a tidegate.toml has a setting
    /// for that
    #[arg(long, requires = "foreign")]
    allow_weak_hashes: bool,

    /// The auth_config.yml of docker_auth, whose users and rules count here, in
    /// place of passwords and of tokens from elsewhere
    #[arg(long, value_name = "FILE")]
    auth_config: Option<PathBuf>,
}

impl Inputs {
    /// Reads what is named, and says of each line of another program's file what
    /// becomes of it.
    pub(crate) fn read(&self) -> Result<Adopted, Failure> {
        let mut adopted = self.read_files()?;
        if self.allow_weak_hashes {
            adopted.settings.allow_weak_hashes();
        }
        if let Some(path) = &self.auth_config {
            adopt_users(&mut adopted.settings, path)?;
        }
        with_users(adopted)
    }

    fn read_files(&self) -> Result<Adopted, Failure> {
        let registry = match &self.registry_config {
            Some(path) => Some(registry_config(path)?),
            None if self.replace_upstream => Some(tidegate_config::parse_config_yml(
                Path::new(DEFAULTS),
                DEFAULT_REGISTRY,
                environment(),
            )?),
            None => None,
        };
        let Some(nginx) = &self.nginx_conf else {
            return match registry {
                Some(registry) => Ok(registry),
                None => Ok(ours(self.file())?),
            };
        };
        let adopted = match registry {
            Some(registry) => tidegate_config::load_nginx_with_registry(nginx, registry),
            None => tidegate_config::load_nginx(nginx, None),
        };
        adopted.map_err(|error| match error {
            LoadError::Read(_) => Failure::from(error)
                .with_hint("name the file that nginx is started with, as /etc/nginx/nginx.conf"),
            other => other.into(),
        })
    }

    /// The file, if it is one of ours.
    pub(crate) fn ours(&self) -> Option<&Path> {
        match (&self.nginx_conf, &self.registry_config) {
            (Some(_), _) => None,
            (None, Some(path)) => Some(&**path).filter(|path| is_ours(path)),
            (None, None) => Some(self.file()),
        }
    }

    /// Whether they are docker-registry's alone, who makes a password file that is
    /// missing.
    pub(crate) fn are_of_a_registry(&self) -> bool {
        self.registry_config.is_some() && self.nginx_conf.is_none()
    }

    /// The auth_config.yml, if no registry is meant with it: none is named, and
    /// there is none in this directory.
    pub(crate) fn lone_auth_config(&self) -> Option<&Path> {
        let others = [&self.nginx_conf, &self.registry_config, &self.config];
        let is_lone = others.into_iter().all(Option::is_none) && !Path::new(OURS).exists();
        self.auth_config.as_deref().filter(|_| is_lone)
    }

    /// The file that is read first.
    pub(crate) fn file(&self) -> &Path {
        let named = [&self.nginx_conf, &self.registry_config, &self.config];
        let named = named.into_iter().find_map(Option::as_deref);
        named.unwrap_or(Path::new(OURS))
    }
}

/// Puts docker_auth's users in place of tokens that come from elsewhere.
fn adopt_users(settings: &mut Settings, path: &Path) -> Result<(), Failure> {
    let asks = |site: &Site| site.places.iter().any(|place| place.rules.access.asks());
    if !matches!(settings.backend, Backend::Registry(_)) {
        return Err(Failure::new(
            "--auth-config is about a registry in this process, and there is none",
        )
        .with_hint("`tidegate token-server` gives tokens for registries elsewhere"));
    }
    if settings.auth.is_some() || settings.access.is_some() || settings.sites.iter().any(asks) {
        return Err(
            Failure::new("passwords or rules, and --auth-config besides")
                .with_hint("one of them says who may come in: take the other out"),
        );
    }
    settings.auth_config = Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    settings.token = None;
    Ok(())
}

/// Says as well what becomes of each line of docker_auth's file, if one is named.
pub(crate) fn with_users(mut adopted: Adopted) -> Result<Adopted, Failure> {
    if let Some(path) = &adopted.settings.auth_config {
        adopted.findings.extend(auth_config::load(path)?.findings);
    }
    Ok(adopted)
}

/// Reads a `tidegate.toml`, of which nothing is in doubt.
fn ours(path: &Path) -> Result<Adopted, LoadError> {
    Ok(Adopted {
        settings: tidegate_config::load(path)?,
        findings: Vec::new(),
    })
}

/// Whether a file is one of ours, by its name.
pub(crate) fn is_ours(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "toml")
}

/// Reads the file that docker-registry is started with; one of ours, if it is
/// named so.
pub(crate) fn registry_config(path: &Path) -> Result<Adopted, Failure> {
    if is_ours(path) {
        return Ok(ours(path)?);
    }
    tidegate_config::load_config_yml(path, environment()).map_err(|error| match error {
        LoadError::Read(_) => Failure::from(error)
            .with_hint("name the config.yml that docker-registry was started with"),
        other => other.into(),
    })
}

/// The variables of the environment.
fn environment() -> impl Iterator<Item = (String, String)> {
    // One that is not Unicode cannot be one of ours.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The settings to serve by. Says what is not served as it stands.
///
/// # Errors
/// What cannot be honoured, unless that is asked for.
pub(crate) fn settle(adopted: Adopted, lenient: bool) -> Result<Settings, Failure> {
    settle_findings(&adopted.findings, lenient)?;
    Ok(adopted.settings)
}

/// Says what is not served as it stands.
///
/// # Errors
/// What cannot be honoured, unless that is asked for.
pub(crate) fn settle_findings(findings: &[Finding], lenient: bool) -> Result<(), Failure> {
    for warning in findings.iter().filter_map(warning) {
        warn(&warning);
    }
    let refused = refusals(findings);
    if refused.is_empty() {
        return Ok(());
    }
    if lenient {
        for refusal in &refused {
            warn(refusal);
        }
        return Ok(());
    }
    Err(Failure::new(refused.join("\n"))
        .with_hint("take it out of the configuration, or serve without it: --lenient"))
}

/// What becomes of a file of docker_auth with something that cannot be honoured,
/// also when it is read again.
pub(crate) fn refusals_are(lenient: bool) -> Refusals {
    if lenient {
        Refusals::Pass
    } else {
        Refusals::Stop
    }
}

/// What cannot be honoured, with its place.
pub(crate) fn refusals(findings: &[Finding]) -> Vec<String> {
    let why = |finding: &Finding| match &finding.verdict {
        Verdict::Refused(why) => Some(format!("{}: {why}", subject(finding))),
        _ => None,
    };
    findings.iter().filter_map(why).collect()
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

/// Place and key: `config.yml:3:7: proxy.remoteurl`.
pub(crate) fn subject(finding: &Finding) -> String {
    let key = finding.subject.split(": ").next().unwrap_or_default();
    match &finding.location {
        Some(location) => format!("{location}: {key}"),
        None => finding.subject.clone(),
    }
}

/// Every finding, one a line: its place, what becomes of it, what it is, and why.
pub(crate) fn listed(findings: &[Finding]) -> String {
    let rows: Vec<[String; 3]> = findings
        .iter()
        .map(|finding| {
            let place = finding
                .location
                .as_ref()
                .map_or_else(|| "environment".to_owned(), ToString::to_string);
            let (verdict, why) = match &finding.verdict {
                Verdict::Honoured => ("honoured", String::new()),
                Verdict::Replaced(by) => ("replaced", format!(" (by {by})")),
                Verdict::Harmless(why) => ("harmless", format!(" ({why})")),
                Verdict::Unknown(Some(near)) => ("unknown", format!(" (the nearest is `{near}`)")),
                Verdict::Unknown(None) => ("unknown", String::new()),
                Verdict::Refused(why) => ("REFUSED", format!(" ({why})")),
            };
            [
                place,
                verdict.to_owned(),
                format!("{}{why}", finding.subject),
            ]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (places, verdicts) = (width(0), width(1));
    let line = |[place, verdict, what]: &[String; 3]| {
        format!("{place:places$}  {verdict:verdicts$}  {what}\n")
    };
    rows.iter().map(line).collect()
}

/// Says what the user should know besides.
#[expect(clippy::print_stderr, reason = "warnings are messages")]
pub(crate) fn warn(what: &str) {
    eprintln!("warning: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adopted(text: &str) -> Adopted {
        tidegate_config::parse_config_yml(Path::new("config.yml"), text, []).unwrap()
    }

    #[test]
    fn what_is_refused_stops_unless_lenient() {
        let text =
            "version: 0.1\nstorage: filesystem\nproxy:\n  remoteurl: https://x\n  username: a\n";
        let failure = settle(adopted(text), false).unwrap_err();
        let said = format!("{failure:?}");
        assert!(
            said.contains("config.yml:4:3: proxy.remoteurl: images"),
            "{said}"
        );
        assert!(said.contains("config.yml:5:3: proxy.username"), "{said}");
        settle(adopted(text), true).unwrap();
    }

    #[test]
    fn every_line_is_listed_with_what_becomes_of_it() {
        let text = "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /srv\nthreshold: 3\n\
                    http:\n  secret: s3cret\n";
        let shown = listed(&adopted(text).findings);
        assert_eq!(shown.lines().count(), 4, "{shown}");
        for part in [
            "config.yml:4:5  honoured  storage.filesystem.rootdirectory: /srv",
            "config.yml:5:1  unknown   threshold",
            "config.yml:7:3  harmless  http.secret",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
