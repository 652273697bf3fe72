//! Who can log in with the password files of a configuration, and which of their
//! lines do not count.

use std::fmt::Write as _;

use tidegate_auth::htpasswd::{Users, WeakHashes};
use tidegate_config::Settings;
use tidegate_failure::Failure;

/// A paragraph for each file, for people.
///
/// # Errors
/// The first file with which nothing could be served. One that is not there is
/// none if it `is_made_if_missing`.
pub(crate) fn listed(settings: &Settings, is_made_if_missing: bool) -> Result<String, Failure> {
    let mut text = String::new();
    let mut files = Vec::new();
    for auth in settings.auths() {
        let file = (&auth.htpasswd, auth.allow_weak_hashes);
        if files.contains(&file) {
            continue;
        }
        files.push(file);
        let shown = auth.htpasswd.display();
        // Writing to a `String` cannot fail.
        if is_made_if_missing && fs_err::symlink_metadata(&auth.htpasswd).is_err() {
            let _ = writeln!(text, "users        {shown} is not there, and will be made");
            continue;
        }
        let weak = match auth.allow_weak_hashes {
            true => WeakHashes::Allowed,
            false => WeakHashes::Refused,
        };
        let users = Users::read(&auth.htpasswd, weak)?;
        let _ = writeln!(text, "users        {} in {shown}", users.len());
        for problem in users.problems() {
            let _ = writeln!(text, "  ignored    {problem}");
            if let Some(hint) = problem.hint() {
                let _ = writeln!(text, "             hint: {hint}");
            }
        }
        for weakness in users.weaknesses() {
            let _ = writeln!(text, "  weak       {weakness}");
            let _ = writeln!(text, "             hint: {}", weakness.hint());
        }
    }
    Ok(text)
}
