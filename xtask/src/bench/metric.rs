//! What a case measures, what Tidegate is to reach in it, and what came out.

use std::collections::BTreeMap;
use std::fmt;

use crate::bench::bound::Bound;
use crate::bench::kind::Kind;
use crate::bench::stats::Summary;

/// One thing that a case measures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    /// What it is, with its unit.
    pub(crate) label: &'static str,
    /// What Tidegate is to reach: all of them.
    pub(crate) aims: &'static [Aim],
    /// How far any server could go.
    pub(crate) bound: Option<Bound>,
}

/// What Tidegate is to reach in a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// At least so many times the recipe's figure.
    RatioAtLeast(f64),
    /// At most so many times the recipe's figure.
    RatioAtMost(f64),
    /// At least so many times the figure of nginx with static files.
    StaticAtLeast(f64),
    /// At least this figure.
    AtLeast(f64),
    /// At most this figure.
    AtMost(f64),
}

/// The figures of each server: a row for each round, a column for each metric.
pub(crate) type Samples = BTreeMap<Kind, Vec<Vec<f64>>>;

impl Metric {
    /// Of interest, without an aim.
    pub(crate) const fn plain(label: &'static str) -> Self {
        Self::aimed(label, &[])
    }

    /// With something to reach.
    pub(crate) const fn aimed(label: &'static str, aims: &'static [Aim]) -> Self {
        Self {
            label,
            aims,
            bound: None,
        }
    }

    /// The same, with how far any server could go.
    pub(crate) const fn bounded(self, bound: Bound) -> Self {
        Self {
            bound: Some(bound),
            ..self
        }
    }

    /// Whether Tidegate reaches all that it is to reach; `None` if there is
    /// nothing, or not all can be told from `samples`.
    pub(crate) fn is_met(&self, index: usize, samples: &Samples) -> Option<bool> {
        let median = |kind| summary(samples, kind, index).map(|summary| summary.median);
        let tidegate = median(Kind::Tidegate)?;
        let verdicts: Vec<Option<bool>> = self
            .aims
            .iter()
            .map(|aim| aim.is_met(tidegate, median(Kind::Recipe), median(Kind::Static)))
            .collect();
        if verdicts.contains(&Some(false)) {
            return Some(false);
        }
        (!verdicts.is_empty() && !verdicts.contains(&None)).then_some(true)
    }
}

/// The figures of one server in one metric, summed up.
pub(crate) fn summary(samples: &Samples, kind: Kind, index: usize) -> Option<Summary> {
    let rows = samples.get(&kind)?;
    Summary::of(rows.iter().filter_map(|row| row.get(index)).copied())
}

impl Aim {
    fn is_met(self, tidegate: f64, recipe: Option<f64>, files: Option<f64>) -> Option<bool> {
        Some(match self {
            Self::RatioAtLeast(least) => tidegate / recipe? >= least,
            Self::RatioAtMost(most) => tidegate / recipe? <= most,
            Self::StaticAtLeast(least) => tidegate / files? >= least,
            Self::AtLeast(least) => tidegate >= least,
            Self::AtMost(most) => tidegate <= most,
        })
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioAtLeast(least) => write!(f, "≥ {} ×", figure(*least)),
            Self::RatioAtMost(most) => write!(f, "≤ {} ×", figure(*most)),
            Self::StaticAtLeast(least) => write!(f, "≥ {} × static", figure(*least)),
            Self::AtLeast(least) => write!(f, "≥ {}", figure(*least)),
            Self::AtMost(most) => write!(f, "≤ {}", figure(*most)),
        }
    }
}

/// Three significant digits, as far as decimals go.
pub(crate) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::{Aim, Metric, Samples, figure};
    use crate::bench::kind::Kind;

    fn samples(figures: &[(Kind, f64)]) -> Samples {
        figures
            .iter()
            .map(|(kind, value)| (*kind, vec![vec![*value]]))
            .collect()
    }

    #[test]
    fn aims_are_met_from_their_own_side() {
        let met = |aim: Aim, tidegate| aim.is_met(tidegate, Some(10.0), Some(20.0)).unwrap();
        assert!(met(Aim::RatioAtLeast(1.7), 17.0));
        assert!(!met(Aim::RatioAtLeast(1.7), 16.9));
        assert!(met(Aim::RatioAtMost(0.25), 2.5));
        assert!(!met(Aim::RatioAtMost(0.25), 2.6));
        assert!(met(Aim::StaticAtLeast(0.7), 14.0));
        assert!(!met(Aim::StaticAtLeast(0.7), 13.9));
        assert!(met(Aim::AtLeast(80.0), 80.0));
        assert!(!met(Aim::AtLeast(80.0), 79.9));
        assert!(met(Aim::AtMost(40.0), 40.0));
        assert!(!met(Aim::AtMost(40.0), 40.1));
    }

    #[test]
    fn all_aims_must_be_met() {
        let metric = Metric::aimed("x", &[Aim::RatioAtLeast(2.0), Aim::StaticAtLeast(0.5)]);
        let verdict = |static_files: Option<f64>, tidegate| {
            let mut all = samples(&[(Kind::Recipe, 10.0), (Kind::Tidegate, tidegate)]);
            if let Some(value) = static_files {
                all.insert(Kind::Static, vec![vec![value]]);
            }
            metric.is_met(0, &all)
        };
        assert_eq!(verdict(Some(40.0), 20.0), Some(true));
        assert_eq!(verdict(Some(41.0), 20.0), Some(false));
        assert_eq!(verdict(Some(10.0), 19.0), Some(false));
        assert_eq!(verdict(None, 20.0), None, "nothing to compare with");
        assert_eq!(verdict(None, 19.0), Some(false), "missed whatever it is");
        let plain = Metric::plain("x");
        assert_eq!(plain.is_met(0, &samples(&[(Kind::Tidegate, 1.0)])), None);
    }

    #[test]
    fn figures_keep_three_digits() {
        assert_eq!(figure(0.123), "0.12");
        assert_eq!(figure(12.34), "12.3");
        assert_eq!(figure(1234.5), "1234");
    }
}
