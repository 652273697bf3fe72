//! `[[site]]` and `[[map]]`: virtual servers, in the notation of nginx where a
//! value has one. These sections are written as well as read: see
//! [`super::write`].

mod read;
mod sections;
pub(super) mod written;

pub(super) use self::read::{Reader, translations};
pub(super) use self::sections::{MapSection, SiteSection};

/// What is wrong with a section: there is no place for a single value of it.
pub(super) type Wrong = String;
