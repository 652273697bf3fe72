//! What several tests need.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use crate::{Ca, CaOptions, KeyKind, make_ca};

/// A CA with a key of each kind; RSA keys take seconds to make.
pub(crate) static CAS: LazyLock<[(KeyKind, Ca); 5]> = LazyLock::new(|| {
    KeyKind::ALL.map(|key| {
        let options = CaOptions {
            key,
            ..CaOptions::default()
        };
        (key, make_ca(&options).unwrap())
    })
});

/// What `openssl` prints when run in a directory. `None`, and a note on
/// standard error, where there is none to run.
///
/// # Panics
/// If it fails.
pub(crate) fn openssl(directory: &Path, arguments: &[&str]) -> Option<String> {
    match Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
    {
        Ok(output) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let all = text(&output.stdout) + &text(&output.stderr);
            assert!(output.status.success(), "openssl {arguments:?}: {all}");
            Some(all)
        }
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "whoever reads the test's output should know"
            )]
            {
                eprintln!("skipped: openssl not found ({error})");
            }
            None
        }
    }
}
