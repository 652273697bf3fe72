//! The audit log: which requests are written down, and as what.
//!
//! What an auditor asks is who got which image, and who changed what. So a
//! manifest is written down and not, unless it is asked for, each of its blobs;
//! what looks whether something is there is not; and whatever was refused to
//! somebody who showed something is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::USER_AGENT;
use http::{HeaderMap, Method, StatusCode};
use tidegate_auth::audit::{Audit, AuditWriter, Deed, Event, Object, Outcome, Shown};
use tidegate_auth::{Known, Permit};
use tidegate_config::AuditLog;
use tidegate_failure::Failure;
use tidegate_proxy::{ClientAddress, Refusals, Refused};
use tidegate_registry::{self as registry, Asked, Witness};

/// What is asked for where there is nothing to be done: wrong passwords count there,
/// too.
const NOTHING: Asked = Asked {
    deed: registry::Deed::Ping,
    object: None,
    repository: None,
    reference: None,
};

/// What is written down, and where.
#[derive(Clone, Default)]
pub(crate) struct Auditing {
    pub(crate) audit: Audit,
    /// Each blob that is pulled, too.
    blobs: bool,
}

/// A request on its way, which is written down when it is answered, or given up.
pub(crate) struct Pending {
    auditing: Auditing,
    witness: Witness,
    broken: Broken,
    is_head: bool,
    event: Event,
}

/// Whether a request's body broke off: whoever sent it has gone, and hears of no
/// answer.
#[derive(Clone, Default)]
pub(crate) struct Broken(Arc<AtomicBool>);

impl Broken {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Opens the audit log, if there is to be one, of which `named_by` says where.
pub(crate) fn open(
    settings: Option<&AuditLog>,
    named_by: &str,
) -> Result<(Auditing, Option<AuditWriter>), Failure> {
    let Some(settings) = settings else {
        return Ok((Auditing::default(), None));
    };
    let opened = Audit::open(&settings.path).map_err(|error| {
        Failure::new("the audit log cannot be opened")
            .caused_by(Some(&error))
            .with_hint(format!(
                "make its directory, and let this user write there: see `{named_by}`"
            ))
    });
    let (audit, writer) = opened?;
    let auditing = Auditing {
        audit,
        blobs: settings.blobs,
    };
    Ok((auditing, Some(writer)))
}

impl Auditing {
    /// Begins to look on, if anybody wants to know.
    pub(crate) fn begin<B>(&self, request: &mut http::Request<B>) -> Option<Pending> {
        if !self.audit.is_on() {
            return None;
        }
        let user_agent = user_agent(request.headers());
        let is_head = request.method() == Method::HEAD;
        let witness = Witness::default();
        let extensions = request.extensions_mut();
        extensions.insert(witness.clone());
        let known = extensions.get::<Known>();
        let shown = known.map_or(Shown::Nothing, |known| known.shown);
        let user = known.map(|known| known.user.clone());
        Some(Pending {
            auditing: self.clone(),
            witness,
            broken: Broken::default(),
            is_head,
            event: Event {
                user,
                shown: Some(shown),
                client: extensions.get::<ClientAddress>().map(|client| client.0),
                user_agent,
                outcome: Outcome::Aborted,
                status: None,
                ..Event::login(0)
            },
        })
    }
}

impl Refusals for Auditing {
    fn refused(&self, refused: &Refused<'_>) {
        let Refused { request, .. } = refused;
        let asked = Asked::of(&request.method, &request.uri);
        let asked = asked.unwrap_or(NOTHING);
        let (deed, object) = attempted(&asked);
        let outcome = Outcome::of_status(refused.status);
        // An address is refused whatever its client shows.
        let shown = match outcome {
            Outcome::Denied => Shown::Nothing,
            _ => Shown::Password,
        };
        self.audit.record(Event {
            deed,
            object,
            repository: asked.repository,
            reference: asked.reference,
            user: refused.claimed.clone(),
            shown: Some(shown),
            client: Some(refused.client),
            user_agent: user_agent(&request.headers),
            ..Event::login(refused.status)
        });
    }
}

impl Pending {
    /// It has been found out who asks.
    pub(crate) fn sent_by(&mut self, permit: &Permit) {
        self.event.user = permit.claimed().cloned();
        self.event.shown = Some(permit.shown());
    }

