//! Docker's "Image Manifest Version 2, Schema 1": what clients before Docker
//! 1.10 push and pull.
//!
//! A schema 1 manifest is a JSON document that carries its own signatures. What
//! is signed, stored and named by a digest is the document without them, its
//! *payload*; the signatures are made again, with the registry's own key,
//! whenever the manifest is served, as distribution does. They show that the
//! document is whole and nothing about who made it.
//!
//! - [`Jws`] reads a signed document and verifies it;
//! - [`SigningKey`] writes one;
//! - [`Schema1Manifest`] reads a payload;
//! - [`convert()`] makes a payload from an image of schema 2.
//!
//! Nothing in here does input or output, and nothing knows of HTTP or a store.

mod convert;
mod go_json;
mod jws;
mod manifest;
mod public_key;
mod signing;

pub use convert::{ConvertError, EMPTY_LAYER, convert, empty_layer, linux_amd64};
pub use jws::{Jws, JwsError, SignatureError, Unverified};
pub use manifest::{PayloadError, Schema1Manifest, layers_of_stored};
pub use public_key::{KeyId, PublicKeyError};
pub use signing::{SignError, SigningKey, SigningKeyError};
