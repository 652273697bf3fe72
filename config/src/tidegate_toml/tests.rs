mod access;
mod client_auth;
mod collect;
mod observe;
mod token;

use std::num::NonZeroU64;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::links::{Links, PathPrefix};
use crate::settings::*;
use crate::upstream::Upstream;

const SMALL: &str = r#"
[[listener]]
address = "127.0.0.1:5043"

[[certificate]]
cert = "certs/site.crt"
key = "certs/site.key"

[auth]
htpasswd = "auth/htpasswd"

[registry]
root = "registry"
"#;

fn small() -> Settings {
    parse(Path::new("/srv/tidegate/tidegate.toml"), SMALL).unwrap()
}

/// Replaces one piece of the small file and gives what is said of the result.
/// The registry of the small file with more lines at its end.
fn registry(lines: &str) -> Registry {
    let text = format!("{SMALL}{lines}");
    match parse(Path::new("/srv/tidegate.toml"), &text)
        .unwrap()
        .backend
    {
        Backend::Registry(registry) => registry,
        Backend::Forward(_) | Backend::Places => panic!("not a registry"),
    }
}

fn refused(from: &str, to: &str) -> (String, Option<String>) {
    assert!(SMALL.contains(from), "{from}");
    let error = parse(Path::new("t.toml"), &SMALL.replace(from, to)).unwrap_err();
    (
        format!("{}: {}", error.location(), error.message()),
        error.hint().map(str::to_owned),
    )
}

