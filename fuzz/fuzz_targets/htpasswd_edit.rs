#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidegate_auth::hash::StoredHash;
use tidegate_auth::htpasswd::{Document, HtpasswdError, Users, WeakHashes};

const HASH: &str = "$2y$04$LVMALMZ72RPQ9fQPPnXAkudnbt4wOJl6J/gghBtEHJp17Hv5/3QQC";

fuzz_target!(
    |file: &[u8]| if let Ok(mut document) = Document::parse(file) {
        let hash = StoredHash::parse(HASH).unwrap();
        document.set(&"alice".parse().unwrap(), &hash);
        let again = Document::parse(document.to_text().as_bytes()).unwrap();
        match Users::of(&again, Path::new("htpasswd"), WeakHashes::Allowed) {
            Ok(users) => assert_eq!(users.find("alice").unwrap().hash(), &hash),
            Err(error) => assert!(matches!(error, HtpasswdError::NoColon { .. }), "{error}"),
        }
        document.remove("alice");
        assert!(document.users().all(|user| user != "alice"));
    }
);
