//! The tags of a repository, 100,000 of them at once if need be.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::names::{Names, Unsorted};
use crate::oci::Tag;

/// One page of the tags of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPage {
    /// The tags, in byte order.
    pub items: Tags,
    /// Whether more come after them.
    pub more: bool,
}

/// Tags in byte order.
///
/// They lie in one piece of memory, which a store may go on sharing: a [`Tag`]
/// for each would take longer to make than to send.
#[derive(Clone)]
pub struct Tags {
    names: Arc<Names>,
    /// Which of the names are meant, in their order.
    runs: Vec<Range<usize>>,
}

impl Tags {
    /// Puts tags in order.
    ///
    /// # Errors
    ///
    /// Beyond 4 GiB of them.
    pub fn sorted<'a>(tags: impl IntoIterator<Item = &'a Tag>) -> io::Result<Self> {
        let mut names = Unsorted::default();
        for tag in tags {
            names.push(&[tag.as_str()])?;
        }
        let names = Arc::new(names.sort());
        let all = names.from(|_| false);
        Ok(Self::among(names, vec![all]))
    }

    /// Some of `names`, each of which is a tag: those in `runs`, which follow
    /// each other.
    pub(super) fn among(names: Arc<Names>, runs: Vec<Range<usize>>) -> Self {
        Self { names, runs }
    }

    /// The tags as text.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        let indices = self.runs.iter().cloned().flatten();
        indices.map(|index| self.names.at(index))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs.iter().map(ExactSizeIterator::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tags one by one.
    pub fn to_vec(&self) -> Vec<Tag> {
        let parse = |name: &str| name.parse().expect("whatever is put in here is a tag");
        self.iter().map(parse).collect()
    }
}

impl PartialEq for Tags {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Tags {}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> Vec<Tag> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn tags_are_put_in_order() {
        let sorted = Tags::sorted(&tags(&["b", "10", "9", "a"])).unwrap();
        assert_eq!(sorted.to_vec(), tags(&["10", "9", "a", "b"]));
        assert_eq!((sorted.len(), sorted.is_empty()), (4, false));
        let none = Tags::sorted(&[]).unwrap();
        assert_eq!((none.iter().next(), none.is_empty()), (None, true));
    }

    #[test]
    fn what_counts_is_what_is_meant() {
        let all = Tags::sorted(&tags(&["a", "b", "c", "d"])).unwrap();
        let some = Tags::among(all.names, vec![0..1, 2..2, 2..4]);
        assert_eq!(some, Tags::sorted(&tags(&["a", "c", "d"])).unwrap());
        assert_ne!(some, Tags::sorted(&tags(&["a", "c"])).unwrap());
        assert_eq!(some.len(), 3);
        assert_eq!(some.iter().next_back(), Some("d"));
        assert_eq!(format!("{some:?}"), r#"["a", "c", "d"]"#);
    }
}
