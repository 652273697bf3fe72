//! Many names in little memory.

use std::io;
use std::ops::Range;

/// Sorted names in one piece of memory: 100,000 small allocations would cost
/// more than the names.
#[derive(Debug)]
pub(super) struct Names {
    text: Box<str>,
    /// Where each name ends.
    ends: Box<[u32]>,
}

/// Names in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Unsorted {
    text: String,
    ends: Vec<u32>,
}

impl Unsorted {
    /// Adds a name that consists of `parts`.
    ///
    /// # Errors
    ///
    /// Beyond 4 GiB of names.
    pub(super) fn push(&mut self, parts: &[&str]) -> io::Result<()> {
        for part in parts {
            self.text.push_str(part);
        }
        let end = u32::try_from(self.text.len())
            .map_err(|_| io::Error::other("more than 4 GiB of names in one directory"))?;
        self.ends.push(end);
        Ok(())
    }

    pub(super) fn sort(self) -> Names {
        let Self { text, ends } = self;
        let mut spans: Vec<(u32, u32)> = std::iter::once(0)
            .chain(ends.iter().copied())
            .zip(ends.iter().copied())
            .collect();
        let name = |(start, end): (u32, u32)| &text[start as usize..end as usize];
        spans.sort_unstable_by(|left, right| name(*left).cmp(name(*right)));

        let mut sorted = Self {
            text: String::with_capacity(text.len()),
            ends,
        };
        let mut length = 0;
        for (end, span) in sorted.ends.iter_mut().zip(spans) {
            sorted.text.push_str(name(span));
            length += span.1 - span.0;
            *end = length;
        }
        Names {
            text: sorted.text.into(),
            ends: sorted.ends.into(),
        }
    }
}

impl Names {
    /// Where the names are, in byte order, from the first for which `is_before`
    /// is false. It has to be true for those at the beginning and false for the
    /// rest.
    pub(super) fn from(&self, is_before: impl Fn(&str) -> bool) -> Range<usize> {
        self.partition_point(is_before)..self.ends.len()
    }

    /// The name at a place.
    pub(super) fn at(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[index] as usize]
    }

    /// Whether `name` is among them.
    pub(super) fn contains(&self, name: &str) -> bool {
        let mut from = self.from(|other| other < name);
        from.next().is_some_and(|first| self.at(first) == name)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What they take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.ends)
    }

    fn partition_point(&self, is_before: impl Fn(&str) -> bool) -> usize {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(self.at(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_are_what_a_sorted_vector_holds(
            mut names in proptest::collection::vec("[ab/é-]{0,4}", 0..40),
            asked in "[ab/é-]{0,4}",
        ) {
            let mut unsorted = Unsorted::default();
            for name in &names {
                // Where a name is put together from does not matter.
                let (left, right) = name.split_at(name.char_indices().nth(1).map_or(0, |(at, _)| at));
                unsorted.push(&[left, right]).unwrap();
            }
            let sorted = unsorted.sort();
            names.sort_unstable();
            let from = |range: Range<usize>| range.map(|index| sorted.at(index)).collect::<Vec<_>>();
            let all = from(sorted.from(|_| false));
            prop_assert_eq!(&all, &names);
            prop_assert_eq!(sorted.contains(&asked), names.contains(&asked));
            names.retain(|name| *name > asked);
            let after = from(sorted.from(|name| name <= asked.as_str()));
            prop_assert_eq!(after, names);
        }
    }
}
