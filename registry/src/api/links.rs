//! The URLs that clients are sent to.

use tidegate_config::{PathPrefix, Registry};

use super::origin::Origin;

/// How URLs begin, and where the API lies.
#[derive(Debug, Clone)]
pub(super) struct Links {
    begin: tidegate_config::Links,
    prefix: PathPrefix,
}

impl Links {
    pub(super) fn new(settings: &Registry) -> Self {
        Self {
            begin: settings.links.clone(),
            prefix: settings.prefix.clone(),
        }
    }

    /// What stands in front of every path of the API.
    pub(super) fn prefix(&self) -> &str {
        self.prefix.as_str()
    }

    /// What stands in front of `/v2/` in a `Location`.
    pub(super) fn base(&self, origin: &Origin) -> String {
        match &self.begin {
            tidegate_config::Links::Relative => self.prefix().to_owned(),
            _ => self.absolute(origin),
        }
    }

    /// The same for those who have not asked: they cannot know what a path alone
    /// is relative to.
    pub(super) fn absolute(&self, origin: &Origin) -> String {
        match &self.begin {
            tidegate_config::Links::Below(url) => url.as_str().to_owned(),
            tidegate_config::Links::AsReached | tidegate_config::Links::Relative => {
                format!("{origin}{}", self.prefix())
            }
        }
    }
}
