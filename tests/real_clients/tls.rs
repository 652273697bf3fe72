//! What speaks to the front before any registry client does: curl, openssl.

use std::process::Command;

use crate::harness::image::noise;
use crate::harness::{finish, up};
use crate::{MIB, missing};

#[test]
fn curl_reads_why_it_was_refused_in_the_middle_of_sending() {
    if missing(&["curl"]) {
        return;
    }
    let tidegate = up().start();
    let dir = tempfile::tempdir().unwrap();
    let layer = dir.path().join("layer");
    fs_err::write(&layer, noise(15, 64 * MIB)).unwrap();
    for version in ["--http1.1", "--http2"] {
        for encoding in ["Expect:", "Transfer-Encoding: chunked"] {
            let mut command = Command::new("curl");
            command
                .args(["--silent", "--show-error", "--include", version])
                .args(["--user", "admin:wrong", "--header", encoding])
                .args(["--request", "PATCH", "--upload-file"])
                .arg(&layer)
                .arg("--cacert")
                .arg(tidegate.ca())
                .arg(tidegate.url("/v2/a/blobs/uploads/x"));
            let finished = finish(command, "");
            assert!(
                finished.stdout.contains(" 401") && finished.stdout.contains("UNAUTHORIZED"),
                "{version} {encoding}: {}{}",
                finished.stdout,
                finished.stderr
            );
        }
    }
}

#[test]
fn openssl_accepts_the_certificates() {
    if missing(&["openssl"]) {
        return;
    }
    let tidegate = up().start();
    for version in ["-tls1_2", "-tls1_3"] {
        let mut command = Command::new("openssl");
        command
            .args([
                "s_client",
                version,
                "-verify_return_error",
                "-x509_strict",
                "-purpose",
                "sslserver",
            ])
            .args([
                "-verify_ip",
                "127.0.0.1",
                "-connect",
                &tidegate.host(),
                "-CAfile",
            ])
            .arg(tidegate.ca());
        let finished = finish(command, "");
        finished.assert_ok();
        assert!(
            finished.stdout.contains("Verify return code: 0 (ok)"),
            "{}",
            finished.stdout
        );
    }
}
