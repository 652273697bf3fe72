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
    let differ = behind
        .auth
        .as_ref()
        .is_some_and(|auth| ask_for_passwords(&mut front.settings, auth));
    if differ {
        let why = "nginx asks for the passwords of another file: one of the two has to go";
        refuse(&mut findings, "auth.htpasswd.path", why);
    }
    if behind.token.is_some() && asks_for_passwords(&front.settings) {
        let why = "nginx asks for a password where the registry asks for a token, and clients \
                   send one of the two";
        refuse(&mut findings, "auth.token", why);
    }
    front.settings.token = behind.token;
    front.settings.debug = behind.debug;
    front.settings.log.level = behind.log.level;
    front.settings.log.format = behind.log.format;
    front.findings.extend(findings);
    Ok(front)
}

/// Has a key refused, wherever it stands.
fn refuse(findings: &mut Vec<Finding>, key: &str, why: &str) {
    let verdict = Verdict::Refused(why.to_owned());
    match findings
        .iter_mut()
        .find(|finding| finding.subject.starts_with(key))
    {
        Some(finding) => finding.verdict = verdict,
        None => findings.push(Finding {
            location: None,
            subject: key.to_owned(),
            verdict,
        }),
    }
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

/// Whether a password is asked for anywhere on the way to the registry.
fn asks_for_passwords(settings: &Settings) -> bool {
    let mut places = settings.sites.iter().flat_map(|site| &site.places);
    places.any(|place| {
        let access = &place.rules.access;
        let methods = access.methods.as_ref();
        let of_methods = methods.is_some_and(|methods| methods.access.auth.is_some());
        place.action == Action::Registry && (access.auth.is_some() || of_methods)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::parse_config_yml;

    /// The settings and findings of a place that asks as nginx's lines say, before
    /// a registry that asks for the passwords of `/etc/users`.
    fn joined(lines: &str) -> Adopted {
        let directory = tempfile::tempdir().unwrap();
        let nginx = directory.path().join("nginx.conf");
        let text = format!(
            "events {{}}\nhttp {{ server {{ listen 80; location / {{ {lines} \
             proxy_pass http://127.0.0.1:5000; }} }} }}\n"
        );
        fs_err::write(&nginx, text).unwrap();
        let text = "version: 0.1\nstorage: filesystem\nhttp:\n  addr: 127.0.0.1:5000\n\
                    auth:\n  htpasswd:\n    realm: Theirs\n    path: /etc/users\n";
        let registry = parse_config_yml(Path::new("config.yml"), text, []).unwrap();
        load_nginx_with_registry(&nginx, registry).unwrap()
    }

    fn refused(adopted: &Adopted) -> Vec<String> {
        let refused = adopted.findings.iter();
        let refused = refused.filter(|finding| matches!(finding.verdict, Verdict::Refused(_)));
        refused
            .map(|finding| format!("{}", finding.location.as_ref().unwrap()))
            .collect()
    }

    #[test]
    fn where_nginx_asks_nobody_the_registry_does() {
        let adopted = joined("allow 10.0.0.0/8; deny all; satisfy any;");
        let access = &adopted.settings.sites[0].places[0].rules.access;
        assert_eq!(access.auth.as_ref().unwrap().realm, "Theirs");
        assert!(!access.either);
        assert_eq!(access.addresses.len(), 2);
        assert_eq!(refused(&adopted), [""; 0]);
    }

    #[test]
    fn the_same_passwords_are_asked_for_once() {
        let adopted = joined("auth_basic Ours; auth_basic_user_file /etc/users;");
        let access = &adopted.settings.sites[0].places[0].rules.access;
        assert_eq!(access.auth.as_ref().unwrap().realm, "Ours");
        assert_eq!(refused(&adopted), [""; 0]);
    }

    #[test]
    fn other_passwords_are_refused_at_their_line() {
        let adopted = joined("auth_basic Ours; auth_basic_user_file /etc/others;");
        assert_eq!(refused(&adopted), ["config.yml:8:5"]);
    }

    #[test]
    fn tokens_are_asked_for_behind_nginx_too() {
        let directory = tempfile::tempdir().unwrap();
        let nginx = directory.path().join("nginx.conf");
        let joined = |lines: &str| {
            let text = format!(
                "events {{}}\nhttp {{ server {{ listen 80; location / {{ {lines} \
                 proxy_pass http://127.0.0.1:5000; }} }} }}\n"
            );
            fs_err::write(&nginx, text).unwrap();
            let text = "version: 0.1\nstorage: filesystem\nauth:\n  token: {realm: https://a, \
                        service: s, issuer: i, rootcertbundle: /r}\n";
            let registry = parse_config_yml(Path::new("config.yml"), text, []).unwrap();
            load_nginx_with_registry(&nginx, registry).unwrap()
        };
        let adopted = joined("");
        assert_eq!(adopted.settings.token.as_ref().unwrap().service, "s");
        assert_eq!(refused(&adopted), [""; 0]);
        let adopted = joined("auth_basic Ours; auth_basic_user_file /etc/users;");
        assert_eq!(refused(&adopted), ["config.yml:4:11"]);
    }

    #[test]
    fn where_the_registry_listened_does_not_matter() {
        let adopted = joined("");
        let mut findings = adopted.findings.iter();
        let address = findings.find(|finding| finding.subject.starts_with("http.addr"));
        assert!(matches!(address.unwrap().verdict, Verdict::Harmless(_)));
        let address = &adopted.settings.listeners[0].address;
        assert_eq!(address.to_string(), "0.0.0.0:80");
    }
}
