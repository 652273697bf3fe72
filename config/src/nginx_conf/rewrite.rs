//! `return`, `rewrite`, `break` and `if`: what is done before a request is passed on.

use super::Reading;
use super::scope::Scope;
use super::tree::Directive;
use super::value;
use crate::diagnostic::Diagnostic;
use crate::site::{
    Condition, NewTarget, PerlExpression, Piece, Return, Rewrite, Template, Test, Then, Variable,
};

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
                    if !is_over && rewrites.iter().any(goes_on) {
                        rewrites.push(Rewrite {
                            when: Vec::new(),
                            answer: Return::Stop,
                        });
                    }
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
        let mut rewrites: Vec<Rewrite> = Vec::new();
        for inner in directive.children() {
            match inner.name() {
                "return" | "rewrite" | "break" => {
                    let Some(condition) = &condition else {
                        self.verdicts
                            .refused(inner, "the `if` around it is refused");
                        continue;
                    };
                    // The condition is looked at for each, and may hold no more.
                    if rewrites.iter().any(goes_on) {
                        let why = "nothing follows a `rewrite` in an `if` here: give that `last` \
                                   or `break`";
                        self.verdicts.refused(inner, why);
                        continue;
                    }
                    let when = vec![condition.clone()];
                    if inner.name() == "break" {
                        let answer = Return::Stop;
                        rewrites.push(Rewrite { when, answer });
                        self.verdicts.honoured(inner);
                        continue;
                    }
                    rewrites.extend(self.answer(scope, inner, when)?);
                }
                "include" => {}
                "access_log" | "log_not_found" | "error_page" => {}
                _ => self.verdicts.refused(
                    inner,
                    "only `return`, `rewrite` and `break` stand in an `if` here",
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
            self.rewritten(scope, directive)?
                .map(|(condition, answer)| {
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

    /// A `rewrite`: it sends the client elsewhere, or the request to another path.
    fn rewritten(
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
        let (status, then) = match directive.word(2) {
            Some("permanent") => (Some(301), Then::Search),
            Some("redirect") => (Some(302), Then::Search),
            Some("last") => (None, Then::Search),
            Some("break") => (None, Then::Stay),
            None => (None, Then::GoOn),
            Some(other) => {
                return Err(directive.mistake_in(
                    2,
                    format!("`{other}` is no flag: there are last, break, redirect and permanent"),
                ));
            }
        };
        let status = status.or(is_url.then_some(302));
        let (target, keeps_query) = match target.strip_suffix('?') {
            Some(target) => (target, false),
            None => (target, true),
        };
        let answer = match status {
            Some(status) => self.redirect(scope, directive, target, keeps_query, status)?,
            None => self.path(scope, directive, target, keeps_query, then)?,
        };
        let Some(answer) = answer else {
            return Ok(None);
        };
        let is_needed = match &answer {
            Return::Redirect { to, .. } => to.uses_captures(),
            Return::Path(target) => {
                target.path.uses_captures()
                    || target.query.as_ref().is_some_and(Template::uses_captures)
            }
            Return::Status { .. } | Return::Stop => false,
        };
        let condition = (is_needed || !fits_all(pattern)).then(|| Condition {
            subject: Template::variable(Variable::Uri),
            test: Test::Finds(expression),
            negated: false,
        });
        Ok(Some((condition, answer)))
    }

    fn redirect(
        &mut self,
        scope: &Scope,
        directive: &Directive,
        target: &str,
        keeps_query: bool,
        status: u16,
    ) -> Result<Option<Return>, Box<Diagnostic>> {
        if keeps_query && target.contains('?') {
            self.verdicts
                .refused(directive, "a query is not joined to another");
            return Ok(None);
        }
        let Some(mut to) = self.text(directive, 1, target, scope)? else {
            return Ok(None);
        };
        if keeps_query {
            to.0.extend([Variable::IsArgs, Variable::Args].map(Piece::Variable));
        }
        Ok(Some(Return::Redirect { status, to }))
    }

    fn path(
        &mut self,
        scope: &Scope,
        directive: &Directive,
        target: &str,
        keeps_query: bool,
        then: Then,
    ) -> Result<Option<Return>, Box<Diagnostic>> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        if !path.starts_with(['/', '$']) {
            let why = format!("`{path}` is no path: it does not begin with `/`");
            return Err(directive.mistake_in(1, why));
        }
        let Some(path) = self.text(directive, 1, path, scope)? else {
            return Ok(None);
        };
        let query = match query {
            None => None,
            Some(query) => match self.text(directive, 1, query, scope)? {
                None => return Ok(None),
                query => query,
            },
        };
        Ok(Some(Return::Path(NewTarget {
            path,
            query,
            keeps_query,
            then,
        })))
    }
}

/// Whether it leaves a place for another to be looked for at the end.
fn goes_on(rewrite: &Rewrite) -> bool {
    matches!(
        &rewrite.answer,
        Return::Path(NewTarget {
            then: Then::GoOn,
            ..
        })
    )
}

/// Whether an expression is found in every path.
fn fits_all(pattern: &str) -> bool {
    const ALL: [&str; 11] = [
        "^", ".*", "^.*$", "^.*", "^(.*)$", "^(.*)", "(.*)", "^/(.*)$", "^/(.*)", "^(/.*)$", "^/",
    ];
    ALL.contains(&pattern)
}

/// Whether nobody comes past these: one of them answers every request.
pub(super) fn answer_all(rewrites: &[Rewrite]) -> bool {
    rewrites.iter().any(|rewrite| {
        let is_about_all = |condition: &Condition| match &condition.test {
            Test::Finds(expression) => {
                !condition.negated
                    && condition.subject == Template::variable(Variable::Uri)
                    && fits_all(expression.as_str())
            }
            Test::IsSet | Test::Equals(_) => false,
        };
        let answers = match &rewrite.answer {
            Return::Status { .. } | Return::Redirect { .. } => true,
            // Another place answers.
            Return::Path(target) => target.then != Then::Stay,
            Return::Stop => false,
        };
        answers && rewrite.when.iter().all(is_about_all)
    })
}
