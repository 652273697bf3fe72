//! `return`, `rewrite` and `if`: answers that are given at once.

use super::Reading;
use super::scope::Scope;
use super::tree::Directive;
use super::value;
use crate::diagnostic::Diagnostic;
use crate::site::{Condition, PerlExpression, Piece, Return, Rewrite, Template, Test, Variable};

impl Reading {
    /// The answers of a block, in its order.
    ///
    /// # Errors
    /// What nginx would not take.
    pub(super) fn rewrites(
        &mut self,
        scope: &Scope,
        block: &[Directive],
    ) -> Result<Vec<Rewrite>, Box<Diagnostic>> {
        let mut rewrites = Vec::new();
        let mut is_over = false;
        for directive in block {
            match directive.name() {
                "break" => {
                    is_over = true;
                    self.verdicts.honoured(directive);
                }
                "return" | "rewrite" => {
                    let rewrite = self.answer(scope, directive, Vec::new())?;
                    rewrites.extend(rewrite.filter(|_| !is_over));
                }
                "if" => {
                    let inside = self.conditional(scope, directive)?;
                    if !is_over {
                        rewrites.extend(inside);
                    }
                }
                _ => {}
            }
        }
        Ok(rewrites)
    }

    fn conditional(
        &mut self,
        scope: &Scope,
        directive: &Directive,
    ) -> Result<Vec<Rewrite>, Box<Diagnostic>> {
        let condition = self.condition(scope, directive)?;
        let mut rewrites = Vec::new();
        for inner in directive.children() {
            match inner.name() {
                "return" | "rewrite" => {
                    let Some(condition) = &condition else {
                        self.verdicts
                            .refused(inner, "the `if` around it is refused");
                        continue;
                    };
                    rewrites.extend(self.answer(scope, inner, vec![condition.clone()])?);
                }
                "include" => {}
                "access_log" | "log_not_found" | "error_page" => {}
                _ => self.verdicts.refused(
                    inner,
                    "only `return`, and a `rewrite` that redirects, stand in an `if` here",
                ),
            }
        }
        Ok(rewrites)
    }

    /// What stands in the brackets of an `if`; `None` if it is refused.
    fn condition(
        &mut self,
        scope: &Scope,
        directive: &Directive,
    ) -> Result<Option<Condition>, Box<Diagnostic>> {
        let mut words: Vec<&str> = directive.texts().collect();
        let wrong = |why: &str| Err(directive.mistake_in(0, why.to_owned()));
        match words.first_mut() {
            Some(first) if first.starts_with('(') => *first = &first[1..],
            _ => return wrong("the condition of an `if` stands in brackets: `if ($a = b) { … }`"),
        }
        match words.last_mut() {
            Some(last) if last.ends_with(')') => *last = &last[..last.len() - 1],
            _ => return wrong("the bracket of the condition is not closed: `)` is missing"),
        }
        // Both brackets may stand apart from the words.
        if words.first().is_some_and(|first| first.is_empty()) {
            words.remove(0);
        }
        if words.len() > 1 && words.last().is_some_and(|last| last.is_empty()) {
            words.pop();
        }
        let Some((subject, rest)) = words.split_first() else {
            return wrong("there is no condition in the brackets");
        };
        if let Some(test) = subject
            .strip_prefix('!')
            .or(Some(*subject))
            .filter(|test| test.starts_with('-'))
        {
            self.verdicts.refused(
                directive,
                format!("`{test}` looks for files, and none are served"),
            );
            return Ok(None);
        }
        if !subject.starts_with('$') {
            return wrong("a condition begins with a variable: `$http_user_agent`");
        }
        let Some(subject) = self.text(directive, 0, subject, scope)? else {
            return Ok(None);
        };
        let (operator, operand) = match rest {
            [] => {
                let test = Test::IsSet;
                return Ok(Some(Condition {
                    subject,
                    test,
                    negated: false,
                }));
            }
            [operator, operand] => (*operator, *operand),
            _ => return wrong("a condition is a variable, an operator and a text"),
        };
        let (negated, kind) = match operator.strip_prefix('!') {
            Some(kind) => (true, kind),
            None => (false, operator),
        };
        let find = |any_case| {
            PerlExpression::new(operand, any_case)
                .map(Test::Finds)
                .map_err(|error| directive.mistake_in(2, error.to_string()))
        };
        let test = match kind {
            "=" => match self.text(directive, 2, operand, scope)? {
                Some(text) => Test::Equals(text),
                None => return Ok(None),
            },
            "~" => find(false)?,
            "~*" => find(true)?,
            _ => {
                return Err(directive.mistake_in(
                    1,
                    format!("`{operator}` is no operator: there are =, !=, ~, ~*, !~ and !~*"),
                ));
            }
        };
        Ok(Some(Condition {
            subject,
            test,
            negated,
        }))
    }

