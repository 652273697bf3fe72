//! The registry in this process in place of the one that requests are passed to.

use crate::site::{Action, PathMatch, Place, Proxy, Site, UpstreamServer};

/// What clients of a registry ask for.
const ASKED: [&str; 7] = [
    "/v2/",
    "/v2/_catalog",
    "/v2/library/alpine/tags/list",
    "/v2/library/alpine/manifests/latest",
    "/v2/library/alpine/blobs/sha256:0",
    "/v2/library/alpine/blobs/uploads/",
    "/v2/library/alpine/referrers/sha256:0",
];

/// What became of a proxy.
pub(super) enum Replaced {
    /// The registry stands in its place.
    Yes,
    /// It cannot: paths come to it changed.
    OtherPaths,
}

/// Puts the registry in the place of each proxy that answers what clients ask
/// for, and of all others that lead to the same servers. Says what became of
/// them, each named by what it was.
pub(super) fn replace(sites: &mut [Site]) -> Vec<(Proxy, Replaced)> {
    let mut done = Vec::new();
    let mut registries: Vec<Vec<UpstreamServer>> = Vec::new();
    for site in &*sites {
        for path in ASKED {
            let chosen = chosen(&site.places, path);
            if let Some(Action::Proxy(proxy)) = chosen.map(|place| &place.action)
                && !registries.contains(&proxy.servers)
            {
                registries.push(proxy.servers.clone());
            }
        }
    }
    for place in sites.iter_mut().flat_map(|site| &mut site.places) {
        let Action::Proxy(proxy) = &place.action else {
            continue;
        };
        if !registries.contains(&proxy.servers) {
            continue;
        }
        let proxy = (**proxy).clone();
        let keeps_path = proxy.target.is_none()
            && match (&proxy.path, &place.path) {
                (None, _) => true,
                (Some(to), PathMatch::Prefix { path, .. } | PathMatch::Exact(path)) => to == path,
                (Some(_), PathMatch::Expression(_)) => false,
            };
        if keeps_path {
            place.action = Action::Registry;
            done.push((proxy, Replaced::Yes));
        } else {
            done.push((proxy, Replaced::OtherPaths));
        }
    }
    done
}

/// The place of a path, as nginx chooses it.
fn chosen<'p>(places: &'p [Place], asked: &str) -> Option<&'p Place> {
    let exact = places
        .iter()
        .find(|place| matches!(&place.path, PathMatch::Exact(path) if path == asked));
    if exact.is_some() {
        return exact;
    }
    let length = |place: &&Place| match &place.path {
        PathMatch::Prefix { path, .. } if asked.starts_with(path.as_str()) => Some(path.len()),
        _ => None,
    };
    let longest = places
        .iter()
        .filter(|place| length(place).is_some())
        .max_by_key(length);
    if longest.is_some_and(|place| matches!(place.path, PathMatch::Prefix { is_final: true, .. })) {
        return longest;
    }
    let finds = |place: &&Place| matches!(&place.path, PathMatch::Expression(expression) if expression.is_found_in(asked));
    places.iter().find(finds).or(longest)
}
