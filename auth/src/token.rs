//! Registry tokens: the JSON Web Tokens that a token server gives to clients, in
//! the form of distribution's token authentication.

pub mod key_id;
mod public_key;
mod scope;

pub use public_key::{KeyError, PublicKey};
pub use scope::{Scope, ScopeError};
