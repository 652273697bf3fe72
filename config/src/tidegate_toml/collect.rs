//! What of `[registry]` says what is removed, and what may not be.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::value;
use crate::pattern::{Expression, Pattern};
use crate::settings::{Collect, ImmutableRule, RetentionRule, Scrub};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CollectSection {
    #[serde(deserialize_with = "value::interval")]
    every: Option<Duration>,
    #[serde(deserialize_with = "grace")]
    grace: Duration,
    delete_untagged: bool,
    #[serde(deserialize_with = "value::interval")]
    uploads_after: Option<Duration>,
    uploads_only: bool,
}

impl Default for CollectSection {
    fn default() -> Self {
        let Collect {
            every,
            grace,
            delete_untagged,
            uploads_after,
            uploads_only,
        } = Collect::default();
        Self {
            every,
            grace,
            delete_untagged,
            uploads_after,
            uploads_only,
        }
    }
}

impl From<CollectSection> for Collect {
    fn from(section: CollectSection) -> Self {
        Self {
            every: section.every,
            grace: section.grace,
            delete_untagged: section.delete_untagged,
            uploads_after: section.uploads_after,
            uploads_only: section.uploads_only,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ScrubSection {
    #[serde(deserialize_with = "value::interval")]
    every: Option<Duration>,
    #[serde(deserialize_with = "rate")]
    rate: NonZeroU64,
}

impl Default for ScrubSection {
    fn default() -> Self {
        let Scrub { every, rate } = Scrub::default();
        Self { every, rate }
    }
}

impl From<ScrubSection> for Scrub {
    fn from(section: ScrubSection) -> Self {
        Self {
            every: section.every,
            rate: section.rate,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionSection {
    #[serde(deserialize_with = "value::parsed")]
    repositories: Pattern,
    #[serde(default, deserialize_with = "number")]
    keep_newest: Option<usize>,
    #[serde(default, deserialize_with = "some_duration")]
    keep_pulled_within: Option<Duration>,
    #[serde(default, deserialize_with = "some_duration")]
    keep_pushed_within: Option<Duration>,
    #[serde(default, deserialize_with = "tags")]
    keep_tags: Option<Expression>,
}

impl RetentionSection {
    /// A rule that would remove every tag was not meant so.
    pub(super) fn into_rule(self) -> Result<RetentionRule, &'static str> {
        let rule = RetentionRule {
            repositories: self.repositories,
            keep_newest: self.keep_newest,
            keep_pulled_within: self.keep_pulled_within,
            keep_pushed_within: self.keep_pushed_within,
            keep_tags: self.keep_tags,
        };
        let keeps = rule.keep_newest.is_some()
            || rule.keep_pulled_within.is_some()
            || rule.keep_pushed_within.is_some()
            || rule.keep_tags.is_some();
        if keeps {
            Ok(rule)
        } else {
            Err("this rule says nothing that is kept: every tag would go")
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImmutableSection {
    #[serde(default = "everything", deserialize_with = "value::parsed")]
    repositories: Pattern,
    #[serde(default = "everything", deserialize_with = "value::parsed")]
    tags: Pattern,
}

impl From<ImmutableSection> for ImmutableRule {
    fn from(section: ImmutableSection) -> Self {
        Self {
            repositories: section.repositories,
            tags: section.tags,
        }
    }
}

fn rate<'de, D: Deserializer<'de>>(d: D) -> Result<NonZeroU64, D::Error> {
    let bytes = value::bytes(d)?;
    Ok(NonZeroU64::new(bytes).expect("a number of bytes is more than nothing"))
}

fn everything() -> Pattern {
    "**".parse().expect("a pattern")
}

/// Clocks and pushes differ by seconds, so that less than a minute is no grace.
fn grace<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    let grace = value::duration(d)?;
    if grace < Duration::from_secs(60) {
        return Err(value::wrong(
            "less than a minute of grace",
            "a push takes longer from its first layer to its manifest; at least \"1m\"",
        ));
    }
    Ok(grace)
}

fn some_duration<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
    value::duration(d).map(Some)
}

fn number<'de, D: Deserializer<'de>>(d: D) -> Result<Option<usize>, D::Error> {
    let number = value::positive(d)?;
    Ok(Some(usize::try_from(number).unwrap_or(usize::MAX)))
}

fn tags<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Expression>, D::Error> {
    let text = String::deserialize(d)?;
    text.parse().map(Some).map_err(|error| {
        value::wrong(
            format_args!("`{text}` is no regular expression"),
            &format!("{error}"),
        )
    })
}
