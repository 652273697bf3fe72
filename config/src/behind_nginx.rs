//! A registry that stood behind nginx, and answers in its place now.

use std::path::Path;

use crate::finding::{Adopted, Finding, Verdict};
use crate::load::{LoadError, load_nginx};
use crate::settings::{Auth, Backend, Settings};
use crate::site::{Access, Action};

/// Keys of the registry's file that were about the way between the two.
const BETWEEN: [&str; 4] = ["http.addr", "http.net", "http.tls", "http.http2"];

/// Reads the main file of nginx at `path`, in which the registry that `registry`
/// describes answers where requests are passed to one.
///
/// Where nginx asks for no password and the registry did, its own is asked for.
/// Where both did, from different files, that cannot be honoured.
///
/// # Errors
/// As for [`load_nginx`].
pub fn load_nginx_with_registry(path: &Path, registry: Adopted) -> Result<Adopted, LoadError> {
    let Adopted {
        settings: behind,
        mut findings,
    } = registry;
    let Backend::Registry(storage) = behind.backend.clone() else {
        return Err(LoadError::NoRegistry {
            file: path.to_owned(),
        });
    };
    let mut front = load_nginx(path, Some(storage))?;
    for finding in &mut findings {
        let is_between = |key: &str| {
            let rest = finding.subject.strip_prefix(key);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', ' ']))
        };
        if finding.verdict == Verdict::Honoured && BETWEEN.iter().any(|key| is_between(key)) {
            finding.verdict =
                Verdict::Harmless("requests come to the listeners of nginx.conf".to_owned());
        }
    }
    if let Some(auth) = &behind.auth {
        let differ = ask_for_passwords(&mut front.settings, auth);
        if differ {
            findings.push(Finding {
                location: None,
                subject: "auth.htpasswd".to_owned(),
                verdict: Verdict::Refused(
                    "nginx asks for the passwords of another file: one of the two has to go"
                        .to_owned(),
                ),
            });
        }
    }
    front.settings.debug = behind.debug;
    front.settings.log.level = behind.log.level;
    front.settings.log.format = behind.log.format;
    front.findings.extend(findings);
    Ok(front)
}

/// Has the registry's passwords asked for where nginx asks for none. Returns
/// whether nginx asks for others anywhere.
fn ask_for_passwords(settings: &mut Settings, auth: &Auth) -> bool {
    let mut differ = false;
    let mut ask = |access: &mut Access| match &access.auth {
        None => {
            access.auth = Some(auth.clone());
            // An address alone got past nginx, and not past the registry.
            access.either = false;
        }
        Some(other) => differ |= other.htpasswd != auth.htpasswd || access.either,
    };
    for place in settings.sites.iter_mut().flat_map(|site| &mut site.places) {
        if place.action == Action::Registry {
            ask(&mut place.rules.access);
            if let Some(methods) = &mut place.rules.access.methods {
                ask(&mut methods.access);
            }
        }
    }
    differ
}
