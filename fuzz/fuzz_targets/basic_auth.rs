#![no_main]
use base64::prelude::{BASE64_STANDARD, Engine};
use libfuzzer_sys::fuzz_target;
use tidegate_auth::basic;

fuzz_target!(|value: &str| {
    let Some(read) = basic::parse(value) else {
        return;
    };
    assert!(!read.user().contains(|c: char| c == ':' || c.is_control()));
    assert!(!read.password().contains('\0'));
    let pair = format!("{}:{}", read.user(), read.password());
    let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
    assert!(basic::parse(&value) == Some(read));
});
