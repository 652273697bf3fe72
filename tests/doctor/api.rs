//! Servers that are no registry, and registries that ask for passwords in ways
//! of their own.

use std::sync::Arc;

use http::StatusCode;

use crate::harness::{PASSWORD, USER};
use crate::identity::Authority;
use crate::registry::Registry;
use crate::server::{plain, tls};
use crate::{Diagnosis, doctor};

const LOGIN: [&str; 5] = ["--user", USER, "--password-stdin", "--repo", "team/app"];

fn examine(registry: Registry, args: &[&str], password: &str) -> (Diagnosis, Arc<Registry>) {
    let ca = Authority::new("CA");
    let registry = Arc::new(registry);
    let server = tls(ca.site()).serve(&registry);
    let root = tempfile::tempdir().unwrap();
    let args = [&["--ca", ca.ca()], args].concat();
    let examined = doctor(&server.site(), root.path(), &args, password);
    (examined, registry)
}

fn base(status: u16, body: &'static str) -> Registry {
    Registry {
        base: Some((StatusCode::from_u16(status).unwrap(), body)),
        ..Registry::default()
    }
}

#[test]
fn what_is_no_registry() {
    for (status, body, said) in [
        (
            404,
            "<html>404 Not Found</html>",
            "no registry, or one that turns this client away",
        ),
        (200, "<html>Welcome to nginx!</html>", "a web page"),
        (403, "", "User-Agent"),
        (
            502,
            "<html>Bad Gateway</html>",
            "the registry behind it is not",
        ),
        (500, "", "in trouble"),
        (302, "", "a redirect"),
        (429, "", "too many requests"),
    ] {
        let (examined, registry) = examine(base(status, body), &LOGIN, PASSWORD);
        examined
            .expect_failures(&["api"])
            .expect("api", "fail", said)
            .expect("auth", "skipped", "not a registry's");
        assert!(!registry.heard_secrets(), "{status}");
    }
}

#[test]
fn a_missing_version_and_a_wrong_clock_are_worth_a_warning() {
    let registry = Registry {
        api_version: false,
        date: Some("Sun, 06 Nov 1994 08:49:37 GMT"),
        ..Registry::default()
    };
    examine(registry, &[], "")
        .0
        .expect_failures(&[])
        .expect("api-version", "warn", "registry/2.0 always;")
        .expect("clock", "warn", "is behind this one by");
}

#[test]
fn broken_http2_and_what_still_works() {
    let registry = Registry {
        breaks_http2: true,
        ..Registry::default()
    };
    examine(registry, &LOGIN, PASSWORD)
        .0
        .expect_failures(&["http2"])
        .expect("http2", "fail", "offered, but it does not work")
        .expect("api", "ok", "401")
        .expect("cancel", "ok", "does not know it any more");
}

#[test]
fn connections_that_do_not_last() {
    let ca = Authority::new("CA");
    let registry = Arc::new(Registry {
        closes: true,
        ..Registry::default()
    });
    let server = tls(ca.site()).http1().serve(&registry);
    let root = tempfile::tempdir().unwrap();
    let args = [&["--ca", ca.ca()], &LOGIN[..]].concat();
    doctor(&server.site(), root.path(), &args, PASSWORD)
        .expect_failures(&[])
        .expect("http2", "ok", "not offered")
        .expect("idle", "warn", "keepalive_timeout")
        .expect("cancel", "ok", "does not know it any more");
}

#[test]
fn a_registry_without_a_password() {
    let open = || Registry {
        challenge: None,
        ..Registry::default()
    };
    let (examined, registry) = examine(open(), &[], "");
    examined
        .expect_failures(&[])
        .expect("auth", "warn", "open to everybody")
        .expect("upload", "skipped", "--user");
    assert!(!registry.asked().iter().any(|line| line.contains("POST")));

    // Then --repo is enough, and a password is sent to nobody.
    let (examined, _) = examine(open(), &["--repo", "team/app"], "");
    examined
        .expect_failures(&[])
        .expect("cancel", "ok", "does not know it any more");
    let (examined, registry) = examine(open(), &LOGIN, PASSWORD);
    examined
        .expect_failures(&[])
        .expect("credentials", "skipped", "clients send none");
    assert!(!registry.heard_secrets());
}

#[test]
fn a_401_that_clients_cannot_answer() {
    for (challenge, said) in [
        ("", "401 without WWW-Authenticate"),
        ("Negotiate", "only `negotiate` is offered"),
        ("Bearer realm=\"nowhere\"", "not a URL of https"),
    ] {
        let registry = Registry {
            challenge: Some(challenge.to_owned()),
            ..Registry::default()
        };
        examine(registry, &LOGIN, PASSWORD)
            .0
            .expect_failures(&["auth"])
            .expect("auth", "fail", said)
            .expect("upload", "skipped", "no way to log in");
    }
}

#[test]
fn a_wrong_password() {
    let (examined, registry) = examine(Registry::default(), &LOGIN, "wrong");
    examined
        .expect_failures(&["credentials"])
        .expect("credentials", "fail", "is wrong, or there is no such user")
        .expect("upload", "skipped", "not accepted");
    assert!(!examined.report.to_string().contains("wrong\\n"));
    let tried = registry
        .asked()
        .iter()
        .filter(|l| l.starts_with('!'))
        .count();
    assert_eq!(tried, 1, "a wrong password counts against the user");
}

#[test]
fn tokens_of_another_service() {
    let ca = Authority::new("CA");
    let tokens = tls(ca.site()).serve(&Arc::new(Registry::default()));
    let registry = Arc::new(Registry {
        challenge: Some(format!(
            "Bearer realm=\"https://localhost:{}/token\",service=\"registry\"",
            tokens.address.port()
        )),
        ..Registry::default()
    });
    let server = tls(ca.site()).serve(&registry);
    let root = tempfile::tempdir().unwrap();
    let args = [&["--ca", ca.ca()], &LOGIN[..]].concat();
    doctor(&server.site(), root.path(), &args, PASSWORD)
        .expect_failures(&[])
        .expect("auth", "ok", "which answers")
        .expect("credentials", "ok", USER)
        .expect("cancel", "ok", "does not know it any more");
    doctor(&server.site(), root.path(), &args, "wrong").expect_failures(&["credentials"]);
}

#[test]
fn a_token_service_that_cannot_be_reached_or_trusted() {
    let registry = |port: u16| Registry {
        challenge: Some(format!("Bearer realm=\"https://localhost:{port}/token\"")),
        ..Registry::default()
    };
    let tokens = Arc::new(Registry::default());
    let unknown = tls(Authority::new("Other").site()).serve(&tokens);
    examine(registry(unknown.address.port()), &LOGIN, PASSWORD)
        .0
        .expect_failures(&["auth"])
        .expect("auth", "fail", "not trusted");
    assert_eq!(tokens.asked(), Vec::<String>::new());

    let http = plain(&Arc::new(Registry::default()));
    examine(registry(http.address.port()), &LOGIN, PASSWORD)
        .0
        .expect_failures(&["auth"])
        .expect("auth", "fail", "plain HTTP");

    let without_tls = Registry {
        challenge: Some(format!("Bearer realm=\"http://{}/token\"", http.site())),
        ..Registry::default()
    };
    let (examined, registry) = examine(without_tls, &LOGIN, PASSWORD);
    examined
        .expect_failures(&["auth"])
        .expect("auth", "fail", "without TLS")
        .expect("credentials", "skipped", "no way to log in");
    assert!(!registry.heard_secrets());
}
