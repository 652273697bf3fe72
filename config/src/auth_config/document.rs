//! The whole of an `auth_config.yml`.

use std::path::Path;

use super::schema::SCHEMA;
use super::settings::AuthConfig;
use super::{acl, server, users};
use crate::diagnostic::Diagnostic;
use crate::finding::{Adopted, Verdict};
use crate::load::LoadError;
use crate::yaml::report::{Problem, Report};
use crate::yaml::section::Section;
use crate::yaml::tree::{self, Value};

/// Whom docker_auth asks who somebody is, besides the file, and why not here.
const AUTHENTICATORS: [(&str, &str); 10] = [
    ("google_auth", "nobody logs in with Google"),
    ("github_auth", "nobody logs in with GitHub"),
    ("oidc_auth", "nobody logs in with OpenID Connect"),
    ("gitlab_auth", "nobody logs in with GitLab"),
    ("ldap_auth", "nobody is looked up in LDAP"),
    ("mongo_auth", "nobody is looked up in MongoDB"),
    ("xorm_auth", "nobody is looked up in a database"),
    ("ext_auth", "no program is asked for users"),
    ("plugin_authn", "no plugin is asked for users"),
    ("kubernetes_auth", "nobody logs in with Kubernetes"),
];

/// Whom docker_auth asks what somebody may do, besides the file.
const AUTHORIZERS: [(&str, &str); 5] = [
    ("acl_mongo", "no rules are looked up in MongoDB"),
    ("acl_xorm", "no rules are looked up in a database"),
    ("ext_authz", "no program is asked for rights"),
    ("plugin_authz", "no plugin is asked for rights"),
    ("casbin_authz", "no rules of Casbin are read"),
];

/// Reads a file.
pub(super) fn read(path: &Path, text: &str) -> Result<Adopted<AuthConfig>, LoadError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wrong = |at, problem: String| Box::new(Diagnostic::new(path, text, at..at, problem));
    let root = tree::read(text).map_err(|(at, problem)| wrong(at, problem))?;
    if !matches!(root.value, Value::Mapping(_)) {
        let wrong = wrong(0, "this is no configuration of docker_auth".to_owned());
        let hint = "it has the sections server, token, users and acl".to_owned();
        return Err(Box::new(wrong.with_hint(Some(hint))).into());
    }
    let report = Report::new(path, text, &SCHEMA);
    let settings = Section::read_root(&root, &report, whole);
    Ok(Adopted {
        settings: settings.map_err(|problem| LoadError::of(path, problem))?,
        findings: report.into_findings(),
    })
}

fn whole(root: &Section<'_>) -> Result<AuthConfig, Problem> {
    let (server, token) = server::read(root)?;
    let has_users_elsewhere = refuse(
        root,
        &AUTHENTICATORS,
        "only those who stand in `users` are known",
    );
    let has_rules_elsewhere = refuse(root, &AUTHORIZERS, "only the rules of `acl` count");
    let users = users::read(root, has_users_elsewhere)?;
    let acl = acl::read(root, has_rules_elsewhere, &users)?;
    Ok(AuthConfig {
        server,
        token,
        users,
        acl,
    })
}

/// Refuses by name what is not asked here. Tells whether something was there.
fn refuse(root: &Section<'_>, elsewhere: &[(&str, &str)], instead: &str) -> bool {
    let mut is_there = false;
    for (key, why) in elsewhere {
        let field = root.field(key);
        if field.is_nothing() {
            field.harmless("it is empty");
        } else if !field.is_missing() {
            is_there = true;
            field.record_key(&Verdict::Refused(format!("{why}: {instead}")));
        }
    }
    is_there
}