#[test]
fn what_is_not_said_has_its_default() {
    assert_eq!(
        small(),
        Settings {
            log: Log {
                level: "info".to_owned(),
                format: LogFormat::Text,
                access: AccessLog::Combined,
                audit: None,
            },
            server: Server {
                drain_timeout: Duration::from_secs(30),
            },
            listeners: vec![Listener {
                address: "127.0.0.1:5043".parse().unwrap(),
                protocol: Protocol::Https,
                socket_mode: None,
                offer: TlsOffer {
                    http2: true,
                    minimum: TlsVersion::Tls12,
                },
                client_auth: None,
            }],
            certificates: vec![CertificateFiles {
                cert: "/srv/tidegate/certs/site.crt".into(),
                key: "/srv/tidegate/certs/site.key".into(),
                renew: true,
            }],
            sites: Vec::new(),
            edge: Edge {
                refused_user_agents: Some(Edge::DEFAULT_REFUSED_USER_AGENTS.to_owned()),
                trusted_proxies: vec![],
                publish_ca: true,
            },
            auth: Some(Auth {
                htpasswd: "/srv/tidegate/auth/htpasswd".into(),
                allow_weak_hashes: false,
                realm: "Registry".to_owned(),
                cache_ttl: Duration::from_secs(300),
                max_failures: 10,
                failure_window: Duration::from_secs(60),
            }),
            robots: None,
            access: None,
            token: None,
            auth_config: None,
            token_server: None,
            backend: Backend::Registry(Registry {
                root: "/srv/tidegate/registry".into(),
                delete: true,
                read_only: false,
                schema1: None,
                collect: Collect {
                    every: Some(Duration::from_secs(24 * 3600)),
                    grace: Duration::from_secs(24 * 3600),
                    delete_untagged: false,
                    uploads_after: Some(Duration::from_secs(168 * 3600)),
                    uploads_only: false,
                },
                scrub: Scrub {
                    every: Some(Duration::from_secs(30 * 24 * 3600)),
                    rate: NonZeroU64::new(20 * 1024 * 1024).unwrap(),
                },
                retention: vec![],
                immutable: vec![],
                headers: vec![],
                health: Some(Health {
                    interval: Duration::from_secs(10),
                    threshold: 3,
                }),
                checks: vec![],
                webhooks: vec![],
                prefix: PathPrefix::default(),
                links: Links::AsReached,
                catalog_most: 1000,
                tags_most: 1000,
            }),
            debug: None,
        }
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    assert_eq!(
        refused("htpasswd = ", "htpaswd = "),
        (
            "t.toml:10:1: unknown key `htpaswd`".to_owned(),
            Some("did you mean `htpasswd`?".to_owned())
        )
    );
    assert_eq!(
        refused("[[listener]]", "[[listner]]"),
        (
            "t.toml:2:3: unknown key `listner`".to_owned(),
            Some("did you mean `listener`?".to_owned())
        )
    );
    let (_, hint) = refused("cert = ", "zzz = ");
    assert!(hint.unwrap().contains("cert, key"));
}

#[test]
fn a_bad_value_is_shown_with_its_place_and_what_it_should_be() {
    assert_eq!(
        refused("\"127.0.0.1:5043\"", "\"localhost:5043\""),
        (
            "t.toml:3:11: `localhost:5043` is no address with a port".to_owned(),
            Some(
                "write it as \"0.0.0.0:5043\", \"[::]:5043\" or \"unix:/run/tidegate.sock\"; names \
                 are not looked up"
                    .to_owned()
            )
        )
    );
    let (message, hint) = refused("[auth]", "[auth]\ncache_ttl = \"5 parsecs\"");
    assert!(
        message.starts_with("t.toml:10:13: `5 parsecs` is no duration"),
        "{message}"
    );
    assert!(hint.unwrap().contains("30s"));
    let (message, hint) = refused("[auth]", "[log]\nformat = \"xml\"\n[auth]");
    assert_eq!(message, "t.toml:10:10: `xml` is not known here");
    assert_eq!(hint.unwrap(), "one of \"text\", \"json\"");
    let (message, _) = refused("[auth]", "[edge]\nrefused_user_agents = \"(\"\n[auth]");
    assert!(message.contains("no regular expression"), "{message}");
}

#[test]
fn sections_that_need_or_exclude_each_other_are_checked() {
    let (message, _) = refused(
        "[[certificate]]\ncert = \"certs/site.crt\"\nkey = \"certs/site.key\"",
        "",
    );
    assert!(message.contains("no [[certificate]]"), "{message}");
    let (message, _) = refused(
        "[registry]",
        "[forward]\nto = \"http://localhost\"\n[registry]",
    );
    assert!(
        message.contains("both [registry] and [forward]"),
        "{message}"
    );
    let (message, _) = refused("[registry]\nroot = \"registry\"", "");
    assert!(
        message.contains("neither [registry] nor [forward]"),
        "{message}"
    );
    let (message, _) = refused("[auth]\nhtpasswd = \"auth/htpasswd\"", "");
    assert!(message.contains("no [auth]"), "{message}");
    let (message, _) = refused("[auth]", "[auth]\nrequired = false");
    assert!(message.contains("contradicts"), "{message}");
}

#[test]
fn nobody_is_asked_only_where_the_file_says_so() {
    let open = SMALL.replace("htpasswd = \"auth/htpasswd\"", "required = false");
    assert_eq!(parse(Path::new("t.toml"), &open).unwrap().auth, None);
}

#[test]
fn robots_come_in_beside_passwords_to_a_registry_of_this_process() {
    let named = "htpasswd = \"auth/htpasswd\"\nrobots = \"auth/robots.json\"";
    let text = SMALL.replace("htpasswd = \"auth/htpasswd\"", named);
    let settings = parse(Path::new("/srv/t.toml"), &text).unwrap();
    assert_eq!(settings.robots.unwrap(), Path::new("/srv/auth/robots.json"));

    let open = "required = false\nrobots = \"auth/robots.json\"";
    let (message, _) = refused("htpasswd = \"auth/htpasswd\"", open);
    assert!(message.starts_with("t.toml:11:10: `robots`"), "{message}");
    assert!(message.contains("without `htpasswd`"), "{message}");
    let forward = text.replace(
        "[registry]\nroot = \"registry\"",
        "[forward]\nto = \"http://127.0.0.1:5000\"",
    );
    let error = parse(Path::new("t.toml"), &forward).unwrap_err();
    assert!(error.to_string().contains("without [registry]"), "{error}");
}

#[test]
fn the_audit_log_is_of_a_registry_of_this_process() {
    let with = |keys: &str| SMALL.replace("[auth]", &format!("[log]\n{keys}\n[auth]"));
    let audit = |keys: &str| {
        let settings = parse(Path::new("/srv/t.toml"), &with(keys)).unwrap();
        settings.log.audit
    };
    let path = || "/srv/log/audit.log".into();
    let blobs = false;
    assert_eq!(audit(""), None);
    assert_eq!(
        audit("audit = \"log/audit.log\""),
        Some(AuditLog {
            path: path(),
            blobs
        })
    );
    let blobs = true;
    assert_eq!(
        audit("audit = \"/srv/log/audit.log\"\naudit_blobs = true"),
        Some(AuditLog {
            path: path(),
            blobs
        })
    );
    let (message, _) = refused("[auth]", "[log]\naudit_blobs = true\n[auth]");
    assert!(
        message.starts_with("t.toml:10:15: `audit_blobs` without `audit`"),
        "{message}"
    );
    let forward = with("audit = \"audit.log\"").replace(
        "[registry]\nroot = \"registry\"",
        "[forward]\nto = \"http://127.0.0.1:5000\"",
    );
    let error = parse(Path::new("t.toml"), &forward).unwrap_err();
    assert!(
        error.to_string().contains("`audit` without [registry]"),
        "{error}"
    );
}

#[test]
fn weak_hashes_are_allowed_where_the_file_says_so() {
    let weak = SMALL.replace("[auth]", "[auth]\nallow_weak_hashes = true");
    let settings = parse(Path::new("t.toml"), &weak).unwrap();
    assert!(settings.auth.unwrap().allow_weak_hashes);
}

#[test]
fn an_upstream_is_a_host_with_a_port_or_a_socket() {
    let forward = |to: &str| {
        let text = SMALL.replace(
            "[registry]\nroot = \"registry\"",
            &format!("[forward]\nto = \"{to}\""),
        );
        parse(Path::new("t.toml"), &text).map(|s| match s.backend {
            Backend::Forward(forward) => forward.to,
            Backend::Registry(_) | Backend::Places => unreachable!("the file has [forward]"),
        })
    };
    let http = |host: &str, port| Upstream::Http {
        host: host.to_owned(),
        port,
    };
    assert_eq!(
        forward("http://registry:5000/").unwrap(),
        http("registry", 5000)
    );
    assert_eq!(forward("http://[::1]:5000").unwrap(), http("::1", 5000));
    assert_eq!(forward("http://[::1]").unwrap(), http("::1", 80));
    assert_eq!(
        forward("unix:/run/r.sock").unwrap(),
        Upstream::Unix("/run/r.sock".into())
    );
    for bad in [
        "https://r",
        "r:5000",
        "http://",
        "http://r/x",
        "http://[::1",
        "http://[]]",
        "http://[r]",
        "http://::1",
        "http://a\\u0001b",
        "http://r:0",
        "unix:r",
    ] {
        assert!(forward(bad).is_err(), "{bad}");
    }
}

#[test]
fn schema_1_is_served_where_it_is_said() {
    let with = |line: &str| {
        let text = SMALL.replace(
            "root = \"registry\"",
            &format!("root = \"registry\"\n{line}"),
        );
        match parse(Path::new("/srv/tidegate.toml"), &text)
            .unwrap()
            .backend
        {
            Backend::Registry(registry) => registry.schema1,
            Backend::Forward(_) | Backend::Places => panic!("not a registry"),
        }
    };
    assert_eq!(with("schema1 = false"), None);
    assert_eq!(with("schema1 = true"), Some(Schema1 { signing_key: None }));
    assert_eq!(
        with("schema1 = true\nschema1_signing_key = \"key.pem\""),
        Some(Schema1 {
            signing_key: Some("/srv/key.pem".into())
        })
    );
    let (said, hint) = refused(
        "root = \"registry\"",
        "root = \"registry\"\nschema1_signing_key = \"key.pem\"",
    );
    assert!(said.starts_with("t.toml:14:"), "{said}");
    assert!(said.contains("without `schema1 = true`"), "{said}");
    assert!(hint.unwrap().contains("add `schema1 = true`"));
}

#[test]
fn a_byte_order_mark_is_passed_over_and_other_encodings_are_named() {
    assert_eq!(
        parse(
            Path::new("/srv/tidegate/tidegate.toml"),
            &format!("\u{feff}{SMALL}")
        )
        .unwrap(),
        small()
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidegate.toml");
    fs_err::write(&path, [0xff, 0xfe, b'[', 0]).unwrap();
    let error = crate::load(&path).unwrap_err();
    assert!(error.to_string().contains("not UTF-8 at byte 0"), "{error}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = parse(Path::new("t.toml"), &text);
    }

    #[test]
    fn any_damage_to_a_good_file_is_read_or_refused(at in 0..SMALL.len(), with: String) {
        let mut text = SMALL.to_owned();
        if text.is_char_boundary(at) {
            text.replace_range(at..at, &with);
        }
        if let Err(error) = parse(Path::new("t.toml"), &text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
