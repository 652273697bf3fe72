//! Registry tokens: the JSON Web Tokens that a token server gives to clients, in
//! the form of distribution's token authentication.
//!
//! [`TokenVerifier`] is what a registry holds. [`Scope`] is what clients ask for,
//! [`PublicKey`] and [`key_id`] are for those who give out tokens as well.

mod access;
mod bounded;
mod chain;
mod claims;
mod error;
mod header;
mod jwk;
pub mod key_id;
mod keys;
mod public_key;
mod remembered;
mod scope;
#[cfg(test)]
mod testing;
mod verifier;

pub use access::Access;
pub use claims::Claims;
pub use error::{TokenConfigError, TokenError};
pub use public_key::{KeyError, PublicKey};
pub use scope::{Scope, ScopeError};
pub use verifier::TokenVerifier;
