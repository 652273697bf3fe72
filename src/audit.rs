//! The audit log: which requests are written down, and as what.
//!
//! What an auditor asks is who got which image, and who changed what. So a
//! manifest is written down and not, unless it is asked for, each of its blobs;
//! what looks whether something is there is not; and whatever was refused to
//! somebody who showed something is.

use http::header::USER_AGENT;
use http::{Method, StatusCode};
use tidegate_auth::audit::{Audit, AuditWriter, Deed, Event, Object, Outcome, Shown};
use tidegate_auth::{Identity, Permit};
use tidegate_config::AuditLog;
use tidegate_failure::Failure;
use tidegate_proxy::ClientAddress;
use tidegate_registry::{self as registry, Asked, Witness};

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
    is_head: bool,
    event: Event,
}

/// Opens the audit log, if there is to be one.
pub(crate) fn open(
    settings: Option<&AuditLog>,
) -> Result<(Auditing, Option<AuditWriter>), Failure> {
    let Some(settings) = settings else {
        return Ok((Auditing::default(), None));
    };
    let opened = Audit::open(&settings.path).map_err(|error| {
        Failure::new("the audit log cannot be opened")
            .caused_by(Some(&error))
            .with_hint("make its directory, and let this user write there: see `log.audit`")
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
        let user_agent = request.headers().get(USER_AGENT);
        let user_agent = user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        let is_head = request.method() == Method::HEAD;
        let witness = Witness::default();
        let extensions = request.extensions_mut();
        extensions.insert(witness.clone());
        let user = extensions.get::<Identity>().cloned();
        let shown = match &user {
            Some(_) => Shown::Password,
            None => Shown::Nothing,
        };
        Some(Pending {
            auditing: self.clone(),
            witness,
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

impl Pending {
    /// It has been found out who asks.
    pub(crate) fn sent_by(&mut self, permit: &Permit) {
        self.event.user = permit.claimed().cloned();
        self.event.shown = Some(permit.shown());
    }

    /// It is answered.
    pub(crate) fn answered(mut self, status: StatusCode) {
        let status = status.as_u16();
        self.event.status = Some(status);
        self.event.outcome = Outcome::of_status(status);
    }

    /// What it is written down as, if it is.
    fn deed(&self, asked: &Asked) -> Option<(Deed, Option<Object>)> {
        let object = asked.object.map(object);
        let deed = deed(asked.deed);
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
        // Wrong passwords count where there is nothing to be done, too.
        const NOTHING: Asked = Asked {
            deed: registry::Deed::Ping,
            object: None,
            repository: None,
            reference: None,
        };
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
