//! The example for compose, read by docker-compose itself.

use std::path::Path;
use std::process::Command;

use crate::harness::finish;
use crate::missing;

#[test]
fn the_example_is_what_compose_reads() {
    if missing(&["docker-compose"]) {
        return;
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/compose.yaml");
    let text = fs_err::read_to_string(example).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("compose.yaml");
    let read = |text: &str| {
        fs_err::write(&file, text).unwrap();
        let mut command = Command::new("docker-compose");
        command.arg("-f").arg(&file).arg("config");
        finish(command, "")
    };
    let shown = read(&text);
    shown.assert_ok();
    assert!(
        shown.stdout.contains("no-new-privileges:true"),
        "{}",
        shown.stdout
    );
    // It would have said so.
    let wrong = read(&text.replace("read_only:", "readonly:"));
    assert_ne!(wrong.code, Some(0));
    assert!(wrong.stderr.contains("readonly"), "{}", wrong.stderr);
}
