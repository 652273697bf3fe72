//! `[[map]]` and `[[site]]`, at the end of the file: in the notation of their own
//! sections.

use serde::Serialize;

use super::super::site::{MapSection, SiteSection, written};
use super::{Text, absolute};
use crate::settings::Settings;
use crate::site::{Action, Site};

#[derive(Serialize)]
struct Sites {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    map: Vec<MapSection>,
    site: Vec<SiteSection>,
}

impl Text {
    pub(super) fn sites(&mut self, settings: &Settings) {
        let mut translations = Vec::new();
        for template in settings.sites.iter().flat_map(Site::templates) {
            template.translations(&mut translations);
        }
        let mut sites: Vec<Site> = settings.sites.clone();
        sites.iter_mut().for_each(with_absolute_paths);
        let sections = Sites {
            map: translations.iter().map(|map| written::map(map)).collect(),
            site: sites
                .iter()
                .map(|site| written::site(site, &settings.listeners))
                .collect(),
        };
        let text = toml::to_string(&sections)
            .expect("texts, numbers and lists of them can be said in TOML");
        self.line("");
        self.0.push_str(&text);
    }
}

fn with_absolute_paths(site: &mut Site) {
    if let Some(client_auth) = &mut site.client_auth {
        client_auth.resolve(absolute);
    }
    let places = site.places.iter_mut();
    let rules = places.map(|place| {
        if let Action::Proxy(proxy) = &mut place.action
            && let Some(tls) = &mut proxy.tls
            && let Some(trusted) = &mut tls.trusted
        {
            *trusted = absolute(trusted);
        }
        &mut place.rules
    });
    for rules in rules.chain([&mut site.elsewhere]) {
        let methods = rules.access.methods.as_mut();
        let of_methods = methods.and_then(|methods| methods.access.auth.as_mut());
        for auth in rules.access.auth.iter_mut().chain(of_methods) {
            auth.htpasswd = absolute(&auth.htpasswd);
        }
    }
}
