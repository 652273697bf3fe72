//! Pushes of many blobs by the workspace's own `bench-client`.

use std::process::Command;

use crate::bench::blob::Blob;
use crate::bench::fixture::{AUTHORIZATION, Fixture, REPOSITORY};
use crate::bench::server::Server;
use crate::error::Error;
use crate::process;

/// Pushes `blobs`, each by POST, PATCH and PUT over one of so many kept
/// connections, and returns how long it took, in seconds: from the first
/// request, its handshake included, to the last answer.
pub(crate) fn push(
    server: &Server,
    fixture: &Fixture,
    connections: usize,
    blobs: &[Blob],
) -> Result<f64, Error> {
    let list: Vec<_> = blobs
        .iter()
        .map(|blob| serde_json::json!({ "file": blob.file, "digest": blob.digest }))
        .collect();
    let plan = serde_json::json!({
        "uploads": server.url(&format!("/v2/{REPOSITORY}/blobs/uploads/")),
        "authority": server.site.authority,
        "authorization": AUTHORIZATION.trim_start_matches("Authorization: "),
        "connections": connections,
        "blobs": list,
    });
    let file = tempfile::NamedTempFile::new()?;
    fs_err::write(file.path(), plan.to_string())?;
    let mut command = Command::new(&fixture.pusher);
    command.arg(file.path());
    let said = process::output(&mut command)?;
    parse(&said, blobs.len()).ok_or_else(|| Error::Answer {
        command: process::shown(&command),
        got: said,
        expected: format!("`pushed {} MICROSECONDS`", blobs.len()),
    })
}

/// How long it took, in seconds; `None` if not all were pushed.
fn parse(said: &str, count: usize) -> Option<f64> {
    let (pushed, micros) = said.trim_end().strip_prefix("pushed ")?.split_once(' ')?;
    let pushed: usize = pushed.parse().ok()?;
    let micros: u32 = micros.parse().ok()?;
    (pushed == count && micros > 0).then_some(f64::from(micros) / 1e6)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn all_must_have_been_pushed() {
        assert_eq!(parse("pushed 100 250000\n", 100), Some(0.25));
        assert_eq!(parse("pushed 99 250000\n", 100), None);
        assert_eq!(parse("pushed 100 0\n", 100), None);
        assert_eq!(parse("pushed 100 -5\n", 100), None);
        assert_eq!(parse("POST: status 500, expected 202\n", 100), None);
    }
}
