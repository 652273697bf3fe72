mod findings;
mod mistakes;
mod tls;
mod whole;

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::check::Checked;
use crate::client_auth::{ClientAuth, UserFrom, VerifyClient};
use crate::finding::{Finding, Verdict};
use crate::links::Links;
use crate::listen_address::OVER_SOCKET;
use crate::settings::{
    AccessLog, Backend, CertificateFiles, Collect, Health, LogFormat, Protocol, Registry, Schema1,
    Settings, TlsOffer, TlsVersion,
};
use crate::site::Place;
use crate::webhook::Action;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<(Settings, Vec<Finding>), String> {
    let said = |problem: Problem| match problem {
        Problem::File(diagnostic) => {
            let place = diagnostic.location();
            format!("{}:{} {}", place.line, place.column, diagnostic.message())
        }
        Problem::Key(mistake) => mistake.to_string(),
    };
    let mut document = parse(Path::new("config.yml"), text).map_err(|d| said(Problem::File(d)))?;
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    document
        .overlay(variables)
        .map_err(|mistake| said(Problem::Key(mistake)))?;
    document.settings().map_err(said)
}

fn registry(settings: Settings) -> Registry {
    match settings.backend {
        Backend::Registry(registry) => registry,
        Backend::Forward(_) | Backend::Places => panic!("a config.yml describes a registry"),
    }
}

/// The findings as `line subject: verdict`.
fn lines(findings: &[Finding]) -> Vec<String> {
    let verdict = |finding: &Finding| match &finding.verdict {
        Verdict::Honoured => "honoured".to_owned(),
        Verdict::Replaced(by) => format!("replaced by {by}"),
        Verdict::Harmless(why) => format!("harmless: {why}"),
        Verdict::Unknown(None) => "unknown".to_owned(),
        Verdict::Unknown(Some(near)) => format!("unknown, {near}?"),
        Verdict::Refused(why) => format!("refused: {why}"),
    };
    let line = |finding: &Finding| {
        let place = finding.location.as_ref();
        place.map_or("-".to_owned(), |place| place.line.to_string())
    };
    findings
        .iter()
        .map(|finding| {
            format!(
                "{} {} | {}",
                line(finding),
                finding.subject,
                verdict(finding)
            )
        })
        .collect()
}

const LEAST: &str = "version: 0.1\nstorage: filesystem\n";
