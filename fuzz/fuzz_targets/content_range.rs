#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_registry::fuzzing::content_range;

fuzz_target!(|header: &str| {
    let Some(range) = content_range(header) else {
        return;
    };
    assert!(!range.is_empty());
    let written = format!("{}-{}", range.start, range.end - 1);
    assert_eq!(content_range(&written), Some(range.clone()));
    assert_eq!(content_range(&format!("bytes {written}/*")), Some(range));
});
