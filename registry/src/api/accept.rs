//! What a client says it can read (RFC 9110 section 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

use crate::oci::ManifestType;

/// Whether `Accept` names the type, or a range that it lies in. Of several
/// ranges the closest one counts, and a weight of 0 says no.
///
/// Without the header the answer is no, though the standard would have it be
/// yes: this is asked only where clients of before schema 2 are served, and
/// those send none.
pub(super) fn names(headers: &HeaderMap, wanted: ManifestType) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| closeness(range, wanted.as_str()))
        .max_by_key(|(closeness, _)| *closeness)
        .is_some_and(|(_, accepted)| accepted)
}

/// How closely a range describes the type, if it does, and whether it is
/// accepted by it.
fn closeness(range: &str, wanted: &str) -> Option<(u8, bool)> {
    let mut parts = range.split(';').map(str::trim);
    let closeness = match parts.next()? {
        essence if essence.eq_ignore_ascii_case(wanted) => 2,
        essence if essence.eq_ignore_ascii_case("application/*") => 1,
        "*/*" => 0,
        _ => return None,
    };
    let weight = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim_end()
            .eq_ignore_ascii_case("q")
            .then(|| value.trim_start())
    });
    let refused = weight.is_some_and(|weight| weight.parse::<f32>() == Ok(0.0));
    Some((closeness, !refused))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn named(values: &[&str]) -> bool {
        let values = values.iter().map(|value| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (ACCEPT, value)
        });
        names(&values.collect(), ManifestType::DockerManifest)
    }

    #[test]
    fn the_type_is_found_in_any_spelling() {
        let schema2 = "application/vnd.docker.distribution.manifest.v2+json";
        for values in [
            &[schema2][..],
            &["text/html", schema2],
            &["text/html, Application/VND.docker.distribution.manifest.v2+json ; q=0.1"],
            &["*/*"],
            &["text/html, */*;q=0.8"],
            &["application/*"],
            &["*/*;q=0, application/vnd.docker.distribution.manifest.v2+json"],
        ] {
            assert!(named(values), "{values:?}");
        }
        for values in [
            &[][..],
            &[""],
            &["application/json", "text/html"],
            &["application/vnd.docker.distribution.manifest.v2"],
            &["application/vnd.docker.distribution.manifest.v1+prettyjws"],
            &["*/*;q=0"],
            &["*/*, application/vnd.docker.distribution.manifest.v2+json; Q = 0.000"],
            &["\u{e4}"],
        ] {
            assert!(!named(values), "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(value in "[ -~]{0,80}") {
            named(&[&value]);
        }
    }
}
