//! Variables of the environment that overrule a `config.yml`, by distribution's
//! rule: `REGISTRY_` and the path of the key in capitals, with `_` for each step.

use serde_json::{Map, Value};

use super::value::Mistake;
use super::{Document, yaml};

const PREFIX: &str = "REGISTRY_";

/// The keys at the top of the file. Other variables of this prefix are not about
/// it: Kubernetes sets `REGISTRY_PORT` for a service of that name.
const TOP: [&str; 15] = [
    "auth",
    "catalog",
    "compatibility",
    "health",
    "http",
    "log",
    "loglevel",
    "middleware",
    "notifications",
    "policy",
    "proxy",
    "redis",
    "storage",
    "validation",
    "version",
];

/// Sections that may be a text: the one thing in them, without parameters.
const NAMED_BY_A_TEXT: [&str; 2] = ["auth", "storage"];

impl Document {
    /// Lays the variables that begin with `REGISTRY_` over the file, in the
    /// order of their names. A value is YAML.
    ///
    /// # Errors
    /// A value is not YAML.
    pub(crate) fn overlay(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Mistake> {
        let mut variables: Vec<_> = environment
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        variables.sort_unstable();
        for (name, text) in variables {
            let path = name[PREFIX.len()..].to_ascii_lowercase();
            let steps: Vec<&str> = path.split('_').collect();
            if !TOP.contains(&steps[0]) || steps.contains(&"") {
                continue;
            }
            let value =
                yaml(&text).map_err(|_| Mistake::of_variable(&name, "its value is not YAML"))?;
            if let Some(key) = put(&mut self.root, &steps, value) {
                self.overruled.push((key, name));
            }
        }
        Ok(())
    }
}

/// Puts a value where the steps lead, and returns the path as the file spells
/// it. Steps into what has nothing below it lead nowhere.
fn put(root: &mut Value, steps: &[&str], value: Value) -> Option<String> {
    let mut path: Vec<String> = Vec::new();
    let mut place = root;
    for step in steps {
        if let Value::String(name) = place
            && let [section] = path.as_slice()
            && NAMED_BY_A_TEXT.contains(&section.as_str())
        {
            *place = Value::from(Map::from_iter([(name.clone(), Value::Null)]));
        }
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let entries = place.as_object_mut()?;
        let spelled = entries.keys().find(|key| key.eq_ignore_ascii_case(step));
        let key = spelled.cloned().unwrap_or_else(|| (*step).to_owned());
        place = entries.entry(key.clone()).or_insert(Value::Null);
        path.push(key);
    }
    *place = value;
    Some(path.join("."))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config_yml::parse;

    fn overlaid(text: &str, variables: &[(&str, &str)]) -> Value {
        let mut document = parse(Path::new("config.yml"), text).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        document.overlay(variables).unwrap();
        document.root
    }

    #[test]
    fn a_variable_replaces_adds_and_keeps_the_spelling() {
        assert_eq!(
            overlaid(
                "version: 0.1\nhttp: {Addr: ':5000'}\n",
                &[
                    ("REGISTRY_HTTP_ADDR", ":5001"),
                    ("REGISTRY_STORAGE_DELETE", "{enabled: true}"),
                    ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv"),
                    ("REGISTRY_VALIDATION", ""),
                    ("OTHER", "x"),
                ],
            ),
            json!({
                "version": 0.1,
                "http": {"Addr": ":5001"},
                "storage": {"delete": {"enabled": true}, "filesystem": {"rootdirectory": "/srv"}},
                "validation": null,
            })
        );
    }

    #[test]
    fn variables_count_in_the_order_of_their_names() {
        let whole = ("REGISTRY_STORAGE", "filesystem");
        let part = ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv");
        for variables in [[whole, part], [part, whole]] {
            assert_eq!(
                overlaid("storage: {inmemory: }\n", &variables),
                json!({"storage": {"filesystem": {"rootdirectory": "/srv"}}})
            );
        }
    }

    #[test]
    fn what_kubernetes_sets_is_not_about_the_file() {
        let text = "http: {addr: ':5000'}\n";
        let expected = json!({"http": {"addr": ":5000", "port": "tcp://10.0.0.1:80"}});
        assert_eq!(
            overlaid(
                text,
                &[
                    ("REGISTRY_PORT", "tcp://10.0.0.1:80"),
                    ("REGISTRY_PORT_80_TCP", "tcp://10.0.0.1:80"),
                    ("REGISTRY_HTTP_PORT", "tcp://10.0.0.1:80"),
                    ("REGISTRY_HTTP_PORT_80_TCP", "tcp://10.0.0.1:80"),
                    ("REGISTRY_CONFIGURATION_PATH", "/etc/config.yml"),
                    ("REGISTRY_", "x"),
                    ("REGISTRY_HTTP__ADDR", "x"),
                ],
            ),
            expected
        );
    }

    #[test]
    fn a_value_that_is_no_yaml_is_not_shown() {
        let mut document = parse(Path::new("config.yml"), "version: 0.1\n").unwrap();
        let secret = ("REGISTRY_HTTP_SECRET".to_owned(), "[s3cr3t".to_owned());
        let error = document.overlay([secret]).unwrap_err().to_string();
        assert_eq!(error, "REGISTRY_HTTP_SECRET: its value is not YAML");
    }

    proptest! {
        #[test]
        fn no_variable_panics(
            name in "REGISTRY_(HTTP|STORAGE|PORT|AUTH)?[A-Z0-9_]{0,20}",
            value in "[a-z:{}\\[\\] ,\\n]{0,20}",
        ) {
            let mut document =
                parse(Path::new("f"), "storage: filesystem\nhttp: [1]\nauth: {a: b}\n").unwrap();
            let _ = document.overlay([(name, value)]);
            prop_assert!(document.root.is_object());
        }
    }
}
