//! Which tags stay.

use std::time::{Duration, SystemTime};

use tidegate_config::{ImmutableRule, RetentionRule};

use crate::oci::RepoName;
use crate::store::TagEntry;

/// What the rules say of one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) stays: bool,
    /// Why, for the one who reads what a dry run says.
    pub(super) reason: String,
    /// Whether pulls are to be counted from now on: nothing is known about them
    /// yet.
    pub(super) notes_pull: bool,
}

/// The rule that is about a repository: the first that matches.
pub(super) fn rule_for<'a>(
    rules: &'a [RetentionRule],
    repo: &RepoName,
) -> Option<&'a RetentionRule> {
    rules
        .iter()
        .find(|rule| rule.repositories.matches(repo.as_str()))
}

/// What a rule says of each of the tags of a repository, in their order.
pub(super) fn judge(
    rule: &RetentionRule,
    immutable: &[ImmutableRule],
    repo: &RepoName,
    tags: &[TagEntry],
    now: SystemTime,
) -> Vec<Verdict> {
    let ranks = ranks(tags);
    let tags = tags.iter().zip(ranks);
    tags.map(|(entry, rank)| {
        let name = entry.tag.as_str();
        let is_immutable = immutable.iter().any(|immutable| {
            immutable.repositories.matches(repo.as_str()) && immutable.tags.matches(name)
        });
        // Who has just said that pulls count did not mean that all that was
        // pulled before goes.
        let is_unknown = rule.keep_pulled_within.is_some() && entry.pulled.is_none();
        let kept = if is_immutable {
            Some("it is immutable".to_owned())
        } else {
            reason_to_stay(rule, entry, rank, now)
        };
        Verdict {
            stays: kept.is_some(),
            reason: kept.unwrap_or_else(|| reason_to_go(rule, entry, rank, now)),
            notes_pull: is_unknown,
        }
    })
    .collect()
}

/// The place of each tag by the time of its push, the newest being 1.
fn ranks(tags: &[TagEntry]) -> Vec<usize> {
    let mut newest_first: Vec<usize> = (0..tags.len()).collect();
    newest_first.sort_unstable_by(|a, b| {
        let key = |at: &usize| (tags[*at].pushed, tags[*at].tag.as_str());
        key(b).cmp(&key(a))
    });
    let mut ranks = vec![0; tags.len()];
    for (rank, at) in newest_first.into_iter().enumerate() {
        ranks[at] = rank + 1;
    }
    ranks
}

fn reason_to_stay(
    rule: &RetentionRule,
    entry: &TagEntry,
    rank: usize,
    now: SystemTime,
) -> Option<String> {
    if let Some(expression) = &rule.keep_tags
        && expression.is_found_in(entry.tag.as_str())
    {
        return Some(format!("its name matches {expression}"));
    }
    if let Some(newest) = rule.keep_newest
        && rank <= newest
    {
        return Some(format!("it is number {rank} of the {newest} newest"));
    }
    if let Some(within) = rule.keep_pushed_within
        && age(entry.pushed, now) <= within
    {
        return Some(format!("it was pushed {}", ago(entry.pushed, now)));
    }
    match (rule.keep_pulled_within, entry.pulled) {
        (Some(_), None) => Some("pulls of it are counted from now on".to_owned()),
        (Some(within), Some(pulled)) if age(pulled, now) <= within => {
            Some(format!("it was pulled {}", ago(pulled, now)))
        }
        _ => None,
    }
}

fn reason_to_go(rule: &RetentionRule, entry: &TagEntry, rank: usize, now: SystemTime) -> String {
    let mut reason = format!("number {rank}, pushed {}", ago(entry.pushed, now));
    if let (Some(_), Some(pulled)) = (rule.keep_pulled_within, entry.pulled) {
        reason.push_str(&format!(", pulled {}", ago(pulled, now)));
    }
    reason
}

