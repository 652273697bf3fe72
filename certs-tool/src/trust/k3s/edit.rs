//! Our entry in `registries.yaml`, put in and taken out as text.
//!
//! YAML has no editor that keeps comments and styles for certain. So lines are
//! added and taken away, and the result is parsed: it has to say what the file
//! said before, and our entry. If it does not, there is no result.

use serde_json::{Map, Value, json};

/// At the end of the `configs:` that is ours.
const MARK: &str = " # by certs-tool";

/// The file with our entry in it, or as it is if the entry is there.
pub(super) fn with_entry(text: &str, host: &str, ca: &str) -> Result<String, String> {
    let before = parse(text)?;
    let known = &before["configs"][host];
    if known["tls"]["ca_file"] == json!(ca) {
        return Ok(text.to_owned());
    }
    if !known["tls"].is_null() {
        return Err(format!("somebody has set tls for {host}"));
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let after = match (find_configs(&lines), known) {
        (Some(at), Value::Null) => {
            let by = child_indent(&lines[at + 1..], 0).unwrap_or(2);
            inserted(&lines, at + 1, &entry(host, ca, by))
        }
        (Some(at), _) => {
            let key = find_host(&lines, at, host).ok_or("its entry stands in one line")?;
            let by = indent_of(lines[key]);
            let child = child_indent(&lines[key + 1..], by).unwrap_or(by + 2);
            inserted(&lines, key + 1, &tls(ca, child, (child - by).max(1)))
        }
        (None, _) if before["configs"].is_null() => {
            let end = if text.is_empty() || text.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            format!("{text}{end}configs:{MARK}\n{}", entry(host, ca, 2))
        }
        (None, _) => return Err("its `configs` stand in one line".to_owned()),
    };
    let mut wanted = before;
    let entries = child(&mut wanted, "configs");
    object(child(entries, host)).insert("tls".to_owned(), json!({"ca_file": ca}));
    match parse(&after) {
        Ok(says) if says == wanted => Ok(after),
        _ => Err("an entry cannot be added to it with certainty".to_owned()),
    }
}

/// The file without our entry.
pub(super) fn without_entry(text: &str, host: &str, ca: &str) -> Result<String, String> {
    let mut wanted = parse(text)?;
    if wanted["configs"][host]["tls"] != json!({"ca_file": ca}) {
        return Err(format!("somebody has changed the entry for {host}"));
    }
    let entries = child(&mut wanted, "configs");
    let known = object(child(entries, host));
    known.remove("tls");
    let is_empty = known.is_empty();
    if is_empty {
        object(entries).remove(host);
    }
    let wanted = settled(wanted);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_ours = |at: &usize| {
        let two = [lines[*at], lines[at + 1]].map(|line| line.trim().to_owned());
        two == ["tls:".to_owned(), format!("ca_file: \"{ca}\"")]
    };
    for at in (0..lines.len().saturating_sub(1)).filter(is_ours) {
        // With the line above, which names the registry, unless that is for more.
        let start = if is_empty { at.saturating_sub(1) } else { at };
        let mut left = [&lines[..start], &lines[at + 2..]].concat();
        if let Some(key) = find_configs(&left)
            && left[key].trim_end().ends_with(MARK)
            && child_indent(&left[key + 1..], 0).is_none()
        {
            left.remove(key);
        }
        let left = left.concat();
        if parse(&left).is_ok_and(|says| settled(says) == wanted) {
            return Ok(left);
        }
    }
    Err("the entry is not in the form in which it was written".to_owned())
}

/// What a file says; nothing is `Null`.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(is_blank) {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let shown = error.to_string();
        let first = shown.lines().next().unwrap_or_default();
        format!("it is not YAML: {first}")
    })
}

/// A value as a mapping; nothing becomes an empty one. What is neither becomes
/// one too, and then the result does not say what it did before.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value
        .as_object_mut()
        .expect("made one above, if it was none")
}

/// What a mapping has by a key; nothing, if it has none.
fn child<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    object(value).entry(key).or_insert(Value::Null)
}

/// Nothing, no entries, and a `configs` of nothing say the same.
fn settled(mut settings: Value) -> Value {
    if let Some(all) = settings.as_object_mut() {
        let configs = all.get("configs");
        if configs.is_some_and(|c| c.is_null() || c.as_object().is_some_and(Map::is_empty)) {
            all.remove("configs");
        }
        if all.is_empty() {
            return Value::Null;
        }
    }
    settings
}

fn inserted(lines: &[&str], at: usize, new: &str) -> String {
    // The line above may be the last, and lack its end.
    let head = lines[..at].concat();
    let end = if head.ends_with('\n') { "" } else { "\n" };
    head + end + new + &lines[at..].concat()
}

fn entry(host: &str, ca: &str, indent: usize) -> String {
    let step = indent.max(1);
    let by = " ".repeat(indent);
    format!("{by}\"{host}\":\n{}", tls(ca, indent + step, step))
}

