//! What is said of an `auth_config.yml`: alone, as `tidegate token-server` would
//! serve it, and beside a registry.

use std::fmt::Write as _;
use std::path::Path;

use tidegate_config::auth_config::{self, AuthConfig, Bind, Password};
use tidegate_config::{Adopted, CertificateFiles, LoadError};
use tidegate_failure::Failure;

use crate::{inputs, token_server, tokens};

/// `tidegate check --auth-config` without a registry: says what becomes of each line
/// of a file, what it comes to, and what is wrong.
pub(crate) fn check(path: &Path, lenient: bool) -> Result<(), Failure> {
    let Adopted { settings, findings } = listed(path)?;
    let refused = inputs::refusals(&findings);
    if !refused.is_empty() && !lenient {
        return Err(Failure::new(refused.join("\n"))
            .with_hint("take it out of the file, or do without it: --lenient"));
    }
    token_server::address(&settings.server.bind)?;
    tokens::signer_of(&settings.token)?;
    if let Some(CertificateFiles { cert, key, .. }) = &settings.server.certificate {
        for file in [cert, key] {
            fs_err::File::open(file).map_err(|error| Failure::of(&error, None))?;
        }
    }
    tidegate_failure::print(&report(&settings));
    tidegate_failure::say(&format!("{}: ok", path.display()));
    Ok(())
}

/// `tidegate import --auth-config` without a registry: says what becomes of each line,
/// and that there is nothing to write.
pub(crate) fn import(path: &Path) -> Result<(), Failure> {
    listed(path)?;
    let path = path.display();
    Err(Failure::new(format!(
        "{path}: no tidegate.toml is made of users and rules alone"
    ))
    .with_hint(format!(
        "`tidegate token-server --auth-config {path}` serves it as it is; with a registry, \
                 name that as well: --registry-config FILE"
    )))
}

/// Reads a file, and says what becomes of each line.
fn listed(path: &Path) -> Result<Adopted<AuthConfig>, Failure> {
    let adopted = auth_config::load(path).map_err(|error| match error {
        LoadError::Read(_) => Failure::from(error)
            .with_hint("name the auth_config.yml that docker_auth was started with"),
        other => other.into(),
    })?;
    tidegate_failure::print(&format!("{}\n", inputs::listed(&adopted.findings)));
    Ok(adopted)
}

fn report(settings: &AuthConfig) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let server = &settings.server;
    let scheme = match server.certificate {
        Some(_) => "https",
        None => "http",
    };
    let _ = match &server.bind {
        Bind::Tcp(address) => writeln!(
            text,
            "tokens       {scheme}://{address}{}/auth",
            server.path_prefix
        ),
        Bind::Unix(path) => writeln!(text, "tokens       {scheme} at {}", path.display()),
    };
    text + &report_of_tokens(settings)
}

/// What the file comes to beside a registry in the same process, which is where
/// tokens are asked for.
pub(crate) fn report_beside_registry(path: &Path, settings: &AuthConfig) -> String {
    format!(
        "docker_auth  {}\n{}",
        path.display(),
        report_of_tokens(settings)
    )
}

fn report_of_tokens(settings: &AuthConfig) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        text,
        "signed       with {}, as \"{}\", for {}",
        settings.token.signing.key.display(),
        settings.token.issuer,
        humantime::format_duration(settings.token.expiration)
    );
    let of = |password: fn(&Password) -> bool| {
        let users = settings.users.values();
        users.filter(|user| password(&user.password)).count()
    };
    let _ = writeln!(
        text,
        "users        {} with a password, {} whom any lets in, {} whom none does",
        of(|password| matches!(password, Password::Hash(_))),
        of(|password| *password == Password::Any),
        of(|password| *password == Password::Nothing),
    );
    let _ = writeln!(text, "rules        {}", settings.acl.len());
    text
}
