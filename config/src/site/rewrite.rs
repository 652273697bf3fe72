//! What is done with a request on its way to a place.

use super::expression::PerlExpression;
use super::template::Template;

/// What is done with a request before it is passed on, if a condition holds:
/// nginx's `return`, `rewrite` and `break`, within `if` or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// All of them have to hold.
    pub when: Vec<Condition>,
    /// What is done then.
    pub answer: Return,
}

/// A condition of an `if`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What is looked at.
    pub subject: Template,
    /// What it is compared with.
    pub test: Test,
    /// Whether the test must fail.
    pub negated: bool,
}

/// What a subject is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is neither empty nor `0`.
    IsSet,
    /// It is the same text.
    Equals(Template),
    /// The expression is found in it.
    Finds(PerlExpression),
}

/// What a [`Rewrite`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Return {
    /// A status with a text, or with the page that belongs to it.
    Status {
        /// 444 closes the connection without an answer.
        status: u16,
        /// The body, sent as plain text.
        text: Option<Template>,
    },
    /// A redirect (301, 302, 303, 307, 308).
    Redirect {
        /// The status.
        status: u16,
        /// The `Location`.
        to: Template,
    },
    /// Nothing is answered yet: the request goes on as one for another path.
    Path(NewTarget),
    /// nginx's `break`: what follows in the same list is not looked at.
    Stop,
}

/// nginx's `rewrite` that leads to another path of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTarget {
    /// The path, not escaped.
    pub path: Template,
    /// The query, without its question mark.
    pub query: Option<Template>,
    /// Whether the client's query stays, behind the other if there is one.
    pub keeps_query: bool,
    /// What follows.
    pub then: Then,
}

/// What follows a [`NewTarget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The rest of the list, and then a place for the new path is looked for.
    GoOn,
    /// `last`: a place for the new path is looked for.
    Search,
    /// `break`: the place stays that was chosen; a site, which has chosen none yet,
    /// looks for it.
    Stay,
}

impl Rewrite {
    pub(super) fn templates<'a>(&'a self, found: &mut Vec<&'a Template>) {
        for condition in &self.when {
            found.push(&condition.subject);
            if let Test::Equals(template) = &condition.test {
                found.push(template);
            }
        }
        match &self.answer {
            Return::Status { text, .. } => found.extend(text),
            Return::Redirect { to, .. } => found.push(to),
            Return::Path(target) => {
                found.push(&target.path);
                found.extend(&target.query);
            }
            Return::Stop => {}
        }
    }
}
