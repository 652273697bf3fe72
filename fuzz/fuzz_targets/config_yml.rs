#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidegate_config::{Adopted, LoadError, Protocol, parse_config_yml};

// The same text is the file, and what a variable says of a section of it.
fuzz_target!(|text: &str| {
    let lines = text.lines().count() + 1;
    check(parse_config_yml(Path::new("/c.yml"), text, []), lines);
    let variable = ("REGISTRY_HTTP".to_owned(), text.to_owned());
    let least = "version: 0.1\nstorage: {filesystem: }\n";
    check(parse_config_yml(Path::new("/c.yml"), least, [variable]), 3);
});

fn check(read: Result<Adopted, LoadError>, lines: usize) {
    match read {
        Ok(Adopted { settings, findings }) => {
            assert_eq!(settings.listeners.len(), 1);
            let is_tls = settings.listeners[0].protocol == Protocol::Https;
            assert_eq!(is_tls, settings.certificates.len() == 1);
            for finding in findings {
                assert!(!finding.subject.contains(char::is_control));
                assert!(finding.location.is_none_or(|place| place.line <= lines));
            }
        }
        Err(mistake) => assert!(!mistake.to_string().is_empty()),
    }
}
