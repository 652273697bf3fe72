#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_registry::fuzzing::{next_page, page, tags};

fuzz_target!(|query: &str| {
    if let Some(asked) = tags(query) {
        // What is a tag needs no escapes: written plainly, it is the same.
        let plain: Vec<String> = asked.iter().map(|tag| format!("tag={tag}")).collect();
        assert_eq!(tags(&plain.join("&")), Some(asked));
    }
    let Some((Some(count), Some(last))) = page(query) else {
        return;
    };
    let link = next_page("/v2/_catalog", &last, count);
    let next = link.strip_prefix("</v2/_catalog?").unwrap();
    let next = next.strip_suffix(">; rel=\"next\"").unwrap();
    assert_eq!(page(next), Some((Some(count), Some(last))));
});
