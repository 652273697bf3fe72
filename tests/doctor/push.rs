//! Registries to which nothing can be pushed, though everything else is right.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::harness::{PASSWORD, USER};
use crate::identity::Authority;
use crate::registry::Registry;
use crate::server::{Tls, tls};
use crate::{Diagnosis, doctor};

const MIB: usize = 1 << 20;

/// Over HTTP/2, and over HTTP/1.1: the same has to come out.
fn examine(registry: impl Fn() -> Registry, judge: impl Fn(&Diagnosis, &Registry)) {
    let ca = Authority::new("CA");
    for choose in [|tls: Tls| tls, Tls::http1] {
        let registry = Arc::new(registry());
        let server = choose(tls(ca.site())).serve(&registry);
        let root = tempfile::tempdir().unwrap();
        let args = [
            "--ca",
            ca.ca(),
            "--user",
            USER,
            "--password-stdin",
            "--repo",
            "team/app",
        ];
        let examined = doctor(&server.site(), root.path(), &args, PASSWORD);
        assert_eq!(examined.report["push_tried"], true);
        judge(&examined, &registry);
    }
}

#[test]
fn a_right_one_is_pushed_to_and_left_as_it_was() {
    examine(Registry::default, |examined, registry| {
        examined
            .expect_failures(&[])
            .expect("upload", "ok", "team/app")
            .expect("location", "ok", "relative")
            .expect("body-limit", "ok", "1.5 MiB pass")
            .expect("slow-upload", "ok", "pause")
            .expect("cancel", "ok", "does not know it any more");
        let upload = "/v2/team/app/blobs/uploads/1";
        assert_eq!(
            registry.asked(),
            [
                "GET /v2/".to_owned(),
                "GET /v2/".to_owned(),
                "!GET /v2/".to_owned(),
                "!POST /v2/team/app/blobs/uploads/".to_owned(),
                format!("!PATCH {upload}"),
                format!("!PATCH {upload}"),
                format!("!DELETE {upload}"),
                format!("!GET {upload}"),
            ]
        );
    });
}

#[test]
fn locations_that_lead_away() {
    for (origin, said) in [
        ("http://127.0.0.1:5000", "X-Forwarded-Proto"),
        ("https://registry:5000", "to another host"),
        ("https://127.0.0.1", "$http_host"),
    ] {
        let wrong = || Registry {
            origin: origin.to_owned(),
            ..Registry::default()
        };
        examine(wrong, |examined, _| {
            examined
                .expect_failures(&["location"])
                .expect("location", "fail", said)
                .expect("cancel", "ok", "does not know it any more");
        });
    }
}

#[test]
fn a_limit_of_bodies() {
    let limited = || Registry {
        body_limit: MIB,
        ..Registry::default()
    };
    examine(limited, |examined, registry| {
        examined
            .expect_failures(&["body-limit"])
            .expect("body-limit", "fail", "413")
            .expect("body-limit", "fail", "client_max_body_size 0;")
            .expect("slow-upload", "skipped", "did not come that far")
            .expect("cancel", "ok", "does not know it any more");
        let asked = registry.asked();
        assert!(asked.iter().any(|line| line.starts_with("!DELETE")));
    });
}

#[test]
fn bytes_that_are_lost() {
    let loses = || Registry {
        loses: 1,
        ..Registry::default()
    };
    examine(loses, |examined, _| {
        examined.expect_failures(&["body-limit"]).expect(
            "body-limit",
            "fail",
            "of 1572864 bytes that were sent, the registry has 1572863",
        );
    });
}

#[test]
fn no_patience_with_slow_clients() {
    let impatient = || Registry {
        body_patience: Duration::from_secs(1),
        ..Registry::default()
    };
    examine(impatient, |examined, _| {
        examined
            .expect_failures(&["slow-upload"])
            .expect("slow-upload", "fail", "client_body_timeout")
            .expect("cancel", "ok", "does not know it any more");
    });
}

#[test]
fn no_right_to_push() {
    for (status, said) in [
        (StatusCode::FORBIDDEN, "may not push to this repository"),
        (StatusCode::METHOD_NOT_ALLOWED, "read-only"),
        (StatusCode::INTERNAL_SERVER_ERROR, "write to its disk"),
    ] {
        let refuses = || Registry {
            start: status,
            ..Registry::default()
        };
        examine(refuses, |examined, registry| {
            examined
                .expect_failures(&["upload"])
                .expect("upload", "fail", said)
                .expect("location", "skipped", "did not come that far");
            assert!(!registry.asked().iter().any(|line| line.contains("PATCH")));
        });
    }
}

#[test]
fn an_upload_that_cannot_be_cancelled_is_worth_a_warning() {
    let keeps = || Registry {
        cancels: false,
        ..Registry::default()
    };
    examine(keeps, |examined, _| {
        examined
            .expect_failures(&[])
            .expect("cancel", "warn", "405");
    });
}
