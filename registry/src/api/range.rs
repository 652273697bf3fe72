//! `Range` of a download (RFC 9110 §14) and `Content-Range` of an upload.

use std::ops::Range;

/// Ranges in one request, beyond which the whole is sent: many small ranges
/// are an attack more often than a wish (RFC 9110 §14.2). Lazy pulling asks
/// for tens of them.
const MOST_RANGES: usize = 256;

/// What of a download is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it: the header is missing, or no range that is understood.
    Whole,
    /// One range or more, each within the size and not empty, in the order
    /// asked for, together not longer than the whole.
    Parts(Vec<Range<u64>>),
    /// Ranges that are all beyond the end, or end before they begin.
    Unsatisfiable,
}

/// Reads the value of `Range` for content of `size` bytes. What is malformed
/// is ignored, as the RFC says. Of a range that ends before it begins the RFC
/// leaves the choice (§14.2); the OCI's conformance tests expect it to be
/// refused.
pub(super) fn select(header: &str, size: u64) -> Selection {
    let Some((unit, set)) = header.split_once('=') else {
        return Selection::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Selection::Whole;
    }
    let mut parts = Vec::new();
    let mut left = size;
    for spec in set
        .split(',')
        .map(str::trim)
        .filter(|spec| !spec.is_empty())
    {
        let Some(range) = within(spec, size) else {
            return Selection::Whole;
        };
        if range.is_empty() {
            continue;
        }
        let Some(rest) = left.checked_sub(range.end - range.start) else {
            return Selection::Whole;
        };
        if parts.len() == MOST_RANGES {
            return Selection::Whole;
        }
        left = rest;
        parts.push(range);
    }
    if parts.is_empty() {
        Selection::Unsatisfiable
    } else {
        Selection::Parts(parts)
    }
}

/// The bytes that `2-5`, `2-` or `-5` means; empty if they lie beyond the end
/// or there are none, `None` if it means nothing.
fn within(spec: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        let length = number(last)?.min(size);
        return Some(size - length..size);
    }
    let first = number(first)?;
    let end = match last {
        "" => size,
        last => number(last)?.saturating_add(1).min(size),
    };
    Some(first.min(end)..end)
}

/// The bytes of an upload that a request carries: the value of `Content-Range`,
/// which the OCI distribution-spec writes without a unit: `0-1023`. A unit and
/// a total, as RFC 9110 has them, are accepted.
pub(super) fn content_range(header: &str) -> Option<Range<u64>> {
    let text = header.trim();
    let text = text
        .strip_prefix("bytes")
        .map_or(text, |text| text.trim_start_matches([' ', '=']));
    let text = text.split_once('/').map_or(text, |(range, _total)| range);
    let (first, last) = text.split_once('-')?;
    let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
    (first < end).then_some(first..end)
}

/// Digits only: `parse` would take a plus sign.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // A number too large for 64 bits lies beyond the end of anything.
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(range: Range<u64>) -> Selection {
        Selection::Parts(vec![range])
    }

    #[test]
    fn the_examples_of_the_rfc() {
        for (header, selection) in [
            ("bytes=0-499", one(0..500)),
            ("bytes=500-999", one(500..1000)),
            ("bytes=-500", one(9500..10_000)),
            ("bytes=9500-", one(9500..10_000)),
            ("bytes=0-0,-1", Selection::Parts(vec![0..1, 9999..10_000])),
            (
                "bytes= 0-999, 4500-5499, -1000",
                Selection::Parts(vec![0..1000, 4500..5500, 9000..10_000]),
            ),
            (
                "bytes=500-600,601-999",
                Selection::Parts(vec![500..601, 601..1000]),
            ),
            ("BYTES=0-", one(0..10_000)),
            ("bytes=0-99999999999999999999999", one(0..10_000)),
        ] {
            assert_eq!(select(header, 10_000), selection, "{header}");
        }
    }

    #[test]
    fn what_means_nothing_is_ignored() {
        for header in [
            "",
            "0-1",
            "bytes",
            "items=0-1",
            "bytes=a-b",
            "bytes=--1",
            "bytes=+1-2",
            "bytes=0-1,x",
        ] {
            assert_eq!(select(header, 10), Selection::Whole, "{header}");
        }
    }

    #[test]
    fn no_size_lets_ranges_add_up_to_more() {
        for size in [10, u64::MAX] {
            assert_eq!(select("bytes=0-,0-0", size), Selection::Whole);
        }
    }

    #[test]
    fn what_has_no_bytes_is_unsatisfiable() {
        for (header, size) in [
            ("bytes=10-", 10),
            ("bytes=10-20,30-", 10),
            ("bytes=-0", 10),
            ("bytes=0-0", 0),
            ("bytes=-5", 0),
            ("bytes=5-1", 10),
            ("bytes=99-98", 10),
        ] {
            assert_eq!(
                select(header, size),
                Selection::Unsatisfiable,
                "{header} of {size}"
            );
        }
        assert_eq!(select("bytes=10-,0-1", 10), one(0..2));
    }

    #[test]
    fn more_than_the_whole_is_the_whole() {
        assert_eq!(select("bytes=0-9,0-0", 10), Selection::Whole);
        let many = format!("bytes={}", vec!["0-0"; MOST_RANGES + 1].join(","));
        assert_eq!(select(&many, 1_000_000), Selection::Whole);
    }

    #[test]
    fn content_ranges_of_all_clients() {
        for header in [
            "0-1023",
            "bytes 0-1023/4096",
            "bytes 0-1023/*",
            "bytes=0-1023",
            " 0-1023 ",
        ] {
            assert_eq!(content_range(header), Some(0..1024), "{header}");
        }
        for header in [
            "",
            "-",
            "1-0",
            "0-",
            "-5",
            "a-b",
            "0-1-2",
            "0-18446744073709551615",
        ] {
            assert_eq!(content_range(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_within(
            header in "(bytes=)?([0-9]{0,3}-[0-9]{0,3},? ?){0,5}|.{0,30}",
            size in 0..2000_u64,
        ) {
            if let Selection::Parts(parts) = select(&header, size) {
                prop_assert!(!parts.is_empty());
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= size));
                prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= size);
            }
        }

        #[test]
        fn a_single_range_is_exact(first in 0..2000_u64, length in 1..2000_u64, size in 0..3000_u64) {
            let expected = match first < size {
                true => one(first..size.min(first + length)),
                false => Selection::Unsatisfiable,
            };
            prop_assert_eq!(select(&format!("bytes={first}-{}", first + length - 1), size), expected);
        }

        #[test]
        fn content_ranges_never_panic(header in ".{0,40}|bytes [0-9]{0,21}-[0-9]{0,21}/[0-9]{0,3}") {
            if let Some(range) = content_range(&header) {
                prop_assert!(range.start < range.end);
            }
        }
    }
}