    /// Where it is noted that the request's body breaks off.
    pub(crate) fn broken(&self) -> Broken {
        self.broken.clone()
    }

    /// It is answered.
    pub(crate) fn answered(mut self, status: StatusCode) {
        if self.broken.0.load(Ordering::Relaxed) && !status.is_success() {
            return;
        }
        let status = status.as_u16();
        self.event.status = Some(status);
        self.event.outcome = Outcome::of_status(status);
    }

    /// What it is written down as, if it is.
    fn deed(&self, asked: &Asked) -> Option<(Deed, Option<Object>)> {
        let (deed, object) = attempted(asked);
        let shown = self.event.shown.unwrap_or(Shown::Nothing);
        match self.event.outcome {
            // Whoever shows nothing is asked to log in, and that is no refusal yet.
            Outcome::Unauthorized if shown == Shown::Nothing => return None,
            Outcome::Unauthorized | Outcome::Denied | Outcome::Throttled => {
                return Some((deed, object));
            }
            Outcome::Allowed | Outcome::Failed | Outcome::Aborted => {}
        }
        match (deed, object) {
            // A token is no login: that was when it was given.
            (Deed::Login, _) => {
                let logs_in = !matches!(shown, Shown::Nothing | Shown::Token);
                logs_in.then_some((deed, None))
            }
            (Deed::Catalog, _) | (Deed::Delete, _) => Some((deed, object)),
            (Deed::Pull, Some(Object::Manifest)) if !self.is_head => Some((deed, object)),
            (Deed::Pull, Some(Object::Blob)) if !self.is_head && self.auditing.blobs => {
                Some((deed, object))
            }
            (Deed::Push, Some(Object::Manifest | Object::Blob)) => Some((deed, object)),
            // Begun and finished in one request.
            (Deed::Push, Some(Object::Upload)) => {
                let done = self.witness.done()?;
                let deed = match done.mounted {
                    Some(_) => Deed::Mount,
                    None => Deed::Push,
                };
                Some((deed, Some(Object::Blob)))
            }
            _ => None,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let asked = match (self.witness.asked(), self.event.outcome) {
            (Some(asked), _) => asked,
            (None, Outcome::Unauthorized | Outcome::Throttled) => &NOTHING,
            (None, _) => return,
        };
        let Some((deed, object)) = self.deed(asked) else {
            return;
        };
        let done = self.witness.done();
        let digest = done.map(|done| done.digest.clone());
        let event = Event {
            deed,
            object,
            repository: asked.repository.clone(),
            reference: asked.reference.clone().or_else(|| digest.clone()),
            digest,
            from: done.and_then(|done| done.mounted.clone().flatten()),
            bytes: done.and_then(|done| done.bytes),
            request: self.witness.id().map(|id| id.to_string()),
            ..self.event.clone()
        };
        self.auditing.audit.record(event);
    }
}

/// What is asked for, as it is written down of those who do not get it.
fn attempted(asked: &Asked) -> (Deed, Option<Object>) {
    (deed(asked.deed), asked.object.map(object))
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(USER_AGENT)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn deed(deed: registry::Deed) -> Deed {
    match deed {
        registry::Deed::Ping => Deed::Login,
        registry::Deed::Catalog => Deed::Catalog,
        registry::Deed::Pull => Deed::Pull,
        registry::Deed::Push => Deed::Push,
        registry::Deed::Delete => Deed::Delete,
    }
}

fn object(object: registry::Object) -> Object {
    match object {
        registry::Object::Manifest => Object::Manifest,
        registry::Object::Blob => Object::Blob,
        registry::Object::Upload => Object::Upload,
        registry::Object::Tags => Object::Tags,
        registry::Object::Referrers => Object::Referrers,
    }
}
