//! Certificate authorities and the site certificates that they sign.
//!
//! [`make_ca`] and [`Ca::load`] give a [`Ca`]; [`Ca::issue`] a certificate for a
//! server, [`Ca::issue_client`] one for a client, [`Ca::sign_request`] one for a
//! key that others keep; [`renew`] puts a new one in place of an old one.
//! [`write_pair`] puts a certificate and its key on the disk, both or
//! neither; [`Certificate`] tells what a file holds. [`ensure_ca`] and
//! [`ensure_site`] join these for whoever wants a pair to be there, made now or
//! before.
//!
//! Private keys appear in no error, no log and no `Debug` output of this crate.

mod atomic;
mod ca;
pub mod cli;
mod client;
mod crl;
mod csr;
mod email;
mod ensure;
mod error;
mod files;
mod inspect;
mod key;
mod leaf;
mod name;
mod p12;
mod passphrase;
mod pem;
mod renew;
pub mod report;
mod request;
mod san;
mod self_signed;
mod sign;
mod site;
mod subject;
pub mod trust;
mod validity;

#[cfg(test)]
mod testing;

pub use ca::{Ca, CaOptions, make_ca};
pub use client::{ClientName, ClientNameError, ClientOptions};
pub use crl::{Reason, RevocationError, RevocationList, Revoked, Serial};
pub use csr::{NewRequest, RequestOptions, make_request};
pub use email::{EmailAddress, EmailError};
pub use ensure::{Origin, ensure_ca, ensure_site};
pub use error::CertsError;
pub use files::{
    Overwrite, Pair, PairName, PairNameError, PairPaths, PairState, replace_pair, write_pair,
    write_request, write_signed,
};
pub use inspect::Certificate;
pub use key::{Key, KeyKind, UnknownKeyKind};
pub use name::{HostName, HostNameError};
pub use p12::{P12Encryption, p12};
pub use passphrase::Passphrase;
pub use renew::{RenewKey, RenewOptions, renew, signing_ca_beside};
pub use request::{Request, RequestProblem};
pub use san::San;
pub use self_signed::self_signed;
pub use sign::{Purpose, SignOptions, SignedRequest};
pub use site::{Issued, SiteOptions};
pub use subject::{Subject, SubjectError};
