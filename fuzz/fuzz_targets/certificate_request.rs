#![no_main]
use std::io::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use certs_tool::Request;
use libfuzzer_sys::fuzz_target;

const LABEL: &str = "CERTIFICATE REQUEST-----";

// DER, since mutations of base64 seldom make another request.
fuzz_target!(|der: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let body = BASE64_STANDARD.encode(der);
    writeln!(file, "-----BEGIN {LABEL}\n{body}\n-----END {LABEL}").unwrap();
    if let Err(error) = Request::read(file.path()) {
        assert!(!error.to_string().contains(char::is_control));
    }
});
