//! What is said about a handful of measurements.

/// The middle and the ends of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    /// The middle one, or the mean of the two in the middle.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Summary {
    /// Sums up `values`; `None` if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[half]
        } else {
            f64::midpoint(sorted[half - 1], sorted[half])
        };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Summary;

    #[test]
    fn the_median_is_the_middle_one_whatever_the_order() {
        assert_eq!(
            Summary::of([9.0, 1.0, 4.0]),
            Some(Summary {
                median: 4.0,
                min: 1.0,
                max: 9.0
            })
        );
    }

    #[test]
    fn two_in_the_middle_are_averaged() {
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 9.0]).unwrap().median, 3.0);
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(Summary::of([]), None);
    }

    proptest! {
        #[test]
        fn the_median_lies_between_the_ends(values in prop::collection::vec(-1e9..1e9_f64, 1..20)) {
            let summary = Summary::of(values.iter().copied()).unwrap();
            prop_assert!(summary.min <= summary.median && summary.median <= summary.max);
            let below = values.iter().filter(|value| **value < summary.median).count();
            let above = values.iter().filter(|value| **value > summary.median).count();
            prop_assert!(below * 2 <= values.len() && above * 2 <= values.len());
        }
    }
}
