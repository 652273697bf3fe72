//! `tidegate.toml` while it is served by: rules take effect at once, and of the
//! rest it is said that it does at the next start.

use std::path::{Path, PathBuf};

use tidegate_auth::policy::{Policy, SharedPolicy};
use tidegate_config::{FileStamp, Settings};
use tidegate_failure::Explain as _;
use tracing::{error, info, warn};

/// A `tidegate.toml` and what it said at the start.
pub(crate) struct Configuration {
    path: PathBuf,
    /// Without what the command line says otherwise. `None` if it could not be
    /// read any more.
    at_start: Option<Settings>,
    /// The file as it was when it was looked at last.
    seen: Option<FileStamp>,
    /// The file as it was when it was read last.
    read: Option<FileStamp>,
}

impl Configuration {
    /// The file at `path`, which has just been read.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            at_start: tidegate_config::load(path).ok(),
            seen: None,
            read: None,
        }
    }

    /// Reads the file again if it has changed, or if that is `asked` for. One
    /// that changed since the last look may be half written, and its rules say
    /// something else then: it is left for the next.
    pub(super) fn reload(&mut self, policy: Option<&SharedPolicy>, asked: bool) {
        let present = Some(FileStamp::of(&self.path));
        let rests = self.seen == present;
        self.seen = present;
        if !asked && (self.read == present || !rests) {
            return;
        }
        self.read = present;
        match tidegate_config::load(&self.path) {
            Ok(settings) => self.take(settings, policy, asked),
            Err(e) => error!(
                hint = e.hint(),
                "{e}; what was read before of this file stays in force"
            ),
        }
    }

    fn take(&mut self, mut settings: Settings, policy: Option<&SharedPolicy>, asked: bool) {
        let mut later = Vec::new();
        match (policy, settings.access.take()) {
            (None, None) => {}
            (Some(policy), Some(rules)) => {
                if asked || *policy.current().rules() != rules {
                    let count = rules.rules.len();
                    policy.replace(Policy::new(rules));
                    info!(
                        configuration.path = %self.path.display(),
                        rules = count,
                        "read the rules of [access] again"
                    );
                }
            }
            // Who is asked for a password, and by whom, is settled at the start;
            // and a section that is gone lets in more than one that is empty.
            (Some(_), None) | (None, Some(_)) => {
                later.push("access");
            }
        }
        // Where tokens come from comes and goes with that section.
        let is_access_later = !later.is_empty();
        let at_start = self.at_start.get_or_insert_with(|| settings.clone());
        let differ = sections_that_differ(at_start, &settings).into_iter();
        later.extend(differ.filter(|name| !(is_access_later && *name == "token_server")));
        if !later.is_empty() {
            warn!(
                configuration.path = %self.path.display(),
                sections = later.join(", "),
                "sections have changed that take effect at the next start"
            );
        }
    }
}

/// The sections, apart from `[access]`, that do not say the same.
fn sections_that_differ(one: &Settings, other: &Settings) -> Vec<&'static str> {
    // Taken apart, so that no section is forgotten here.
    let Settings {
        log,
        server,
        listeners,
        certificates,
        sites,
        edge,
        auth,
        robots,
        access: _,
        token,
        auth_config,
        token_server,
        backend,
        debug,
    } = one;
    let sections = [
        ("log", *log == other.log),
        ("server", *server == other.server),
        ("listener", *listeners == other.listeners),
        ("certificate", *certificates == other.certificates),
        ("site", *sites == other.sites),
        ("edge", *edge == other.edge),
        ("auth", *auth == other.auth),
        ("auth.robots", *robots == other.robots),
        ("auth.token", *token == other.token),
        ("auth_config", *auth_config == other.auth_config),
        ("token_server", *token_server == other.token_server),
        ("registry", *backend == other.backend),
        ("debug", *debug == other.debug),
    ];
    let differ = sections.into_iter().filter(|(_, is_same)| !is_same);
    differ.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocol = \"http\"\n\
                        [auth]\nhtpasswd = \"users\"\n\
                        [registry]\nroot = \"registry\"\n";

    fn settings(access: &str) -> Settings {
        let text = format!("{FILE}{access}");
        tidegate_config::parse(Path::new("tidegate.toml"), &text).unwrap()
    }

    #[test]
    fn a_file_is_read_once_it_rests() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tidegate.toml");
        let write = |access: &str| fs_err::write(&path, format!("{FILE}{access}")).unwrap();
        write("[access]\n");
        let at_start = tidegate_config::load(&path).unwrap();
        let mut configuration = Configuration::new(&path);
        let policy = SharedPolicy::new(Policy::new(at_start.access.unwrap()));
        let mut look = |asked| {
            configuration.reload(Some(&policy), asked);
            !policy.current().rules().anonymous.is_empty()
        };

        assert!(!look(false) && !look(false));
        write("[access]\nanonymous = \"pull\"\n");
        assert!(!look(false), "it may be half written");
        write("[access]\nanonymous = \"pull\"\n# and more\n");
        assert!(!look(false), "it still may");
        assert!(look(false));
        // What cannot be read changes nothing, nor does a file that is gone.
        write("[access]\nanonymous = \"all\"\n");
        assert!(look(false) && look(false) && look(true));
        fs_err::remove_file(&path).unwrap();
        assert!(look(false) && look(false) && look(true));
        // Whoever asks says that it is written.
        write("[access]\n");
        assert!(!look(true));
        // A section that is gone is none that is empty.
        write("[access]\nanonymous = \"pull\"\n");
        assert!(look(true));
        write("");
        assert!(look(true));
    }

    #[test]
    fn sections_are_compared_one_by_one() {
        let differ = |text: &str| {
            let other = FILE.replace("[registry]", &format!("{text}\n[registry]"));
            let other = tidegate_config::parse(Path::new("tidegate.toml"), &other).unwrap();
            sections_that_differ(&settings(""), &other)
        };
        assert!(differ("").is_empty());
        assert_eq!(differ("realm = \"R\""), ["auth"]);
        assert_eq!(
            differ("[log]\naccess = \"off\"\n[server]\ndrain_timeout = \"1s\""),
            ["log", "server"]
        );
        assert_eq!(
            differ("[debug]\naddress = \"127.0.0.1:0\"\n[edge]\npublish_ca = false"),
            ["edge", "debug"]
        );
        let other = FILE.replace("root = \"registry\"", "root = \"elsewhere\"");
        let other = tidegate_config::parse(Path::new("tidegate.toml"), &other).unwrap();
        assert_eq!(sections_that_differ(&settings(""), &other), ["registry"]);
    }
}
