//! What a place adds to every answer, whoever gives it.

use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::Sites;
use super::rules::put_on;
use crate::context::RequestContext;

/// The fields that the place of a request adds to its answer.
pub(crate) struct Dress<'a>(Option<(&'a Sites, &'a RequestContext)>);

impl<'a> Dress<'a> {
    pub(crate) fn of(sites: &'a Sites, context: &'a RequestContext) -> Self {
        Self(Some((sites, context)))
    }

    /// No fields.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Adds them to `header`, the answer to the request of `session`.
    pub(crate) fn put_on(&self, session: &Session, header: &mut ResponseHeader) {
        let Some((sites, context)) = self.0 else {
            return;
        };
        let Some(chosen) = context.chosen else {
            return;
        };
        let rules = &sites.place(chosen).rules;
        if rules.headers.is_empty() || header.status.is_informational() {
            return;
        }
        let mut facts = sites.facts(session, context, chosen);
        facts.answer = Some(header);
        let fields = rules.fields_for(&facts);
        put_on(fields, header);
    }
}
