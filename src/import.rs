//! `tidegate import`: another program's configuration as a `tidegate.toml`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use tidegate_config::{Finding, Verdict};
use tidegate_failure::Failure;

use crate::auth_config;
use crate::inputs::{self, Inputs};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    inputs: Inputs,

    /// Where to write it; a file that is there is not touched
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Write it even if something of the other file cannot be said in it
    #[arg(long)]
    lenient: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(path) = arguments.inputs.lone_auth_config() {
        return auth_config::import(path);
    }
    let adopted = arguments.inputs.read()?;
    let comment = comment(arguments.inputs.file(), &adopted.findings);
    let settings = inputs::settle(adopted, arguments.lenient)?;
    let text = tidegate_config::write(&settings, &comment);
    write_new(&arguments.output, &text)?;
    let output = arguments.output.display();
    tidegate_failure::say(&format!(
        "{output}: `tidegate serve -c {output}` serves what {} says",
        arguments.inputs.file().display()
    ));
    Ok(())
}

/// What stands at the top of the file: where it is from, and what is different.
fn comment(file: &Path, findings: &[Finding]) -> String {
    let mut comment = format!(
        "Made by `tidegate import` of {}. `tidegate check` says what would be served.",
        file.display()
    );
    let different = |finding: &Finding| {
        let why = match &finding.verdict {
            Verdict::Replaced(by) => format!("replaced by {by}"),
            Verdict::Refused(why) => format!("left out: {why}"),
            Verdict::Unknown(_) => "left out: not known".to_owned(),
            Verdict::Honoured | Verdict::Harmless(_) => return None,
        };
        Some(format!("  {}: {why}", inputs::subject(finding)))
    };
    let different: Vec<String> = findings.iter().filter_map(different).collect();
    if !different.is_empty() {
        comment.push_str("\n\nWhat is different here:\n");
        comment.push_str(&different.join("\n"));
    }
    comment
}

/// Writes a file that is not there yet, for its owner alone: headers of webhooks
/// are secrets.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
        let failure = Failure::new(format!("cannot write {}", path.display()));
        let failure = failure.caused_by(Some(&error));
        if exists {
            failure.with_hint("name a file that is not there yet: nothing is overwritten")
        } else {
            failure
        }
    };
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".tidegate-")
        .tempfile_in(directory.unwrap_or(Path::new(".")))
        .map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    file.as_file().sync_all().map_err(cannot)?;
    file.persist_noclobber(path)
        .map_err(|error| cannot(error.error))?;
    Ok(())
}
