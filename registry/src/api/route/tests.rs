use proptest::prelude::*;

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ID: &str = "0f5a8b3c-2c7d-4c6e-9a55-0d2f3a1b4c5d";

fn name() -> RepoName {
    "library/alpine".parse().unwrap()
}

#[test]
fn every_endpoint_has_a_route() {
    let reference = |text: &str| text.parse::<Reference>().unwrap();
    let digest: Digest = DIGEST.parse().unwrap();
    let id: UploadId = ID.parse().unwrap();
    for (line, route_expected) in [
        ("GET /".to_owned(), Route::Root),
        ("GET /v2/".to_owned(), Route::Base),
        ("HEAD /v2/".to_owned(), Route::Base),
        ("GET /v2/_catalog".to_owned(), Route::Catalog),
        (
            "GET /v2/library/alpine/tags/list".to_owned(),
            Route::ListTags(name()),
        ),
        (
            format!("GET /v2/library/alpine/referrers/{DIGEST}"),
            Route::ListReferrers(name(), digest),
        ),
        (
            "GET /v2/library/alpine/manifests/3.20".to_owned(),
            Route::GetManifest(name(), reference("3.20")),
        ),
        (
            format!("HEAD /v2/library/alpine/manifests/{DIGEST}"),
            Route::GetManifest(name(), reference(DIGEST)),
        ),
        (
            "PUT /v2/library/alpine/manifests/3.20".to_owned(),
            Route::PutManifest(name(), reference("3.20")),
        ),
        (
            format!("DELETE /v2/library/alpine/manifests/{DIGEST}"),
            Route::DeleteManifest(name(), reference(DIGEST)),
        ),
        (
            format!("HEAD /v2/library/alpine/blobs/{DIGEST}"),
            Route::GetBlob(name(), digest),
        ),
        (
            format!("DELETE /v2/library/alpine/blobs/{DIGEST}"),
            Route::DeleteBlob(name(), digest),
        ),
        (
            "POST /v2/library/alpine/blobs/uploads/".to_owned(),
            Route::StartUpload(name()),
        ),
        (
            "POST /v2/library/alpine/blobs/uploads".to_owned(),
            Route::StartUpload(name()),
        ),
        (
            format!("GET /v2/library/alpine/blobs/uploads/{ID}"),
            Route::UploadStatus(name(), id),
        ),
        (
            format!("PATCH /v2/library/alpine/blobs/uploads/{ID}"),
            Route::AppendUpload(name(), id),
        ),
        (
            format!("PUT /v2/library/alpine/blobs/uploads/{ID}"),
            Route::FinishUpload(name(), id),
        ),
        (
            format!("DELETE /v2/library/alpine/blobs/uploads/{ID}"),
            Route::CancelUpload(name(), id),
        ),
    ] {
        let (method, path) = line.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        assert_eq!(route(&method, path), Ok(route_expected), "{line}");
    }
}

