//! An answer that the table promises: for each code its usual status and its
//! message, which clients show to people.

use serde_json::Value;

/// What is said of a digest that is none.
pub(super) const NOT_A_DIGEST: &str =
    "a digest is an algorithm, a colon and hex, such as sha256:6c3c…";

/// What is said of a repository name that cannot be.
pub(super) const NOT_A_NAME: &str = "a repository name is made of lower-case letters and digits, \
    joined by one of . _ __ - within a component and by / between components";

/// What is said of a tag that cannot be.
pub(super) const NOT_A_TAG: &str =
    "a tag is at most 128 letters, digits, _ . and -, and begins with neither . nor -";

#[derive(Clone)]
pub(super) struct Expected {
    pub(super) status: u16,
    /// Nothing for an answer without a body.
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    /// JSON, in which names stand for what the fixture has; empty for none.
    pub(super) detail: String,
    /// Headers that the answer has beside the usual ones, by the same rule.
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

/// Another place to ask at, in an answer without a body.
pub(super) fn moved(status: u16, to: &'static str) -> Expected {
    error(status, "", "").header("location", to)
}

/// A method that is not allowed here.
pub(super) fn unsupported(allow: &'static str) -> Expected {
    error(405, "UNSUPPORTED", "the operation is not supported").header("allow", allow)
}

/// Nobody has logged in to do this.
pub(super) fn unauthorized() -> Expected {
    error(401, "UNAUTHORIZED", "authentication required")
        .header("www-authenticate", "Basic realm=\"Registry\"")
}

/// Whoever has logged in may not do this.
pub(super) fn denied() -> Expected {
    error(403, "DENIED", "the operation is not allowed")
}

/// What the client cannot help; the log has the cause.
pub(super) fn internal() -> Expected {
    error(500, "UNKNOWN", "an error inside the registry")
}

/// The storage has failed its check.
pub(super) fn unavailable() -> Expected {
    let message = "the registry cannot serve this at present";
    error(503, "UNAVAILABLE", message).says("health check failed: please see /debug/health")
}

/// There is no room for what was sent.
pub(super) fn full() -> Expected {
    let message = "the registry's disk is full, and what was sent is not stored";
    error(507, "UNAVAILABLE", message)
        .says("whoever runs the registry has to make room; then send it again")
}

pub(super) fn not_found() -> Expected {
    error(404, "NOT_FOUND", "there is nothing at this path")
}

pub(super) fn name_invalid() -> Expected {
    error(400, "NAME_INVALID", "the repository name is invalid")
}

pub(super) fn name_unknown() -> Expected {
    error(404, "NAME_UNKNOWN", "there is no such repository")
}

pub(super) fn count_invalid() -> Expected {
    let message = "the number of entries asked for is invalid";
    error(400, "PAGINATION_NUMBER_INVALID", message)
}

pub(super) fn digest_invalid() -> Expected {
    error(
        400,
        "DIGEST_INVALID",
        "the digest is wrong or cannot be read",
    )
}

pub(super) fn size_invalid() -> Expected {
    error(
        400,
        "SIZE_INVALID",
        "the length is not what it was said to be",
    )
}

pub(super) fn range_invalid() -> Expected {
    error(416, "RANGE_INVALID", "the range does not fit what is there")
}

pub(super) fn manifest_unknown() -> Expected {
    error(
        404,
        "MANIFEST_UNKNOWN",
        "the repository has no such manifest",
    )
}

pub(super) fn manifest_invalid() -> Expected {
    error(400, "MANIFEST_INVALID", "the manifest is not accepted")
}

/// A signature of a schema 1 manifest.
pub(super) fn manifest_unverified() -> Expected {
    let message = "a signature of the manifest is wrong";
    error(400, "MANIFEST_UNVERIFIED", message)
}

/// A manifest names what the repository lacks.
pub(super) fn content_unknown() -> Expected {
    let message = "the manifest refers to content that the repository does not have";
    error(400, "MANIFEST_BLOB_UNKNOWN", message)
}

pub(super) fn tag_invalid() -> Expected {
    error(400, "TAG_INVALID", "the tag is invalid")
}

/// A tag that stays what it is.
pub(super) fn immutable() -> Expected {
    error(409, "DENIED", "the operation is not allowed")
        .detail(r#"{"tag": "v1", "problem": "the tag is immutable"}"#)
}

pub(super) fn blob_unknown() -> Expected {
    error(404, "BLOB_UNKNOWN", "the repository has no such blob")
}

pub(super) fn upload_unknown() -> Expected {
    error(
        404,
        "BLOB_UPLOAD_UNKNOWN",
        "the repository has no such upload",
    )
}

/// Another request writes to the same upload.
pub(super) fn busy() -> Expected {
    upload_invalid()
        .status(409)
        .says("another request is writing to this upload")
}

/// A body of which the rest never comes.
pub(super) fn cut() -> Expected {
    upload_invalid().says("the body of the request broke off")
}

fn upload_invalid() -> Expected {
    let message = "the upload cannot go on like this";
    error(400, "BLOB_UPLOAD_INVALID", message)
}

/// No failure: a blob that cannot be mounted can be pushed.
pub(super) fn begun() -> Expected {
    let location = "https://reg.example:5043/v2/app/blobs/uploads/<new-id>";
    error(202, "", "")
        .header("location", location)
        .header("range", "0-0")
}

fn error(status: u16, code: &'static str, message: &'static str) -> Expected {
    Expected {
        status,
        code,
        message,
        detail: String::new(),
        headers: Vec::new(),
    }
}

impl Expected {
    /// With another status than the code usually has.
    pub(super) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With a detail in JSON.
    pub(super) fn detail(mut self, json: &str) -> Self {
        json.clone_into(&mut self.detail);
        self
    }

    /// With a detail that is a sentence.
    pub(super) fn says(mut self, sentence: &str) -> Self {
        self.detail = Value::from(sentence).to_string();
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With how far the fixture's upload has come.
    pub(super) fn with_progress(self) -> Self {
        self.header("location", "https://reg.example:5043<upload>")
            .header("range", "0-3")
    }
}
