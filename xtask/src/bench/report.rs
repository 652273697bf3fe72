//! The report: medians, spread, ratios, and what was aimed at.

use std::fmt;

use crate::bench::stats::Summary;

/// One thing that a case measures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    /// What it is, with its unit.
    pub(crate) label: &'static str,
    /// What Tidegate is to reach.
    pub(crate) aim: Option<Aim>,
}

/// What Tidegate is to reach in a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// At least so many times the recipe's figure.
    RatioAtLeast(f64),
    /// At most so many times the recipe's figure.
    RatioAtMost(f64),
    /// At most this figure.
    AtMost(f64),
}

/// The measurements of one case; each sample has a figure for each metric.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) title: &'static str,
    pub(crate) metrics: &'static [Metric],
    pub(crate) recipe: Vec<Vec<f64>>,
    pub(crate) tidegate: Vec<Vec<f64>>,
}

/// A whole run, shown as Markdown.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) machine: String,
    /// The share of CPU time that had nothing to do with the run.
    pub(crate) others: f64,
    pub(crate) versions: Vec<String>,
    pub(crate) command: String,
    pub(crate) rounds: usize,
    pub(crate) outcomes: Vec<Outcome>,
}

/// A share of others above which a report says that it means little. Writing
/// pushed layers to the disk takes some of it.
const DISTURBED: f64 = 0.15;

impl Aim {
    fn is_met(self, tidegate: f64, ratio: f64) -> bool {
        match self {
            Self::RatioAtLeast(least) => ratio >= least,
            Self::RatioAtMost(most) => ratio <= most,
            Self::AtMost(most) => tidegate <= most,
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioAtLeast(least) => write!(f, "≥ {} ×", figure(*least)),
            Self::RatioAtMost(most) => write!(f, "≤ {} ×", figure(*most)),
            Self::AtMost(most) => write!(f, "≤ {}", figure(*most)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            machine,
            others,
            versions,
            command,
            rounds,
            ..
        } = self;
        writeln!(f, "# Benchmarks\n")?;
        writeln!(
            f,
            "Tidegate beside nginx and docker-registry, both over TLS on loopback with the same \
             certificate, password file and image. Medians of {rounds} rounds (smallest–largest), \
             the servers taking turns. Memory is measured once, after all of the work.\n"
        )?;
        writeln!(f, "- Machine: {machine}")?;
        let verdict = if *others > DISTURBED {
            ": **the figures are disturbed**"
        } else {
            ""
        };
        writeln!(
            f,
            "- Other processes and the kernel took {:.0} % of the CPU time{verdict}",
            others * 100.0
        )?;
        writeln!(f, "- Versions: {}", versions.join("; "))?;
        writeln!(f, "- Command: `{command}`\n")?;
        writeln!(
            f,
            "| work | measure | nginx + docker-registry | Tidegate | ratio | aim | met |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for outcome in &self.outcomes {
            outcome.write_rows(f)?;
        }
        Ok(())
    }
}

impl Outcome {
    fn write_rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, metric) in self.metrics.iter().enumerate() {
            let work = if index == 0 { self.title } else { "" };
            let Some(tidegate) = column(&self.tidegate, index) else {
                continue;
            };
            // The recipe has not all that there is to be measured.
            let recipe = column(&self.recipe, index);
            let ratio = recipe.map_or(f64::NAN, |recipe| tidegate.median / recipe.median);
            let (aim, met) = metric.aim.map_or_else(Default::default, |aim| {
                let met = aim.is_met(tidegate.median, ratio);
                (aim.to_string(), if met { "yes" } else { "no" })
            });
            writeln!(
                f,
                "| {work} | {} | {} | {} | {} | {aim} | {met} |",
                metric.label,
                recipe.map_or_else(String::new, spread),
                spread(tidegate),
                recipe.map_or_else(String::new, |_| format!("{} ×", figure(ratio))),
            )?;
        }
        Ok(())
    }
}

/// One sample on a line, for whoever watches.
pub(crate) fn sample_line(server: &str, metrics: &[Metric], sample: &[f64]) -> String {
    let figures: Vec<_> = metrics
        .iter()
        .zip(sample)
        .map(|(metric, value)| format!("{} {}", figure(*value), metric.label))
        .collect();
    format!("{server:>24}: {}", figures.join(", "))
}

