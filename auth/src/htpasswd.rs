//! htpasswd files: `user:hash`, one a line.
//!
//! Three views of one file: [`Document`] keeps every line as it is, and edits
//! it; [`Users`] is what a server looks names up in, and what it complains of;
//! [`read`] and [`write`](write()) are the way from and to the disk.

mod document;
mod encoding;
mod error;
mod file;
mod problem;
mod stand_in;
mod user_name;
mod users;

pub use document::{Change, Check, Document};
pub use encoding::{Encoding, EncodingError, EncodingProblem};
pub use error::HtpasswdError;
pub use file::{read, write};
pub use problem::{Problem, ProblemKind, Weakness};
pub use user_name::{UserName, UserNameError};
pub use users::{User, Users, WeakHashes};
