//! `certs-tool show`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use tidegate_failure::Failure;

use crate::report::{Beside, Description, Report, Severity};

/// The arguments of `certs-tool show`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files with a certificate, or a chain that begins with it
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The certificate's key [default: the file of the same name that ends in
    /// .key, if there is one]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// The CA that has to have signed it [default: root-ca.crt beside it, if it
    /// is there]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Write JSON: an array with an object for each file
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let beside = Beside {
        key: arguments.key.clone(),
        ca: arguments.ca.clone(),
    };
    let reports = arguments
        .files
        .iter()
        .map(|file| Report::of(file, &beside))
        .collect::<Result<Vec<_>, _>>()?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&reports).map_err(|e| Failure::of(&e, None))?;
        tidegate_failure::say(&json);
    } else {
        let texts: Vec<String> = reports.iter().map(text).collect();
        tidegate_failure::print(&texts.join("\n"));
    }
    let refused: Vec<String> = reports
        .iter()
        .filter(|report| report.has_errors())
        .map(|report| report.file.display().to_string())
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "clients will refuse {}",
        refused.join(", ")
    )))
}

fn text(report: &Report) -> String {
    let mut text = format!("{}\n", report.file.display());
    for (index, certificate) in report.certificates.iter().enumerate() {
        if report.certificates.len() > 1 {
            line(&mut text, "", &format!("certificate {}", index + 1));
        }
        describe(&mut text, certificate);
    }
    if let Some(key) = &report.key {
        let fits = if key.matches { "fits" } else { "does not fit" };
        line(
            &mut text,
            "key file",
            &format!("{} {fits}", key.file.display()),
        );
    }
    if let Some(ca) = &report.ca {
        let signed = if ca.signed {
            "signed it"
        } else {
            "did not sign it"
        };
        line(&mut text, "CA", &format!("{} {signed}", ca.file.display()));
    }
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {severity}: {}", finding.text);
        if let Some(hint) = &finding.hint {
            let _ = writeln!(text, "  hint: {hint}");
        }
    }
    text
}

fn describe(text: &mut String, certificate: &Description) {
    line(text, "subject", &certificate.subject);
    line(text, "issuer", &certificate.issuer);
    if !certificate.names.is_empty() {
        line(text, "names", &certificate.names.join(", "));
    }
    let days = certificate.days_left;
    let ends = match days {
        ..0 => format!("ended {} days ago", -days),
        _ => format!("ends in {days} days"),
    };
    line(
        text,
        "valid",
        &format!(
            "{} to {}, {ends}",
            certificate.not_before, certificate.not_after
        ),
    );
    let role = match (certificate.is_ca, certificate.path_length) {
        (true, Some(length)) => format!("CA, with at most {length} CAs below"),
        (true, None) => "CA".to_owned(),
        (false, _) => "no CA".to_owned(),
    };
    let usage = &certificate.extended_key_usage;
    let usage = if usage.is_empty() {
        String::new()
    } else {
        format!("; {}", usage.join(", "))
    };
    line(text, "use", &format!("{role}{usage}"));
    line(
        text,
        "key",
        &format!("{}, signed with {}", certificate.key, certificate.signature),
    );
    line(text, "serial", &certificate.serial);
    line(text, "SHA-256", &certificate.sha256);
    line(text, "SHA-1", &certificate.sha1);
}

fn line(text: &mut String, label: &str, value: &str) {
    // What a certificate says may have come from anybody.
    let value: String = value.chars().filter(|c| !c.is_control()).collect();
    let _ = writeln!(text, "  {label:<9} {value}");
}
