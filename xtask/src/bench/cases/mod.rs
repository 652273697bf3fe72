//! What is measured: one file for each kind of work.

mod collect;
mod handshake;
mod lists;
mod manifest;
mod memory;
mod pull;
mod push;
mod rights;

use crate::bench::Effort;
use crate::bench::fixture::Fixture;
use crate::bench::report::Metric;
use crate::bench::server::Server;
use crate::error::Error;

/// One kind of work.
pub(crate) trait Case {
    /// What `--only` calls it.
    fn name(&self) -> &'static str;

    /// What the report calls it.
    fn title(&self) -> &'static str;

    /// What is measured, in the order of [`Case::measure`]'s figures.
    fn metrics(&self) -> &'static [Metric];

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

/// All of them, in the order of a run: memory is looked at last.
fn all() -> Vec<Box<dyn Case>> {
    vec![
        Box::new(manifest::ManifestGet),
        Box::new(pull::Pull::over_http_1()),
        Box::new(pull::Pull::over_http_2()),
        Box::new(push::Push::default()),
        Box::new(handshake::Handshakes),
        Box::new(rights::Rights::default()),
        Box::new(lists::Lists),
        Box::new(collect::Collect),
        Box::new(memory::ResidentMemory),
    ]
}

/// Those that the user named, or all if there were none.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<Box<dyn Case>>, Error> {
    let mut cases = all();
    if let Some(unknown) = names
        .iter()
        .find(|name| cases.iter().all(|case| case.name() != name.as_str()))
    {
        let known: Vec<_> = cases.iter().map(|case| case.name()).collect();
        return Err(Error::UnknownCase {
            name: unknown.clone(),
            known: known.join(", "),
        });
    }
    if !names.is_empty() {
        cases.retain(|case| names.iter().any(|name| name == case.name()));
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{all, chosen};

    #[test]
    fn every_case_has_its_own_name_and_something_to_measure() {
        let names: HashSet<_> = all().iter().map(|case| case.name()).collect();
        assert_eq!(names.len(), all().len());
        assert!(all().iter().all(|case| !case.metrics().is_empty()));
    }

    #[test]
    fn without_names_all_are_run_and_memory_last() {
        let cases = chosen(&[]).unwrap();
        assert_eq!(cases.len(), all().len());
        assert_eq!(cases.last().unwrap().name(), "memory");
    }

    #[test]
    fn named_cases_are_run_in_the_usual_order() {
        let cases = chosen(&["push".to_owned(), "manifest".to_owned()]).unwrap();
        let names: Vec<_> = cases.iter().map(|case| case.name()).collect();
        assert_eq!(names, ["manifest", "push"]);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let Err(error) = chosen(&["pul".to_owned()]) else {
            panic!("`pul` was taken for a case");
        };
        assert_eq!(
            error.to_string(),
            "no such case: `pul`; the cases are manifest, pull-http1, pull-http2, push, \
             handshake, rights, lists, collect, memory"
        );
    }
}
