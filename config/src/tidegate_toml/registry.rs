//! `[registry]`: the registry in this process.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::check::{self, CheckSection};
use super::collect::{CollectSection, ImmutableSection, RetentionSection, ScrubSection};
use super::file::yes;
use super::mistake::Mistake;
use super::observe::{self, HealthSection, WebhookSection, webhooks};
use super::value;
use crate::header::HeaderField;
use crate::links::{Links, PathPrefix};
use crate::settings::{Registry, Schema1};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegistrySection {
    root: PathBuf,
    #[serde(default = "yes")]
    delete: bool,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    schema1: bool,
    schema1_signing_key: Option<Spanned<PathBuf>>,
    #[serde(default)]
    collect: CollectSection,
    #[serde(default)]
    scrub: ScrubSection,
    #[serde(default)]
    retention: Vec<Spanned<RetentionSection>>,
    #[serde(default)]
    immutable: Vec<ImmutableSection>,
    #[serde(default, deserialize_with = "observe::headers_of_answers")]
    headers: Vec<HeaderField>,
    #[serde(default)]
    health: HealthSection,
    #[serde(default)]
    check: Vec<Spanned<CheckSection>>,
    #[serde(default)]
    webhook: Vec<Spanned<WebhookSection>>,
    #[serde(default, deserialize_with = "value::parsed")]
    prefix: PathPrefix,
    #[serde(default, deserialize_with = "value::parsed")]
    links: Links,
    #[serde(default = "most_of_a_list", deserialize_with = "value::positive")]
    catalog_most: u32,
    #[serde(default = "most_of_a_list", deserialize_with = "value::positive")]
    tags_most: u32,
}

fn most_of_a_list() -> u32 {
    u32::try_from(Registry::MOST_OF_A_LIST).unwrap_or(u32::MAX)
}

impl RegistrySection {
    pub(super) fn into_settings(self, base: &Path) -> Result<Registry, Mistake> {
        let schema1 = match (self.schema1, self.schema1_signing_key) {
            (true, key) => Some(Schema1 {
                signing_key: key.map(|key| base.join(key.into_inner())),
            }),
            (false, None) => None,
            (false, Some(key)) => {
                return Err(Mistake::new(
                    key.span(),
                    "`schema1_signing_key` without `schema1 = true`: nothing would be signed",
                    "add `schema1 = true`, or remove `schema1_signing_key`",
                ));
            }
        };
        let retention = self.retention.into_iter().map(|rule| {
            let span = rule.span();
            let hint = "add `keep_newest`, `keep_pulled_within`, `keep_pushed_within` or \
                        `keep_tags`";
            let rule = rule.into_inner().into_rule();
            rule.map_err(|message| Mistake::new(span, message, hint))
        });
        let retention = retention.collect::<Result<_, _>>()?;
        let checks = self.check.into_iter().map(|section| {
            let span = section.span();
            let check = section.into_inner().into_settings(base);
            check.map_err(|message| Mistake::new(span, message, check::HINT))
        });
        let checks = checks.collect::<Result<_, _>>()?;
        let webhooks = webhooks(self.webhook, base).map_err(|(span, message)| {
            let hint = "the name is also that of the queue: choose another";
            Mistake::new(span, message, hint)
        })?;
        Ok(Registry {
            delete: self.delete,
            read_only: self.read_only,
            schema1,
            collect: self.collect.into(),
            scrub: self.scrub.into(),
            retention,
            immutable: self.immutable.into_iter().map(Into::into).collect(),
            headers: self.headers,
            health: self.health.into(),
            checks,
            webhooks,
            prefix: self.prefix,
            links: self.links,
            catalog_most: usize::try_from(self.catalog_most).unwrap_or(usize::MAX),
            tags_most: usize::try_from(self.tags_most).unwrap_or(usize::MAX),
            root: base.join(self.root),
        })
    }
}
