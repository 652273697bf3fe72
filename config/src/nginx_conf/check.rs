//! Whether each directive is one, stands where it may, and has its words.

use super::table::{
    self, EVENTS, HTTP, LIMIT_EXCEPT, LOCATION, LOCATION_IF, MAIN, Meaning, Places, SERVER,
    SERVER_IF, UPSTREAM,
};
use super::tree::{Directive, hinted};
use crate::diagnostic::Diagnostic;

/// Looks at every directive of a file and of what it includes.
///
/// # Errors
/// One that nginx would not take.
pub(super) fn check(directives: &[Directive]) -> Result<(), Box<Diagnostic>> {
    block(directives, MAIN)
}

fn block(directives: &[Directive], place: Places) -> Result<(), Box<Diagnostic>> {
    directives
        .iter()
        .try_for_each(|directive| one(directive, place))
}

fn one(directive: &Directive, place: Places) -> Result<(), Box<Diagnostic>> {
    let name = directive.name();
    let Some(known) = table::find(name) else {
        let mistake = directive.mistake(format!("`{name}` is no directive of nginx"));
        return Err(match table::nearest(name, place) {
            Some(nearest) => hinted(mistake, format!("did you mean `{nearest}`?")),
            None => mistake,
        });
    };
    if !known.may_stand_in(place) {
        let mistake = directive.mistake(format!("`{name}` does not stand here"));
        return Err(hinted(mistake, format!("its place is {}", known.belongs())));
    }
    // Of the two that are called so, the one in `http` is a block.
    let has_block = known.has_block() || (name == "server" && place == HTTP);
    match (&directive.block, has_block) {
        (Some(_), false) => {
            return Err(directive.mistake(format!("`{name}` has no block: it ends with `;`")));
        }
        (None, true) => {
            return Err(directive.mistake(format!("`{name}` needs a block: `{{ … }}`")));
        }
        _ => {}
    }
    let count = directive.words.len();
    let is_bare_server = name == "server" && place == HTTP && count > 0;
    let is_empty_server = name == "server" && place == UPSTREAM && count == 0;
    if !known.takes(count) || is_bare_server || is_empty_server {
        let expected = match (is_bare_server, is_empty_server) {
            (true, _) => "no words".to_owned(),
            (_, true) => "one word or more".to_owned(),
            _ => known.expected(),
        };
        return Err(directive.mistake(format!("`{name}` takes {expected}, not {count}")));
    }
    match inside(directive, known.meaning, place) {
        Some(place) => block(directive.children(), place),
        None => Ok(()),
    }
}

/// What the block of a directive is, if directives stand in it.
fn inside(directive: &Directive, meaning: Meaning, place: Places) -> Option<Places> {
    match (directive.name(), place) {
        ("events", _) => Some(EVENTS),
        ("http", _) => Some(HTTP),
        ("server", HTTP) => Some(SERVER),
        ("upstream", _) => Some(UPSTREAM),
        ("location", _) => Some(LOCATION),
        ("limit_except", _) => Some(LIMIT_EXCEPT),
        ("if", SERVER) => Some(SERVER_IF),
        ("if", _) => Some(LOCATION_IF),
        _ => matches!(meaning, Meaning::Block).then_some(place),
    }
}
