use std::collections::BTreeSet;

use super::*;
use crate::access::{AccessRules, Action, Actions, Repositories, Who};

fn access(lines: &str) -> AccessRules {
    let text = format!("{SMALL}{lines}");
    let settings = parse(Path::new("t.toml"), &text).unwrap_or_else(|e| panic!("{e}"));
    settings.access.expect("the section is there")
}

const RULES: &str = r#"
[access]
anonymous = "pull"

[access.groups]
team = ["alice", "bob"]

[[access.rule]]
groups = ["team"]
users = ["ci-*"]
repositories = ["team/**", "~mirror/[a-z]+"]
actions = ["pull", "push"]

# A word about the next one.
[[access.rule]]
users = ["*"]
anonymous = true
addresses = ["10.0.0.7", "2001:db8::/32"]
actions = "delete, catalog"
deny = true

    [[access.rule]]
    users = ["admin"]
"#;

#[test]
fn rules_are_read_with_their_lines() {
    let read = access(RULES);
    assert_eq!(read.anonymous, Actions::from(Action::Pull));
    let team: BTreeSet<String> = ["alice", "bob"].map(str::to_owned).into();
    assert_eq!(read.groups["team"], team);
    let [first, second, third] = read.rules.try_into().unwrap();

    assert_eq!(
        first.who,
        [
            Who::Users("ci-*".parse().unwrap()),
            Who::Group("team".to_owned())
        ]
    );
    let written: Vec<String> = first
        .repositories
        .iter()
        .map(Repositories::to_string)
        .collect();
    assert_eq!(written, ["team/**", "~mirror/[a-z]+"]);
    assert_eq!(first.actions.to_string(), "pull,push");
    assert!(first.allows && first.addresses.is_empty());

    assert_eq!(
        second.who,
        [Who::Users("*".parse().unwrap()), Who::Anonymous]
    );
    assert_eq!(second.actions.to_string(), "delete,catalog");
    let written: Vec<String> = second.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["10.0.0.7/32", "2001:db8::/32"]);
    assert!(!second.allows && second.repositories.is_empty());

    assert_eq!(third.actions, Actions::ALL);
    let text = format!("{SMALL}{RULES}");
    let headings = text.lines().enumerate();
    let headings = headings.filter(|(_, line)| line.trim() == "[[access.rule]]");
    let lines: Vec<_> = headings.map(|(index, _)| Some(index + 1)).collect();
    assert_eq!(lines, [first.line, second.line, third.line]);
}

#[test]
fn one_line_is_enough() {
    let read = access("[access]\nanonymous = \"pull\"\n");
    assert!(read.rules.is_empty() && read.groups.is_empty());
    assert_eq!(read.anonymous, Actions::from(Action::Pull));
    assert_eq!(access("[access]\n"), AccessRules::default());
    assert_eq!(
        access("[access]\nanonymous = []\n").anonymous,
        Actions::NONE
    );
}

