//! What is told of the requests that a place of a site does not let in: nobody
//! behind it hears of them.

use std::net::IpAddr;

use http::request::Parts;
use tidegate_auth::Identity;

/// Hears of each request that a place refuses by its address or its password, and
/// not of those that are asked for a password and have sent none.
pub trait Refusals: Send + Sync {
    /// A request was refused.
    fn refused(&self, refused: &Refused<'_>);
}

/// A request that was not let in.
#[derive(Debug)]
pub struct Refused<'a> {
    /// Method, target and fields, as the client sent them.
    pub request: &'a Parts,
    /// The address of the client itself.
    pub client: IpAddr,
    /// The status that it is answered with: 401, 403 or 429.
    pub status: u16,
    /// Whom the client believes to be, if its password was looked at and there is
    /// such a user.
    pub claimed: Option<Identity>,
}
