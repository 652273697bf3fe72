//! YAML that was written for another program: a tree whose parts know where they
//! stand, read key by key, so that of every key it is said what becomes of it.

pub(crate) mod report;
pub(crate) mod schema;
pub(crate) mod section;
pub(crate) mod tree;
pub(crate) mod value;
