//! Directives that add to what a block says, and the words in them.

use std::sync::Arc;

use super::Reading;
use super::scope::Scope;
use super::tree::Directive;
use super::value;
use super::variables::{Unusable, constant, settled};
use crate::diagnostic::Diagnostic;
use crate::header::HeaderFieldName;
use crate::site::{AddedHeader, AddressRule, LocationRule, PerlExpression, Template, Translation};

impl Reading {
    pub(super) fn set(
        &mut self,
        directive: &Directive,
        scope: &mut Scope,
    ) -> Result<(), Box<Diagnostic>> {
        let name = directive
            .word(0)
            .and_then(|name| name.strip_prefix('$'))
            .filter(|name| !name.is_empty());
        let Some(name) = name else {
            return Err(directive.mistake_in(0, "`set` gives a variable its value: `$name`"));
        };
        if let Some(value) = self.template(directive, 1, &scope.set)? {
            if value.uses_captures() {
                self.verdicts.refused(
                    directive,
                    "what an expression found is known where it is used, and not kept by `set`",
                );
                return Ok(());
            }
            let made = constant(name, value);
            scope.set.retain(|known| known.name != name);
            scope.set.push(made);
        }
        Ok(())
    }

    pub(super) fn added_header(
        &mut self,
        scope: &mut Scope,
        directive: &Directive,
    ) -> Result<(), Box<Diagnostic>> {
        let always = match directive.word(2) {
            None => false,
            Some("always") => true,
            Some(other) => {
                return Err(
                    directive.mistake_in(2, format!("only `always` may stand here, not `{other}`"))
                );
            }
        };
        let name = HeaderFieldName::new(directive.word(0).unwrap_or_default());
        match (name, self.template(directive, 1, &scope.set)?) {
            (Ok(name), Some(value)) => scope.headers.push(AddedHeader {
                name,
                value,
                always,
            }),
            (Err(error), _) => self.verdicts.refused(directive, error.to_string()),
            (Ok(_), None) => {}
        }
        Ok(())
    }

    pub(super) fn address_rule(
        &mut self,
        scope: &mut Scope,
        directive: &Directive,
    ) -> Result<(), Box<Diagnostic>> {
        let text = directive.word(0).unwrap_or_default();
        let allows = directive.name() == "allow";
        let network = match text {
            "all" => None,
            text => Some(value::network(text).ok_or_else(|| {
                directive.mistake_in(
                    0,
                    format!("`{text}` is no address and no network: write it as `10.0.0.0/8`"),
                )
            })?),
        };
        scope.addresses.push(AddressRule { network, allows });
        Ok(())
    }

    pub(super) fn proxy_header(
        &mut self,
        scope: &mut Scope,
        directive: &Directive,
    ) -> Result<(), Box<Diagnostic>> {
        let name = directive.word(0).unwrap_or_default();
        let is_of_connection = [
            "connection",
            "upgrade",
            "keep-alive",
            "te",
            "transfer-encoding",
        ];
        if is_of_connection
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
        {
            self.verdicts.harmless(
                directive,
                "this server sees to the connection to the upstream",
            );
            return Ok(());
        }
        match (
            HeaderFieldName::new(name),
            self.template(directive, 1, &scope.set)?,
        ) {
            (Ok(name), Some(value)) => {
                scope.proxy_headers.retain(|(known, _)| *known != name);
                scope.proxy_headers.push((name, value));
                self.verdicts.honoured(directive);
            }
            (Err(error), _) => self.verdicts.refused(directive, error.to_string()),
            (Ok(_), None) => {}
        }
        Ok(())
    }

    /// A `proxy_redirect` that is not `off`. `None`, if it is refused: that is noted
    /// then.
    pub(super) fn location_rule(
        &mut self,
        scope: &Scope,
        directive: &Directive,
    ) -> Result<Option<LocationRule>, Box<Diagnostic>> {
        let first = directive.word(0).unwrap_or_default();
        if first == "default" {
            return Ok(Some(LocationRule::Place));
        }
        if directive.words.len() == 1 {
            let mistake = format!(
                "`proxy_redirect` is `off`, `default`, or what a `Location` begins with and what \
                 takes its place, not `{first}` alone"
            );
            return Err(directive.mistake_in(0, mistake));
        }
        if let Some(expression) = first.strip_prefix('~') {
            let (text, any_case) = match expression.strip_prefix('*') {
                Some(text) => (text, true),
                None => (expression, false),
            };
            let from = PerlExpression::new(text, any_case)
                .map_err(|error| directive.mistake_in(0, error.to_string()))?;
            let to = self.template(directive, 1, &scope.set)?;
            return Ok(to.map(|to| LocationRule::Expression { from, to }));
        }
        let from = self.template(directive, 0, &scope.set)?;
        let to = self.template(directive, 1, &scope.set)?;
        Ok(from
            .zip(to)
            .map(|(from, to)| LocationRule::Prefix { from, to }))
    }

    pub(super) fn access_log(&mut self, scope: &mut Scope, directive: &Directive) {
        scope.is_unlogged = directive.word(0) == Some("off");
        let by = if scope.is_unlogged {
            "one log for all requests, unless none is logged anywhere"
        } else {
            "a log of requests on standard output, in one format"
        };
        self.verdicts.replaced(directive, by);
    }

    pub(super) fn trusted_proxy(&mut self, directive: &Directive) {
        match directive.word(0).and_then(value::network) {
            Some(network) => {
                if !self.trusted.contains(&network) {
                    self.trusted.push(network);
                }
                self.verdicts.honoured(directive);
            }
            None => self
                .verdicts
                .refused(directive, "only addresses and networks are trusted"),
        }
    }

    /// A word with variables. `None`, if it is refused: that is noted then.
    pub(super) fn template(
        &mut self,
        directive: &Directive,
        index: usize,
        set: &[Arc<Translation>],
    ) -> Result<Option<Template>, Box<Diagnostic>> {
        let text = directive.word(index).unwrap_or_default();
        match self.variables.template(text, set) {
            Ok(template) => Ok(Some(template)),
            Err(Unusable::Mistake(why)) => Err(directive.mistake_in(index, why)),
            Err(Unusable::Refused(why)) => {
                self.verdicts.refused(directive, why);
                Ok(None)
            }
        }
    }

    /// A word in which no variable may stand but those of `set`.
    pub(super) fn plain(
        &mut self,
        directive: &Directive,
        index: usize,
        set: &[Arc<Translation>],
    ) -> Result<Option<String>, Box<Diagnostic>> {
        let Some(template) = self.template(directive, index, set)? else {
            return Ok(None);
        };
        let text = settled(&template);
        if text.is_none() {
            self.verdicts.refused(
                directive,
                "it has to be known before requests come: no variables here",
            );
        }
        Ok(text)
    }
}
