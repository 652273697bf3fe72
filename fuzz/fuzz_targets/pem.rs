#![no_main]
use std::io::Write;

use certs_tool::{Certificate, Key, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    match Certificate::read(file.path()) {
        Ok(all) => assert_eq!(Certificate::read_first(file.path()).unwrap(), all[0]),
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
    if let Err(error) = Key::read(file.path()) {
        assert!(!error.to_string().contains(char::is_control));
    }
    if let Err(error) = Request::read(file.path()) {
        assert!(!error.to_string().contains(char::is_control));
    }
});
