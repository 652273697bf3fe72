//! The report: medians, spread, ratios, and what was aimed at.

use std::fmt;

use crate::bench::kind::Kind;
use crate::bench::metric::{Metric, Samples, figure, summary};
use crate::bench::record::{Entry, Record, Run};
use crate::bench::runs::Runs;
use crate::bench::stats::Summary;

/// How a case is presented.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heading {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// What the report calls it.
    pub(crate) title: &'static str,
    /// What its figures are.
    pub(crate) metrics: &'static [Metric],
}

/// The figures of a record, shown as Markdown.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    record: &'a Record,
    headings: &'a [Heading],
}

/// A share of others above which a row says that it means little. Writing
/// pushed layers to the disk takes some of it.
const DISTURBED: f64 = 0.15;

impl<'a> Report<'a> {
    /// Shows those of `record`'s cases that are among `headings` and still
    /// measure the same, or more, in the order of `headings`.
    pub(crate) fn new(record: &'a Record, headings: &'a [Heading]) -> Self {
        Self { record, headings }
    }

    fn entries(&self) -> impl Iterator<Item = (&'a Heading, &'a Entry)> {
        self.headings.iter().filter_map(|heading| {
            let same = |entry: &&Entry| {
                let labels: Vec<_> = heading.metrics.iter().map(|metric| metric.label).collect();
                let then: Vec<_> = entry.labels.iter().map(String::as_str).collect();
                entry.case == heading.name && labels.starts_with(&then)
            };
            Some((heading, self.record.cases.iter().find(same)?))
        })
    }

    /// Each place and program, with the cases measured there.
    fn runs(&self) -> Vec<(&'a Run, Vec<&'static str>)> {
        let mut runs: Vec<(&Run, Vec<_>)> = Vec::new();
        for (heading, entry) in self.entries() {
            match runs.iter_mut().find(|(run, _)| **run == entry.run) {
                Some((_, names)) => names.push(heading.name),
                None => runs.push((&entry.run, vec![heading.name])),
            }
        }
        runs
    }
}

const INTRODUCTION: &str = "\
Tidegate beside nginx and docker-registry, both over TLS on loopback with the same certificate, \
password file (bcrypt, cost 5) and image, and beside nginx with the same bytes as static files and \
no passwords, which is what TLS alone costs. The figures are medians (smallest–largest) of rounds \
in which the servers take turns; the ratio is Tidegate's median to that of nginx + \
docker-registry. CPU time and memory are those of all processes of a server. The clients have the \
same cores. The files are in the page cache but where a row says otherwise.

The limit is what the machine leaves to any server, reckoned from the raw limits of the same run \
(at the end), and in brackets its ratio to nginx + docker-registry. A GiB that is pulled costs at \
least its AES-256-GCM and two copies in memory; one that is pushed costs its SHA-256 too; and a \
push that is on the disk when it is answered is not faster than plain writes and an fsync were.";

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Benchmarks\n\n{INTRODUCTION}\n")?;
        let columns: Vec<_> = Kind::ALL
            .iter()
            .copied()
            .filter(|kind| {
                Kind::PAIR.contains(kind)
                    || self
                        .entries()
                        .any(|(_, entry)| entry.samples.contains_key(kind))
            })
            .collect();
        let names: Vec<_> = columns.iter().map(|kind| kind.name()).collect();
        writeln!(
            f,
            "| work | measure | {} | ratio | limit | aim | met |",
            names.join(" | ")
        )?;
        writeln!(
            f,
            "|---|---|{}---|---|---|---|",
            "---|".repeat(columns.len())
        )?;
        for (heading, entry) in self.entries() {
            write_rows(f, heading, entry, &columns)?;
        }
        write!(f, "\n## Runs\n\n{}", Runs(self.runs()))
    }
}

fn write_rows(
    f: &mut fmt::Formatter<'_>,
    heading: &Heading,
    entry: &Entry,
    columns: &[Kind],
) -> fmt::Result {
    let mut work = format!("{} (`{}`)", heading.title, heading.name);
    if entry.others > DISTURBED {
        let percent = entry.others * 100.0;
        work.push_str(&format!(
            "; **disturbed: others took {percent:.0} % of the CPU time**"
        ));
    }
    for (index, metric) in heading.metrics.iter().enumerate() {
        if summary(&entry.samples, Kind::Tidegate, index).is_none() {
            continue;
        }
        let cells: Vec<_> = columns
            .iter()
            .map(|kind| summary(&entry.samples, *kind, index).map_or_else(String::new, spread))
            .collect();
        let aims: Vec<_> = metric.aims.iter().map(ToString::to_string).collect();
        writeln!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} |",
            std::mem::take(&mut work),
            metric.label,
            cells.join(" | "),
            ratio(&entry.samples, index),
            limit(metric, index, entry),
            aims.join(", "),
            verdict(metric, index, &entry.samples),
        )?;
    }
    Ok(())
}

