//! `[[site]]` and `[[map]]`: virtual servers, in the notation of nginx where a
//! value has one. These sections are written as well as read: see
//! [`super::write`].

mod read;
mod sections;
pub(super) mod written;

use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use self::read::{Reader, translations};
pub(super) use self::sections::{MapSection, SiteSection};
use crate::settings::Listener;
use crate::site::{Names, Site, named_groups};

/// What is wrong with a section: there is no place for a single value of it.
pub(super) type Wrong = String;

/// The sites; or the place of the first that is wrong, and what is wrong with it.
pub(super) fn sites(
    sections: Vec<Spanned<SiteSection>>,
    maps: Vec<MapSection>,
    base: &Path,
    listeners: &[Listener],
) -> Result<Vec<Site>, (Range<usize>, String)> {
    let mut captures = Vec::new();
    for section in &sections {
        let texts = section.get_ref().expressions().into_iter();
        captures.extend(texts.flat_map(named_groups));
    }
    captures.extend(
        maps.iter()
            .flat_map(MapSection::expressions)
            .flat_map(named_groups),
    );
    let translations = translations(maps, &captures).map_err(|message| (0..0, message))?;
    let reader = Reader {
        base,
        listeners,
        names: Names {
            translations: &translations,
            captures: &captures,
        },
    };
    let mut sites = Vec::with_capacity(sections.len());
    for section in sections {
        let span = section.span();
        let site = reader.site(section.into_inner());
        sites.push(site.map_err(|message| (span, message))?);
    }
    choose_defaults(&mut sites, listeners.len());
    for (index, listener) in listeners.iter().enumerate() {
        let attached = sites.iter().flat_map(|site| &site.attachments);
        let defaults = attached.filter(|at| at.listener == index && at.is_default);
        if defaults.count() > 1 {
            let message = format!("two sites are the default at {}", listener.address);
            return Err((0..0, message));
        }
    }
    Ok(sites)
}

/// Has each listener answer for unknown names: by the first of its sites, where
/// none is said to.
fn choose_defaults(sites: &mut [Site], listeners: usize) {
    for listener in 0..listeners {
        let attached = sites.iter_mut().flat_map(|site| &mut site.attachments);
        let mut attached: Vec<_> = attached.filter(|at| at.listener == listener).collect();
        if !attached.iter().any(|at| at.is_default)
            && let Some(first) = attached.first_mut()
        {
            first.is_default = true;
        }
    }
}
