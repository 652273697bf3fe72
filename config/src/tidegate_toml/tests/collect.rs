use super::*;

#[test]
fn what_is_removed_and_what_may_not_be_is_said_in_sections() {
    let registry = registry(
        "[registry.collect]
        every = \"off\"
        grace = \"1m\"
        delete_untagged = true
        uploads_after = \"off\"
        [[registry.retention]]
        repositories = \"team/**\"
        keep_newest = 10
        keep_pulled_within = \"90d\"
        [[registry.retention]]
        repositories = \"*\"
        keep_pushed_within = \"1h\"
        keep_tags = \"^v\"
        [[registry.immutable]]
        tags = \"v*\"
        [[registry.immutable]]
        repositories = \"base/*\"",
    );
    assert_eq!(
        registry.collect,
        Collect {
            every: None,
            grace: Duration::from_secs(60),
            delete_untagged: true,
            uploads_after: None,
            uploads_only: false,
        }
    );
    let [first, second] = registry.retention.try_into().unwrap();
    assert_eq!(first.repositories.as_str(), "team/**");
    assert_eq!(first.keep_newest, Some(10));
    assert_eq!(
        first.keep_pulled_within,
        Some(Duration::from_secs(90 * 86400))
    );
    assert_eq!(first.keep_tags, None);
    assert_eq!(second.keep_pushed_within, Some(Duration::from_secs(3600)));
    assert!(second.keep_tags.unwrap().is_found_in("v1"));
    let immutable: Vec<_> = registry
        .immutable
        .iter()
        .map(|rule| (rule.repositories.as_str(), rule.tags.as_str()))
        .collect();
    assert_eq!(immutable, [("**", "v*"), ("base/*", "**")]);
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    for (lines, said) in [
        ("collect.grace = \"59s\"", "less than a minute of grace"),
        ("collect.every = \"0s\"", "`0s` is no time to wait"),
        ("scrub.rate = \"fast\"", "`fast` is no number of bytes"),
        ("scrub.rate = \"0\"", "`0` is no number of bytes"),
        ("collect.every = \"never\"", "`never` is no time to wait"),
        ("collect.evry = \"1h\"", "unknown key `evry`"),
        (
            "[[registry.retention]]\nrepositories = \"a\"",
            "every tag would go",
        ),
        (
            "[[registry.retention]]\nkeep_newest = 1",
            "missing field `repositories`",
        ),
        (
            "[[registry.retention]]\nrepositories = \"a\"\nkeep_newest = 0",
            "at least 1",
        ),
        (
            "[[registry.retention]]\nrepositories = \"a[\"\nkeep_newest = 1",
            "`a[` is no pattern",
        ),
        (
            "[[registry.retention]]\nrepositories = \"a\"\nkeep_tags = \"(\"",
            "`(` is no regular expression",
        ),
        (
            "[[registry.immutable]]\ntags = \"/v\"",
            "begins or ends with a slash",
        ),
    ] {
        let error = parse(Path::new("t.toml"), &format!("{SMALL}{lines}\n")).unwrap_err();
        assert!(
            error.message().contains(said),
            "{lines}: {}",
            error.message()
        );
    }
}
