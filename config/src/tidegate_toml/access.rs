//! `[access]`: who may do what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess};
use toml::Spanned;

use super::mistake::Mistake;
use super::value;
use crate::access::{AccessRule, AccessRules, Actions, Repositories, Who};
use crate::pattern::Pattern;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessSection {
    #[serde(default, deserialize_with = "actions")]
    anonymous: Actions,
    #[serde(default)]
    groups: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleSection>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleSection {
    #[serde(default)]
    users: Vec<User>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
    #[serde(default)]
    anonymous: bool,
    #[serde(default)]
    repositories: Vec<Named>,
    #[serde(default = "all", deserialize_with = "actions")]
    actions: Actions,
    #[serde(default, deserialize_with = "value::networks")]
    addresses: Vec<IpNet>,
    #[serde(default)]
    deny: bool,
}

/// Each of these is read by itself, so that a mistake is shown where it stands.
#[derive(Deserialize)]
struct User(#[serde(deserialize_with = "value::parsed")] Pattern);

#[derive(Deserialize)]
struct Named(#[serde(deserialize_with = "value::parsed")] Repositories);

#[derive(Deserialize)]
struct Words(#[serde(deserialize_with = "value::parsed")] Actions);

impl AccessSection {
    /// The section of a file with this `text`.
    pub(super) fn into_settings(self, text: &str) -> Result<AccessRules, Mistake> {
        let mut lines = Lines { text, seen: (0, 1) };
        let mut rules = Vec::with_capacity(self.rule.len());
        for rule in self.rule {
            let span = rule.span();
            let line = lines.of(span.start);
            rules.push(rule.into_inner().into_rule(&self.groups, span, line)?);
        }
        Ok(AccessRules {
            anonymous: self.anonymous,
            groups: self.groups,
            rules,
        })
    }
}

impl RuleSection {
    fn into_rule(
        self,
        groups: &BTreeMap<String, BTreeSet<String>>,
        span: Range<usize>,
        line: usize,
    ) -> Result<AccessRule, Mistake> {
        let about_no = |what: &str, hint: &str| Mistake {
            span,
            message: format!("this rule is about {what}"),
            hint: hint.to_owned(),
        };
        let mut who: Vec<_> = self.users.into_iter().map(|u| Who::Users(u.0)).collect();
        for group in self.groups {
            if !groups.contains_key(group.get_ref()) {
                return Err(unknown_group(&group, groups));
            }
            who.push(Who::Group(group.into_inner()));
        }
        if self.anonymous {
            who.push(Who::Anonymous);
        }
        if who.is_empty() {
            return Err(about_no(
                "nobody",
                "add `users = [\"alice\"]`, `users = [\"*\"]` for all who have logged in, \
                 `groups = [\"team\"]`, or `anonymous = true` for those who have not",
            ));
        }
        if self.actions.is_empty() {
            return Err(about_no(
                "no action",
                "name actions, or leave `actions` out for all of them; to refuse, add `deny = true`",
            ));
        }
        Ok(AccessRule {
            line: Some(line),
            who,
            repositories: self.repositories.into_iter().map(|named| named.0).collect(),
            actions: self.actions,
            addresses: self.addresses,
            allows: !self.deny,
        })
    }
}

fn unknown_group(name: &Spanned<String>, groups: &BTreeMap<String, BTreeSet<String>>) -> Mistake {
    let known: Vec<&str> = groups.keys().map(String::as_str).collect();
    let hint = super::explain::nearest(name.get_ref(), &known);
    Mistake {
        span: name.span(),
        message: format!("there is no group `{}`", name.get_ref()),
        hint: hint.unwrap_or_else(|| "name its users in [access.groups]".to_owned()),
    }
}

/// Counts the lines of a text, of which places are asked in rising order.
struct Lines<'a> {
    text: &'a str,
    /// A place, and its line.
    seen: (usize, usize),
}

impl Lines<'_> {
    fn of(&mut self, place: usize) -> usize {
        let (before, line) = self.seen;
        let between = self.text.get(before..place).unwrap_or_default();
        self.seen = (place, line + between.matches('\n').count());
        self.seen.1
    }
}

fn all() -> Actions {
    Actions::ALL
}

/// One text with words separated by commas, or a list of words.
fn actions<'de, D: Deserializer<'de>>(d: D) -> Result<Actions, D::Error> {
    struct Visitor;

    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Actions;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("actions, as \"pull\" or [\"pull\", \"push\"]")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Actions, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Actions, A::Error> {
            let mut actions = Actions::NONE;
            while let Some(Words(more)) = list.next_element()? {
                actions = actions.iter().chain(more.iter()).collect();
            }
            Ok(actions)
        }
    }

    d.deserialize_any(Visitor)
}