fn ratio(samples: &Samples, index: usize) -> String {
    summary(samples, Kind::Tidegate, index)
        .and_then(|tidegate| to_recipe(tidegate.median, samples, index))
        .unwrap_or_default()
}

/// What the machine leaves to any server, and how that stands to the recipe.
fn limit(metric: &Metric, index: usize, entry: &Entry) -> String {
    let Some(limit) = metric.bound.and_then(|bound| bound.of(&entry.run.limits)) else {
        return String::new();
    };
    match to_recipe(limit, &entry.samples, index) {
        Some(ratio) => format!("{} ({ratio})", figure(limit)),
        None => figure(limit),
    }
}

fn to_recipe(value: f64, samples: &Samples, index: usize) -> Option<String> {
    let recipe = summary(samples, Kind::Recipe, index)?.median;
    (recipe != 0.0).then(|| format!("{} ×", figure(value / recipe)))
}

fn verdict(metric: &Metric, index: usize, samples: &Samples) -> &'static str {
    match metric.is_met(index, samples) {
        Some(true) => "yes",
        Some(false) => "no",
        None if metric.aims.is_empty() => "",
        None => "?",
    }
}

/// One sample on a line, for whoever watches.
pub(crate) fn sample_line(server: &str, metrics: &[Metric], sample: &[f64]) -> String {
    let figures: Vec<_> = metrics
        .iter()
        .zip(sample)
        .map(|(metric, value)| format!("{} {}", figure(*value), metric.label))
        .collect();
    format!("{server:>25}: {}", figures.join(", "))
}

fn spread(summary: Summary) -> String {
    let Summary { median, min, max } = summary;
    if min == max {
        return figure(median);
    }
    format!("{} ({}–{})", figure(median), figure(min), figure(max))
}

#[cfg(test)]
mod tests {
    use super::{Heading, Report, sample_line};
    use crate::bench::bound::Bound;
    use crate::bench::kind::Kind;
    use crate::bench::limits::Limit;
    use crate::bench::metric::{Aim, Metric, Samples};
    use crate::bench::record::{Entry, Record, Run};

    const MANIFEST: Heading = Heading {
        name: "manifest-16",
        title: "manifest GET",
        metrics: &[
            Metric::aimed(
                "requests/s",
                &[Aim::RatioAtLeast(60.0), Aim::StaticAtLeast(0.7)],
            ),
            Metric::aimed("p99 ms", &[Aim::AtMost(3.0)]),
            Metric::plain("CPU µs/request").bounded(Bound::PullCpu),
        ],
    };
    const MEMORY: Heading = Heading {
        name: "memory",
        title: "memory",
        metrics: &[Metric::plain("MiB")],
    };

    fn entry(heading: &Heading, samples: Samples, commit: &str) -> Entry {
        Entry {
            case: heading.name.to_owned(),
            labels: heading.metrics.iter().map(|m| m.label.to_owned()).collect(),
            samples,
            others: 0.02,
            run: Run {
                machine: "a machine".to_owned(),
                versions: [commit, "a 1"].map(str::to_owned).to_vec(),
                limits: [
                    "aes-256-gcm 4 GiB/s",
                    "memcpy 8 GiB/s",
                    "write and fsync 300 MiB/s",
                ]
                .map(|line| Limit::parse(line).unwrap())
                .to_vec(),
                command: "cargo xtask bench".to_owned(),
            },
        }
    }

    fn manifest() -> Entry {
        let samples = Samples::from([
            (
                Kind::Recipe,
                vec![
                    vec![500.0, 80.0, 4.0],
                    vec![530.0, 83.0, 4.0],
                    vec![540.0, 90.0, 4.0],
                ],
            ),
            (Kind::Tidegate, vec![vec![37_100.0, 3.5, 1.0]; 3]),
            (Kind::Static, vec![vec![50_000.0, 1.0, 0.5]; 3]),
        ]);
        entry(&MANIFEST, samples, "commit a")
    }

    fn rows(text: &str) -> Vec<&str> {
        text.lines()
            .skip_while(|line| !line.starts_with("| work"))
            .take_while(|line| !line.is_empty())
            .collect()
    }

