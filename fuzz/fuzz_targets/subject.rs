#![no_main]
use certs_tool::Subject;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match Subject::parse(text) {
    Ok(subject) => assert_eq!(Subject::parse(&subject.to_string()), Ok(subject)),
    // Shown on a terminal.
    Err(error) => assert!(!error.to_string().contains(char::is_control)),
});