fn tls(ca: &str, indent: usize, step: usize) -> String {
    let (by, step) = (" ".repeat(indent), " ".repeat(step));
    format!("{by}tls:\n{by}{step}ca_file: \"{ca}\"\n")
}

/// The line of the outermost `configs:`, with its value below.
fn find_configs(lines: &[&str]) -> Option<usize> {
    lines
        .iter()
        .position(|line| without_comment(line) == "configs:")
}

/// The line of a registry's entry, with its value below.
fn find_host(lines: &[&str], configs: usize, host: &str) -> Option<usize> {
    let keys = [
        format!("\"{host}\":"),
        format!("'{host}':"),
        format!("{host}:"),
    ];
    let below = lines.iter().skip(configs + 1);
    let at = below
        .take_while(|line| is_blank(line) || indent_of(line) > 0)
        .position(|line| keys.iter().any(|key| without_comment(line).trim() == key))?;
    Some(configs + 1 + at)
}

fn without_comment(line: &str) -> &str {
    line.split(" #").next().unwrap_or(line).trim_end()
}

/// By how much the lines below a key are indented; `None` if there are none.
fn child_indent(below: &[&str], key: usize) -> Option<usize> {
    let first = below.iter().find(|line| !is_blank(line))?;
    Some(indent_of(first)).filter(|indent| *indent > key)
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOST: &str = "reg.lan:5043";
    const CA: &str = "/etc/rancher/k3s/certs/reg.lan:5043/tidegate-ca.crt";

    #[test]
    fn an_entry_takes_the_style_of_its_surroundings() {
        let ours = "configs: # by certs-tool\n  \"reg.lan:5043\":\n    tls:\n      ca_file: ";
        for (before, start, end) in [
            ("", ours, ""),
            ("# none\n", "# none\nconfigs: # by", ""),
            ("mirrors:\n  a: {}", "mirrors:\n  a: {}\nconfigs: # by", ""),
            (
                "configs:\n    # of a\n    a:\n        auth: {}\n",
                "configs:\n    \"reg.lan:5043\":\n        tls:\n            ca_file: ",
                "    # of a\n    a:\n        auth: {}\n",
            ),
            (
                "configs: # x\n  reg.lan:5043: # y\n   auth:\n    username: u\n",
                "configs: # x\n  reg.lan:5043: # y\n   tls:\n    ca_file: ",
                "   auth:\n    username: u\n",
            ),
            ("configs:", "configs:\n  \"reg.lan:5043\":\n    tls:\n", ""),
        ] {
            let after = with_entry(before, HOST, CA).unwrap();
            assert!(after.starts_with(start) && after.ends_with(end), "{after}");
            assert_eq!(
                parse(&after).unwrap()["configs"][HOST]["tls"]["ca_file"],
                CA
            );
            assert_eq!(with_entry(&after, HOST, CA).unwrap(), after);
            let left = without_entry(&after, HOST, CA).unwrap();
            assert_eq!(left.trim_end(), before.trim_end());
        }
    }

    #[test]
    fn what_cannot_be_done_with_certainty_is_not_done() {
        for (before, part) in [
            ("configs: {a: {}}\n", "`configs` stand in one line"),
            (
                "configs:\n  reg.lan:5043: {auth: {}}\n",
                "entry stands in one line",
            ),
            (
                "configs:\n  reg.lan:5043:\n    tls: {ca_file: /x}\n",
                "has set tls",
            ),
            (
                "configs:\n  reg.lan:5043:\n    tls:\n      insecure_skip_verify: true\n",
                "has set tls",
            ),
            ("- 1\n", "with certainty"),
            ("a: [\n", "not YAML"),
            ("a: 1\n...\n", "with certainty"),
            ("configs:\n  reg.lan:5043:\n", "with certainty"),
        ] {
            let error = with_entry(before, HOST, CA).unwrap_err();
            assert!(error.contains(part), "{before}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_or_loses_a_line(
            text in "((configs:|  \"reg\\.lan:5043\":|  a:|    auth: \\{u: v\\}|    tls:|mirrors:|#|  # c|---|x: &a 1|y: \\*a|  - z|\\.\\.\\.|k: \\|)( # c)?\n){0,7}"
        ) {
            if let Ok(after) = with_entry(&text, HOST, CA) {
                let mut lines = after.lines();
                for line in text.lines() {
                    prop_assert!(lines.any(|found| found == line), "{line:?}\n{after}");
                }
                let says = parse(&after).unwrap();
                prop_assert_eq!(&says["configs"][HOST]["tls"]["ca_file"], CA);
                let left = without_entry(&after, HOST, CA).unwrap();
                prop_assert_eq!(left, text);
            }
        }

        #[test]
        fn nothing_at_all_panics(text in "[\\PC\n\t]{0,40}") {
            let _ = (with_entry(&text, HOST, CA), without_entry(&text, HOST, CA));
        }
    }
}
