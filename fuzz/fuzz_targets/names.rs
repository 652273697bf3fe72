#![no_main]
use std::path::{Component, Path};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use tidegate_registry::oci::{Digest, Reference, RepoName, Tag};

fuzz_target!(|text: &str| {
    let shown = |parsed: Option<String>| parsed.inspect(|shown| assert_eq!(shown, text)).is_some();
    let is_repo = shown(RepoName::from_str(text).ok().map(|name| name.to_string()));
    let is_tag = shown(Tag::from_str(text).ok().map(|tag| tag.to_string()));
    let is_digest = shown(Digest::from_str(text).ok().map(|digest| digest.to_string()));
    let is_reference = shown(Reference::from_str(text).ok().map(|text| text.to_string()));
    assert_eq!(is_reference, is_tag || is_digest);
    // Names become paths, which must not leave the root.
    let inside = Path::new(text)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    assert!(inside || !(is_repo || is_tag || is_digest));
    assert!(!is_tag || !text.contains('/'));
});