fn age(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

/// A time that is past, as exactly as anybody wants to know it.
fn ago(then: SystemTime, now: SystemTime) -> String {
    let seconds = age(then, now).as_secs();
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{s} ago")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Algorithm;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + 20_000 * DAY
    }

    fn rule() -> RetentionRule {
        RetentionRule {
            repositories: "**".parse().unwrap(),
            keep_newest: None,
            keep_pulled_within: None,
            keep_pushed_within: None,
            keep_tags: None,
        }
    }

    /// A tag that was pushed and pulled so many days ago.
    fn tag(name: &str, pushed: u32, pulled: Option<u32>) -> TagEntry {
        TagEntry {
            tag: name.parse().unwrap(),
            target: Algorithm::Sha256.digest(name.as_bytes()),
            pushed: now() - pushed * DAY,
            pulled: pulled.map(|days| now() - days * DAY),
        }
    }

    fn staying(rule: &RetentionRule, tags: &[TagEntry]) -> Vec<String> {
        let verdicts = judge(rule, &[], &"team/app".parse().unwrap(), tags, now());
        let staying = tags
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| verdict.stays);
        staying.map(|(entry, _)| entry.tag.to_string()).collect()
    }

    #[test]
    fn one_condition_that_holds_is_enough() {
        let tags = [
            tag("v1", 300, Some(200)),
            tag("a", 5, Some(4)),
            tag("b", 40, Some(3)),
            tag("c", 2, Some(2)),
            tag("d", 100, Some(100)),
        ];
        let keeps = |change: fn(&mut RetentionRule)| {
            let mut rule = rule();
            change(&mut rule);
            staying(&rule, &tags)
        };
        assert_eq!(keeps(|rule| rule.keep_newest = Some(2)), ["a", "c"]);
        assert_eq!(keeps(|rule| rule.keep_newest = Some(9)).len(), 5);
        assert_eq!(keeps(|rule| rule.keep_pushed_within = Some(4 * DAY)), ["c"]);
        assert_eq!(
            keeps(|rule| rule.keep_pulled_within = Some(3 * DAY)),
            ["b", "c"]
        );
        assert_eq!(
            keeps(|rule| rule.keep_tags = Some("^v".parse().unwrap())),
            ["v1"]
        );
        let several = keeps(|rule| {
            rule.keep_newest = Some(1);
            rule.keep_pulled_within = Some(3 * DAY);
            rule.keep_tags = Some("1".parse().unwrap());
        });
        assert_eq!(several, ["v1", "b", "c"]);
    }

    #[test]
    fn tags_that_were_pushed_at_once_have_an_order() {
        let mut rule = rule();
        rule.keep_newest = Some(1);
        let (a, b) = (tag("a", 1, None), tag("b", 1, None));
        assert_eq!(staying(&rule, &[a.clone(), b.clone()]), ["b"]);
        assert_eq!(staying(&rule, &[b, a]), ["b"]);
    }

    #[test]
    fn pulls_count_from_the_first_look_on() {
        let mut rule = rule();
        rule.keep_pulled_within = Some(DAY);
        let repo = "a".parse().unwrap();
        let verdicts = judge(&rule, &[], &repo, &[tag("old", 900, None)], now());
        assert!(verdicts[0].stays && verdicts[0].notes_pull, "{verdicts:?}");
        let verdicts = judge(&rule, &[], &repo, &[tag("old", 900, Some(2))], now());
        assert!(
            !verdicts[0].stays && !verdicts[0].notes_pull,
            "{verdicts:?}"
        );
        assert_eq!(
            verdicts[0].reason,
            "number 1, pushed 900 days ago, pulled 2 days ago"
        );
    }

    #[test]
    fn what_is_immutable_stays() {
        let mut rule = rule();
        rule.keep_newest = Some(1);
        let immutable = [ImmutableRule {
            repositories: "team/*".parse().unwrap(),
            tags: "v*".parse().unwrap(),
        }];
        let tags = [tag("v1", 9, None), tag("w1", 9, None), tag("x", 1, None)];
        for (repo, expected) in [
            ("team/app", [true, false, true]),
            ("app", [false, false, true]),
        ] {
            let verdicts = judge(&rule, &immutable, &repo.parse().unwrap(), &tags, now());
            let stays: Vec<_> = verdicts.iter().map(|verdict| verdict.stays).collect();
            assert_eq!(stays, expected, "{repo}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let named = |text: &str| RetentionRule {
            repositories: text.parse().unwrap(),
            ..rule()
        };
        let rules = [named("team/app"), named("team/**")];
        let of = |repo: &str| {
            let rule = rule_for(&rules, &repo.parse().unwrap());
            rule.map(|rule| rule.repositories.to_string())
        };
        assert_eq!(of("team/app").as_deref(), Some("team/app"));
        assert_eq!(of("team/other").as_deref(), Some("team/**"));
        assert_eq!(of("app"), None);
    }
}
