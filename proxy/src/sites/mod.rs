//! Virtual servers: which site and which place a request is for, what it meets
//! there, and who answers it.
//!
//! A front without sites has one, with one place for everything: requests take
//! the same way through both.

mod attached;
mod balance;
mod choice;
mod dress;
mod facts;
mod hosts;
mod location;
mod passwords;
mod path;
mod places;
mod progress;
mod rules;
mod trust;
mod upstream;

use std::fmt;
use std::sync::Arc;

use tidegate_auth::{HtpasswdError, Verifier};
use tidegate_config::site::{self, Rewrite, Template};
use tidegate_config::{Listener, Protocol};

pub(crate) use self::attached::{Attached, Manner};
pub(crate) use self::choice::{Chosen, here, over_tls};
pub(crate) use self::dress::Dress;
use self::passwords::Passwords;
use self::places::Places;
pub(crate) use self::progress::{Progress, Target};
pub(crate) use self::rules::Refusal;
use self::rules::Rules;
pub(crate) use self::upstream::{Attempt, Servers};
use crate::backend::Backend;
use crate::bind_error::BindError;
use crate::client_certificates::ClientCertificates;
use crate::edge::{Gate, RefusedUserAgents};
use crate::forward::Forwarder;
use crate::refusals::Refusals;

/// The sites of a configuration with their passwords, and the registry that
/// some of their places may lead to.
pub struct VirtualServers {
    sites: Vec<site::Site>,
    passwords: Passwords,
    registry: Option<Arc<dyn Backend>>,
}

impl VirtualServers {
    /// Reads the password files of the sites.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn new(
        sites: Vec<site::Site>,
        registry: Option<Arc<dyn Backend>>,
    ) -> Result<Self, HtpasswdError> {
        Ok(Self {
            passwords: Passwords::open(&sites)?,
            sites,
            registry,
        })
    }

    /// Has somebody hear of whom the places do not let in.
    #[must_use]
    pub fn with_refusals(mut self, refusals: Arc<dyn Refusals>) -> Self {
        self.passwords.refusals = Some(refusals);
        self
    }

    /// What checks their passwords, one for each file, to be reloaded while the
    /// front serves.
    #[must_use]
    pub fn verifiers(&self) -> Vec<Arc<Verifier>> {
        self.passwords.verifiers().map(Arc::clone).collect()
    }
}

impl fmt::Debug for VirtualServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualServers")
            .field("sites", &self.sites)
            .finish_non_exhaustive()
    }
}

/// All sites, ready for use.
pub(crate) struct Sites {
    /// For each listener; `None` for those that only redirect.
    listeners: Vec<Option<Arc<Attached>>>,
    sites: Vec<Site>,
}

struct Site {
    name: String,
    rewrites: Vec<Rewrite>,
    /// Whether anything tells what the groups of expressions found.
    uses_captures: bool,
    /// `None` if the path is not looked at: the first place is for all.
    paths: Option<Places>,
    /// The last of them is for what the others are not about.
    places: Vec<Place>,
}

/// What is done with some requests.
pub(crate) struct Place {
    pub(crate) rules: Rules,
    pub(crate) action: Action,
}

/// Who answers what was let in.
pub(crate) enum Action {
    InProcess(Arc<dyn Backend>),
    Forward(Forwarder),
    Proxy(Box<Servers>),
    NotFound,
}

impl Sites {
    /// One site with one place.
    ///
    /// # Errors
    /// A listener whose CAs for clients were not loaded.
    pub(crate) fn simple(
        listeners: &[Listener],
        certificates: &ClientCertificates,
        refused: RefusedUserAgents,
        gate: Gate,
        action: Action,
    ) -> Result<Self, BindError> {
        let place = Place {
            rules: Rules::simple(refused, gate),
            action,
        };
        let attached = listeners.iter().map(|listener| {
            let attached = Attached::only(listener, certificates)?;
            Ok::<_, BindError>(Some(Arc::new(attached)))
        });
        Ok(Self {
            listeners: attached.collect::<Result<_, _>>()?,
            sites: vec![Site {
                name: String::new(),
                rewrites: Vec::new(),
                uses_captures: false,
                paths: None,
                places: vec![place],
            }],
        })
    }

