//! The nouns of the OCI specifications, parsed once at the edge.
//!
//! A value of a type in here is valid: a [`RepoName`] keeps the grammar, a
//! [`Digest`] has an algorithm that is supported and as much hex as it needs,
//! a [`Manifest`] has every field that its type requires. Nothing in here
//! does input or output, and nothing knows of HTTP.

mod digest;
mod manifest;
mod media_type;
mod name;
mod reference;
mod references;

pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use manifest::{Descriptor, MANIFEST_SIZE_LIMIT, Manifest, ManifestError};
pub use media_type::ManifestType;
pub use name::{NameError, RepoName};
pub use reference::{Reference, ReferenceError, Tag, TagError};
pub use references::References;
