#![no_main]
use certs_tool::trust::Site;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match Site::parse(text) {
    Ok(site) => {
        // It becomes the name of a directory.
        let shown = site.to_string();
        assert!(!shown.contains(['/', '\0']) && !shown.starts_with('.') && !shown.is_empty());
        assert_eq!(Site::parse(&shown), Ok(site));
    }
    Err(error) => assert!(!error.to_string().contains(char::is_control)),
});