fn column(samples: &[Vec<f64>], index: usize) -> Option<Summary> {
    Summary::of(
        samples
            .iter()
            .filter_map(|sample| sample.get(index))
            .copied(),
    )
}

fn spread(summary: Summary) -> String {
    let Summary { median, min, max } = summary;
    if min == max {
        return figure(median);
    }
    format!("{} ({}–{})", figure(median), figure(min), figure(max))
}

/// Three significant digits, as far as decimals go.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::{Aim, Metric, Outcome, Report, figure, sample_line};

    const METRICS: &[Metric] = &[
        Metric {
            label: "requests/s",
            aim: Some(Aim::RatioAtLeast(60.0)),
        },
        Metric {
            label: "p99 ms",
            aim: Some(Aim::AtMost(3.0)),
        },
        Metric {
            label: "CPU µs/request",
            aim: None,
        },
    ];

    #[test]
    fn a_report_shows_medians_spread_ratio_and_whether_the_aim_was_met() {
        let report = Report {
            machine: "a machine".to_owned(),
            others: 0.02,
            versions: vec!["a 1".to_owned(), "b 2".to_owned()],
            command: "cargo xtask bench".to_owned(),
            rounds: 3,
            outcomes: vec![Outcome {
                title: "manifest GET",
                metrics: METRICS,
                recipe: vec![
                    vec![500.0, 80.0, 4.0],
                    vec![530.0, 83.0, 4.0],
                    vec![540.0, 90.0, 4.0],
                ],
                tidegate: vec![vec![37_100.0, 3.5, 1.0]; 3],
            }],
        };
        let text = report.to_string();
        let rows: Vec<_> = text
            .lines()
            .skip_while(|line| !line.starts_with("|---"))
            .skip(1)
            .collect();
        assert_eq!(
            rows,
            [
                "| manifest GET | requests/s | 530 (500–540) | 37100 | 70.0 × | ≥ 60.0 × | yes |",
                "|  | p99 ms | 83.0 (80.0–90.0) | 3.50 | 0.04 × | ≤ 3.00 | no |",
                "|  | CPU µs/request | 4.00 | 1.00 | 0.25 × |  |  |",
            ]
        );
        assert!(text.contains("- Versions: a 1; b 2\n- Command: `cargo xtask bench`\n"));
    }

    #[test]
    fn a_disturbed_run_says_so() {
        let mut report = Report {
            machine: "a machine".to_owned(),
            others: 0.4,
            versions: Vec::new(),
            command: "cargo xtask bench".to_owned(),
            rounds: 1,
            outcomes: Vec::new(),
        };
        let line = "took 40 % of the CPU time: **the figures are disturbed**\n";
        assert!(report.to_string().contains(line));
        report.others = 0.04;
        assert!(report.to_string().contains("took 4 % of the CPU time\n"));
    }

    #[test]
    fn aims_are_met_from_their_own_side() {
        assert!(Aim::RatioAtLeast(1.7).is_met(0.0, 1.7));
        assert!(!Aim::RatioAtLeast(1.7).is_met(9.0, 1.6));
        assert!(Aim::RatioAtMost(0.25).is_met(9.0, 0.25));
        assert!(!Aim::RatioAtMost(0.25).is_met(0.0, 0.26));
        assert!(Aim::AtMost(40.0).is_met(40.0, 9.0));
        assert!(!Aim::AtMost(40.0).is_met(40.1, 0.0));
    }

    #[test]
    fn figures_keep_three_digits() {
        assert_eq!(figure(0.123), "0.12");
        assert_eq!(figure(12.34), "12.3");
        assert_eq!(figure(1234.5), "1234");
    }

    #[test]
    fn a_sample_names_its_server_and_units() {
        assert_eq!(
            sample_line("Tidegate", METRICS, &[37_100.0, 1.5, 25.0]).trim_start(),
            "Tidegate: 37100 requests/s, 1.50 p99 ms, 25.0 CPU µs/request"
        );
    }
}
