//! What a token lets its bearer do.

use std::cmp::Ordering;

use serde::Deserialize;

use super::bounded::AtMost;
use super::scope::Scope;

/// The `access` of a token: actions on resources, by type and name.
///
/// A resource's class does not count, as it does not in distribution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// One for each type and name, in their order.
    grants: Box<[Grant]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    kind: Box<str>,
    name: Box<str>,
    actions: Vec<Box<str>>,
}

impl Access {
    /// More than fit into the headers that servers accept.
    pub(super) const MOST: usize = 1000;

    /// Whether an action is granted on the resource of this type (`repository`)
    /// and name: by its own name, or by `*`, which grants all.
    #[must_use]
    pub fn allows(&self, kind: &str, name: &str, action: &str) -> bool {
        let by_resource = |grant: &Grant| grant.compare(kind, name);
        let Ok(index) = self.grants.binary_search_by(by_resource) else {
            return false;
        };
        let mut actions = self.grants[index].actions.iter();
        actions.any(|granted| matches!(&**granted, "*") || **granted == *action)
    }

    /// Whether nothing is granted at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grants.iter().all(|grant| grant.actions.is_empty())
    }

    fn new(mut entries: Vec<Grant>) -> Self {
        entries.sort_by(|a, b| a.compare(&b.kind, &b.name));
        let mut grants: Vec<Grant> = Vec::with_capacity(entries.len());
        for entry in entries {
            match grants.last_mut() {
                Some(last) if last.compare(&entry.kind, &entry.name).is_eq() => {
                    last.actions.extend(entry.actions);
                }
                _ => grants.push(entry),
            }
        }
        Self {
            grants: grants.into(),
        }
    }
}

impl FromIterator<Scope> for Access {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let grant = |scope: Scope| Grant {
            kind: scope.kind.into(),
            name: scope.name.into(),
            actions: scope.actions.into_iter().map(Into::into).collect(),
        };
        Self::new(scopes.into_iter().map(grant).collect())
    }
}

impl Grant {
    fn compare(&self, kind: &str, name: &str) -> Ordering {
        (&*self.name, &*self.kind).cmp(&(name, kind))
    }
}

/// The `access` of a token as it is written.
pub(super) type Entries = AtMost<{ Access::MOST }, Entry>;

/// Names are not checked: one that no repository can have grants nothing.
#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "type", default)]
    kind: Box<str>,
    #[serde(default)]
    name: Box<str>,
    actions: Option<AtMost<{ Scope::MOST_ACTIONS }, Box<str>>>,
}

impl From<Entries> for Access {
    fn from(entries: Entries) -> Self {
        let grant = |entry: Entry| Grant {
            kind: entry.kind,
            name: entry.name,
            actions: entry.actions.map_or_else(Vec::new, |actions| actions.0),
        };
        Self::new(entries.0.into_iter().map(grant).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn access(json: &str) -> Access {
        serde_json::from_str::<Entries>(json).unwrap().into()
    }

    #[test]
    fn what_is_granted_is_what_the_entries_say() {
        let access = access(
            r#"[
            {"type": "repository", "name": "a", "actions": ["pull"]},
            {"type": "repository", "name": "b", "actions": ["*"]},
            {"type": "repository", "class": "plugin", "name": "c", "actions": ["pull"]},
            {"type": "repository", "name": "c", "actions": ["push"]},
            {"type": "repository", "name": "d", "actions": []},
            {"type": "repository", "name": "e", "actions": null},
            {"type": "repository", "name": "f"},
            {"type": "registry", "name": "catalog", "actions": ["*"]},
            {}
        ]"#,
        );
        for (kind, name, action, allowed) in [
            ("repository", "a", "pull", true),
            ("repository", "a", "push", false),
            ("repository", "a", "*", false),
            ("repository", "a", "pul", false),
            ("repository", "a", "", false),
            ("repository", "A", "pull", false),
            ("repository", "a/b", "pull", false),
            ("registry", "a", "pull", false),
            ("repository", "b", "pull", true),
            ("repository", "b", "delete", true),
            ("repository", "b", "*", true),
            ("repository", "c", "pull", true),
            ("repository", "c", "push", true),
            ("repository", "c", "delete", false),
            ("repository(plugin)", "c", "pull", false),
            ("repository", "d", "pull", false),
            ("repository", "e", "pull", false),
            ("repository", "f", "pull", false),
            ("registry", "catalog", "*", true),
            ("repository", "catalog", "*", false),
            ("", "", "", false),
        ] {
            let answer = access.allows(kind, name, action);
            assert_eq!(answer, allowed, "{kind}:{name}:{action}");
        }
        assert!(!access.is_empty());
        assert!(Access::default().is_empty());
    }

    #[test]
    fn there_are_only_so_many() {
        let entries = |n| format!("[{}]", vec!["{}"; n].join(","));
        assert!(serde_json::from_str::<Entries>(&entries(Access::MOST)).is_ok());
        let error = serde_json::from_str::<Entries>(&entries(Access::MOST + 1)).err();
        assert!(error.unwrap().to_string().contains("more than 1000"));
        let actions = |n| format!("[{{\"actions\":[{}]}}]", vec!["\"a\""; n].join(","));
        assert!(serde_json::from_str::<Entries>(&actions(Scope::MOST_ACTIONS)).is_ok());
        assert!(serde_json::from_str::<Entries>(&actions(Scope::MOST_ACTIONS + 1)).is_err());
    }

    proptest! {
        /// However entries are ordered and repeated, an action is granted if one
        /// of them grants it.
        #[test]
        fn it_is_a_union(
            entries in proptest::collection::vec(("[ab]", "[a-c]", proptest::collection::vec("[xy*]", 0..3)), 0..8),
            kind in "[ab]", name in "[a-c]", action in "[xyz]",
        ) {
            let scopes = entries.iter().map(|(kind, name, actions)| Scope {
                kind: kind.clone(), class: None, name: name.clone(), actions: actions.clone(),
            });
            let access: Access = scopes.collect();
            let expected = entries.iter().any(|(k, n, actions)| {
                *k == kind && *n == name && actions.iter().any(|a| *a == action || a == "*")
            });
            prop_assert_eq!(access.allows(&kind, &name, &action), expected);
        }
    }
}
