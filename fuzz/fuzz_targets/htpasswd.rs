#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidegate_auth::hash::StoredHash;
use tidegate_auth::htpasswd::{Document, Users, WeakHashes};

fuzz_target!(|file: &[u8]| {
    let Ok(document) = Document::parse(file) else {
        return;
    };
    // What is written back is read as the same.
    let again = Document::parse(document.to_text().as_bytes()).unwrap();
    assert_eq!(again.to_text(), document.to_text());
    assert!(again.users().eq(document.users()));
    match Users::of(&document, Path::new("htpasswd"), WeakHashes::Allowed) {
        // Whoever can log in, can do so after the hash has been written.
        Ok(users) => assert!(document.users().all(|name| {
            users.find(name).is_none_or(|user| {
                StoredHash::parse(user.hash().as_str()).as_ref() == Ok(user.hash())
            })
        })),
        Err(error) => drop(error.to_string()),
    }
});
