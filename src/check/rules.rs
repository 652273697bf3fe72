//! The rules of `[access]`, in a line each.

use std::fmt::Write as _;

use tidegate_config::access::{AccessRule, AccessRules, Action, Actions, Who};

/// What the section says, in the order in which it is looked at.
pub(super) fn report(text: &mut String, access: &AccessRules) {
    let mut heading = "access";
    let mut line = |what: &str| {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{heading:<13}{what}");
        heading = "";
    };
    for rule in &access.rules {
        let number = rule
            .line
            .map_or_else(String::new, |n| format!("line {n}: "));
        line(&format!("{number}{}", described(rule)));
        if let Some(missing) = lacks_pull(rule) {
            line(&format!("  {missing}"));
        }
    }
    for (group, users) in &access.groups {
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        line(&format!("group {group}: {}", users.join(", ")));
    }
    if !access.anonymous.is_empty() {
        line(&format!("else anybody may {}", listed(access.anonymous)));
    }
    line(
        match (access.rules.is_empty(), access.anonymous.is_empty()) {
            (true, _) => "else who has logged in may do everything, and nobody else anything",
            (false, _) => "else nothing is allowed",
        },
    );
}

/// A rule in words.
pub(super) fn described(rule: &AccessRule) -> String {
    let who: Vec<String> = rule.who.iter().map(caller).collect();
    let mut text = format!(
        "{} {} {}",
        who.join(", "),
        if rule.allows { "may" } else { "may not" },
        listed(rule.actions)
    );
    // Writing to a `String` cannot fail.
    if !rule.repositories.is_empty() {
        let names: Vec<String> = rule.repositories.iter().map(ToString::to_string).collect();
        let _ = write!(text, " in {}", names.join(", "));
    }
    if !rule.addresses.is_empty() {
        let nets: Vec<String> = rule.addresses.iter().map(ToString::to_string).collect();
        let _ = write!(text, " from {}", nets.join(", "));
    }
    text
}

fn caller(who: &Who) -> String {
    match who {
        Who::Anonymous => "who has not logged in".to_owned(),
        Who::Users(pattern) if pattern.as_str() == "*" => "who has logged in".to_owned(),
        Who::Users(pattern) => pattern.to_string(),
        Who::Group(group) => format!("group {group}"),
    }
}

fn listed(actions: Actions) -> String {
    if actions == Actions::ALL {
        return "do everything".to_owned();
    }
    let words: Vec<&str> = actions.iter().map(Action::as_str).collect();
    words.join(", ")
}

/// Clients ask what is there before they push, and are turned away where they
/// may not.
fn lacks_pull(rule: &AccessRule) -> Option<&'static str> {
    let pushes = rule.allows && rule.actions.contains(Action::Push);
    (pushes && !rule.actions.contains(Action::Pull))
        .then_some("(to push, clients have to be allowed to pull as well, here or elsewhere)")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn said(access: &str) -> String {
        let text = format!(
            "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocol = \"http\"\n\
             [auth]\nhtpasswd = \"users\"\n[registry]\nroot = \"registry\"\n[access]\n{access}"
        );
        let settings = tidegate_config::parse(Path::new("t.toml"), &text).unwrap();
        let mut text = String::new();
        report(&mut text, &settings.access.unwrap());
        text
    }

    #[test]
    fn rules_are_said_in_their_order() {
        let rules = "anonymous = \"pull\"\n\
                     groups.team = [\"alice\", \"bob\"]\n\
                     [[access.rule]]\ngroups = [\"team\"]\nusers = [\"ci-*\"]\n\
                     repositories = [\"team/**\", \"~x+\"]\nactions = \"push\"\n\
                     [[access.rule]]\nusers = [\"*\"]\nanonymous = true\ndeny = true\n\
                     addresses = [\"10.0.0.0/8\"]\n";
        assert_eq!(
            said(rules),
            "access       line 11: ci-*, group team may push in team/**, ~x+\n             \
             \x20 (to push, clients have to be allowed to pull as well, here or elsewhere)\n             \
             line 16: who has logged in, who has not logged in may not do everything \
             from 10.0.0.0/8\n             \
             group team: alice, bob\n             \
             else anybody may pull\n             \
             else nothing is allowed\n"
        );
        assert_eq!(
            said(""),
            "access       else who has logged in may do everything, and nobody else anything\n"
        );
    }
}
