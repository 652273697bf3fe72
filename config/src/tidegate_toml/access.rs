//! `[access]`: who may do what.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::Spanned;

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
    #[serde(default, deserialize_with = "patterns")]
    users: Vec<Pattern>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    anonymous: bool,
    #[serde(default, deserialize_with = "repositories")]
    repositories: Vec<Repositories>,
    #[serde(default = "all", deserialize_with = "actions")]
    actions: Actions,
    #[serde(default, deserialize_with = "value::networks")]
    addresses: Vec<IpNet>,
    #[serde(default)]
    deny: bool,
}

/// What is wrong, where, and how to mend it.
pub(super) struct Mistake {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: &'static str,
}

impl AccessSection {
    pub(super) fn into_settings(self) -> Result<AccessRules, Mistake> {
        let mut rules = Vec::with_capacity(self.rule.len());
        for rule in self.rule {
            let span = rule.span();
            let rule = rule.into_inner().into_rule(&self.groups);
            rules.push(rule.map_err(|(message, hint)| Mistake {
                span,
                message,
                hint,
            })?);
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
    ) -> Result<AccessRule, (String, &'static str)> {
        if let Some(group) = self.groups.iter().find(|name| !groups.contains_key(*name)) {
            return Err((
                format!("there is no group `{group}`"),
                "name its users in [access.groups]",
            ));
        }
        let mut who: Vec<_> = self.users.into_iter().map(Who::Users).collect();
        who.extend(self.groups.into_iter().map(Who::Group));
        if self.anonymous {
            who.push(Who::Anonymous);
        }
        if who.is_empty() {
            return Err((
                "this rule is about nobody".to_owned(),
                "add `users = [\"alice\"]`, `users = [\"*\"]` for all who have logged in, \
                 `groups = [\"team\"]`, or `anonymous = true` for those who have not",
            ));
        }
        if self.actions.is_empty() {
            return Err((
                "this rule is about no action".to_owned(),
                "name actions, or leave `actions` out for all of them; to refuse, add `deny = true`",
            ));
        }
        Ok(AccessRule {
            who,
            repositories: self.repositories,
            actions: self.actions,
            addresses: self.addresses,
            allows: !self.deny,
        })
    }
}

fn all() -> Actions {
    Actions::ALL
}

/// One text with words separated by commas, or a list of words.
fn actions<'de, D: Deserializer<'de>>(d: D) -> Result<Actions, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected actions, as \"pull\" or [\"pull\", \"push\"]"
    )]
    enum Written {
        Text(String),
        List(Vec<String>),
    }
    let text = match Written::deserialize(d)? {
        Written::List(words) if words.is_empty() => return Ok(Actions::NONE),
        Written::List(words) => words.join(","),
        Written::Text(text) => text,
    };
    text.parse().map_err(D::Error::custom)
}

fn patterns<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Pattern>, D::Error> {
    let texts = Vec::<String>::deserialize(d)?;
    let parsed = texts.iter().map(|text| text.parse());
    parsed.collect::<Result<_, _>>().map_err(D::Error::custom)
}

fn repositories<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Repositories>, D::Error> {
    let texts = Vec::<String>::deserialize(d)?;
    let parsed = texts.iter().map(|text| text.parse());
    parsed.collect::<Result<_, _>>().map_err(D::Error::custom)
}