    fn end(text: &str) -> Vec<&str> {
        text.lines()
            .skip_while(|line| *line != "## Runs")
            .skip(2)
            .collect()
    }

    #[test]
    fn a_report_shows_medians_spread_ratio_and_whether_the_aim_was_met() {
        let record = Record {
            cases: vec![manifest()],
        };
        let text = Report::new(&record, &[MANIFEST]).to_string();
        assert_eq!(
            rows(&text),
            [
                "| work | measure | nginx + docker-registry | Tidegate | nginx, static files | ratio | limit | aim | met |",
                "|---|---|---|---|---|---|---|---|---|",
                "| manifest GET (`manifest-16`) | requests/s | 530 (500–540) | 37100 | 50000 | 70.0 × |  | ≥ 60.0 ×, ≥ 0.70 × static | yes |",
                "|  | p99 ms | 83.0 (80.0–90.0) | 3.50 | 1.00 | 0.04 × |  | ≤ 3.00 | no |",
                "|  | CPU µs/request | 4.00 | 1.00 | 0.50 | 0.25 × | 0.50 (0.12 ×) |  |  |",
            ]
        );
        assert_eq!(
            end(&text),
            [
                "- Machine: a machine",
                "- Programs: a 1",
                "",
                "| cases | measured | raw limits | command |",
                "|---|---|---|---|",
                "| manifest-16 | commit a | aes-256-gcm 4, memcpy 8 GiB/s; write and fsync 300 MiB/s | `cargo xtask bench` |",
            ]
        );
    }

    #[test]
    fn what_cannot_be_compared_is_not_called_met() {
        let mut entry = manifest();
        entry.samples.remove(&Kind::Static);
        let record = Record { cases: vec![entry] };
        let text = Report::new(&record, &[MANIFEST]).to_string();
        assert!(rows(&text)[2].ends_with("| 70.0 × |  | ≥ 60.0 ×, ≥ 0.70 × static | ? |"));
    }

    #[test]
    fn cases_measured_apart_say_where_each_was() {
        let memory = Samples::from([(Kind::Tidegate, vec![vec![20.0]])]);
        let mut memory = entry(&MEMORY, memory, "commit b");
        memory.run.machine = "another".to_owned();
        memory.run.versions.push("b 2".to_owned());
        memory.run.limits.clear();
        let record = Record {
            cases: vec![memory, manifest()],
        };
        let text = Report::new(&record, &[MANIFEST, MEMORY]).to_string();
        assert_eq!(
            end(&text),
            [
                "- Programs: a 1",
                "",
                "| cases | measured | raw limits | command |",
                "|---|---|---|---|",
                "| manifest-16 | commit a; a machine | aes-256-gcm 4, memcpy 8 GiB/s; write and fsync 300 MiB/s | `cargo xtask bench` |",
                "| memory | commit b; b 2; another |  | `cargo xtask bench` |",
            ]
        );
        let rows = rows(&text);
        assert!(
            rows[2].contains("manifest-16") && rows[5].contains("memory"),
            "{rows:?}"
        );
    }

    #[test]
    fn a_case_that_measures_more_now_keeps_what_it_did() {
        let mut old = manifest();
        old.labels.truncate(2);
        for row in old.samples.values_mut().flatten() {
            row.truncate(2);
        }
        let record = Record { cases: vec![old] };
        let text = Report::new(&record, &[MANIFEST]).to_string();
        assert_eq!(rows(&text).len(), 4, "{text}");
    }

    #[test]
    fn a_case_that_measures_something_else_now_is_left_out() {
        let mut old = manifest();
        old.labels[1] = "p99 s".to_owned();
        let record = Record { cases: vec![old] };
        assert_eq!(
            rows(&Report::new(&record, &[MANIFEST]).to_string()).len(),
            2
        );
    }

    #[test]
    fn a_disturbed_case_says_so() {
        let mut entry = manifest();
        entry.others = 0.4;
        let mut record = Record { cases: vec![entry] };
        let warning = "**disturbed: others took 40 % of the CPU time**";
        assert!(
            Report::new(&record, &[MANIFEST])
                .to_string()
                .contains(warning)
        );
        record.cases[0].others = 0.04;
        assert!(
            !Report::new(&record, &[MANIFEST])
                .to_string()
                .contains("disturbed")
        );
    }

    #[test]
    fn a_sample_names_its_server_and_units() {
        assert_eq!(
            sample_line("Tidegate", MANIFEST.metrics, &[37_100.0, 1.5, 25.0]).trim_start(),
            "Tidegate: 37100 requests/s, 1.50 p99 ms, 25.0 CPU µs/request"
        );
    }
}
