//! The password files of all sites, each read once.

use std::sync::Arc;

use tidegate_auth::{HtpasswdError, Verifier};
use tidegate_config::Auth;
use tidegate_config::site::{Access, Site};

use crate::edge::Gate;
use crate::refusals::Refusals;

/// A verifier for each password file that sites use. Places that differ in the
/// realm alone share one, so that who guesses is counted once.
#[derive(Default)]
pub(crate) struct Passwords {
    files: Vec<(Auth, Arc<Verifier>)>,
    /// Who hears of those who were not let in.
    pub(crate) refusals: Option<Arc<dyn Refusals>>,
}

impl Passwords {
    /// Reads the files of all places.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub(crate) fn open(sites: &[Site]) -> Result<Self, HtpasswdError> {
        let mut passwords = Self::default();
        for site in sites {
            let places = site.places.iter().map(|place| &place.rules);
            for rules in places.chain([&site.elsewhere]) {
                passwords.open_of(&rules.access)?;
            }
        }
        Ok(passwords)
    }

    /// Each of them, for whoever reloads them.
    pub(crate) fn verifiers(&self) -> impl Iterator<Item = &Arc<Verifier>> {
        self.files.iter().map(|(_, verifier)| verifier)
    }

    /// The door of a place of the sites that this was opened for.
    pub(crate) fn gate(&self, auth: Option<&Auth>) -> Gate {
        let Some(auth) = auth else {
            return Gate::new(None);
        };
        let verifier = self
            .of(auth)
            .expect("the files of all sites were read before their rules");
        Gate::with_realm(Arc::clone(verifier), &auth.realm)
    }

    fn of(&self, auth: &Auth) -> Option<&Arc<Verifier>> {
        let alike = |known: &Auth| {
            let realm = known.realm.clone();
            *known
                == Auth {
                    realm,
                    ..auth.clone()
                }
        };
        let mut known = self.files.iter();
        known.find(|(known, _)| alike(known)).map(|(_, v)| v)
    }

    fn open_of(&mut self, access: &Access) -> Result<(), HtpasswdError> {
        if let Some(auth) = &access.auth
            && self.of(auth).is_none()
        {
            self.files
                .push((auth.clone(), Arc::new(Verifier::open(auth)?)));
        }
        match &access.methods {
            Some(rule) => self.open_of(&rule.access),
            None => Ok(()),
        }
    }
}