#[test]
fn a_name_may_hold_any_noun() {
    for repo in [
        "tags/list",
        "blobs/uploads",
        "a/manifests",
        "manifests/a/blobs",
    ] {
        let expected = Route::ListTags(repo.parse().unwrap());
        assert_eq!(
            route(&Method::GET, &format!("/v2/{repo}/tags/list")),
            Ok(expected)
        );
        let expected = Route::StartUpload(repo.parse().unwrap());
        assert_eq!(
            route(&Method::POST, &format!("/v2/{repo}/blobs/uploads/")),
            Ok(expected)
        );
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    for (path, allow) in [
        ("/", "GET, HEAD"),
        ("/v2/", "GET, HEAD"),
        ("/v2/a/tags/list", "GET, HEAD"),
        ("/v2/a/manifests/b", "GET, HEAD, PUT, DELETE"),
        (&format!("/v2/a/blobs/{DIGEST}"), "GET, HEAD, DELETE"),
        ("/v2/a/blobs/uploads/", "POST"),
        (
            &format!("/v2/a/blobs/uploads/{ID}"),
            "GET, HEAD, PATCH, PUT, DELETE",
        ),
    ] {
        assert_eq!(
            route(&Method::OPTIONS, path),
            Err(Refusal::Method { allow }),
            "{path}"
        );
    }
}

#[test]
fn what_breaks_a_rule_is_refused_by_its_name() {
    let get = |path: &str| route(&Method::GET, path);
    assert_eq!(
        get("/v2/A/tags/list"),
        Err(Refusal::Name(NameError::Grammar))
    );
    let long = format!("/v2/{}/tags/list", "a".repeat(256));
    assert_eq!(
        get(&long),
        Err(Refusal::Name(NameError::TooLong { got: 256 }))
    );
    assert!(matches!(
        get("/v2/a/blobs/sha256:12"),
        Err(Refusal::Digest(_))
    ));
    assert!(matches!(
        get("/v2/a/manifests/.x"),
        Err(Refusal::Reference(_))
    ));
    assert_eq!(get("/v2/a/blobs/uploads/1234"), Err(Refusal::Upload));
    for path in [
        "",
        "*",
        "/v1/search",
        "/v2/a",
        "/v2/a/b/c",
        "/v2/manifests/b",
        "/v2/_catalog/",
        "/v2/%ff",
        "/../../etc/passwd",
        "//\\evil.example/x/",
    ] {
        assert_eq!(get(path), Err(Refusal::NoRoute), "{path}");
    }
}

#[test]
fn another_spelling_is_redirected() {
    for (path, to) in [
        ("/v2", "/v2/"),
        ("//v2/", "/v2/"),
        ("//v2", "/v2/"),
        ("/v2//", "/v2/"),
        ("//", "/"),
        ("/v2/a//manifests/b", "/v2/a/manifests/b"),
        ("/x/../v2/./a/tags/list", "/v2/a/tags/list"),
        ("//evil.example/..", "/"),
    ] {
        let to = to.to_owned();
        assert_eq!(
            route(&Method::GET, path),
            Err(Refusal::Moved { to }),
            "{path}"
        );
    }
}

#[test]
fn an_escaped_path_is_the_same_path() {
    let escaped = format!(
        "/v2/library%2Falpine/manifests/{}",
        DIGEST.replace(':', "%3A")
    );
    let plain = format!("/v2/library/alpine/manifests/{DIGEST}");
    assert_eq!(route(&Method::GET, &escaped), route(&Method::GET, &plain));
    assert!(route(&Method::GET, "/v2/%2e%2e/%2e%2e/tags/list").is_err());
}

proptest! {
    /// A front that decides by the path who may come in resolves it first, and
    /// has to see the same path.
    #[test]
    fn what_is_routed_has_nothing_to_resolve(path in "(/v2)?(/|%2f|%2F|\\.|%2e|%2E|v2|a|_catalog|tags/list|manifests|blobs|uploads){0,9}") {
        if route(&Method::GET, &path).is_ok_and(|route| route != Route::Root) {
            let decoded = percent_decode_str(&path).decode_utf8().unwrap();
            let body = decoded.strip_prefix("/v2/").expect("the API");
            let body = body.strip_suffix('/').unwrap_or(body);
            let resolved = |step: &str| !matches!(step, "" | "." | "..");
            prop_assert!(body.is_empty() || body.split('/').all(resolved), "{}", decoded);
        }
    }

    #[test]
    fn never_panics(path in ".{0,200}", method in "[A-Z]{1,8}") {
        let _ = route(&method.parse().unwrap(), &path);
    }

    /// Where a redirect leads is not redirected again, and is a path of
    /// this host.
    #[test]
    fn redirects_end(path in "/[av2/.%]{0,20}") {
        if let Err(Refusal::Moved { to }) = route(&Method::GET, &path) {
            prop_assert!(to == "/" || to.starts_with("/v2"), "{}", to);
            let again = route(&Method::GET, &to);
            prop_assert!(!matches!(again, Err(Refusal::Moved { .. })), "{}", to);
        }
    }

    #[test]
    fn valid_parts_make_a_route(
        name in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}",
        tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}",
    ) {
        let expected = Route::GetManifest(name.parse().unwrap(), tag.parse().unwrap());
        prop_assert_eq!(route(&Method::GET, &format!("/v2/{name}/manifests/{tag}")), Ok(expected));
    }
}
