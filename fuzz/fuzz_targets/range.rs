#![no_main]
use libfuzzer_sys::fuzz_target;
use tidegate_registry::fuzzing::ranges;

// The size of the content, a space, and the value of `Range`.
fuzz_target!(|text: &str| {
    if let Some((Ok(size), header)) = text.split_once(' ').map(|(n, text)| (n.parse(), text)) {
        let mut left: u64 = size;
        for part in ranges(header, size) {
            assert!(part.start < part.end && part.end <= size);
            // No more is sent than without the header.
            left = left.checked_sub(part.end - part.start).unwrap();
        }
    }
});
