//! `registry garbage-collect`, with the flags and the lines of distribution's.

use std::time::Duration;

use clap::Args;
use tidegate_failure::Failure;

use super::common::{Configuration, Lines, block_on, count, size, warn};
use crate::collect::{Event, MINIMUM_GRACE, Options, Report, collect};

/// The arguments of `registry garbage-collect`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Remove nothing, and say what would go
    #[arg(short, long)]
    dry_run: bool,

    /// Remove manifests as well that no tag leads to, be it through an index or
    /// as a referrer
    #[arg(short = 'm', long)]
    delete_untagged: bool,

    /// Say nothing on standard output
    #[arg(short, long)]
    quiet: bool,

    /// What was used so short a time ago stays, since somebody may be pushing
    /// it; the default is the configuration's, or 24h
    #[arg(long, value_name = "TIME", value_parser = grace)]
    grace: Option<Duration>,

    #[command(flatten)]
    configuration: Configuration,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = arguments.configuration.load()?;
    let store = crate::open_existing_store(&settings)?;
    let mut options = Options::from(&settings);
    options.dry_run = arguments.dry_run;
    // Whoever runs it asks for the rest as well.
    options.uploads_only = false;
    options.delete_untagged |= arguments.delete_untagged;
    options.grace = arguments.grace.unwrap_or(options.grace);

    let lines = Lines::default();
    let tell = |event: &Event<'_>| match event {
        Event::Damaged(damaged) => warn(&format!("damaged: {damaged}")),
        _ if arguments.quiet => {}
        event => {
            if let Some(line) = line(event) {
                lines.say(&line);
            }
        }
    };
    let collected = block_on(collect(&*store, &options, &tell))?;
    if let Ok(report) = &collected
        && !arguments.quiet
    {
        for line in summary(report, options.grace) {
            lines.say(&line);
        }
    }
    lines.flush();
    let report = collected?;
    if !report.damaged.is_empty() {
        let repositories = "nothing of these repositories went that it may be about";
        warn(&format!(
            "{} cannot be read; {repositories}",
            count(report.damaged.len() as u64, "file")
        ));
    }
    Ok(())
}

fn grace(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(grace) if grace >= MINIMUM_GRACE => Ok(grace),
        Ok(_) => Err(format!(
            "at least {}, which clocks and claims need",
            humantime::format_duration(MINIMUM_GRACE)
        )),
        Err(error) => Err(format!("{error}; write it as 30m or 24h")),
    }
}

/// What distribution says of an event, and in its manner what it does not know.
fn line(event: &Event<'_>) -> Option<String> {
    let line = match event {
        Event::Repository(repo) => repo.to_string(),
        Event::ManifestStays(repo, digest) => format!("{repo}: marking manifest {digest} "),
        Event::BlobStays(repo, digest) => format!("{repo}: marking blob {digest}"),
        Event::ManifestGoes(_, digest) => format!("manifest eligible for deletion: {digest}"),
        Event::LayerGoes(repo, digest) => {
            format!("{repo}: layer link eligible for deletion: {digest}")
        }
        Event::Tag {
            repo,
            tag,
            stays: false,
            reason,
        } => format!("tag eligible for deletion: {repo}:{tag} ({reason})"),
        Event::Tag {
            repo, tag, reason, ..
        } => format!("{repo}: keeping tag {tag}: {reason}"),
        Event::UploadGoes(repo, id) => format!("{repo}: upload eligible for deletion: {id}"),
        Event::Marked {
            marked,
            blobs,
            manifests,
        } => format!(
            "\n{marked} blobs marked, {blobs} blobs and {manifests} manifests eligible for deletion"
        ),
        Event::ContentGoes(digest) => format!("blob eligible for deletion: {digest}"),
        Event::Damaged(_) => return None,
    };
    Some(line)
}

/// What distribution does not say: what came of it.
fn summary(report: &Report, grace: Duration) -> Vec<String> {
    let freed = if report.dry_run {
        "would free"
    } else {
        "freed"
    };
    let mut things = vec![count(report.blobs, "blob")];
    for (number, thing) in [
        (report.manifests, "manifest"),
        (report.tags, "tag"),
        (report.uploads, "upload"),
    ] {
        if number > 0 {
            things.push(count(number, thing));
        }
    }
    let bytes = report.bytes + report.upload_bytes;
    let exactly = if bytes < 1024 {
        String::new()
    } else {
        format!(" ({bytes} bytes)")
    };
    let mut lines = vec![format!(
        "{freed} {}{exactly}: {}",
        size(bytes),
        things.join(", ")
    )];
    if report.resting_blobs > 0 {
        lines.push(format!(
            "{} of {} more that nobody refers to: used in the last {}, or pushed right now",
            size(report.resting_bytes),
            count(report.resting_blobs, "blob"),
            humantime::format_duration(grace)
        ));
    }
    lines
}
