#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_registry::fuzzing::{Routed, route};

// A method, a space, and the path of a request.
fuzz_target!(|text: &str| {
    let Some((method, path)) = text.split_once(' ') else {
        return;
    };
    match route(method, path) {
        Routed::To(plain) => assert_eq!(route(method, &plain), Routed::To(plain)),
        // One redirect leads to where there is no other, on this host.
        Routed::Moved(to) => {
            assert!(to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\"));
            assert!(!matches!(route(method, &to), Routed::Moved(_)));
        }
        Routed::Refused => {}
    }
});
