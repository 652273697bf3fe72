//! What is measured: one file for each kind of work.

mod cold;
mod collect;
mod docker;
mod flood;
mod handshake;
mod head;
mod huge;
mod idle;
mod lists;
mod manifest;
mod memory;
mod mixed;
mod mount;
mod ping;
mod pull;
mod push;
mod push_small;
mod rights;
mod small;

use std::time::Duration;

use crate::bench::args::Effort;
use crate::bench::fixture::Fixture;
use crate::bench::kind::Kind;
use crate::bench::report::Heading;
use crate::bench::server::Server;
use crate::error::Error;

/// One kind of work.
pub(crate) trait Case {
    /// What it is called, and what is measured, in the order of
    /// [`Case::measure`]'s figures.
    fn heading(&self) -> Heading;

    /// Which servers can do it.
    fn servers(&self) -> &'static [Kind] {
        Kind::REGISTRIES
    }

    /// Whether it takes so much time or room that it is done only if the user
    /// names it.
    fn must_be_named(&self) -> bool {
        false
    }

    /// How often it is measured.
    fn rounds(&self, effort: Effort) -> usize {
        effort.rounds
    }

    /// Does, once for each server, what must not be measured: checks that the
    /// answers are right, and warms what users would find warm.
    fn prepare(&mut self, _server: &Server, _fixture: &Fixture) -> Result<(), Error> {
        Ok(())
    }

    /// Does the work once and returns a figure for each metric.
    fn measure(
        &mut self,
        server: &Server,
        fixture: &Fixture,
        effort: Effort,
    ) -> Result<Vec<f64>, Error>;
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for is time: no server tells that it has come to rest"
)]
fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// All of them, in the order of a run: memory is looked at last.
fn all() -> Vec<Box<dyn Case>> {
    vec![
        Box::new(manifest::ManifestGet::over_1()),
        Box::new(manifest::ManifestGet::over_16()),
        Box::new(manifest::ManifestGet::over_256()),
        Box::new(head::HeadBlob),
        Box::new(ping::Ping),
        Box::new(pull::Pull::one_over_http_1()),
        Box::new(pull::Pull::four_over_http_1()),
        Box::new(pull::Pull::one_over_http_2()),
        Box::new(pull::Pull::four_over_http_2()),
        Box::<cold::PullCold>::default(),
        Box::new(small::PullSmall::default()),
        Box::new(push::Push::over_http_1()),
        Box::new(push::Push::over_http_2()),
        Box::new(push_small::PushSmall::default()),
        Box::new(huge::PushHuge::default()),
        Box::new(mixed::Mixed::pull()),
        Box::new(mixed::Mixed::push()),
        Box::new(mixed::Mixed::both()),
        Box::new(mount::Mount::default()),
        Box::new(flood::Flood),
        Box::new(handshake::Handshakes::full()),
        Box::new(handshake::Handshakes::resumed()),
        Box::new(docker::Docker::default()),
        Box::new(rights::Rights::default()),
        Box::new(lists::Lists),
        Box::new(collect::Collect),
        Box::new(idle::Idle::default()),
        Box::new(memory::ResidentMemory),
    ]
}

/// What the report may show, in its order.
pub(crate) fn headings() -> Vec<Heading> {
    all().iter().map(|case| case.heading()).collect()
}

/// Those that the user named, by their whole name or the words it begins with;
/// without names, all but the largest.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<Box<dyn Case>>, Error> {
    let mut cases = all();
    if let Some(unknown) = names
        .iter()
        .find(|name| !cases.iter().any(|case| is_meant(case.as_ref(), name)))
    {
        let known: Vec<_> = cases.iter().map(|case| case.heading().name).collect();
        return Err(Error::UnknownCase {
            name: unknown.clone(),
            known: known.join(", "),
        });
    }
    cases.retain(|case| {
        if names.is_empty() {
            return !case.must_be_named();
        }
        names.iter().any(|name| is_meant(case.as_ref(), name))
    });
    Ok(cases)
}

fn is_meant(case: &dyn Case, name: &str) -> bool {
    case.heading()
        .name
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Case, all, chosen, headings};
    use crate::bench::kind::Kind;

    fn names(chosen: &[Box<dyn Case>]) -> Vec<&'static str> {
        chosen.iter().map(|case| case.heading().name).collect()
    }

    #[test]
    fn every_case_has_its_own_name_and_something_to_measure() {
        let headings = headings();
        let names: HashSet<_> = headings.iter().map(|heading| heading.name).collect();
        assert_eq!(names.len(), headings.len());
        assert!(headings.iter().all(|heading| !heading.metrics.is_empty()));
    }

    #[test]
    fn tidegate_is_measured_beside_the_recipe_in_every_case() {
        for case in all() {
            let servers = case.servers();
            let name = case.heading().name;
            assert!(
                Kind::PAIR.iter().all(|kind| servers.contains(kind)),
                "{name}"
            );
        }
    }

    #[test]
    fn without_names_all_but_the_largest_are_run_and_memory_last() {
        let cases = chosen(&[]).unwrap();
        assert!(cases.iter().all(|case| !case.must_be_named()));
        assert_eq!(names(&cases).last(), Some(&"memory"));
    }

    #[test]
    fn named_cases_are_run_in_the_usual_order() {
        let cases = chosen(&["push-http1".to_owned(), "manifest".to_owned()]).unwrap();
        assert_eq!(
            names(&cases),
            ["manifest-1", "manifest-16", "manifest-256", "push-http1"]
        );
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let Err(error) = chosen(&["pul".to_owned()]) else {
            panic!("`pul` was taken for a case");
        };
        let start = "no such case: `pul`; the cases are manifest-1, manifest-16, ";
        assert!(error.to_string().starts_with(start), "{error}");
    }
}
