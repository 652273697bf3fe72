//! `[registry]`, with what belongs to it.

use super::{Text, headers, list};
use crate::check::{Check, Checked};
use crate::links::{Links, PathPrefix};
use crate::settings::{Collect, Health, Registry, Scrub};
use crate::webhook::{Queue, Webhook};

impl Text {
    pub(super) fn registry(&mut self, registry: &Registry) {
        self.section("[registry]");
        self.path("root", &registry.root);
        self.unless("delete", registry.delete, true);
        self.unless("read_only", registry.read_only, false);
        if let Some(schema1) = &registry.schema1 {
            self.key("schema1", true);
            if let Some(key) = &schema1.signing_key {
                self.path("schema1_signing_key", key);
            }
        }
        if !registry.headers.is_empty() {
            self.key("headers", headers(&registry.headers));
        }
        if registry.prefix != PathPrefix::default() {
            self.text("prefix", registry.prefix.as_str());
        }
        if registry.links != Links::default() {
            self.text("links", &registry.links);
        }
        for (key, most) in [
            ("catalog_most", registry.catalog_most),
            ("tags_most", registry.tags_most),
        ] {
            if most != Registry::MOST_OF_A_LIST {
                self.key(key, most);
            }
        }
        self.collection(registry);
        match registry.health {
            Some(health) if health == Health::default() => {}
            Some(health) => {
                self.section("[registry.health]");
                self.time("interval", health.interval);
                self.key("threshold", health.threshold);
            }
            None => {
                self.section("[registry.health]");
                self.key("enabled", false);
            }
        }
        for check in &registry.checks {
            self.check(check);
        }
        for webhook in &registry.webhooks {
            self.webhook(webhook);
        }
    }

    fn collection(&mut self, registry: &Registry) {
        let (collect, usual) = (&registry.collect, Collect::default());
        if *collect != usual {
            self.section("[registry.collect]");
            self.interval("every", collect.every);
            self.time("grace", collect.grace);
            self.unless("delete_untagged", collect.delete_untagged, false);
            self.interval("uploads_after", collect.uploads_after);
            self.unless("uploads_only", collect.uploads_only, false);
        }
        if registry.scrub != Scrub::default() {
            self.section("[registry.scrub]");
            self.interval("every", registry.scrub.every);
            self.text("rate", format_args!("{}B", registry.scrub.rate));
        }
        for rule in &registry.retention {
            self.section("[[registry.retention]]");
            self.text("repositories", &rule.repositories);
            if let Some(newest) = rule.keep_newest {
                self.key("keep_newest", newest);
            }
            for (key, within) in [
                ("keep_pulled_within", rule.keep_pulled_within),
                ("keep_pushed_within", rule.keep_pushed_within),
            ] {
                if let Some(within) = within {
                    self.time(key, within);
                }
            }
            if let Some(tags) = &rule.keep_tags {
                self.text("keep_tags", tags.as_str());
            }
        }
        for rule in &registry.immutable {
            self.section("[[registry.immutable]]");
            self.text("repositories", &rule.repositories);
            self.text("tags", &rule.tags);
        }
    }

    fn check(&mut self, check: &Check) {
        self.section("[[registry.check]]");
        let timeout = match &check.of {
            Checked::File(path) => {
                self.path("file", path);
                Check::TIMEOUT
            }
            Checked::Http {
                url,
                headers: fields,
                status,
                timeout,
            } => {
                self.text("http", url.reveal());
                if !fields.is_empty() {
                    self.key("headers", headers(fields));
                }
                self.unless("status", *status, 200);
                *timeout
            }
            Checked::Tcp { address, timeout } => {
                self.text("tcp", address);
                *timeout
            }
        };
        if timeout != Check::TIMEOUT {
            self.time("timeout", timeout);
        }
        if check.interval != Check::INTERVAL {
            self.time("interval", check.interval);
        }
        self.unless("threshold", check.threshold, 1);
    }

    fn webhook(&mut self, webhook: &Webhook) {
        self.section("[[registry.webhook]]");
        self.text("name", &webhook.name);
        self.text("url", webhook.url.reveal());
        if !webhook.headers.is_empty() {
            self.key("headers", headers(&webhook.headers));
        }
        if let Some(ca) = &webhook.ca {
            self.path("ca", ca);
        }
        self.time("timeout", webhook.timeout);
        self.key("threshold", webhook.threshold);
        self.time("backoff", webhook.backoff);
        let actions: Vec<&str> = webhook.ignore.actions.iter().map(|a| a.as_str()).collect();
        if !actions.is_empty() {
            self.key("ignore_actions", list(&actions));
        }
        if !webhook.ignore.media_types.is_empty() {
            self.key("ignore_media_types", list(&webhook.ignore.media_types));
        }
        self.unless("references", webhook.references, false);
        let usual = Queue::default();
        if let Some(directory) = &webhook.queue.directory {
            self.path("queue", directory);
        }
        self.unless("queue_events", webhook.queue.events, usual.events);
        if webhook.queue.bytes != usual.bytes {
            self.text("queue_bytes", format_args!("{}B", webhook.queue.bytes));
        }
    }
}
