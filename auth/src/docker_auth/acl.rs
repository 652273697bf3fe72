//! Which rule decides, and what it grants.

use std::collections::BTreeSet;
use std::sync::Arc;

use moka::sync::Cache;
use tidegate_config::auth_config::{AclEntry, AclPattern, Actions, Matcher};

use super::AuthRequest;
use super::placeholders::{self, Reference, Values};

/// Expressions with something put in are kept for the next request: to read one
/// takes longer than to run it.
const KEPT: u64 = 128;

/// Rules in their order.
pub(super) struct Acl {
    rules: Vec<Rule>,
    expressions: Cache<String, Arc<Matcher>>,
}

struct Rule {
    entry: AclEntry,
    references: Vec<Reference>,
}

impl Acl {
    pub(super) fn new(entries: &[AclEntry]) -> Self {
        let rule = |entry: &AclEntry| Rule {
            references: placeholders::references(&entry.conditions),
            entry: entry.clone(),
        };
        Self {
            rules: entries.iter().map(rule).collect(),
            expressions: Cache::new(KEPT),
        }
    }

    /// What is granted of what is asked for, sorted. Where a rule grants all, what
    /// was asked for twice is granted twice, as there.
    pub(super) fn authorize(&self, request: &AuthRequest<'_>) -> Vec<String> {
        let Some(entry) = self.deciding(request) else {
            return Vec::new();
        };
        match &entry.actions {
            Actions::Asked => {
                let mut asked = request.actions.to_vec();
                asked.sort_unstable();
                asked
            }
            Actions::Of(granted) => {
                let asked: BTreeSet<_> = request.actions.iter().collect();
                let asked = asked.into_iter().filter(|action| granted.contains(action));
                asked.cloned().collect()
            }
        }
    }

    /// The first rule that matches.
    pub(super) fn deciding(&self, request: &AuthRequest<'_>) -> Option<&AclEntry> {
        let values = placeholders::of_request(request);
        let rule = self
            .rules
            .iter()
            .find(|rule| self.matches(rule, request, &values));
        rule.map(|rule| &rule.entry)
    }

    fn matches(&self, rule: &Rule, request: &AuthRequest<'_>, values: &Values) -> bool {
        let conditions = &rule.entry.conditions;
        let referred = rule.references.iter();
        let referred = referred.filter_map(|reference| reference.value(conditions, request));
        let values: Values = values.iter().cloned().chain(referred).collect();
        let texts = [
            (&conditions.account, request.account),
            (&conditions.kind, request.kind),
            (&conditions.name, request.name),
            (&conditions.service, request.service),
        ];
        let of_text = |(pattern, text): (&Option<AclPattern>, &str)| {
            let is_met = |pattern| self.meets_with_labels(pattern, text, request, &values);
            pattern.as_ref().is_none_or(is_met)
        };
        // An IPv4 address may come in the form of an IPv6 one.
        let client = request.ip.map(|ip| ip.to_canonical());
        let of_address = |network: &ipnet::IpNet| client.is_some_and(|ip| network.contains(&ip));
        let of_label = |(label, pattern): &(String, AclPattern)| {
            let mut texts = request.labels.get(label).into_iter().flatten();
            texts.any(|text| self.meets(pattern, text, &values))
        };
        texts.into_iter().all(of_text)
            && conditions.ip.as_ref().is_none_or(of_address)
            && conditions.labels.iter().all(of_label)
    }

    /// Whether a text meets a condition, as it is or with some combination of the
    /// user's labels put in.
    fn meets_with_labels(
        &self,
        pattern: &AclPattern,
        text: &str,
        request: &AuthRequest<'_>,
        values: &Values,
    ) -> bool {
        if self.meets(pattern, text, values) {
            return true;
        }
        let mut combinations = placeholders::combinations(pattern, request.labels);
        combinations.any(|labels| {
            let values: Values = values.iter().cloned().chain(labels).collect();
            self.meets(pattern, text, &values)
        })
    }

    fn meets(&self, pattern: &AclPattern, text: &str, values: &Values) -> bool {
        if !pattern.has_placeholders() {
            return pattern.unchanged().matches(text);
        }
        let replaced = placeholders::replaced(pattern.as_str(), values);
        if !replaced.starts_with('/') {
            return Matcher::new(&replaced).matches(text);
        }
        let read = || Arc::new(Matcher::new(&replaced));
        let matcher = match self.expressions.get(&replaced) {
            Some(matcher) => matcher,
            None => {
                let matcher = read();
                self.expressions
                    .insert(replaced.clone(), Arc::clone(&matcher));
                matcher
            }
        };
        matcher.matches(text)
    }
}
