//! Variables of the environment that overrule a `config.yml`, by distribution's
//! rule: `REGISTRY_` and the path of the key in capitals, with `_` for each step.

use super::tree::{self, Entry, Source, Tree, Value};
use super::value::Mistake;
use super::{Document, Overruled, schema};
use crate::finding::Verdict;
use crate::yaml::schema::join;

const PREFIX: &str = "REGISTRY_";

/// What says where the file is, and is read by whoever reads the file.
const PATH: &str = "REGISTRY_CONFIGURATION_PATH";

/// Sections that may be a text: the one thing in them, without parameters.
const NAMED_BY_A_TEXT: [&str; 2] = ["auth", "storage"];

impl Document<'_> {
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
            .filter(|(name, _)| name.starts_with(PREFIX) && name != PATH)
            .collect();
        variables.sort_unstable();
        for (name, text) in variables {
            let path = name[PREFIX.len()..].to_ascii_lowercase();
            let steps: Vec<&str> = path.split('_').collect();
            if !schema::is_top(steps[0]) || steps.contains(&"") {
                self.strangers.push((name, stranger(steps[0])));
                continue;
            }
            let value = tree::read(&text)
                .map_err(|_| Mistake::of_variable(&name, "its value is not YAML"))?;
            match put(&mut self.root, "", &steps, value.said_by(&name)) {
                Put::Nowhere => {
                    let why = "what it leads to has nothing below it";
                    self.strangers
                        .push((name, Verdict::Harmless(why.to_owned())));
                }
                Put::New => {}
                Put::Over(path, key, value) => self.overruled.push(Overruled {
                    path,
                    key,
                    value,
                    variable: name,
                }),
            }
        }
        Ok(())
    }
}

/// What becomes of a variable that begins with no key.
fn stranger(first: &str) -> Verdict {
    match schema::nearest_top(first) {
        Some(meant) => Verdict::Unknown(Some(format!("{PREFIX}{}…", meant.to_ascii_uppercase()))),
        None => Verdict::Harmless(
            "it is about no key; Kubernetes sets such variables for a service".to_owned(),
        ),
    }
}

/// What came of putting a value into the tree.
enum Put {
    Nowhere,
    New,
    /// Over what the file says: the key, where it stands, and its value.
    Over(String, Source, Tree),
}

/// Puts a value where the steps from a place lead. Steps into what has nothing
/// below it lead nowhere.
fn put(place: &mut Tree, path: &str, steps: &[&str], value: Tree) -> Put {
    let Some((step, further)) = steps.split_first() else {
        return Put::Nowhere;
    };
    if let Value::Text(name) = &place.value
        && NAMED_BY_A_TEXT.contains(&path)
    {
        let only = Entry {
            key: name.clone(),
            source: place.source.clone(),
            tree: Tree::nothing(place.source.clone()),
        };
        place.value = Value::Mapping(vec![only]);
    }
    if place.value == Value::Nothing {
        place.value = Value::Mapping(Vec::new());
    }
    let Value::Mapping(entries) = &mut place.value else {
        return Put::Nowhere;
    };
    // Keys of a map are found whatever their case; those of a structure are
    // written in lower case.
    let is_free = schema::is_free(path);
    let found = entries
        .iter()
        .position(|entry| entry.key == *step || (is_free && entry.key.eq_ignore_ascii_case(step)));
    let at = found.unwrap_or_else(|| {
        entries.push(Entry {
            key: (*step).to_owned(),
            source: value.source.clone(),
            tree: Tree::nothing(value.source.clone()),
        });
        entries.len() - 1
    });
    let entry = &mut entries[at];
    let path = join(path, &entry.key);
    if !further.is_empty() {
        return put(&mut entry.tree, &path, further, value);
    }
    let key = std::mem::replace(&mut entry.source, value.source.clone());
    let before = std::mem::replace(&mut entry.tree, value);
    if matches!(key, Source::File(_)) && before.value != Value::Nothing {
        Put::Over(path, key, before)
    } else {
        Put::New
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::config_yml::parse;

    fn overlaid<'a>(text: &'a str, variables: &[(&str, &str)]) -> Document<'a> {
        let mut document = parse(Path::new("config.yml"), text).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        document.overlay(variables).unwrap();
        document
    }

    /// A tree as flow style has it, without quotes.
    fn flow(tree: &Tree) -> String {
        match &tree.value {
            Value::Nothing => "~".to_owned(),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(flow).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Mapping(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| format!("{}: {}", entry.key, flow(&entry.tree)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            single => single.as_text().unwrap(),
        }
    }

    #[test]
    fn a_variable_replaces_and_adds() {
        let document = overlaid(
            "version: 0.1\nhttp: {addr: ':5000', headers: {X-Team: [a]}}\n",
            &[
                ("REGISTRY_HTTP_ADDR", ":5001"),
                ("REGISTRY_HTTP_HEADERS_X-TEAM", "[b]"),
                ("REGISTRY_STORAGE_DELETE", "{enabled: true}"),
                ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv"),
                ("REGISTRY_VALIDATION", ""),
                ("OTHER", "x"),
            ],
        );
        assert_eq!(
            flow(&document.root),
            "{version: 0.1, http: {addr: :5001, headers: {X-Team: [b]}}, \
             storage: {delete: {enabled: true}, filesystem: {rootdirectory: /srv}}, \
             validation: ~}"
        );
        let overruled: Vec<_> = document.overruled.iter().map(|o| o.path.as_str()).collect();
        assert_eq!(overruled, ["http.addr", "http.headers.X-Team"]);
    }

    #[test]
    fn a_structure_has_keys_in_lower_case_alone() {
        // What is spelled otherwise in the file is no key of distribution's.
        let document = overlaid(
            "http: {Addr: ':5000'}\n",
            &[("REGISTRY_HTTP_ADDR", ":5001")],
        );
        assert_eq!(flow(&document.root), "{http: {Addr: :5000, addr: :5001}}");
    }

    #[test]
    fn variables_count_in_the_order_of_their_names() {
        let whole = ("REGISTRY_STORAGE", "filesystem");
        let part = ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/srv");
        for variables in [[whole, part], [part, whole]] {
            assert_eq!(
                flow(&overlaid("storage: {inmemory: }\n", &variables).root),
                "{storage: {filesystem: {rootdirectory: /srv}}}"
            );
        }
    }

    #[test]
    fn what_kubernetes_sets_is_not_about_the_file() {
        let document = overlaid(
            "http: {addr: ':5000'}\n",
            &[
                ("REGISTRY_PORT", "tcp://10.0.0.1:80"),
                ("REGISTRY_PORT_80_TCP", "tcp://10.0.0.1:80"),
                ("REGISTRY_SERVICE_HOST", "10.0.0.1"),
                ("REGISTRY_HTTP_PORT", "tcp://10.0.0.1:80"),
                ("REGISTRY_HTTP_PORT_80_TCP", "tcp://10.0.0.1:80"),
                ("REGISTRY_CONFIGURATION_PATH", "/etc/config.yml"),
                ("REGISTRY_", "x"),
                ("REGISTRY_HTTP__ADDR", "x"),
                ("REGISTRY_STORGAE_DELETE", "x"),
            ],
        );
        assert_eq!(
            flow(&document.root),
            "{http: {addr: :5000, port: tcp://10.0.0.1:80}}"
        );
        let unknown: Vec<_> = document
            .strangers
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Unknown(_)))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(unknown, ["REGISTRY_HTTP__ADDR", "REGISTRY_STORGAE_DELETE"]);
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
            let _ = document.settings();
        }
    }
}
