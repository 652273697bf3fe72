#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_registry::fuzzing::{next_page, page};

fuzz_target!(|query: &str| {
    let Some((Some(count), Some(last))) = page(query) else {
        return;
    };
    let link = next_page("/v2/_catalog", &last, count);
    let next = link.strip_prefix("</v2/_catalog?").unwrap();
    let next = next.strip_suffix(">; rel=\"next\"").unwrap();
    assert_eq!(page(next), Some((Some(count), Some(last))));
});
