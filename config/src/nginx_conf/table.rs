//! The directives that nginx knows: where they may stand, how many words they
//! take, and what becomes of those that need no more than a look.

mod http;
mod proxy;
mod tls;

use super::tree::Directive;
use crate::finding::Verdict;

/// Where a directive may stand: one bit for each place.
pub(super) type Places = u16;
/// Outside of every block.
pub(super) const MAIN: Places = 1;
pub(super) const EVENTS: Places = 1 << 1;
pub(super) const HTTP: Places = 1 << 2;
pub(super) const SERVER: Places = 1 << 3;
pub(super) const LOCATION: Places = 1 << 4;
/// An `if` of a `server`.
pub(super) const SERVER_IF: Places = 1 << 5;
/// An `if` of a `location`.
pub(super) const LOCATION_IF: Places = 1 << 6;
pub(super) const LIMIT_EXCEPT: Places = 1 << 7;
pub(super) const UPSTREAM: Places = 1 << 8;
/// The three levels that inherit from one another.
const LEVELS: Places = HTTP | SERVER | LOCATION;
const IFS: Places = SERVER_IF | LOCATION_IF;

/// As many words as one likes.
const MANY: usize = usize::MAX;

/// A directive that nginx knows.
#[derive(Debug)]
pub(super) struct Known {
    /// Its name, or several that are alike in all else.
    names: &'static str,
    places: Places,
    /// The least and the most words that follow its name.
    words: (usize, usize),
    pub(super) meaning: Meaning,
}

/// What becomes of a directive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// It is read, by the part of this module that it belongs to.
    Read,
    /// As [`Meaning::Read`], with other directives in a block.
    Block,
    /// As [`Meaning::Read`], with a block whose lines are no directives.
    Data,
    /// Nothing depends on it; why.
    Harmless(&'static str),
    /// What stands in its place.
    Replaced(&'static str),
    /// Why it cannot be honoured.
    Refused(&'static str),
    /// As [`Meaning::Refused`], unless it is `off`, `0` or `none`.
    UnlessOff(&'static str),
    /// It keeps people out who would come in without it. Why it is refused.
    Guards(&'static str),
}

const fn known(
    names: &'static str,
    places: Places,
    least: usize,
    most: usize,
    meaning: Meaning,
) -> Known {
    Known {
        names,
        places,
        words: (least, most),
        meaning,
    }
}

fn all() -> impl Iterator<Item = &'static Known> {
    [
        http::MAIN_DIRECTIVES,
        http::HTTP_DIRECTIVES,
        proxy::DIRECTIVES,
        tls::DIRECTIVES,
    ]
    .into_iter()
    .flatten()
}

/// The directive of that name.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    all().find(|known| known.names().any(|known| known == name))
}

/// Whether nginx knows a directive of that name.
pub(super) fn is_known(name: &str) -> bool {
    find(name).is_some()
}

/// Whether the directive of that name has a block.
pub(super) fn takes_block(name: &str) -> bool {
    find(name).is_some_and(|known| known.has_block())
}

/// Whether what stands in the block of a directive are directives.
pub(super) fn holds_directives(name: &str) -> bool {
    name == "server" || find(name).is_some_and(|known| matches!(known.meaning, Meaning::Block))
}

/// Whether the directive of that name never has so many words.
pub(super) fn count_is_wrong(name: &str, count: usize) -> bool {
    find(name).is_some_and(|known| !known.takes(count))
}

/// The name that is most like one that nothing goes by, among those that may
/// stand there.
pub(super) fn nearest(name: &str, place: Places) -> Option<&'static str> {
    all()
        .filter(|known| known.may_stand_in(place))
        .flat_map(Known::names)
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min()
        .map(|(_, name)| name)
}

/// Blocks that are passed over.
const OTHER_BLOCKS: [&str; 6] = [
    "stream",
    "mail",
    "geo",
    "split_clients",
    "charset_map",
    "types",
];

impl Known {
    fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.names.split(' ')
    }

    pub(super) fn may_stand_in(&self, place: Places) -> bool {
        self.places & place != 0
    }

    pub(super) fn has_block(&self) -> bool {
        matches!(self.meaning, Meaning::Block | Meaning::Data)
            || self.names().any(|name| OTHER_BLOCKS.contains(&name))
    }

    pub(super) fn takes(&self, words: usize) -> bool {
        (self.words.0..=self.words.1).contains(&words)
    }

    /// How many words it takes, for a message.
    pub(super) fn expected(&self) -> String {
        let words = |count: usize| match count {
            0 => "no words".to_owned(),
            1 => "one word".to_owned(),
            count => format!("{count} words"),
        };
        match self.words {
            (least, most) if least == most => words(least),
            (least, MANY) => format!("{} or more", words(least)),
            (least, most) => format!("{least} to {most} words"),
        }
    }

    /// Where it may stand, for a message.
    pub(super) fn belongs(&self) -> String {
        const NAMES: [(Places, &str); 9] = [
            (MAIN, "outside of all blocks"),
            (EVENTS, "in `events`"),
            (HTTP, "in `http`"),
            (SERVER, "in `server`"),
            (LOCATION, "in `location`"),
            (SERVER_IF, "in an `if` of a `server`"),
            (LOCATION_IF, "in an `if` of a `location`"),
            (LIMIT_EXCEPT, "in `limit_except`"),
            (UPSTREAM, "in `upstream`"),
        ];
        let places = NAMES.iter().filter(|(place, _)| self.may_stand_in(*place));
        let places: Vec<_> = places.map(|(_, name)| *name).collect();
        places.join(", ")
    }

    /// What becomes of a directive that no part has looked at.
    pub(super) fn verdict(&self, directive: &Directive) -> Verdict {
        let is_off = matches!(directive.word(0), Some("off" | "0" | "none"));
        match self.meaning {
            Meaning::Read | Meaning::Block | Meaning::Data => Verdict::Honoured,
            Meaning::Harmless(why) => Verdict::Harmless(why.to_owned()),
            Meaning::Replaced(by) => Verdict::Replaced(by.to_owned()),
            Meaning::UnlessOff(_) | Meaning::Guards(_) if is_off => {
                Verdict::Harmless("it is off here as well".to_owned())
            }
            Meaning::Refused(why) | Meaning::UnlessOff(why) | Meaning::Guards(why) => {
                Verdict::Refused(why.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_stands_there_once() {
        let mut names: Vec<_> = all().flat_map(Known::names).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for known in all() {
            assert!(!known.belongs().is_empty(), "{}", known.names);
            assert!(known.words.0 <= known.words.1, "{}", known.names);
        }
    }

    #[test]
    fn the_nearest_name_is_found_where_it_may_stand() {
        assert_eq!(nearest("proxy_pas", LOCATION), Some("proxy_pass"));
        assert_eq!(nearest("proxy_pas", EVENTS), None);
        assert_eq!(nearest("xyzzy", LOCATION), None);
    }
}