/// A mistake, the text that the carets are under, what is said, and the hint.
const MISTAKES: [(&str, &str, &str, &str); 17] = [
    (
        "[access.groups]\nteam = [\"a\"]\n[[access.rule]]\ngroups = [\"team\", \"teem\"]",
        "\"teem\"",
        "there is no group `teem`",
        "did you mean `team`?",
    ),
    (
        "[[access.rule]]\ngroups = [\"team\"]",
        "\"team\"",
        "there is no group `team`",
        "name its users in [access.groups]",
    ),
    (
        "[[access.rule]]\nrepositories = [\"a\"]",
        "[[access.rule]]",
        "this rule is about nobody",
        "add `users = [\"alice\"]`",
    ),
    (
        "[[access.rule]]\nusers = [\"a\"]\nactions = []",
        "[[access.rule]]",
        "this rule is about no action",
        "add `deny = true`",
    ),
    (
        "[[access.rule]]\nusers = [\"a\"]\nactions = \"pull,write\"",
        "\"pull,write\"",
        "`write` is no action",
        "one of pull, push, delete, catalog, or * for all",
    ),
    (
        "[[access.rule]]\nusers = [\"a\"]\nactions = [\"pull\", \"read\"]",
        "\"read\"",
        "`read` is no action",
        "one of pull",
    ),
    (
        "[access]\nanonymous = \"all\"",
        "\"all\"",
        "`all` is no action",
        "one of pull",
    ),
    (
        "[access]\nanonymous = true",
        "true",
        "invalid type: boolean `true`, expected actions, as \"pull\" or [\"pull\", \"push\"]",
        "",
    ),
    (
        "[[access.rule]]\nusers = [\"a\", \"b[\"]",
        "\"b[\"",
        "`b[` is no pattern",
        "",
    ),
    (
        "[[access.rule]]\nusers = [\"\"]",
        "\"\"",
        "an empty pattern matches nothing",
        "",
    ),
    (
        "[[access.rule]]\nusers = [\"a\"]\nrepositories = [\n  \"ok\",\n  \"team/\",\n]",
        "\"team/\"",
        "`team/` matches nothing: no name begins or ends with a slash",
        "",
    ),
    (
        "[[access.rule]]\nusers = [\"a\"]\nrepositories = [\"~team/(\"]",
        "\"~team/(\"",
        "`~team/(` is no regular expression: unclosed group",
        "",
    ),
    (
        "[[access.rule]]\nusers = [\"a\"]\nrepositories = [\"~([a-z]{1,200}){1,200}\"]",
        "\"~([a-z]{1,200}){1,200}\"",
        "is too big: made ready, it takes more than 1048576 bytes",
        "counted repetitions multiply",
    ),
    (
        "[[access.rule]]\nuser = [\"a\"]",
        "user",
        "unknown key `user`",
        "did you mean `users`?",
    ),
    (
        "[access]\nrules = []",
        "rules",
        "unknown key `rules`",
        "did you mean `rule`?",
    ),
    (
        "[access]\nanonymus = \"pull\"",
        "anonymus",
        "unknown key `anonymus`",
        "did you mean `anonymous`?",
    ),
    (
        "[[access.rule]]\nusers = [\"a\"]\naddresses = [\"10.0.0.7\", \"10.0.0/8\"]",
        "\"10.0.0/8\"",
        "`10.0.0/8` is neither an address nor a network",
        "write it as",
    ),
];

#[test]
fn a_mistake_is_shown_where_it_stands() {
    for (lines, marked, said, hint) in MISTAKES {
        let text = format!("{SMALL}{lines}\n");
        let error = parse(Path::new("t.toml"), &text).unwrap_err();
        assert!(error.message().contains(said), "{lines}: {error}");
        assert!(!error.message().contains("hint:"), "{lines}: {error}");
        let shown = error.hint().unwrap_or_default();
        assert!(shown.contains(hint), "{lines}: {error}\n{shown}");

        let location = error.location();
        let line = text.lines().nth(location.line - 1).unwrap();
        let from: String = line.chars().skip(location.column - 1).collect();
        assert!(from.starts_with(marked), "{lines}: {error}");
        let carets = "^".repeat(marked.chars().count());
        let drawn = error.to_string();
        assert!(drawn.ends_with(&format!(" {carets}")), "{lines}: {error}");
    }
}

#[test]
fn rules_without_a_registry_are_refused() {
    let (message, hint) = refused(
        "[registry]\nroot = \"registry\"",
        "[forward]\nto = \"http://registry:5000\"\n[access]\nanonymous = \"pull\"",
    );
    assert!(message.starts_with("t.toml:14:"), "{message}");
    assert!(message.contains("[access] without [registry]"), "{message}");
    assert!(hint.unwrap().contains("remove [access]"));
}

#[test]
fn what_the_documentation_shows_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ACCESS.md");
    let text = fs_err::read_to_string(path).unwrap();
    let blocks = text.split("```toml\n").skip(1);
    let mut rules = 0;
    for block in blocks {
        let (lines, _) = block.split_once("```").unwrap();
        let text = format!("{SMALL}{lines}");
        let settings = parse(Path::new("t.toml"), &text).unwrap_or_else(|e| panic!("{e}"));
        rules += settings.access.map_or(0, |access| access.rules.len());
    }
    assert_eq!(rules, 8, "in all of its examples");
}
