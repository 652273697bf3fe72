//! k3s: `configs."HOST:PORT".tls.ca_file` in `registries.yaml`, which is read
//! when it starts.
//!
//! YAML has no editor that keeps comments and styles for certain. So lines are
//! added and taken away as text, and the result is parsed: it has to say what
//! the file said before, and our entry. If it does not, nothing is written.

use fs_err as fs;
use serde_json::{Map, Value, json};

use super::authority::Authority;
use super::certs_d::OURS;
use super::error::TrustError;
use super::machine::{Directory, Machine};
use super::plan::{self, Plan};
use super::site::Site;
use super::store::StoreReport;

const FILE: &str = "registries.yaml";
const RESTART: &str =
    "k3s reads its registries when it starts: restart k3s, or k3s-agent on an agent";

pub(super) fn install(
    client: &Directory,
    site: &Site,
    authority: &Authority,
) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let ours = of_site(client, site);
    plan.write(&ours.path.join(OURS), authority.to_pem())?;
    let ca = ours.known_as.join(OURS).display().to_string();
    let path = client.path.join(FILE);
    let text = plan::read(&path)?.unwrap_or_default();
    plan.write(&path, with_entry(client, &text, site, &ca)?)?;
    if !plan.is_empty() {
        plan.notes.push(RESTART.to_owned());
    }
    Ok(plan)
}

pub(super) fn remove(client: &Directory, site: &Site) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let ours = of_site(client, site);
    let ca = ours.known_as.join(OURS).display().to_string();
    let path = client.path.join(FILE);
    if let Some(text) = plan::read(&path)?.filter(|text| text.contains(&ca)) {
        let left = without_entry(client, &text, site, &ca)?;
        if left.trim().is_empty() {
            plan.remove(&path);
        } else {
            plan.write(&path, left)?;
        }
    }
    plan.remove(&ours.path.join(OURS));
    plan.directories.push(ours.path);
    plan.directories.push(client.path.join("certs"));
    if !plan.is_empty() {
        plan.notes.push(RESTART.to_owned());
    }
    Ok(plan)
}

pub(super) fn inspect(
    client: &Directory,
    machine: &Machine,
    site: &Site,
    report: &mut StoreReport,
) {
    let path = client.path.join(FILE);
    let Ok(text) = fs::read_to_string(&path) else {
        return;
    };
    let settings = match parse(&text) {
        Ok(settings) => settings,
        Err(error) => {
            let hint = "k3s does not start with it".to_owned();
            return report.problem(&path, format!("it is not YAML: {error}"), hint);
        }
    };
    let tls = &settings["configs"][site.to_string()]["tls"];
    if tls["insecure_skip_verify"] == json!(true) {
        report.problem(
            &path,
            "insecure_skip_verify: true: nobody's certificate is checked",
            "take insecure_skip_verify away, and restart k3s".to_owned(),
        );
    }
    if let Some(ca) = tls["ca_file"].as_str() {
        report.read_anchors(&machine.at(ca));
    }
}

/// The file with our entry in it, or as it is if the entry is there.
fn with_entry(client: &Directory, text: &str, site: &Site, ca: &str) -> Result<String, TrustError> {
    let by_hand = || {
        Some(format!(
            "add by hand, below configs:\n  \"{site}\":\n    tls:\n      ca_file: \"{ca}\""
        ))
    };
    let refuse = |reason: &str| TrustError::Refused {
        path: client.path.join(FILE),
        reason: reason.to_owned(),
        hint: by_hand(),
    };
    let before = parse(text).map_err(|error| refuse(&format!("it is not YAML: {error}")))?;
    let entry = json!({"tls": {"ca_file": ca}});
    match &before["configs"][site.to_string()] {
        Value::Null => {}
        known if known["tls"]["ca_file"] == json!(ca) => return Ok(text.to_owned()),
        _ => return Err(refuse(&format!("it has an entry for {site} already"))),
    }

    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let after = match lines.iter().position(|line| is_key(line, "configs")) {
        Some(at) => {
            let indent = child_indent(&lines[at + 1..]).unwrap_or(2);
            let head: String = lines[..=at].concat();
            head + &entry_lines(site, ca, indent) + &lines[at + 1..].concat()
        }
        None if before["configs"].is_null() => {
            let newline = if text.is_empty() || text.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            format!("{text}{newline}configs:\n{}", entry_lines(site, ca, 2))
        }
        None => return Err(refuse("its `configs` stand in one line")),
    };
    let mut wanted = before;
    entries(&mut wanted).insert(site.to_string(), entry);
    match parse(&after) {
        Ok(says) if says == wanted => Ok(after),
        _ => Err(refuse("an entry cannot be added to it with certainty")),
    }
}

