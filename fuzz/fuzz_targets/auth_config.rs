#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidegate_config::Adopted;
use tidegate_config::auth_config::{self, AclPattern, Matcher};

// What stands in names of users and repositories, and after a placeholder.
const NAMES: [&str; 5] = ["", "nginx", "team/app", "a/b/c", "é${account}/*"];

fuzz_target!(|text: &str| {
    let lines = text.lines().count() + 1;
    match auth_config::parse(Path::new("/a.yml"), text) {
        Ok(Adopted { settings, findings }) => {
            assert!(!settings.token.issuer.is_empty());
            for finding in findings {
                assert!(!finding.subject.contains(char::is_control));
                assert!(finding.location.is_none_or(|place| place.line <= lines));
            }
            for entry in settings.acl {
                assert!((1..=lines).contains(&entry.line));
                let conditions = entry.conditions;
                let texts = [conditions.account, conditions.kind, conditions.name];
                let labels = conditions.labels.into_iter().map(|(_, pattern)| pattern);
                texts.into_iter().flatten().chain(labels).for_each(check);
            }
        }
        Err(mistake) => assert!(!mistake.to_string().is_empty()),
    }
    // Each line is a pattern, too.
    for line in text.lines().take(20) {
        if let Ok(pattern) = AclPattern::new(line) {
            check(pattern);
        }
    }
});

fn check(pattern: AclPattern) {
    let written = Matcher::new(pattern.as_str());
    for name in NAMES {
        assert_eq!(pattern.unchanged().matches(name), written.matches(name));
    }
}
