//! What `cargo xtask bench` is told.

use std::path::PathBuf;
use std::time::Duration;

use crate::bench::sizes::Sizes;

/// The arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Two short rounds of each case in place of five: a look, not a result.
    #[arg(long)]
    quick: bool,
    /// How often each server is measured in each case.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Measure this case only, or those that begin with this and a hyphen; may
    /// be repeated.
    #[arg(long, value_name = "CASE")]
    pub(crate) only: Vec<String>,
    /// Write docs/BENCHMARKS.md and docs/benchmarks.json too. Cases that are
    /// not measured keep their last figures there.
    #[arg(long, conflicts_with_all = ["quick", "small"])]
    pub(crate) write: bool,
    /// Measure nothing: write docs/BENCHMARKS.md anew from docs/benchmarks.json.
    #[arg(long, exclusive = true)]
    pub(crate) rewrite: bool,
    /// Measure docker-registry 3 too: this program, or without PATH one that
    /// `go install` builds.
    #[arg(long, value_name = "PATH", num_args = 0..=1)]
    pub(crate) registry3: Option<Option<PathBuf>>,
    /// Measure this program in place of a new release build.
    #[arg(long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,
    /// Little work in each case: shows whether the cases run, and nothing else.
    #[arg(long, hide = true)]
    small: bool,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effort {
    /// How often each server is measured in each case.
    pub(crate) rounds: usize,
    /// How long a load generator runs each time.
    pub(crate) load: Duration,
}

impl Effort {
    const FULL: Self = Self {
        rounds: 5,
        load: Duration::from_secs(5),
    };
    const QUICK: Self = Self {
        rounds: 2,
        load: Duration::from_secs(2),
    };
}

impl Args {
    /// How much is measured.
    pub(crate) fn effort(&self) -> Effort {
        let short = self.quick || self.small;
        let usual = if short { Effort::QUICK } else { Effort::FULL };
        Effort {
            rounds: self.rounds.map_or(usual.rounds, usize::from),
            ..usual
        }
    }

    /// How large things are.
    pub(crate) fn sizes(&self) -> Sizes {
        if self.small {
            Sizes::SMALL
        } else {
            Sizes::FULL
        }
    }

    /// The command that gives such a report again.
    pub(crate) fn command_line(&self) -> String {
        let mut words = vec!["cargo xtask bench".to_owned()];
        for (given, word) in [(self.quick, "--quick"), (self.small, "--small")] {
            words.extend(given.then(|| word.to_owned()));
        }
        words.extend(self.rounds.map(|rounds| format!("--rounds {rounds}")));
        words.extend(self.only.iter().map(|case| format!("--only {case}")));
        words.extend(self.registry3.iter().map(|_| "--registry3".to_owned()));
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Args, Effort};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        bench: Args,
    }

    fn parse(line: &str) -> Result<Args, clap::Error> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.bench)
    }

    #[test]
    fn rounds_are_five_unless_told() {
        assert_eq!(parse("").unwrap().effort(), Effort::FULL);
        assert_eq!(parse("--quick").unwrap().effort(), Effort::QUICK);
        assert_eq!(parse("--rounds 9").unwrap().effort().rounds, 9);
        assert!(parse("--rounds 0").is_err());
    }

    #[test]
    fn a_look_is_not_written_down() {
        assert!(parse("--write --only pull").unwrap().write);
        assert!(parse("--write --quick").is_err());
        assert!(parse("--write --small").is_err());
    }

    #[test]
    fn a_report_is_written_anew_without_measuring() {
        assert!(parse("--rewrite").unwrap().rewrite);
        assert!(parse("--rewrite --only pull").is_err());
    }

    #[test]
    fn the_command_line_is_told_without_places() {
        let args = parse("--rounds 7 --only pull --only memory --registry3 /p/registry --write");
        assert_eq!(
            args.unwrap().command_line(),
            "cargo xtask bench --rounds 7 --only pull --only memory --registry3"
        );
    }

    #[test]
    fn the_third_registry_is_built_where_none_is_named() {
        assert_eq!(parse("").unwrap().registry3, None);
        assert_eq!(parse("--registry3").unwrap().registry3, Some(None));
        assert_eq!(
            parse("--registry3 /p").unwrap().registry3,
            Some(Some("/p".into()))
        );
    }
}