    /// What a configuration says.
    ///
    /// # Errors
    /// A listener without a site, or a place whose destination cannot be used.
    pub(crate) fn of(
        listeners: &[Listener],
        certificates: &ClientCertificates,
        virtual_servers: VirtualServers,
    ) -> Result<Self, BindError> {
        let VirtualServers {
            sites,
            passwords,
            registry,
        } = virtual_servers;
        Ok(Self {
            listeners: attached(listeners, &sites, certificates)?,
            sites: sites
                .into_iter()
                .map(|site| Site::of(site, &passwords, registry.as_ref()))
                .collect::<Result<_, _>>()?,
        })
    }

    /// What is served at the listener of that index, unless it only redirects.
    pub(crate) fn attached(&self, listener: usize) -> Option<&Arc<Attached>> {
        self.listeners.get(listener)?.as_ref()
    }

    /// Whether [`Self::of`] would fail.
    ///
    /// # Errors
    /// As it does.
    pub(crate) fn check(
        listeners: &[Listener],
        certificates: &ClientCertificates,
        sites: &[site::Site],
        has_registry: bool,
    ) -> Result<(), BindError> {
        attached(listeners, sites, certificates)?;
        for place in sites.iter().flat_map(|site| &site.places) {
            match &place.action {
                site::Action::Registry if !has_registry => return Err(BindError::NoRegistry),
                site::Action::Proxy(proxy) => {
                    Servers::new((**proxy).clone(), &place.path)?;
                }
                site::Action::Registry | site::Action::NotFound => {}
            }
        }
        Ok(())
    }

    /// How many times a request may have to be tried.
    pub(crate) fn tries(&self) -> usize {
        let places = self.sites.iter().flat_map(|site| &site.places);
        let tries = places.map(|place| match &place.action {
            Action::Proxy(servers) => servers.tries(),
            _ => 0,
        });
        tries.max().unwrap_or_default()
    }
}

/// What is served at each listener; `None` for those that only redirect.
fn attached(
    listeners: &[Listener],
    sites: &[site::Site],
    certificates: &ClientCertificates,
) -> Result<Vec<Option<Arc<Attached>>>, BindError> {
    let attached = listeners.iter().enumerate().map(|(index, listener)| {
        if let Protocol::RedirectToHttps { .. } = listener.protocol {
            return Ok(None);
        }
        let attached = Attached::of(listener, index, sites, certificates)?;
        Ok(Some(Arc::new(attached)))
    });
    attached.collect()
}

impl Site {
    fn of(
        site: site::Site,
        passwords: &Passwords,
        registry: Option<&Arc<dyn Backend>>,
    ) -> Result<Self, BindError> {
        let mut templates = site.templates().into_iter();
        let uses_captures = templates.any(Template::uses_captures);
        let paths = Places::of(&site.places);
        let mut places = Vec::with_capacity(site.places.len() + 1);
        for place in site.places {
            let action = match place.action {
                site::Action::Registry => {
                    Action::InProcess(Arc::clone(registry.ok_or(BindError::NoRegistry)?))
                }
                site::Action::Proxy(proxy) => {
                    Action::Proxy(Box::new(Servers::new(*proxy, &place.path)?))
                }
                site::Action::NotFound => Action::NotFound,
            };
            places.push(Place {
                rules: Rules::of(place.rules, passwords),
                action,
            });
        }
        places.push(Place {
            rules: Rules::of(site.elsewhere, passwords),
            action: Action::NotFound,
        });
        let name = site.names.first().map(ToString::to_string);
        Ok(Self {
            name: name.unwrap_or_default(),
            rewrites: site.rewrites,
            uses_captures,
            paths: Some(paths),
            places,
        })
    }
}
