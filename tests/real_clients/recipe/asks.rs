//! What is asked of both, and where their answers may differ.

/// Who sends a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    User,
    Nobody,
    Wrong,
}

use As::{Nobody, User, Wrong};

/// A request; in its path, `{d}` is the manifest's digest, `{b}` a blob's, and
/// `{none}` a digest of nothing.
pub(crate) struct Ask {
    pub(crate) line: &'static str,
    pub(crate) who: As,
    pub(crate) header: Option<(&'static str, &'static str)>,
    pub(crate) body: &'static str,
    /// Why the answers may differ in body and headers, or in all.
    pub(crate) differs: Differs,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Differs {
    No,
    /// Where nginx sends a page we send the registry's error; the status is the
    /// same.
    Page,
    /// Another header, for the reason that stands beside it.
    Header(&'static str),
    /// Another status, for the reason that stands beside it.
    Status,
}

use Differs::{Header, No, Page, Status};

const fn ask(line: &'static str) -> Ask {
    Ask {
        line,
        who: User,
        header: None,
        body: "",
        differs: No,
    }
}

impl Ask {
    const fn by(self, who: As) -> Self {
        Self { who, ..self }
    }

    const fn with(self, name: &'static str, value: &'static str) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }

    const fn sending(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    const fn differs(self, differs: Differs) -> Self {
        Self { differs, ..self }
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OLD: &str = "docker/1.5.0 go/go1.4";
const NEW: &str = "docker/24.0.7 go/go1.20.10";

/// All of them, to be asked in this order.
pub(crate) fn asks() -> Vec<Ask> {
    vec![
        // Pings and passwords.
        ask("GET /v2/"),
        ask("HEAD /v2/"),
        ask("GET /v2/").by(Nobody).differs(Page),
        ask("GET /v2/").by(Wrong).differs(Page),
        ask("HEAD /v2/").by(Nobody).differs(Page),
        ask("GET /v2/").with("user-agent", NEW),
        ask("GET /v2/").with("user-agent", "docker/1.5.0-dev"),
        ask("GET /v2/")
            .with("authorization", "Bearer x")
            .differs(Page),
        ask("GET /v2/")
            .with("authorization", "Basic ???")
            .differs(Page),
        // Old clients.
        ask("GET /v2/").with("user-agent", OLD).differs(Page),
        ask("GET /v2/")
            .by(Nobody)
            .with("user-agent", OLD)
            .differs(Page),
        ask("GET /v2/")
            .with("user-agent", "Go 1.1 package http")
            .differs(Page),
        ask("GET /v2/app/tags/list")
            .with("user-agent", "docker/1.3.2")
            .differs(Page),
        // Places.
        ask("GET /closed/x").differs(Page),
        ask("GET /moved").differs(Page),
        ask("GET /said"),
        ask("GET /nothing/here").differs(Page),
        ask("GET /v2/app/../app/tags/list").differs(Header("content-length")),
        ask("GET /v2/_catalog?n=5"),
        // Lists.
        ask("GET /v2/_catalog"),
        ask("GET /v2/_catalog?n=0"),
        ask("GET /v2/_catalog?n=1"),
        ask("GET /v2/_catalog?n=5000"),
        // The specification's answer to what is no number.
        ask("GET /v2/_catalog?n=x").differs(Status),
        ask("GET /v2/app/tags/list"),
        ask("GET /v2/app/tags/list").by(Nobody).differs(Page),
        ask("GET /v2/none/tags/list"),
        // Manifests.
        ask("GET /v2/app/manifests/v1").with("accept", MANIFEST),
        ask("HEAD /v2/app/manifests/v1").with("accept", MANIFEST),
        ask("GET /v2/app/manifests/{d}").with("accept", MANIFEST),
        ask("HEAD /v2/app/manifests/{d}").with("accept", MANIFEST),
        ask("GET /v2/app/manifests/none").with("accept", MANIFEST),
        ask("GET /v2/app/manifests/{none}").with("accept", MANIFEST),
        ask("GET /v2/app/manifests/v1").by(Nobody).differs(Page),
        ask("GET /v2/app/manifests/v1").by(Wrong).differs(Page),
        // A manifest that is none is the client's mistake, not the server's.
        ask("PUT /v2/app/manifests/v2")
            .with("content-type", MANIFEST)
            .sending("{}")
            .differs(Status),
        ask("PUT /v2/app/manifests/v2")
            .by(Nobody)
            .sending("{}")
            .differs(Page),
        ask("DELETE /v2/app/manifests/{none}"),
        // Blobs.
        ask("GET /v2/app/blobs/{b}"),
        ask("HEAD /v2/app/blobs/{b}"),
        ask("GET /v2/app/blobs/{b}").with("range", "bytes=0-9"),
        ask("GET /v2/app/blobs/{b}").with("range", "bytes=100-"),
        ask("GET /v2/app/blobs/{b}").with("range", "bytes=-7"),
        // A range is for GET alone (RFC 9110 section 14.2).
        ask("HEAD /v2/app/blobs/{b}")
            .with("range", "bytes=3-4")
            .differs(Status),
        ask("GET /v2/app/blobs/{none}"),
        ask("HEAD /v2/app/blobs/{none}"),
        ask("GET /v2/other/blobs/{b}"),
        ask("GET /v2/app/blobs/sha256:short"),
        ask("GET /v2/app/blobs/{b}").by(Nobody).differs(Page),
        ask("DELETE /v2/app/blobs/{none}"),
        // Pushes.
        ask("POST /v2/app/blobs/uploads/").differs(Header("location")),
        ask("POST /v2/app/blobs/uploads/?mount={b}&from=app").differs(No),
        ask("POST /v2/new/blobs/uploads/?mount={b}&from=app"),
        ask("POST /v2/new/blobs/uploads/?mount={none}&from=app").differs(Header("location")),
        ask("POST /v2/app/blobs/uploads/").by(Nobody).differs(Page),
        ask("POST /v2/app/blobs/uploads/").by(Wrong).differs(Page),
        ask("PUT /v2/app/manifests/limited")
            .with("x-none", "1")
            .sending("{}"),
        ask("POST /limited")
            .sending("more than ten bytes")
            .differs(Page),
        ask("POST /limited").sending("few").differs(Page),
        // Methods and paths that lead nowhere.
        ask("PUT /v2/app/tags/list").differs(Header("content-length")),
        ask("GET /v2/app/nothing/at/all").differs(Header("content-length")),
        // Theirs lets it pass as if it were GET.
        ask("OPTIONS /v2/").differs(Status),
        // Deletions.
        ask("DELETE /v2/app/manifests/{d}"),
        ask("GET /v2/app/manifests/v1").with("accept", MANIFEST),
        ask("GET /v2/app/tags/list").differs(Header("content-length")),
        ask("DELETE /v2/app/manifests/{d}"),
    ]
}