/// The file without our entry.
fn without_entry(
    client: &Directory,
    text: &str,
    site: &Site,
    ca: &str,
) -> Result<String, TrustError> {
    let refuse = |reason: &str| TrustError::Refused {
        path: client.path.join(FILE),
        reason: reason.to_owned(),
        hint: Some(format!("take away by hand what it says of {ca}")),
    };
    let mut wanted = parse(text).map_err(|error| refuse(&format!("it is not YAML: {error}")))?;
    let name = site.to_string();
    if wanted["configs"][&name] != json!({"tls": {"ca_file": ca}}) {
        return Err(refuse(&format!(
            "somebody has changed the entry for {site}"
        )));
    }
    entries(&mut wanted).remove(&name);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // The entry is three lines in a row, if it is as it was written.
    let written = |indent| entry_lines(site, ca, indent);
    let found = (0..lines.len().saturating_sub(2)).find(|&at| {
        let three = lines[at..at + 3].concat();
        three.trim_end() == written(indent_of(lines[at])).trim_end()
    });
    let at = found.ok_or_else(|| refuse("the entry is not in the form in which it was written"))?;
    let mut left: Vec<&str> = [&lines[..at], &lines[at + 3..]].concat();
    // The line above the first entry was written with it, unless others follow.
    if entries(&mut wanted).is_empty()
        && let Some(key) = left.iter().rposition(|line| is_key(line, "configs"))
        && child_indent(&left[key + 1..]).is_none()
    {
        left.remove(key);
        wanted.as_object_mut().map(|all| all.remove("configs"));
    }
    let after = left.concat();
    let says = parse(&after).map_err(|_| refuse("an entry cannot be taken out with certainty"))?;
    // Nothing at all, and a mapping of nothing, say the same.
    let nothing = |value: &Value| value.as_object().is_none_or(Map::is_empty);
    if says == wanted || nothing(&says) && nothing(&wanted) {
        Ok(after)
    } else {
        Err(refuse("an entry cannot be taken out with certainty"))
    }
}

fn entry_lines(site: &Site, ca: &str, indent: usize) -> String {
    let by = " ".repeat(indent);
    // Two steps as deep as the first, whatever that is in this file.
    let step = " ".repeat(indent.max(1));
    format!("{by}\"{site}\":\n{by}{step}tls:\n{by}{step}{step}ca_file: \"{ca}\"\n")
}

/// Whether a line is this key of the outermost mapping, with its value below.
fn is_key(line: &str, key: &str) -> bool {
    let line = line.split(" #").next().unwrap_or(line);
    line.trim_end() == format!("{key}:")
}

/// By how much the lines below a key are indented; `None` if there are none.
fn child_indent(below: &[&str]) -> Option<usize> {
    let first = below
        .iter()
        .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    Some(indent_of(first)).filter(|indent| *indent > 0)
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The entries, made if there are none.
fn entries(settings: &mut Value) -> &mut Map<String, Value> {
    if !settings.is_object() {
        *settings = json!({});
    }
    if !settings["configs"].is_object() {
        settings["configs"] = json!({});
    }
    match settings["configs"].as_object_mut() {
        Some(entries) => entries,
        None => unreachable!("made a moment ago"),
    }
}

fn parse(text: &str) -> Result<Value, String> {
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let shown = error.to_string();
        shown.lines().next().unwrap_or_default().to_owned()
    })
}

fn of_site(client: &Directory, site: &Site) -> Directory {
    client.join("certs").join(site.to_string())
}
