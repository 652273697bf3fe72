//! Which names of a list need no second look.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mark for each of so many names, by their numbers. Marks are never taken
/// away.
#[derive(Debug)]
pub(in super::super) struct Seen {
    count: usize,
    /// There from the first mark on: most lists are looked at once.
    words: OnceLock<Box<[AtomicU64]>>,
}

impl Seen {
    pub(super) fn new(count: usize) -> Self {
        Self {
            count,
            words: OnceLock::new(),
        }
    }

    /// What the marks of so many names take in memory.
    pub(super) const fn bytes(count: usize) -> usize {
        count.div_ceil(64) * 8
    }

    pub(in super::super) fn mark(&self, index: usize) {
        let words = self.words.get_or_init(|| {
            let words = std::iter::repeat_with(AtomicU64::default);
            words.take(self.count.div_ceil(64)).collect()
        });
        // Nothing else is read because of a mark.
        words[index / 64].fetch_or(1 << (index % 64), Ordering::Relaxed);
    }

    /// Those of a range that have no mark, in order.
    pub(in super::super) fn unmarked(&self, range: Range<usize>) -> Vec<usize> {
        let Some(words) = self.words.get() else {
            return range.collect();
        };
        let mut unmarked = Vec::new();
        let mut next = range.start;
        while next < range.end {
            let word = words[next / 64].load(Ordering::Relaxed);
            let end = range.end.min((next / 64 + 1) * 64);
            if word != u64::MAX {
                unmarked.extend((next..end).filter(|index| word >> (index % 64) & 1 == 0));
            }
            next = end;
        }
        unmarked
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_not_marked_is_all_the_rest(
            (count, marked, range) in (1..400_usize).prop_flat_map(|count| (
                Just(count),
                prop_oneof![
                    proptest::collection::btree_set(0..count, 0..count),
                    Just((0..count).collect::<BTreeSet<_>>()),
                ],
                (0..=count, 0..=count).prop_map(|(one, other)| one.min(other)..one.max(other)),
            )),
        ) {
            let seen = Seen::new(count);
            for index in &marked {
                seen.mark(*index);
                seen.mark(*index);
            }
            let expected: Vec<_> = range.clone().filter(|index| !marked.contains(index)).collect();
            prop_assert_eq!(seen.unmarked(range), expected);
        }
    }
}
