//! Beside Debian's docker-registry, on the same file.

use std::fmt::Write as _;
use std::process::Command;

use crate::debian;
use crate::process::{Configured, Server};
use crate::replay::{Seen, replay, steps};

/// Where an answer is another one.
#[derive(Clone, Copy)]
struct Difference {
    step: &'static str,
    /// What ours has and theirs has not, without digests.
    ours: &'static [&'static str],
    /// What theirs has and ours has not.
    theirs: &'static [&'static str],
}

const PLAIN: &str = "content-type: text/plain; charset=utf-8";
const JSON: &str = "content-type: application/json; charset=utf-8";

/// All of the differences, each with its reason.
const DIFFERENCES: [Difference; 11] = [
    // No browser may guess what an answer is.
    Difference {
        step: "root",
        ours: &["x-content-type-options: nosniff"],
        theirs: &[],
    },
    // The page that goes with a redirect is for browsers.
    Difference {
        step: "ping without slash",
        ours: &[
            "x-content-type-options: nosniff",
            "content-length: 0",
            "body: …",
        ],
        theirs: &[
            "content-type: text/html; charset=utf-8",
            "content-length: 39",
            "body: …",
        ],
    },
    // The specification has a code for it.
    Difference {
        step: "bad name",
        ours: &["status: 400", JSON, "code: NAME_INVALID"],
        theirs: &["status: 404", PLAIN],
    },
    // Docker engines choke on a text where they look for referrers.
    Difference {
        step: "no route",
        ours: &[JSON, "code: NOT_FOUND"],
        theirs: &[PLAIN],
    },
    // HEAD is allowed in both.
    Difference {
        step: "wrong method",
        ours: &["allow: GET, HEAD", JSON, "code: UNSUPPORTED"],
        theirs: &["allow: GET", PLAIN],
    },
    // Theirs announces the length of the blob and sends a line of text.
    Difference {
        step: "no such part",
        ours: &[JSON, "code: RANGE_INVALID"],
        theirs: &[
            "cache-control: max-age=31536000",
            PLAIN,
            "docker-content-digest: …",
            "etag: …",
        ],
    },
    Difference {
        step: "blob is known",
        ours: &["accept-ranges: bytes"],
        theirs: &[],
    },
    // RFC 9110 section 15.4.5: what 200 would have had.
    Difference {
        step: "manifest is known",
        ours: &["docker-content-digest: …", "etag: …"],
        theirs: &[],
    },
    // A repository to which only layers were mounted is not listed, as in
    // version 3.
    Difference {
        step: "catalog",
        ours: &["content-length: 23", "body: …"],
        theirs: &["content-length: 27", "body: …"],
    },
    Difference {
        step: "page of catalog",
        ours: &[],
        theirs: &["link: </v2/_catalog?last=a&n=1>; rel=\"next\""],
    },
    // The same as for a manifest.
    Difference {
        step: "delete blob",
        ours: &["docker-content-digest: …"],
        theirs: &[],
    },
];

/// The same for version 3, which says the charset of no JSON.
const DIFFERENCES_OF_3: [Difference; 10] = [
    DIFFERENCES[0],
    DIFFERENCES[1],
    DIFFERENCES[2],
    DIFFERENCES[3],
    DIFFERENCES[4],
    Difference {
        step: "no such part",
        ours: &[JSON, "code: RANGE_INVALID"],
        theirs: &[PLAIN, "docker-content-digest: …"],
    },
    DIFFERENCES[6],
    DIFFERENCES[7],
    DIFFERENCES[9],
    DIFFERENCES[10],
];

#[tokio::test]
async fn the_same_requests_get_the_same_answers() {
    let asked = Command::new("docker-registry").arg("--version").output();
    if asked.is_err() {
        assert!(
            std::env::var_os("TIDEGATE_REQUIRE_CLIENTS").is_none(),
            "docker-registry is not installed, and TIDEGATE_REQUIRE_CLIENTS is set"
        );
        return;
    }
    compare("docker-registry", &DIFFERENCES).await;
}

/// Version 3 is in no Debian yet: `go install` makes a program called `registry`.
#[tokio::test]
async fn the_same_requests_get_the_answers_of_version_3() {
    let asked = Command::new("registry").arg("--version").output();
    let is_there = asked.is_ok_and(|asked| {
        let said = String::from_utf8_lossy(&asked.stdout);
        said.contains("github.com/distribution/distribution/v3")
    });
    if is_there {
        compare("registry", &DIFFERENCES_OF_3).await;
    }
}

/// Has both answer the same requests, from the same file.
async fn compare(program: &str, differences: &[Difference]) {
    let ours = Configured::new(debian).start();
    let configured = Configured::new(debian);
    let mut command = Command::new(program);
    command.arg("serve");
    command.arg(configured.dir.path().join("config.yml"));
    let theirs = Server::start(command, configured.dir, None);

    let steps = steps();
    let (ours, theirs) = (replay(&ours, &steps).await, replay(&theirs, &steps).await);
    let mut unexpected = String::new();
    for ((step, ours), theirs) in steps.iter().zip(&ours).zip(&theirs) {
        let known = differences.iter().find(|known| known.step == step.name);
        let (expected_ours, expected_theirs) =
            known.map_or((&[][..], &[][..]), |known| (known.ours, known.theirs));
        let (only_ours, only_theirs) = (without(ours, theirs), without(theirs, ours));
        if only_ours != expected_ours || only_theirs != expected_theirs {
            let name = step.name;
            let _ = writeln!(unexpected, "{name}\n  ours   {ours:?}\n  theirs {theirs:?}");
        }
    }
    assert!(unexpected.is_empty(), "\n{unexpected}");
}

/// The lines of one that the other has not, without digests.
fn without(one: &Seen, other: &Seen) -> Vec<String> {
    let is_there = |line: &String| {
        let without_charset = (line == JSON).then_some("content-type: application/json");
        other.contains(line)
            || other
                .iter()
                .any(|other| Some(other.as_str()) == without_charset)
    };
    let is_json = |line: &String| line == "content-type: application/json";
    let alone = one.iter().filter(|line| !is_there(line));
    let alone = alone.filter(|line| !is_json(line) || !other.iter().any(|line| line == JSON));
    alone
        .map(|line| match line.split_once(": ") {
            Some((name, value)) if value.trim_matches('"').starts_with("sha256:") => {
                format!("{name}: …")
            }
            _ => line.clone(),
        })
        .collect()
}
