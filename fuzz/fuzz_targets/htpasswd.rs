#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidegate_auth::htpasswd::{Document, Users};

fuzz_target!(|file: &[u8]| {
    let Ok(document) = Document::parse(file) else {
        return;
    };
    // What is written back is read as the same.
    let again = Document::parse(document.to_text().as_bytes()).unwrap();
    assert_eq!(again.to_text(), document.to_text());
    assert!(again.users().eq(document.users()));
    let _ = Users::of(&document, Path::new("htpasswd")).map_err(|error| error.to_string());
});
