//! `tidegate doctor`, against a right server and against many wrong ones: each
//! of them is real, and wrong in one thing.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

#[path = "../harness/mod.rs"]
mod harness;

mod api;
mod certificates;
mod identity;
mod nginx;
mod port;
mod push;
mod registry;
mod right;
mod server;

use std::path::Path;

use serde_json::Value;

/// What the doctor said.
pub(crate) struct Diagnosis {
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
}

/// Has a registry examined. `root` is the machine whose clients are looked at.
pub(crate) fn doctor(site: &str, root: &Path, args: &[&str], stdin: &str) -> Diagnosis {
    let mut all = vec!["doctor", site, "--json", "--root", text(root)];
    all.extend(args);
    let finished = harness::run(all, stdin);
    let report = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", finished.stdout, finished.stderr));
    let diagnosis = Diagnosis {
        code: finished.code,
        report,
    };
    // The exit code and `ok` follow from the checks, always.
    let failed = diagnosis.checks().any(|check| check["status"] == "fail");
    assert_eq!(diagnosis.report["ok"], !failed);
    assert_eq!(diagnosis.code, Some(i32::from(failed)));
    diagnosis
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

impl Diagnosis {
    fn checks(&self) -> impl Iterator<Item = &Value> {
        self.report["checks"].as_array().expect("checks").iter()
    }

    /// Those of one subject; only trust has several.
    pub(crate) fn all(&self, subject: &str) -> Vec<&Value> {
        self.checks().filter(|c| c["check"] == subject).collect()
    }

    /// Checks status, and that text and hint together say something.
    #[track_caller]
    pub(crate) fn expect(&self, subject: &str, status: &str, said: &str) -> &Self {
        let check = self.only(subject);
        let words = format!("{} {}", check["text"], check["hint"]);
        assert_eq!(check["status"], status, "{:#}", self.report);
        assert!(words.contains(said), "{said:?} is not in {words}");
        self
    }

    /// Checks that these failed, each with a remedy, and no others.
    #[track_caller]
    pub(crate) fn expect_failures(&self, subjects: &[&str]) -> &Self {
        let failed: Vec<_> = self.checks().filter(|c| c["status"] == "fail").collect();
        let names: Vec<_> = failed
            .iter()
            .map(|c| c["check"].as_str().unwrap())
            .collect();
        assert_eq!(names, subjects, "{:#}", self.report);
        assert!(failed.iter().all(|c| c["hint"].is_string()));
        self
    }

    fn only(&self, subject: &str) -> &Value {
        match self.all(subject).as_slice() {
            [one] => one,
            other => panic!("{subject}: {other:?} in {:#}", self.report),
        }
    }
}

/// Whether a program is missing; then the test is skipped, or fails where it
/// must not be.
pub(crate) fn missing(program: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|dir| dir.join(program).is_file());
    if !found {
        assert!(
            std::env::var_os("TIDEGATE_REQUIRE_CLIENTS").is_none(),
            "{program} not found, and TIDEGATE_REQUIRE_CLIENTS is set"
        );
        eprintln!("skipped: {program} not found");
    }
    !found
}
