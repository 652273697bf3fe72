//! What was found of each repository, to look at that first the next time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::store::filesystem::opened::Stamp;

/// How many repositories are remembered: about 10 MiB.
const MOST: usize = 32 * 1024;

/// What says of directories by their names, below that of all repositories,
/// what kind of repositories they are. It has to be looked at again each time.
///
/// A page asks for two thousand, in less time than a cache takes to note which
/// of them were used last.
#[derive(Debug, Default)]
pub(in super::super) struct Witnesses {
    by_name: RwLock<HashMap<Box<str>, Witness>>,
}

#[derive(Debug, Default)]
struct Witness {
    link: Option<Arc<str>>,
    childless: Option<Stamp>,
}

impl Witnesses {
    /// A link that says that a repository has a manifest: its path below the
    /// directory of all repositories.
    pub(super) fn link(&self, name: &str) -> Option<Arc<str>> {
        self.ask(name, |witness| witness.link.clone())
    }

    /// The stamp that a directory has if no repository is below it.
    pub(super) fn childless(&self, name: &str) -> Option<Stamp> {
        self.ask(name, |witness| witness.childless)
    }

    pub(super) fn set_link(&self, name: &str, link: &str) {
        self.change(name, |witness| witness.link = Some(link.into()));
    }

    pub(super) fn set_childless(&self, name: &str, stamp: Stamp) {
        self.change(name, |witness| witness.childless = Some(stamp));
    }

    fn ask<T>(&self, name: &str, what: impl FnOnce(&Witness) -> Option<T>) -> Option<T> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(name).and_then(what)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Witness)) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(witness) = by_name.get_mut(name) {
            return change(witness);
        }
        // Whatever is needed again is found again.
        if by_name.len() >= MOST {
            by_name.clear();
        }
        change(by_name.entry(name.into()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered() {
        let witnesses = Witnesses::default();
        for number in 0..=MOST {
            let name = format!("app-{number}");
            witnesses.set_link(&name, "before");
            witnesses.set_link(&name, &name);
            assert_eq!(witnesses.link(&name).as_deref(), Some(&*name));
            assert_eq!(witnesses.childless(&name), None);
            assert!(witnesses.by_name.read().unwrap().len() <= MOST);
        }
        assert_eq!(witnesses.link("app-0"), None);
    }
}
