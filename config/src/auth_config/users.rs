//! Who stands in an `auth_config.yml`.

use std::collections::BTreeMap;

use super::bcrypt_hash::BadBcryptHash;
use super::settings::{Labels, Password, User};
use crate::finding::Verdict;
use crate::yaml::report::Problem;
use crate::yaml::section::{Field, Section};

/// Reads `users`. Without any, docker_auth does not start, unless it asks somebody
/// else.
pub(super) fn read(
    root: &Section<'_>,
    are_elsewhere: bool,
) -> Result<BTreeMap<String, User>, Problem> {
    let users = root.field("users");
    if users.is_missing() || users.is_nothing() {
        if are_elsewhere {
            users.harmless("it is empty");
            return Ok(BTreeMap::new());
        }
        let hint = "write them as\n    users:\n      \"admin\": {password: \"$2y$…\"}\n\
                    or users: {} if really nobody is to come in";
        return Err(users.problem("there are no users", hint));
    }
    let users = users.mapping(|users| users.each(user))?;
    Ok(users.into_iter().flatten().collect())
}

/// A user, unless nothing follows the name: then there is nobody of that name.
fn user(name: String, field: Field<'_>) -> Result<Option<(String, User)>, Problem> {
    if field.is_nothing() {
        field.replaced("nobody, for nothing follows the name; {} would let any password in");
        return Ok(None);
    }
    let user = field.mapping(|user| {
        Ok(User {
            password: password(&user.field("password"))?,
            labels: labels(&user.field("labels"))?,
        })
    })?;
    if user.labels.is_empty() && user.password == Password::Any {
        field.record_key(&Verdict::Honoured);
    }
    Ok(Some((name, user)))
}

/// What lets the user in: anything, if there is no password. An empty one is a
/// hash that nothing matches.
fn password(field: &Field<'_>) -> Result<Password, Problem> {
    let Some(text) = field.scalar()? else {
        field.replaced("any password, for nothing follows it");
        return Ok(Password::Any);
    };
    match text.parse() {
        Ok(hash) => {
            field.honoured();
            Ok(Password::Hash(hash))
        }
        Err(why @ BadBcryptHash::Malformed) => {
            field.replaced(&format!("no password at all, for {why}"));
            Ok(Password::Nothing)
        }
        Err(why @ (BadBcryptHash::TooCostly(_) | BadBcryptHash::Faulty)) => {
            field.refused(&format!("the password is not checked: {why}"));
            Ok(Password::Nothing)
        }
    }
}

fn labels(field: &Field<'_>) -> Result<Labels, Problem> {
    if field.is_missing() || field.is_nothing() {
        field.harmless("it is empty");
        return Ok(Labels::new());
    }
    let labels = field.mapping(|labels| {
        labels.each(|name, field| {
            let values = field.scalars()?.unwrap_or_default();
            field.honoured();
            Ok((name, values))
        })
    })?;
    Ok(labels.into_iter().collect())
}