    fn text(
        &mut self,
        directive: &Directive,
        index: usize,
        text: &str,
        scope: &Scope,
    ) -> Result<Option<Template>, Box<Diagnostic>> {
        use super::variables::Unusable;
        match self.variables.template(text, &scope.set) {
            Ok(template) => Ok(Some(template)),
            Err(Unusable::Mistake(why)) => Err(directive.mistake_in(index, why)),
            Err(Unusable::Refused(why)) => {
                self.verdicts.refused(directive, why);
                Ok(None)
            }
        }
    }

    fn answer(
        &mut self,
        scope: &Scope,
        directive: &Directive,
        mut when: Vec<Condition>,
    ) -> Result<Option<Rewrite>, Box<Diagnostic>> {
        let answer = if directive.name() == "return" {
            self.returned(scope, directive)?
        } else {
            self.redirect(scope, directive)?.map(|(condition, answer)| {
                when.extend(condition);
                answer
            })
        };
        if answer.is_some() {
            self.verdicts.honoured(directive);
        }
        Ok(answer.map(|answer| Rewrite { when, answer }))
    }

    fn returned(
        &mut self,
        scope: &Scope,
        directive: &Directive,
    ) -> Result<Option<Return>, Box<Diagnostic>> {
        let first = directive.word(0).unwrap_or_default();
        let is_url = ["http://", "https://", "$scheme"]
            .iter()
            .any(|begin| first.starts_with(begin));
        if directive.words.len() == 1 && is_url {
            let to = self.template(directive, 0, &scope.set)?;
            return Ok(to.map(|to| Return::Redirect { status: 302, to }));
        }
        let status = value::digits(first).and_then(|status| u16::try_from(status).ok());
        let Some(status) = status.filter(|status| (200..=599).contains(status)) else {
            return Err(directive.mistake_in(0, format!("`{first}` is no status, and no URL")));
        };
        if directive.words.len() == 1 {
            return Ok(Some(Return::Status { status, text: None }));
        }
        let text = self.template(directive, 1, &scope.set)?;
        Ok(text.map(|text| match status {
            301 | 302 | 303 | 307 | 308 => Return::Redirect { status, to: text },
            status => Return::Status {
                status,
                text: Some(text),
            },
        }))
    }

    /// A `rewrite` that sends the client elsewhere.
    fn redirect(
        &mut self,
        scope: &Scope,
        directive: &Directive,
    ) -> Result<Option<(Option<Condition>, Return)>, Box<Diagnostic>> {
        let pattern = directive.word(0).unwrap_or_default();
        let target = directive.word(1).unwrap_or_default();
        let expression = PerlExpression::new(pattern, false)
            .map_err(|error| directive.mistake_in(0, error.to_string()))?;
        let is_url = ["http://", "https://", "$scheme"]
            .iter()
            .any(|begin| target.starts_with(begin));
        let status = match directive.word(2) {
            Some("permanent") => 301,
            Some("redirect") => 302,
            None if is_url => 302,
            None | Some("last" | "break") => {
                if is_url {
                    302
                } else {
                    self.verdicts.refused(
                        directive,
                        "paths are not rewritten here; `proxy_pass` with a path takes one off",
                    );
                    return Ok(None);
                }
            }
            Some(other) => {
                return Err(directive.mistake_in(
                    2,
                    format!("`{other}` is no flag: there are last, break, redirect and permanent"),
                ));
            }
        };
        // The path as a whole is the one group that is known.
        let target = match pattern {
            "^(.*)$" | "^(.*)" | "(.*)" | "^(.+)$" | "^(/.*)$" | "^(/.*)" => {
                target.replace("$1", "$uri")
            }
            "^/(.*)$" | "^/(.*)" | "^/(.+)$" => target.replace("/$1", "$uri"),
            _ => target.to_owned(),
        };
        let (target, keeps_query) = match target.strip_suffix('?') {
            Some(target) => (target.to_owned(), false),
            None => (target, true),
        };
        if keeps_query && target.contains('?') {
            self.verdicts
                .refused(directive, "a query is not joined to another");
            return Ok(None);
        }
        let Some(mut to) = self.text(directive, 1, &target, scope)? else {
            return Ok(None);
        };
        if keeps_query {
            to.0.extend([Variable::IsArgs, Variable::Args].map(Piece::Variable));
        }
        let is_always = matches!(
            pattern,
            "^" | ".*" | "^.*$" | "^.*" | "^(.*)$" | "^(.*)" | "(.*)" | "^/(.*)$" | "^/(.*)"
        );
        let condition = (!is_always).then(|| Condition {
            subject: Template::variable(Variable::Uri),
            test: Test::Finds(expression),
            negated: false,
        });
        Ok(Some((condition, Return::Redirect { status, to })))
    }
}
